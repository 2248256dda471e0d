//! A changed configuration taken over while the node runs: its MLLP channels, their certificates, and the mapping package,
//! which is compiled and tested beside the one in force. All else needs a restart, and that is said. What is wrong is
//! refused as a whole, and the node goes on as it was.

#[cfg(feature = "clinical")]
use std::sync::Arc;

#[cfg(feature = "clinical")]
use audit::{Kind, Record};

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

/// What a clinical node has loaded beside its configuration.
#[cfg(feature = "clinical")]
pub(crate) struct Content {
    /// The mapping package in force.
    pub packages: pipeline::Packages,
    /// Says which profiles and which policy are in force.
    pub basis: String,
}

/// Proves everything anew beside what runs, then takes over the channels and the mapping package; nothing of it when
/// anything of it is wrong. Where only the ledger cannot be written, the channels are taken over and the package is not.
#[cfg(feature = "clinical")]
async fn clinical(config: &mut Config, running: &mut Running, wanted: &Config) -> Result<(), Vec<Problem>> {
    let Some(in_force) = running.content.as_ref().map(|content| content.packages.current()) else {
        return Ok(());
    };
    let proven = wanted.clone();
    let proof = tokio::task::spawn_blocking(move || prove(&proven, &in_force)).await;
    // A proof that panics proves nothing.
    let proof = proof.unwrap_or_else(|_| Err(problem("", "the proof of the content did not end")));
    let (package, basis) = proof?;
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
        put_into_force(config, running, content, package).await?;
    }
    config.mappings.clone_from(&wanted.mappings);
    if basis != content.basis {
        tracing::warn!(place = "profiles", "has changed, and takes effect when the node restarts");
    }
    tracing::info!("configuration read again");
    Ok(())
}

/// The package where it is another one, with its tests passed; and what profiles and policy there are.
#[cfg(feature = "clinical")]
fn prove(
    wanted: &Config,
    in_force: &Arc<mapping::Package>,
) -> Result<(Option<Arc<mapping::Package>>, String), Vec<Problem>> {
    let folder = wanted.mappings.as_deref().unwrap_or(std::path::Path::new("mappings"));
    let package = super::content::proven_mappings(folder, in_force.hash())?.map(Arc::new);
    let around = super::clinical::load_around(wanted, package.as_ref().unwrap_or(in_force));
    let (profiles, policy) = around.map_err(|failure| problem("", &failure.words))?;
    Ok((package, super::clinical::basis(&policy, &profiles)))
}

/// First the ledger says which package, then it is in force for every batch that is begun from here on.
#[cfg(feature = "clinical")]
async fn put_into_force(
    config: &Config,
    running: &Running,
    content: &Content,
    package: Arc<mapping::Package>,
) -> Result<(), Vec<Problem>> {
    let wrong = |error: &dyn std::fmt::Display| problem("mappings", &error.to_string());
    let record = Record::new(Kind::ConfigurationChanged, clock::new_id(), &config.node, clock::now_us())
        .outcome("ok")
        .object("package", package.hash())
        .map_err(|error| wrong(&error))?;
    let ledger: &dyn store::Ledger = &*running.store;
    ledger.append(vec![record]).await.map_err(|error| wrong(&error))?;
    let id = package.hash().to_owned();
    content.packages.replace(package);
    tracing::info!(id, "the mapping package is in force");
    Ok(())
}

#[cfg(feature = "clinical")]
fn problem(place: &str, cause: &str) -> Vec<Problem> {
    let fix = "mend it and reload again; tidegate check says the same".to_owned();
    vec![Problem { place: place.to_owned(), cause: cause.to_owned(), fix }]
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
        ("log", *log != old.log),
        ("demo", *demo != old.demo),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
