//! Groups of stretches into the journal: appended together, in order, each under the id of its place.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use hl7v2::batch::{PieceKind, Stretch};
use store::{AckOutcome, Appended, Arrival, Disposition, Error, JournalId};

use super::progress::{Finding, Progress};
use crate::origin::Origin;
use crate::receive::{Receiver, control_id};
use crate::{events, ordered};

/// Stretches outside of messages that are journaled, of one file; more are counted, and stay in the file.
const STRAYS_JOURNALED_MAX: u64 = 100;

/// Takes one file, group by group.
pub struct FileIntake {
    receiver: Receiver,
    progress: Progress,
}

/// An append under way.
type Append<'a> = Pin<Box<dyn Future<Output = store::Result<Option<Taken>>> + Send + 'a>>;

/// What became of one stretch.
struct Taken {
    entry: JournalId,
    refused: Option<String>,
    is_repeated: bool,
    is_promised: bool,
    acknowledgment: Bytes,
}

impl FileIntake {
    /// Goes on where `progress` is.
    pub fn new(receiver: Receiver, progress: Progress) -> Self {
        Self { receiver, progress }
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Notes something that the shell found.
    pub fn note(&mut self, finding: Finding) {
        self.progress.note(finding);
    }

    /// Appends a group and gives what the batch acknowledgment says of it. A group that is taken again, after a failure
    /// or by a process that knows an older progress, adds nothing that the journal has.
    ///
    /// # Errors
    /// When the journal did not take all of it; the progress is what it was, and the same group is to be given again.
    pub async fn take(&mut self, group: &[Stretch]) -> store::Result<Vec<u8>> {
        let mut arrivals = Vec::new();
        let mut strays = self.progress.counts.strays;
        for stretch in group {
            arrivals.push(self.arrival(stretch, &mut strays));
        }
        let mut taken = self.append(arrivals).await?.into_iter();
        let mut answer = Vec::new();
        for stretch in group {
            answer.extend(self.note_stretch(stretch, taken.next().flatten()));
        }
        Ok(answer)
    }

    /// The end of the file: what the batch acknowledgment says last.
    pub fn finish(&mut self) -> Vec<u8> {
        let (mut envelopes, mut answer) = (self.progress.envelopes(), self.progress.answer());
        let found = envelopes.close();
        let bytes = answer.file_trailer(&found);
        self.progress.note_all(&found, self.progress.offset);
        self.progress.set_open(envelopes, answer);
        if self.progress.counts.messages == 0 {
            self.progress.note(Finding::at("no-message", 0));
        }
        bytes
    }

    /// The arrival of a stretch that becomes an entry.
    fn arrival(&self, stretch: &Stretch, strays: &mut u64) -> Option<Arrival> {
        let claim = self.progress.claim;
        let (id, peer) = (claim.entry(stretch.start), claim.peer());
        let refused = |reason, is_answered| {
            let head = Bytes::copy_from_slice(&stretch.bytes);
            self.receiver.refused_arrival(id, claim.at_us, &peer, head, reason, is_answered)
        };
        match stretch.kind {
            PieceKind::Message if stretch.is_whole() => {
                let bytes = Bytes::copy_from_slice(&stretch.bytes);
                Some(self.receiver.arrival(id, claim.at_us, &Origin::named(&peer), &bytes))
            }
            PieceKind::Message => Some(refused("oversized", true)),
            PieceKind::Stray => {
                *strays += 1;
                (*strays <= STRAYS_JOURNALED_MAX).then(|| refused("stray", false))
            }
            _ => None,
        }
    }

    /// Appends in order, all of a group at once, so that they share commits.
    async fn append(&self, arrivals: Vec<Option<Arrival>>) -> store::Result<Vec<Option<Taken>>> {
        let begin = |arrival: Option<Arrival>| -> Append<'_> {
            Box::pin(async {
                match arrival {
                    Some(arrival) => self.append_one(arrival).await.map(Some),
                    None => Ok(None),
                }
            })
        };
        let all = ordered::all(arrivals.into_iter().map(begin)).await;
        all.into_iter().collect()
    }

