//! Application acknowledgments of what came in files (MSH-16; HL7 v2.5.1 section 2.9.3): the shell writes each beside its
//! file, once the message was applied.

use bytes::Bytes;
use store::{AckOutcome, AckStage, JournalId, Promise, Seq};
use uuid::Uuid;

use super::progress::Claim;
use crate::receive::Receiver;

/// Acknowledgments read at one time.
const BATCH_MAX: usize = 64;

/// One that is given and not written yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Owed {
    /// The entry that it acknowledges.
    pub entry: JournalId,
    /// Its position.
    pub seq: Seq,
    /// The taking of the file that it came in.
    pub claim: Uuid,
    /// The acknowledgment.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Owed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Owed({}, {} bytes)", self.entry.0, self.bytes.len())
    }
}

impl Receiver {
    /// Whether something may have been given since this was asked last; the first time it may.
    pub fn may_owe(&self) -> bool {
        self.later.as_ref().is_some_and(|later| later.take_given())
    }

    /// It could not be written yet: it is to be asked for again.
    pub fn owes_still(&self) {
        self.later.iter().for_each(|later| later.note_given());
    }

    /// Acknowledgments that are owed to files beyond a position, in the order of their messages; none when there are none.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn owed_to_files(&self, after: Seq) -> store::Result<Vec<Owed>> {
        let Some(later) = &self.later else { return Ok(Vec::new()) };
        let mut owed = Vec::new();
        for (promised, given) in later.acknowledgments.unsent(&self.channel, after, BATCH_MAX).await? {
            let entry = self.journal.read(promised.id).await?.ok_or(store::Error::NotFound)?;
            let claim = Claim::of_peer(&entry.peer).unwrap_or_default();
            let bytes = given.given.bytes;
            owed.push(Owed { entry: promised.id, seq: promised.seq, claim, bytes });
        }
        Ok(owed)
    }

    /// Whether every promise of the channel is kept.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn has_kept_all(&self) -> store::Result<bool> {
        let Some(later) = &self.later else { return Ok(true) };
        let last = *self.journal.appended().borrow();
        let open = later.acknowledgments.promised(&self.channel, Seq(0), last, 1).await?;
        Ok(open.iter().all(|promised| promised.promise != Promise::Application))
    }

    /// What became of an acknowledgment that was owed to a file.
    ///
    /// # Errors
    /// When the journal is closed.
    pub async fn note_written(&self, entry: JournalId, is_written: bool) -> store::Result<()> {
        let Some(later) = &self.later else { return Ok(()) };
        let outcome = if is_written { AckOutcome::Sent } else { AckOutcome::Undelivered };
        later.acknowledgments.note(entry, AckStage::Final, outcome).await
    }
}
