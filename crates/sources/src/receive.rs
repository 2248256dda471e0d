//! One frame: check the header, build the acknowledgment, make both durable, answer.

use std::sync::Arc;

use bytes::Bytes;
use hl7v2::Charset;
use hl7v2::acknowledgment::{AckCode, ErrorCode, HeaderRefusal};
use store::{AckOutcome, AckStage, Appended, Arrival, Disposition, Journal, JournalId, NewLater, Promise};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::batch::BatchReply;
use crate::check::{self, Stamp};
use crate::events;
use crate::later::Later;
use crate::origin::Origin;
use crate::rules::Rules;
use crate::waiting::Waiter;

/// Characters of an acknowledgment's own control id; MSH-10 holds 20 in every version.
const CONTROL_ID_CHARS: usize = 20;

/// Receives frames of one channel.
#[derive(Clone)]
pub struct Receiver {
    /// Channel name.
    pub channel: String,
    /// Where frames become durable.
    pub journal: Arc<dyn Journal>,
    /// How a batch in one frame is answered.
    pub batch_reply: BatchReply,
    /// What is asked of a message before it is accepted.
    pub rules: Arc<Rules>,
    /// Keeps promises of acknowledgments. `None`: nothing is promised, and what is given is given at the commit.
    pub later: Option<Arc<Later>>,
    /// Microseconds since the epoch, UTC.
    pub now_us: fn() -> i64,
    /// A UUIDv7.
    pub new_id: fn() -> Uuid,
    /// An instant in HL7's form, `20260102030405+0000`.
    pub hl7_time: fn(i64) -> String,
}

/// What goes back to the sender at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The journal entry whose acknowledgment this is; `None` when nothing could be stored.
    pub entry: Option<JournalId>,
    /// Which of the entry's acknowledgments; `None`: the one given with it.
    pub stage: Option<AckStage>,
    /// The acknowledgment; `None`: nothing is sent.
    pub bytes: Option<Bytes>,
    /// The connection is to be closed: the message was not kept, and the sender wants no word of that.
    pub is_lost: bool,
}

impl Answer {
    fn given(entry: JournalId, bytes: Option<Bytes>) -> Self {
        Self { entry: Some(entry), stage: None, bytes, is_lost: false }
    }

    fn later(entry: JournalId, stage: AckStage, bytes: Bytes) -> Self {
        Self { entry: Some(entry), stage: Some(stage), bytes: Some(bytes), is_lost: false }
    }
}

impl Receiver {
    /// A whole frame. Answers with what is owed at once: with the acknowledgment once it is durable, with the stored one
    /// for a repetition, with AE 207 when the journal did not take it, so that the sender sends again. What the sender wants
    /// to hear of the application goes to the origin's line later.
    pub async fn frame(&self, origin: &Origin<'_>, bytes: Bytes) -> Answer {
        let (id, now_us) = (JournalId((self.new_id)()), (self.now_us)());
        let arrival = self.arrival(id, now_us, origin, &bytes);
        let promise = arrival.promise;
        let owed = arrival.acknowledgment.as_ref().filter(|given| given.is_owed);
        let owed = owed.map(|given| given.bytes.clone());
        let reply = self.wait(id, promise, origin);
        match self.journal.append(arrival).await {
            Ok(Appended::New { seq, .. }) => {
                let Some(later) = self.later.as_ref().filter(|_| promise.is_some()) else {
                    return Answer::given(id, owed);
                };
                later.note_promise(seq);
                match promise {
                    Some(Promise::Original) => self.applied(later, id, reply, &bytes).await,
                    _ => Answer::given(id, owed),
                }
            }
            Ok(Appended::Duplicate { of, acknowledgment: stored }) => {
                events::duplicate(&self.channel, of);
                self.forget(id, promise);
                self.again(of, stored, owed, promise, origin, &bytes).await
            }
            Err(error) => {
                self.forget(id, promise);
                self.lost(&bytes, &error)
            }
        }
    }