    async fn append_one(&self, arrival: Arrival) -> store::Result<Taken> {
        let id = arrival.id;
        let refused = match arrival.disposition {
            Disposition::Accepted => None,
            Disposition::Refused(reason) => Some(reason.to_owned()),
        };
        let given =
            arrival.acknowledgment.as_ref().filter(|given| given.is_owed).map(|given| given.bytes.clone());
        let promise = arrival.promise;
        let taken = |entry, refused, acknowledgment: Option<Bytes>| Taken {
            is_promised: promise.is_some() && entry == id,
            entry,
            refused,
            is_repeated: entry != id,
            acknowledgment: acknowledgment.unwrap_or_default(),
        };
        let taken = match self.receiver.journal.append(arrival).await {
            Ok(Appended::New { seq, .. }) => {
                if let Some(later) = self.receiver.later.as_ref().filter(|_| promise.is_some()) {
                    later.note_promise(seq);
                }
                taken(id, refused, given)
            }
            Ok(Appended::Duplicate { of, acknowledgment }) => taken(of, None, acknowledgment.or(given)),
            // Appended by a try that did not live to say so; what is refused is never a duplicate.
            Err(Error::Conflict(cause)) => match self.receiver.journal.read(id).await? {
                Some(entry) => taken(id, entry.refused, entry.acknowledgment.map(|given| given.bytes)),
                None => return Err(Error::Conflict(cause)),
            },
            Err(error) => return Err(error),
        };
        if !taken.is_repeated
            && let Err(error) = self.receiver.journal.settle(id, AckOutcome::NotOwed).await
        {
            events::not_settled(&self.receiver.channel, id, &error);
        }
        Ok(taken)
    }

    /// Counts a stretch that is in the journal, and answers it.
    fn note_stretch(&mut self, stretch: &Stretch, taken: Option<Taken>) -> Vec<u8> {
        let (mut envelopes, mut answer) = (self.progress.envelopes(), self.progress.answer());
        let time = (self.receiver.hl7_time)(self.progress.claim.at_us);
        let control_id = control_id(self.progress.claim.entry(stretch.start));
        let found = envelopes.take(stretch.kind, &stretch.bytes);
        self.progress.note_all(&found, stretch.start);
        let bytes = match stretch.kind {
            PieceKind::FileHeader => {
                self.progress.counts.files += 1;
                answer.file_header(&stretch.bytes, &control_id, &time)
            }
            PieceKind::BatchHeader => {
                self.progress.counts.batches += 1;
                answer.batch_header(&stretch.bytes, &control_id, &time)
            }
            PieceKind::BatchTrailer => answer.batch_trailer(&found),
            PieceKind::FileTrailer => answer.file_trailer(&found),
            PieceKind::Message | PieceKind::Stray => match self.note_entry(stretch, taken) {
                Some(acknowledgment) => answer.message(&acknowledgment, &control_id, &time),
                None => Vec::new(),
            },
            PieceKind::Between => Vec::new(),
        };
        self.progress.set_open(envelopes, answer);
        self.progress.offset = stretch.end();
        bytes
    }

    /// Counts a message or a stray; its acknowledgment, when it has one.
    fn note_entry(&mut self, stretch: &Stretch, taken: Option<Taken>) -> Option<Bytes> {
        let counts = &mut self.progress.counts;
        let message = (stretch.kind == PieceKind::Message).then(|| {
            counts.messages += 1;
            counts.messages
        });
        counts.strays += u64::from(message.is_none());
        counts.promised += u64::from(taken.as_ref().is_some_and(|taken| taken.is_promised));
        let refused = match &taken {
            Some(taken) => taken.refused.clone(),
            None => Some("stray".to_owned()),
        };
        match (&refused, &taken) {
            (Some(code), _) => {
                counts.refused += 1;
                let entry = taken.as_ref().map(|taken| taken.entry.0);
                self.progress.note(Finding { message, entry, ..Finding::at(code, stretch.start) });
            }
            (None, Some(taken)) if taken.is_repeated => counts.repeated += 1,
            (None, _) => counts.accepted += 1,
        }
        taken.map(|taken| taken.acknowledgment).filter(|acknowledgment| !acknowledgment.is_empty())
    }
}

impl std::fmt::Debug for FileIntake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FileIntake({}, at {})", self.progress.claim.id, self.progress.offset)
    }
}
