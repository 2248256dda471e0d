//! A changed configuration taken over while the node runs: its MLLP channels and their certificates. All else needs a
//! restart, and that is said. A configuration that is wrong is refused as a whole, and the node goes on as it was.

use super::{Reread, Running};
use crate::Failure;
use crate::config::{Config, Role};

/// Takes over a configuration that was read again.
pub(super) async fn take(config: &mut Config, running: &mut Running, reread: Reread) {
    let wanted = match reread {
        Ok(wanted) => wanted,
        Err(problems) => {
            for problem in problems {
                let (place, cause, fix) = (problem.place, problem.cause, problem.fix);
                tracing::error!(
                    place,
                    cause,
                    fix,
                    "configuration not taken over, the node goes on as it was"
                );
            }
            return;
        }
    };
    let keys = keys_that_differ(config, &wanted);
    match config.role {
        Role::Clinical => {
            if let Err(failure) = channels(config, running, &wanted).await {
                let cause = failure.words;
                return tracing::error!(cause, "configuration not taken over, the node goes on as it was");
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

#[cfg(feature = "clinical")]
async fn channels(config: &mut Config, running: &mut Running, wanted: &Config) -> Result<(), Failure> {
    let proven = wanted.clone();
    let proof = tokio::task::spawn_blocking(move || super::prove_clinical(&proven)).await;
    // A proof that panics proves nothing.
    proof.unwrap_or_else(|error| Err(Failure::because(crate::Exit::Configuration, &error)))?;
    let Some(listeners) = &mut running.listeners else { return Ok(()) };
    let changes = listeners.apply(&wanted.mllp).await?;
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
    tracing::info!("configuration read again");
    Ok(())
}

#[cfg(not(feature = "clinical"))]
async fn channels(_: &mut Config, _: &mut Running, _: &Config) -> Result<(), Failure> {
    Ok(())
}

/// Keys with other values that only a restart takes over. Every key is named here, so that a new one is thought of.
fn keys_that_differ(old: &Config, new: &Config) -> Vec<&'static str> {
    let Config {
        role,
        node,
        data,
        keys,
        http,
        mllp: _,
        folders,
        mappings,
        profiles,
        destinations,
        link,
        retention,
        log,
        demo,
    } = new;
    let differs = [
        ("role", *role != old.role),
        ("node", *node != old.node),
        ("data", *data != old.data),
        ("keys", *keys != old.keys),
        ("http", *http != old.http),
        ("folders", *folders != old.folders),
        ("mappings", *mappings != old.mappings),
        ("profiles", *profiles != old.profiles),
        ("destinations", *destinations != old.destinations),
        ("link", *link != old.link),
        ("retention", *retention != old.retention),
        ("log", *log != old.log),
        ("demo", *demo != old.demo),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
