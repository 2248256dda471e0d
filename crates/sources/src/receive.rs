//! One frame: check the header, build the acknowledgment, make both durable, answer.

use std::sync::Arc;

use bytes::Bytes;
use hl7v2::acknowledgment::{
    AckCode, AckError, ErrorCode, HeaderRefusal, HeaderRules, Location, Reply, Severity, acknowledge,
    acknowledge_unreadable, check_header_by,
};
use hl7v2::{Header, Message};
use store::{Appended, Arrival, Disposition, Journal, JournalId, NewAcknowledgment, SenderKey};
use uuid::Uuid;

use crate::batch::BatchReply;
use crate::events;

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
    /// Microseconds since the epoch, UTC.
    pub now_us: fn() -> i64,
    /// A UUIDv7.
    pub new_id: fn() -> Uuid,
    /// An instant in HL7's form, `20260102030405+0000`.
    pub hl7_time: fn(i64) -> String,
}

/// What goes back to the sender.
pub struct Answer {
    /// The journal entry whose acknowledgment this is; `None` when nothing could be stored.
    pub entry: Option<JournalId>,
    /// The acknowledgment.
    pub bytes: Bytes,
}

/// What is known of a frame before it is stored.
struct Checked {
    sender: Option<SenderKey>,
    disposition: Disposition,
    code: AckCode,
    acknowledgment: Vec<u8>,
}

impl Receiver {
    /// A whole frame. Always answers: with the acknowledgment once it is durable, with the stored one for a repetition,
    /// with AE 207 when the journal did not take it, so that the sender sends again.
    pub async fn frame(&self, peer: &str, bytes: Bytes) -> Answer {
        let (id, now_us) = (JournalId((self.new_id)()), (self.now_us)());
        let (control_id, time) = (control_id(id), (self.hl7_time)(now_us));
        let arrival = self.arrival(id, now_us, peer, &bytes);
        let acknowledgment =
            arrival.acknowledgment.as_ref().map(|given| given.bytes.clone()).unwrap_or_default();
        match self.journal.append(arrival).await {
            Ok(Appended::New { .. }) => Answer { entry: Some(id), bytes: acknowledgment },
            Ok(Appended::Duplicate { of, acknowledgment: stored }) => {
                events::duplicate(&self.channel, of);
                Answer { entry: Some(of), bytes: stored.unwrap_or(acknowledgment) }
            }
            Err(error) => {
                events::not_stored(&self.channel, &error);
                Answer { entry: None, bytes: Bytes::from(not_stored(&bytes, &control_id, &time)) }
            }
        }
    }

    /// What bytes that are taken for one whole message become in the journal, with the acknowledgment that they get.
    pub(crate) fn arrival(&self, id: JournalId, now_us: i64, peer: &str, bytes: &Bytes) -> Arrival {
        let checked = check(bytes, &control_id(id), &(self.hl7_time)(now_us));
        Arrival {
            id,
            channel: self.channel.clone(),
            peer: peer.to_owned(),
            received_us: now_us,
            bytes: bytes.clone(),
            sender: checked.sender,
            disposition: checked.disposition,
            acknowledgment: Some(NewAcknowledgment {
                code: checked.code.code().to_owned(),
                bytes: Bytes::from(checked.acknowledgment),
                is_owed: true,
            }),
            promise: None,
            parent: None,
        }
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
        let answer = arrival.acknowledgment.as_ref().map(|acknowledgment| acknowledgment.bytes.clone());
        let entry = match self.journal.append(arrival).await {
            Ok(_) => Some(id),
            Err(error) => {
                events::not_stored(&self.channel, &error);
                None
            }
        };
        answer.map(|bytes| Answer { entry, bytes })
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
        let acknowledgment = is_answered.then(|| {
            let (code, bytes) = refuse(&head, &refusal, &control_id, &time);
            NewAcknowledgment { code: code.code().to_owned(), bytes: Bytes::from(bytes), is_owed: true }
        });
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
        }
    }

    /// Notes whether the acknowledgment reached the socket.
    pub async fn settle(&self, entry: Option<JournalId>, sent: bool) {
        let Some(entry) = entry else { return };
        let outcome = if sent { store::AckOutcome::Sent } else { store::AckOutcome::Undelivered };
        if let Err(error) = self.journal.settle(entry, outcome).await {
            events::not_settled(&self.channel, entry, &error);
        }
    }
}