    /// What bytes that are taken for one whole message become in the journal, with the acknowledgment that they get.
    pub(crate) fn arrival(&self, id: JournalId, now_us: i64, origin: &Origin<'_>, bytes: &Bytes) -> Arrival {
        let (control_id, time) = (control_id(id), (self.hl7_time)(now_us));
        let stamp = Stamp { control_id: &control_id, time: &time };
        let checked = check::check(bytes, origin, &self.rules, self.later.is_some(), stamp);
        if checked.has_unknown_condition {
            events::unknown_condition(&self.channel, id);
        }
        Arrival {
            id,
            channel: self.channel.clone(),
            peer: origin.peer.clone(),
            received_us: now_us,
            bytes: bytes.clone(),
            sender: checked.sender,
            disposition: checked.disposition,
            acknowledgment: checked.acknowledgment,
            promise: checked.promise,
            parent: None,
            charset: self.charset(),
        }
    }

    /// The channel's character set, for whoever reads the entry later.
    fn charset(&self) -> Option<String> {
        let charset = self.rules.charset;
        (charset != Charset::UTF_8).then(|| charset.name().to_owned())
    }

    /// Bytes that are no whole message: a frame cut off or over its limit (`head` is what was kept of it), or junk. They
    /// are journaled as refused. `is_answered`: the sender waits for an answer to exactly these bytes; one that broke off
    /// and began again must not take a refusal of its first try for the answer to its second.
    pub async fn refused(
        &self,
        peer: &str,
        head: Bytes,
        reason: &'static str,
        is_answered: bool,
    ) -> Option<Answer> {
        let (id, now_us) = (JournalId((self.new_id)()), (self.now_us)());
        let arrival = self.refused_arrival(id, now_us, peer, head, reason, is_answered);
        let owed = arrival.acknowledgment.as_ref().filter(|given| given.is_owed);
        let answer = owed.map(|given| given.bytes.clone());
        let entry = match self.journal.append(arrival).await {
            Ok(_) => Some(id),
            Err(error) => {
                events::not_stored(&self.channel, &error);
                None
            }
        };
        answer.map(|bytes| Answer { entry, stage: None, bytes: Some(bytes), is_lost: false })
    }

    /// What bytes that are no whole message become in the journal.
    pub(crate) fn refused_arrival(
        &self,
        id: JournalId,
        now_us: i64,
        peer: &str,
        head: Bytes,
        reason: &'static str,
        is_answered: bool,
    ) -> Arrival {
        let (control_id, time) = (control_id(id), (self.hl7_time)(now_us));
        let refusal = HeaderRefusal {
            code: AckCode::ApplicationReject,
            error: ErrorCode::SegmentSequence,
            location: None,
            reason,
        };
        let stamp = Stamp { control_id: &control_id, time: &time };
        let acknowledgment = is_answered.then(|| check::refuse(&head, self.rules.charset, &refusal, stamp));
        Arrival {
            id,
            channel: self.channel.clone(),
            peer: peer.to_owned(),
            received_us: now_us,
            bytes: head,
            sender: None,
            disposition: Disposition::Refused(reason),
            acknowledgment,
            promise: None,
            parent: None,
            charset: self.charset(),
        }
    }

    /// Notes whether an answer that was to be sent reached the socket.
    pub async fn settle(&self, entry: Option<JournalId>, stage: Option<AckStage>, sent: bool) {
        let Some(entry) = entry else { return };
        let outcome = if sent { AckOutcome::Sent } else { AckOutcome::Undelivered };
        let noted = match (stage, &self.later) {
            (Some(stage), Some(later)) => later.acknowledgments.note(entry, stage, outcome).await,
            _ => self.journal.settle(entry, outcome).await,
        };
        if let Err(error) = noted {
            events::not_settled(&self.channel, entry, &error);
        }
    }

