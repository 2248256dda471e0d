//! A payload that is a batch (FHS or BHS first; HL7 v2.5.1 section 2.10.3): every message an entry and a verdict of its
//! own, and what the envelopes declare held against what is there.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use hl7v2::batch::{BatchAnswer, Envelopes, PieceKind, pieces};
use store::{AckStage, JournalId};

use crate::ordered;
use crate::origin::Origin;
use crate::receive::{Answer, Receiver, control_id};

/// Messages of one batch in one payload; a longer one is refused whole. Files are for more.
pub const BATCH_MESSAGES_MAX: usize = 10_000;
/// Entries appended together.
const GROUP_MAX: usize = 256;

/// How a batch in one frame is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BatchReply {
    /// One frame: a batch acknowledgment that holds the acknowledgment of each message. A sender that counts one answer to
    /// a frame stays in step, and one that does not know batches finds no MSH first, so it takes nothing for accepted.
    #[default]
    Batch,
    /// One frame for each message, in order.
    Each,
}

/// What goes back for a batch.
pub struct BatchAnswers {
    /// Entries whose acknowledgments are in it, and which of each: `None`, the one given with it.
    pub entries: Vec<(JournalId, Option<AckStage>)>,
    /// The acknowledgment of each message, and of each thing that does not agree.
    pub each: Vec<Bytes>,
    /// The same in the envelopes of a batch acknowledgment.
    pub batch: Bytes,
    /// Is every message in the journal? If not, those that are not have AE in their acknowledgment.
    pub is_stored: bool,
    /// A message was not kept, and its sender wants no word of that: the connection is to be closed.
    pub is_lost: bool,
}

/// Is this payload a batch?
pub fn is_batch(payload: &[u8]) -> bool {
    let first = pieces(payload).find(|piece| piece.kind != PieceKind::Between);
    first.is_some_and(|piece| matches!(piece.kind, PieceKind::FileHeader | PieceKind::BatchHeader))
}

type Appending<'a> = Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>>;

/// A piece of the answer, in the order of the batch.
enum Part {
    /// An envelope, as it is to be written.
    Envelope(Vec<u8>),
    /// The answer to the next entry.
    Entry,
}

impl Receiver {
    /// Takes a batch. Its messages are appended in order; the answer comes when all are durable.
    pub async fn batch(&self, origin: &Origin<'_>, payload: &Bytes) -> BatchAnswers {
        let peer = origin.peer.as_str();
        let count = pieces(payload).filter(|piece| piece.kind == PieceKind::Message).count();
        if count > BATCH_MESSAGES_MAX {
            let refused: Appending<'_> =
                Box::pin(self.refused(peer, payload.clone(), "too-many-messages", true));
            return self.answers(vec![Part::Entry], vec![refused]).await;
        }
        let (mut parts, mut appends): (Vec<Part>, Vec<Appending<'_>>) = (Vec::new(), Vec::new());
        let (mut envelopes, mut answer) = (Envelopes::default(), BatchAnswer::default());
        let (control_id, time) = (control_id(JournalId((self.new_id)())), (self.hl7_time)((self.now_us)()));
        for piece in pieces(payload) {
            let bytes = payload.slice(piece.start..piece.end);
            let found = envelopes.take(piece.kind, &bytes);
            for one in &found {
                appends.push(Box::pin(self.refused(peer, bytes.clone(), one.code(), true)));
                parts.push(Part::Envelope(answer.message(&[], &control_id, &time)));
                parts.push(Part::Entry);
            }
            match piece.kind {
                PieceKind::Message | PieceKind::Stray => {
                    appends.push(match piece.kind {
                        PieceKind::Stray => Box::pin(self.refused(peer, bytes, "stray", true)),
                        _ => Box::pin(async move { Some(self.frame(origin, bytes).await) }),
                    });
                    parts.push(Part::Envelope(answer.message(&[], &control_id, &time)));
                    parts.push(Part::Entry);
                }
                PieceKind::FileHeader => {
                    parts.push(Part::Envelope(answer.file_header(&bytes, &control_id, &time)));
                }
                PieceKind::BatchHeader => {
                    parts.push(Part::Envelope(answer.batch_header(&bytes, &control_id, &time)));
                }
                PieceKind::BatchTrailer => parts.push(Part::Envelope(answer.batch_trailer(&found))),
                PieceKind::FileTrailer => parts.push(Part::Envelope(answer.file_trailer(&found))),
                PieceKind::Between => {}
            }
        }
        let found = envelopes.close();
        // What is missing has no bytes; the whole payload is what lacks it, and is kept once for that.
        let missing = found.first().map(|one| one.code()).or((count == 0).then_some("no-message"));
        if let Some(code) = missing {
            appends.push(Box::pin(self.refused(peer, payload.clone(), code, true)));
            parts.push(Part::Envelope(answer.message(&[], &control_id, &time)));
            parts.push(Part::Entry);
        }
        parts.push(Part::Envelope(answer.file_trailer(&found)));
        self.answers(parts, appends).await
    }

    /// Appends, in groups, and joins the answers to the envelopes.
    async fn answers(&self, parts: Vec<Part>, appends: Vec<Appending<'_>>) -> BatchAnswers {
        let mut answers = Vec::with_capacity(appends.len());
        let mut appends = appends.into_iter().peekable();
        while appends.peek().is_some() {
            answers.extend(ordered::all(appends.by_ref().take(GROUP_MAX)).await);
        }
        let (mut entries, mut each, mut batch) = (Vec::new(), Vec::new(), Vec::new());
        let (mut is_stored, mut is_lost) = (true, false);
        let mut answers = answers.into_iter();
        for part in parts {
            match part {
                Part::Envelope(bytes) => batch.extend(bytes),
                Part::Entry => {
                    let Some(answer) = answers.next().flatten() else { continue };
                    is_stored &= answer.entry.is_some();
                    is_lost |= answer.is_lost;
                    let Some(bytes) = answer.bytes else { continue };
                    entries.extend(answer.entry.map(|entry| (entry, answer.stage)));
                    batch.extend_from_slice(&bytes);
                    each.push(bytes);
                }
            }
        }
        BatchAnswers { entries, each, batch: Bytes::from(batch), is_stored, is_lost }
    }
}
