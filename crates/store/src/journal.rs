//! The journal: what came in, in the order received, and the acknowledgments given for it.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{JournalId, Micros, Promise, Result, Seq};

/// Bytes of messages after which [`Journal::after`] reads no further entry.
pub const PAGE_BYTES_MAX: usize = 8 << 20;

/// What came in, with the acknowledgment it will get; both durable in one commit.
#[derive(Clone)]
pub struct Arrival {
    /// The entry's id; must be new.
    pub id: JournalId,
    /// The configured channel it came in by.
    pub channel: String,
    /// The peer's address or name.
    pub peer: String,
    /// When its last byte was read, µs since the epoch, UTC; chooses the monthly file.
    pub received_us: Micros,
    /// The message exactly as received. PHI.
    pub bytes: Bytes,
    /// `None`: nothing that names a sender (no MSH).
    pub sender: Option<SenderKey>,
    /// Whether it was accepted.
    pub disposition: Disposition,
    /// The acknowledgment that is given with it, if one is.
    pub acknowledgment: Option<NewAcknowledgment>,
    /// The acknowledgment that it is promised for later ([`crate::Acknowledgments`]).
    pub promise: Option<Promise>,
    /// The entry that a person edited to make this one. A child is never a duplicate, and makes no later arrival one.
    pub parent: Option<JournalId>,
    /// The label of the character set that its channel has for a message that names none; `None`: UTF-8.
    pub charset: Option<String>,
}

impl std::fmt::Debug for Arrival {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Arrival({}, {} bytes)", self.id.0, self.bytes.len())
    }
}

/// MSH-3, MSH-4 and MSH-10 as sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SenderKey {
    /// MSH-3.
    pub application: Vec<u8>,
    /// MSH-4.
    pub facility: Vec<u8>,
    /// MSH-10.
    pub control_id: Vec<u8>,
}

impl std::fmt::Debug for SenderKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = (self.application.len(), self.facility.len(), self.control_id.len());
        write!(formatter, "SenderKey{sizes:?}")
    }
}

/// Whether an arrival was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// To be processed.
    Accepted,
    /// Kept for an auditor only; a code such as `no-header`, `truncated`, `oversized`, `charset`.
    Refused(&'static str),
}

/// The acknowledgment an arrival will get.
#[derive(Clone)]
pub struct NewAcknowledgment {
    /// MSA-1 (HL7 table 0008).
    pub code: String,
    /// The whole acknowledgment message.
    pub bytes: Bytes,
    /// The sender wants it. If not, its code alone is kept, and its outcome is [`AckOutcome::NotOwed`].
    pub is_owed: bool,
}

impl std::fmt::Debug for NewAcknowledgment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewAcknowledgment({}, {} bytes)", self.code, self.bytes.len())
    }
}

/// What became of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// A row of its own.
    New {
        /// Its position.
        seq: Seq,
        /// The same MSH-3/4/10 came inside the window with other bytes.
        control_id_reused: bool,
    },
    /// The same sender, control id and bytes were accepted inside the last 7 days: answer with the stored
    /// acknowledgment. Nothing was written. Refused entries are neither duplicates nor have any: what was refused
    /// for a configuration's sake must be heard when it is sent again.
    Duplicate {
        /// The entry that was accepted first.
        of: JournalId,
        /// Its acknowledgment, whole; `None` when none was given with it, or owed.
        acknowledgment: Option<Bytes>,
    },
}

/// What became of an acknowledgment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckOutcome {
    /// Written, and not known to be sent.
    Owed,
    /// Handed to the peer's connection.
    Sent,
    /// The connection was gone.
    Undelivered,
    /// None is due.
    NotOwed,
}

/// One entry of the journal. Immutable but for the outcome of its acknowledgment.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: JournalId,
    /// Its position.
    pub seq: Seq,
    /// The channel it came in by.
    pub channel: String,
    /// The peer's address or name.
    pub peer: String,
    /// When it was received.
    pub received_us: Micros,
    /// The message exactly as received; checked against the digest made when it was written. PHI.
    pub bytes: Bytes,
    /// The refusal's code; `None` when it was accepted.
    pub refused: Option<String>,
    /// The same MSH-3/4/10 came before it inside the window with other bytes.
    pub control_id_reused: bool,
    /// The acknowledgment given with it.
    pub acknowledgment: Option<StoredAcknowledgment>,
    /// The entry that a person edited to make this one.
    pub parent: Option<JournalId>,
    /// The label of the character set that its channel had for a message that names none; `None`: UTF-8.
    pub charset: Option<String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Entry({}, {}, {} bytes)", self.seq.0, self.id.0, self.bytes.len())
    }
}

/// An acknowledgment as kept, with what became of it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAcknowledgment {
    /// MSA-1.
    pub code: String,
    /// The whole acknowledgment message; empty when it is not owed.
    pub bytes: Bytes,
    /// What became of it.
    pub outcome: AckOutcome,
}

impl std::fmt::Debug for StoredAcknowledgment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, bytes, outcome } = self;
        write!(formatter, "StoredAcknowledgment({code}, {} bytes, {outcome:?})", bytes.len())
    }
}

/// The journal of one node.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Returns after the fsync that made the row durable (group commit).
    ///
    /// # Errors
    /// Nothing is durable then and the peer must not be told otherwise.
    async fn append(&self, arrival: Arrival) -> Result<Appended>;
    /// Outcome of the acknowledgment; joins a later commit, never costs an fsync of its own. Readers see it after
    /// that commit.
    ///
    /// # Errors
    /// When the journal is closed.
    async fn settle(&self, id: JournalId, outcome: AckOutcome) -> Result<()>;
    /// One entry.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when its bytes are not those that were written.
    async fn read(&self, id: JournalId) -> Result<Option<Entry>>;
    /// Durable entries beyond `seq`, ascending; fewer than `limit` when they are longer than [`PAGE_BYTES_MAX`], and none
    /// only when there is none. Numbers may be missing; none appears later below one that was read.
    ///
    /// # Errors
    /// As [`Journal::read`].
    async fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Entry>>;
    /// Entries received in `from_us..until_us` beyond `after`, ascending by `seq`.
    ///
    /// # Errors
    /// As [`Journal::read`].
    async fn window(&self, from_us: Micros, until_us: Micros, after: Seq, limit: usize)
    -> Result<Vec<Entry>>;
    /// Highest durable seq; wakes the pipeline.
    fn appended(&self) -> tokio::sync::watch::Receiver<Seq>;
}
