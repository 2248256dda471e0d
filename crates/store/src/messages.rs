//! The message list of the console, and requests to reprocess.

use async_trait::async_trait;

use crate::{DeliveryRow, ForwardRow, JournalId, LedgerRow, Micros, ResourceKey, Result, Seq};

/// One row of the message list. No content: business keys are separate rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// The journal entry.
    pub id: JournalId,
    /// Its position.
    pub seq: Seq,
    /// The channel it came in by.
    pub channel: String,
    /// When it was received.
    pub received_us: Micros,
    /// When it was processed last.
    pub processed_us: Micros,
    /// Where it ended.
    pub state: MessageState,
    /// `ADT^A01`, checked against the v2 alphabet.
    pub message_type: String,
    /// Who sent it, as configured or as MSH-3/4 say, checked likewise.
    pub sender: String,
    /// Why it ended there: a code.
    pub reason: Option<String>,
    /// Issues as codes and v2 paths, JSON array.
    pub issues: String,
    /// The package of mappings it was pinned to.
    pub package_hash: String,
    /// Bits the pipeline defines.
    pub flags: u32,
    /// Leaves of the message that reached the output.
    pub leaves_mapped: u32,
    /// Leaves of the message.
    pub leaves_total: u32,
    /// Made by an edit of.
    pub parent: Option<JournalId>,
    /// The message made by an edit of this one, or of such a one, that was applied. Set by the store when it is.
    pub resolved_by: Option<JournalId>,
}

impl MessageRow {
    /// Whether it waits for an operator: held back or failed, and nothing made of it was applied.
    pub fn is_open(&self) -> bool {
        matches!(self.state, MessageState::Quarantined | MessageState::Error) && self.resolved_by.is_none()
    }
}

/// Where a message is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// Journaled only.
    Received,
    /// Mapped, and nothing of it stored.
    Translated,
    /// Stored, and nothing of it to deliver.
    Stored,
    /// Stored, and its deliveries queued.
    Routed,
    /// Meant to be left out.
    Filtered,
    /// Held back for an operator.
    Quarantined,
    /// Could not be processed.
    Error,
}

/// Which messages to list; conditions given must all hold.
#[derive(Clone, Default)]
pub struct MessageFilter {
    /// In this state.
    pub state: Option<MessageState>,
    /// Of this channel.
    pub channel: Option<String>,
    /// With this business key. PHI.
    pub key: Option<KeyTerm>,
    /// Of this type, `ADT^A01`, or of these first letters, `ADT`.
    pub message_type: Option<String>,
    /// From this sender, `APP|FACILITY` or its first part.
    pub sender: Option<String>,
    /// Ended there for this reason.
    pub reason: Option<String>,
    /// Received at or after.
    pub since_us: Option<Micros>,
    /// Received before.
    pub until_us: Option<Micros>,
    /// Leaves out what a message made by an edit has resolved.
    pub is_unresolved: bool,
}

/// A business key that is looked for. PHI; `Debug` prints its kind.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyTerm {
    /// [`crate::Key::kind`]; `None`: of any kind.
    pub kind: Option<&'static str>,
    /// As sent, whatever its case, of any system.
    pub value: String,
}

impl std::fmt::Debug for KeyTerm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeyTerm({:?}, {} bytes)", self.kind, self.value.len())
    }
}

impl std::fmt::Debug for MessageFilter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { state, channel, key, message_type, .. } = self;
        write!(formatter, "MessageFilter({state:?}, {channel:?}, {message_type:?}, key: {})", key.is_some())
    }
}

/// One message with all that came of it.
#[derive(Debug)]
pub struct MessageDetail {
    /// The row of the list.
    pub row: MessageRow,
    /// The versions it wrote.
    pub resources: Vec<(ResourceKey, u32)>,
    /// What was queued from it, oldest first.
    pub deliveries: Vec<DeliveryRow>,
    /// Where it was forwarded as it is, oldest first.
    pub forwards: Vec<ForwardRow>,
    /// Audit records that name it, oldest first.
    pub records: Vec<LedgerRow>,
}

/// Reads the message list; takes requests to reprocess.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Newest first, `before` exclusive.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<MessageRow>>;
    /// One message; `None` when it was not processed yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn detail(&self, id: JournalId) -> Result<Option<MessageDetail>>;
    /// The messages of the list beside one: the next older and the next newer that the filter finds.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn neighbours(
        &self,
        filter: &MessageFilter,
        of: Seq,
    ) -> Result<(Option<JournalId>, Option<JournalId>)>;
    /// Messages made by an edit of this one, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn children(&self, parent: JournalId) -> Result<Vec<MessageRow>>;
    /// Messages in each state that has any, without those held back or failed that an edit has resolved.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn counts(&self) -> Result<Vec<(MessageState, u64)>>;
    /// Last processed seq; wakes the live list, also after a reprocess.
    fn processed(&self) -> tokio::sync::watch::Receiver<Seq>;
    /// Ask the pipeline to reprocess (a row it claims). `requested_by`: user id. Messages that were never processed,
    /// or wait for a reprocess already, are left out. Returns how many requests were made.
    ///
    /// # Errors
    /// When the rows cannot be written.
    async fn request_reprocess(&self, ids: &[JournalId], requested_by: &str, at_us: Micros) -> Result<u64>;
    /// Requests without an outcome, oldest first. A pure read: the same rows come again until they are settled.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn claim_reprocess(&self, limit: usize) -> Result<Vec<(i64, JournalId)>>;
    /// Closes a request with a code.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when it is unknown or closed.
    async fn settle_reprocess(&self, request: i64, outcome: &str) -> Result<()>;
    /// What became of the latest request of each of these messages, in their order; `None`: it is open. Messages for
    /// which nobody asked are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn reprocess_outcomes(&self, ids: &[JournalId]) -> Result<Vec<(JournalId, Option<String>)>>;
}
