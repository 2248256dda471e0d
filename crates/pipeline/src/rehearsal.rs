//! A dry run: what a message would write if it came now, worked out by the code that would write it, and not written.

use std::sync::Arc;

use mapping::Package;
use store::{Entry, JournalId, MessageState, WriteSet};

use crate::difference::{Difference, difference};
use crate::follow::{Pipeline, translate_safely};
use crate::packages::Packages;
use crate::release::Release;
use crate::reprocess::Plan;
use crate::{Environment, Error, Ports};

/// What a reprocess would come to.
#[derive(Debug)]
pub enum Outcome {
    /// The message would be processed to this end.
    Foreseen(Foreseen),
    /// Nothing would change, for this reason (a code).
    Nothing(&'static str),
}

/// The end of a message that is processed again.
#[derive(Debug)]
pub struct Foreseen {
    /// Where it would end.
    pub state: MessageState,
    /// Why it would end there: a code.
    pub reason: Option<String>,
    /// Resources that would differ, of this message and of every other message of its patients.
    pub differences: Vec<Difference>,
    /// Deliveries that would be queued.
    pub deliveries: usize,
}

/// Makes dry runs. Cheap to keep; each run has a state of its own, so that nothing of it is seen by the pipeline.
#[derive(Clone)]
pub struct Rehearsal {
    ports: Ports,
    environment: Environment,
    packages: Packages,
    release: Arc<dyn Fn() -> Release + Send + Sync>,
}

impl Rehearsal {
    /// `release`: makes what decides and transforms on the way out, for one run.
    pub fn new(
        ports: Ports,
        environment: Environment,
        packages: impl Into<Packages>,
        release: impl Fn() -> Release + Send + Sync + 'static,
    ) -> Self {
        Self { ports, environment, packages: packages.into(), release: Arc::new(release) }
    }

    /// What `entry` would write over what stands now: its row with state, reason and issues, the versions, and what
    /// would leave. Pseudonyms that it would need are made for this run alone, so released ids of new subjects differ
    /// from those of the real run. Nothing is written, and nothing is logged of it. PHI.
    ///
    /// The entry's `seq` is not looked at beyond being copied; it need not be in the journal.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(&self, entry: &Entry) -> Result<WriteSet, Error> {
        let (package, namespace) = (self.packages.current(), self.environment.namespace);
        let (own, by) = (entry.clone(), Arc::clone(&package));
        let translated = tokio::task::spawn_blocking(move || translate_safely(&by, namespace, &own));
        let translated = translated.await.map_err(|_| Error::Translation)?;
        let mut pipeline = self.pipeline(package);
        let translated = pipeline.whole(entry, translated).await?;
        pipeline.write_set(entry, translated).await
    }

    /// What [`Pipeline::reprocess`] of this message would come to over what stands now. Nothing is written, and nothing
    /// is logged of it.
    ///
    /// # Errors
    /// When the store cannot be read, or a stored resource is damaged.
    pub async fn reprocess(&self, id: JournalId) -> Result<Outcome, Error> {
        let Plan { outcome, set } = self.pipeline(self.packages.current()).plan_reprocess(id).await?;
        let Some(set) = set else { return Ok(Outcome::Nothing(outcome)) };
        let mut differences = Vec::new();
        for version in &set.versions {
            differences.extend(difference(&self.ports, version).await?);
        }
        let deliveries = set.deliveries.len();
        let (state, reason) = (set.message.state, set.message.reason);
        Ok(Outcome::Foreseen(Foreseen { state, reason, differences, deliveries }))
    }

    /// A pipeline for one run, by one package.
    fn pipeline(&self, package: Arc<Package>) -> Pipeline {
        let (ports, environment) = (self.ports.clone(), self.environment.clone());
        let mut pipeline = Pipeline::new(ports, environment, package, (self.release)());
        pipeline.is_rehearsal = true;
        pipeline
    }
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rehearsal").field("packages", &self.packages).finish_non_exhaustive()
    }
}
