//! A changed configuration taken over while the node runs: its MLLP channels, their certificates, and the mapping package,
//! which is compiled and tested beside the one in force. All else needs a restart, and that is said. What is wrong is
//! refused as a whole, and the node goes on as it was.

#[cfg(feature = "clinical")]
use audit::{Kind, Record};

#[cfg(feature = "clinical")]
use super::exchange::{self, Proof, problem};
use super::{Reread, Running};
#[cfg(feature = "clinical")]
use crate::clock;
use crate::config::{Config, Problem, Role};

/// Takes over a configuration that was read again.
pub(super) async fn take(config: &mut Config, running: &mut Running, reread: Reread) {
    let wanted = match reread {
        Ok(wanted) => wanted,
        Err(problems) => return refused(problems),
    };
    let keys = keys_that_differ(config, &wanted);
    match config.role {
        Role::Clinical => {
            if let Err(problems) = clinical(config, running, &wanted).await {
                return refused(problems);
            }
        }
        Role::Portal => {
            tracing::info!("configuration read again: a cloud node takes it over when it restarts")
        }
    }
    for key in keys {
        tracing::warn!(place = key, "has changed, and takes effect when the node restarts");
    }
}

fn refused(problems: Vec<Problem>) {
    for Problem { place, cause, fix } in problems {
        tracing::error!(place, cause, fix, "configuration not taken over, the node goes on as it was");
    }
}

/// Proves everything anew beside what runs, then takes over the channels and the mapping package; nothing of it when
/// anything of it is wrong. Where only the ledger cannot be written, the channels are taken over and the package is not.
#[cfg(feature = "clinical")]
async fn clinical(config: &mut Config, running: &mut Running, wanted: &Config) -> Result<(), Vec<Problem>> {
    let Some(content) = &running.content else { return Ok(()) };
    let Proof { package, basis } = exchange::prove(wanted, content).await?;
    let Some(listeners) = &mut running.listeners else { return Ok(()) };
    let changes = listeners.apply(&wanted.mllp).await.map_err(|failure| problem("", &failure.words))?;
    config.mllp.clone_from(&wanted.mllp);
    for (names, outcome) in [
        (changes.started, "started"),
        (changes.restarted, "drained and started anew"),
        (changes.removed, "drained"),
        (changes.certificates, "certificates read again"),
    ] {
        for channel in names {
            tracing::info!(channel, outcome, "configuration taken over");
        }
    }
    let Some(content) = &running.content else { return Ok(()) };
    if let Some(package) = package {
        let by = Record::new(Kind::ConfigurationChanged, clock::new_id(), &config.node, clock::now_us());
        let put = exchange::put_into_force(running, content, package, by).await;
        put.map_err(|error| problem("mappings", &error.to_string()))?;
    }
    config.mappings.clone_from(&wanted.mappings);
    if basis != content.basis {
        tracing::warn!(place = "profiles", "has changed, and takes effect when the node restarts");
    }
    tracing::info!("configuration read again");
    Ok(())
}

#[cfg(not(feature = "clinical"))]
async fn clinical(_: &mut Config, _: &mut Running, _: &Config) -> Result<(), Vec<Problem>> {
    Ok(())
}

/// Keys with other values that only a restart takes over; a cloud node has no mappings. Every key is named here, so that
/// a new one is thought of.
fn keys_that_differ(old: &Config, new: &Config) -> Vec<&'static str> {
    let Config {
        role,
        node,
        data,
        store,
        keys,
        http,
        mllp: _,
        folders,
        mappings: _,
        profiles,
        destinations,
        link,
        retention,
        smart,
        search_parameters,
        log,
        demo,
    } = new;
    let differs = [
        ("role", *role != old.role),
        ("node", *node != old.node),
        ("data", *data != old.data),
        ("store", *store != old.store),
        ("keys", *keys != old.keys),
        ("http", *http != old.http),
        ("folders", *folders != old.folders),
        ("profiles", *profiles != old.profiles),
        ("destinations", *destinations != old.destinations),
        ("link", *link != old.link),
        ("retention", *retention != old.retention),
        ("smart", *smart != old.smart),
        ("search_parameters", *search_parameters != old.search_parameters),
        ("log", *log != old.log),
        ("demo", *demo != old.demo),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