/// Real senders leave MSH-11 out; that alone is no reason to lose a message.
const fn rules() -> HeaderRules<'static> {
    HeaderRules { requires_processing_id: false, ..HeaderRules::STANDARD }
}

fn check(bytes: &[u8], control_id: &str, time: &str) -> Checked {
    let message = match Message::read(bytes) {
        Ok(message) => message,
        Err(unreadable) => {
            let refusal = HeaderRefusal::from(unreadable);
            let (code, acknowledgment) = refuse(bytes, &refusal, control_id, time);
            return Checked {
                sender: None,
                disposition: Disposition::Refused("no-header"),
                code,
                acknowledgment,
            };
        }
    };
    let sender = Some(sender_of(&message.header()));
    let refusal = match check_header_by(&message, &rules()) {
        Ok(_) => charset_refusal(&message),
        Err(refusal) => Some((refusal, "header")),
    };
    match refusal {
        Some((refusal, reason)) => {
            let (code, acknowledgment) = refuse(bytes, &refusal, control_id, time);
            Checked { sender, disposition: Disposition::Refused(reason), code, acknowledgment }
        }
        None => {
            let code = accept_code(&message.header());
            let reply = Reply { code, control_id, time, error: None };
            let acknowledgment = acknowledge(&message, &reply);
            Checked { sender, disposition: Disposition::Accepted, code, acknowledgment }
        }
    }
}

/// A name that breaks the declared character set would be stored garbled; the sender must say what it means.
fn charset_refusal(message: &Message<'_>) -> Option<(HeaderRefusal, &'static str)> {
    message.charset_violation().map(|_| {
        let refusal = HeaderRefusal {
            code: AckCode::ApplicationError,
            error: ErrorCode::DataType,
            location: Some(Location::of_header(18)),
            reason: "bytes do not fit the declared character set",
        };
        (refusal, "charset")
    })
}

/// `CA` when the sender asks for enhanced mode (MSH-15/16), else `AA`.
fn accept_code(header: &Header<'_>) -> AckCode {
    if header.is_enhanced_mode() {
        AckCode::ApplicationAccept.as_commit()
    } else {
        AckCode::ApplicationAccept
    }
}

fn refuse(bytes: &[u8], refusal: &HeaderRefusal, control_id: &str, time: &str) -> (AckCode, Vec<u8>) {
    match Message::read(bytes) {
        Ok(message) => {
            let is_enhanced = message.header().is_enhanced_mode();
            let code = if is_enhanced { refusal.code.as_commit() } else { refusal.code };
            let reply = Reply { code, control_id, time, error: Some(refusal.to_error()) };
            (code, acknowledge(&message, &reply))
        }
        Err(_) => {
            let reply = Reply { code: refusal.code, control_id, time, error: Some(refusal.to_error()) };
            (refusal.code, acknowledge_unreadable(&reply))
        }
    }
}

/// AE with 207 (application internal error), which senders take as a reason to send again.
fn not_stored(bytes: &[u8], control_id: &str, time: &str) -> Vec<u8> {
    let error = AckError {
        code: ErrorCode::ApplicationInternal,
        location: None,
        severity: Severity::Error,
        text: "not stored, send again",
    };
    match Message::read(bytes) {
        Ok(message) => {
            let is_enhanced = message.header().is_enhanced_mode();
            let code = AckCode::ApplicationError;
            let code = if is_enhanced { code.as_commit() } else { code };
            acknowledge(&message, &Reply { code, control_id, time, error: Some(error) })
        }
        Err(_) => {
            let code = AckCode::ApplicationError;
            acknowledge_unreadable(&Reply { code, control_id, time, error: Some(error) })
        }
    }
}

fn sender_of(header: &Header<'_>) -> SenderKey {
    SenderKey {
        application: header.sending_application().raw().to_vec(),
        facility: header.sending_facility().raw().to_vec(),
        control_id: header.control_id().raw().to_vec(),
    }
}

/// The journal id's random half, so that the acknowledgment can be found by it.
pub(crate) fn control_id(id: JournalId) -> String {
    let simple = id.0.simple().to_string();
    simple.get(simple.len() - CONTROL_ID_CHARS..).unwrap_or(&simple).to_uppercase()
}
