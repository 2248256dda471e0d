//! What processing a message would change, again or edited. The pipeline knows; it is lent to the console by this trait.

use async_trait::async_trait;
use store::{Entry, JournalId, MessageState, ResourceKey, WriteSet};

/// The pipeline's own words for why it could not tell.
pub type DryRunError = Box<dyn std::error::Error + Send + Sync>;

/// Processes a message without writing anything.
#[async_trait]
pub trait DryRun: Send + Sync {
    /// What a reprocess of this message would come to now.
    ///
    /// # Errors
    /// When the store cannot be read, or a stored resource is damaged.
    async fn reprocess(&self, id: JournalId) -> Result<Outcome, DryRunError>;

    /// What `entry` would write over what stands now, were it to come. It need not be in the journal. PHI.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn process(&self, entry: &Entry) -> Result<WriteSet, DryRunError>;
}

/// What a reprocess would come to.
#[derive(Debug)]
pub enum Outcome {
    /// It would be processed to this end.
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
    /// Resources that would differ, of the message and of every other message of its patients.
    pub differences: Vec<Difference>,
    /// Deliveries that would be queued.
    pub deliveries: usize,
}

/// A resource that would differ. Names of elements only, no values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub key: ResourceKey,
    /// `added`, `changed` or `removed`.
    pub change: &'static str,
    /// Names of the elements that come, go or change: `name`, `birthDate`. In alphabetical order.
    pub elements: Vec<String>,
}
