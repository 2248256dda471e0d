//! Acknowledgments given after the one of the arrival: once the message was applied.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{AckOutcome, JournalId, MessageState, Micros, Result, Seq};

/// Which acknowledgment an arrival is promised for later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Promise {
    /// The only one, of original mode: it waits for the application.
    Original,
    /// The application acknowledgment of enhanced mode.
    Application,
}

/// An accepted entry whose promise is not kept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// The entry.
    pub id: JournalId,
    /// Its position.
    pub seq: Seq,
    /// What was promised.
    pub promise: Promise,
}

/// Where an acknowledgment given later stands in its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckStage {
    /// The message is stored and was not applied in time; another acknowledgment follows.
    Interim,
    /// The promise is kept.
    Final,
}

/// An acknowledgment to be made durable. `Debug` prints its size.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLater {
    /// Where it stands.
    pub stage: AckStage,
    /// When it was made.
    pub given_us: Micros,
    /// MSA-1.
    pub code: String,
    /// The whole acknowledgment message; empty when none is owed after all (MSH-16 wants the other outcome only), and then
    /// its outcome is [`AckOutcome::NotOwed`].
    pub bytes: Bytes,
}

impl std::fmt::Debug for NewLater {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewLater({:?}, {}, {} bytes)", self.stage, self.code, self.bytes.len())
    }
}

/// An acknowledgment that was given later, with what became of it. `Debug` prints its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// What was given.
    pub given: NewLater,
    /// What became of it.
    pub outcome: AckOutcome,
}

/// Keeps promises of acknowledgments: reads what was promised and what became of messages, and makes what is given durable.
#[async_trait]
pub trait Acknowledgments: Send + Sync {
    /// Entries of a channel beyond `after` and up to `through` that were promised an acknowledgment and have no final one;
    /// ascending.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn promised(&self, channel: &str, after: Seq, through: Seq, limit: usize) -> Result<Vec<Promised>>;
    /// Makes an acknowledgment durable; returns after the fsync (group commit). The first of a stage stands: another one
    /// changes nothing. Until it is noted otherwise its outcome is [`AckOutcome::Owed`].
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] for an unknown entry; nothing is durable then, and nothing may be sent.
    async fn give(&self, id: JournalId, given: NewLater) -> Result<()>;
    /// Outcome of an acknowledgment given later; joins a later commit, as [`crate::Journal::settle`].
    ///
    /// # Errors
    /// When the journal is closed.
    async fn note(&self, id: JournalId, stage: AckStage, outcome: AckOutcome) -> Result<()>;
    /// What was given later for an entry, the interim one first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn given(&self, id: JournalId) -> Result<Vec<Later>>;
    /// Final acknowledgments of a channel that are owed still, beyond `after`; ascending.
    ///
    /// # Errors
    /// When the journal cannot be read.
    async fn unsent(&self, channel: &str, after: Seq, limit: usize) -> Result<Vec<(Promised, Later)>>;
    /// What became of these entries by the message list: state and reason. Those not applied yet are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn applied(&self, ids: &[JournalId]) -> Result<Vec<(JournalId, MessageState, Option<String>)>>;
}
