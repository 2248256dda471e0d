//! The mapping package of a running node, exchanged: compiled and tested beside the one in force, said in the ledger, and
//! then in force as a whole. SIGHUP asks for it with the rest of the configuration, the admin API for the package alone.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use audit::Record;
use console::{Exchange, Exchanged, Fault, NotExchanged};
use mapping::Package;
use pipeline::Packages;
use tokio::sync::{mpsc, oneshot};

use super::Running;
use super::clinical::{basis, load_around};
use super::content::proven_mappings;
use crate::config::{Config, Problem};

/// Requests that wait while one is answered; more are told to come again.
const WAITING_MAX: usize = 4;

/// What a clinical node has loaded beside its configuration.
pub(crate) struct Content {
    /// The mapping package in force.
    pub packages: Packages,
    /// Says which profiles and which policy are in force.
    pub basis: String,
    /// What the admin API asks for.
    pub asked: mpsc::Receiver<Asked>,
}

/// A request of the admin API, to be answered between two readings of the configuration.
pub(crate) struct Asked {
    by: Record,
    answer: oneshot::Sender<Result<Exchanged, NotExchanged>>,
}

/// The console's way to ask.
pub struct Exchanges(mpsc::Sender<Asked>);

/// The console's end and the node's.
pub fn exchanges() -> (Exchanges, mpsc::Receiver<Asked>) {
    let (sender, asked) = mpsc::channel(WAITING_MAX);
    (Exchanges(sender), asked)
}

#[async_trait]
impl Exchange for Exchanges {
    async fn exchange(&self, by: Record) -> Result<Exchanged, NotExchanged> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Asked { by, answer }).map_err(|_| NotExchanged::Busy)?;
        answered.await.unwrap_or(Err(NotExchanged::Busy))
    }
}

/// The next request; never ends where nobody can ask.
pub(super) async fn asked(running: &mut Running) -> Asked {
    if let Some(content) = &mut running.content
        && let Some(asked) = content.asked.recv().await
    {
        return asked;
    }
    std::future::pending().await
}

/// Does what was asked and answers. A client that is gone by then finds the outcome in the ledger.
pub(super) async fn answer(config: &Config, running: &Running, asked: Asked) {
    let Asked { by, answer } = asked;
    let outcome = exchange(config, running, by).await;
    drop(answer.send(outcome));
}

async fn exchange(config: &Config, running: &Running, by: Record) -> Result<Exchanged, NotExchanged> {
    let Some(content) = &running.content else { return Err(NotExchanged::Busy) };
    let before = content.packages.current().hash().to_owned();
    let by = by.object("before", &before).map_err(|error| NotExchanged::NotRecorded(error.into()))?;
    match prove(config, content).await {
        Ok(Proof { package: Some(package), .. }) => {
            let exchanged = Exchanged { package: package.hash().to_owned(), before };
            put_into_force(running, content, package, by).await.map_err(NotExchanged::NotRecorded)?;
            Ok(exchanged)
        }
        Ok(Proof { package: None, .. }) => {
            record(running, by.outcome("ok"), &before).await.map_err(NotExchanged::NotRecorded)?;
            Ok(Exchanged { package: before.clone(), before })
        }
        Err(problems) => {
            record(running, by.outcome("refused"), &before).await.map_err(NotExchanged::NotRecorded)?;
            tracing::warn!(count = problems.len(), "the mapping package was not exchanged");
            Err(NotExchanged::Wrong(problems.into_iter().map(fault).collect()))
        }
    }
}

fn fault(problem: Problem) -> Fault {
    let Problem { place, cause, fix } = problem;
    Fault { place, cause, fix }
}

/// What was proven beside what runs.
pub(super) struct Proof {
    /// The package, where it is another than the one in force; its tests passed.
    pub package: Option<Arc<Package>>,
    /// Which profiles and policy there are.
    pub basis: String,
}

/// Compiles and tests what `wanted` names, and loads the profiles and the policy around it.
pub(super) async fn prove(wanted: &Config, content: &Content) -> Result<Proof, Vec<Problem>> {
    let (wanted, in_force) = (wanted.clone(), content.packages.current());
    let proof = tokio::task::spawn_blocking(move || proof(&wanted, &in_force)).await;
    // A proof that panics proves nothing.
    proof.unwrap_or_else(|_| Err(problem("", "the proof of the content did not end")))
}

fn proof(wanted: &Config, in_force: &Arc<Package>) -> Result<Proof, Vec<Problem>> {
    let folder = wanted.mappings.as_deref().unwrap_or(Path::new("mappings"));
    let package = proven_mappings(folder, in_force.hash())?.map(Arc::new);
    let around = load_around(wanted, package.as_ref().unwrap_or(in_force));
    let (profiles, policy) = around.map_err(|failure| problem("", &failure.words))?;
    Ok(Proof { package, basis: basis(&policy, &profiles) })
}

/// First the ledger says which package, then it is in force for every batch that is begun from here on.
pub(super) async fn put_into_force(
    running: &Running,
    content: &Content,
    package: Arc<Package>,
    by: Record,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    record(running, by.outcome("ok"), package.hash()).await?;
    let id = package.hash().to_owned();
    content.packages.replace(package);
    tracing::info!(id, "the mapping package is in force");
    Ok(())
}

/// Says in the ledger how it ended, and which package is in force then.
async fn record(
    running: &Running,
    record: Record,
    package: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let ledger: &dyn store::Ledger = &*running.store;
    ledger.append(vec![record.object("package", package)?]).await?;
    Ok(())
}

/// One thing that is wrong, and how to find out more.
pub(super) fn problem(place: &str, cause: &str) -> Vec<Problem> {
    let fix = "mend it and reload again; tidegate check says the same".to_owned();
    vec![Problem { place: place.to_owned(), cause: cause.to_owned(), fix }]
}
