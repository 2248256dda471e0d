//! The console's dry runs are those of the pipeline.

use async_trait::async_trait;
use console::{DryRun, DryRunError};
use pipeline::{Alteration, Rehearsal};
use store::{Entry, JournalId, WriteSet};

/// Lends a node's dry runs to its console.
pub struct DryRuns(pub Rehearsal);

#[async_trait]
impl DryRun for DryRuns {
    async fn reprocess(&self, id: JournalId) -> Result<console::Outcome, DryRunError> {
        let outcome = self.0.reprocess(id).await?;
        Ok(match outcome {
            pipeline::Outcome::Nothing(why) => console::Outcome::Nothing(why),
            pipeline::Outcome::Foreseen(foreseen) => console::Outcome::Foreseen(console::Foreseen {
                state: foreseen.state,
                reason: foreseen.reason,
                differences: foreseen.differences.into_iter().map(difference).collect(),
                deliveries: foreseen.deliveries,
            }),
        })
    }

    async fn process(&self, entry: &Entry) -> Result<WriteSet, DryRunError> {
        Ok(self.0.run(entry).await?)
    }
}

fn difference(difference: pipeline::Difference) -> console::Difference {
    let pipeline::Difference { key, alteration, elements } = difference;
    let change = match alteration {
        Alteration::Added => "added",
        Alteration::Changed => "changed",
        Alteration::Removed => "removed",
    };
    console::Difference { key, change, elements }
}