    /// Waits for what is promised, before the promise is durable: nobody can keep it unheard then.
    fn wait(
        &self,
        id: JournalId,
        promise: Option<Promise>,
        origin: &Origin<'_>,
    ) -> Option<oneshot::Receiver<Bytes>> {
        let later = self.later.as_ref()?;
        match promise? {
            Promise::Original => {
                let (reply, receiver) = oneshot::channel();
                later.wait(id, Waiter::Reply(reply)).then_some(receiver)
            }
            Promise::Application => {
                if let Some(line) = origin.line {
                    later.wait(id, Waiter::Line(line.clone()));
                }
                None
            }
        }
    }

    fn forget(&self, id: JournalId, promise: Option<Promise>) {
        if let Some(later) = self.later.as_ref().filter(|_| promise.is_some()) {
            later.forget(id);
        }
    }

    /// The answer to a message that came before: the stored acknowledgments, and what is still open when it is there.
    async fn again(
        &self,
        of: JournalId,
        stored: Option<Bytes>,
        owed: Option<Bytes>,
        promise: Option<Promise>,
        origin: &Origin<'_>,
        bytes: &Bytes,
    ) -> Answer {
        let Some(later) = &self.later else { return Answer::given(of, stored.or(owed)) };
        let awaits_reply = owed.is_some() || promise == Some(Promise::Original);
        if stored.is_none() && awaits_reply {
            let reply = self.wait(of, Some(Promise::Original), origin);
            return match later.given(of, AckStage::Final).await {
                Ok(Some(last)) => {
                    later.forget_gone(of);
                    Answer::later(of, AckStage::Final, last.given.bytes)
                }
                Ok(None) => self.applied(later, of, reply, bytes).await,
                Err(error) => self.lost(bytes, &error),
            };
        }
        if promise == Some(Promise::Application)
            && let Err(error) = later.again(of, origin.line).await
        {
            events::promises_wait(&self.channel, &error);
        }
        Answer::given(of, stored)
    }

    /// Waits until the message was applied, and answers what is then durable; else that it is stored and not applied yet,
    /// which is durable too.
    async fn applied(
        &self,
        later: &Later,
        id: JournalId,
        reply: Option<oneshot::Receiver<Bytes>>,
        bytes: &Bytes,
    ) -> Answer {
        if let Some(reply) = reply
            && let Some(last) = later.awaited(reply).await
        {
            return Answer::later(id, AckStage::Final, last);
        }
        later.forget_gone(id);
        match self.interim(later, id, bytes).await {
            Ok(bytes) => Answer::later(id, AckStage::Interim, bytes),
            Err(error) => self.lost(bytes, &error),
        }
    }

    async fn interim(&self, later: &Later, id: JournalId, bytes: &Bytes) -> store::Result<Bytes> {
        if let Some(stored) = later.given(id, AckStage::Interim).await? {
            return Ok(stored.given.bytes);
        }
        let given_us = (self.now_us)();
        let (control_id, time) = (control_id(JournalId((self.new_id)())), (self.hl7_time)(given_us));
        let given =
            check::not_applied_yet(bytes, self.rules.charset, Stamp { control_id: &control_id, time: &time });
        let (code, bytes) = (given.code, given.bytes);
        let interim = NewLater { stage: AckStage::Interim, given_us, code, bytes: bytes.clone() };
        later.acknowledgments.give(id, interim).await?;
        Ok(bytes)
    }

    /// The journal did not take it. When the sender wants no word of that, the connection is what tells it.
    fn lost(&self, bytes: &Bytes, error: &store::Error) -> Answer {
        events::not_stored(&self.channel, error);
        let (control_id, time) = (control_id(JournalId((self.new_id)())), (self.hl7_time)((self.now_us)()));
        let given =
            check::not_stored(bytes, self.rules.charset, Stamp { control_id: &control_id, time: &time });
        let bytes = given.is_owed.then_some(given.bytes);
        Answer { entry: None, stage: None, is_lost: bytes.is_none(), bytes }
    }
}

/// The journal id's random half, so that the acknowledgment can be found by it.
pub(crate) fn control_id(id: JournalId) -> String {
    let simple = id.0.simple().to_string();
    simple.get(simple.len() - CONTROL_ID_CHARS..).unwrap_or(&simple).to_uppercase()
}
