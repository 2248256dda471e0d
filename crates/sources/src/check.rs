//! What a frame is, before it is stored: by its header alone. Pure.

use bytes::Bytes;
use hl7v2::acknowledgment::{
    AckCode, AckError, AckMode, ErrorCode, HeaderRefusal, HeaderRules, Location, Reply, Severity,
    acknowledge, acknowledge_unreadable, check_header_by,
};
use hl7v2::{Charset, Header, Message};
use store::{Disposition, NewAcknowledgment, Promise, SenderKey};

use crate::origin::{Origin, may_send};
use crate::rules::{Acknowledge, Rules, TypeSupport};

/// What is known of a frame before it is stored.
pub(crate) struct Checked {
    /// MSH-3, MSH-4 and MSH-10.
    pub sender: Option<SenderKey>,
    /// Whether it is accepted.
    pub disposition: Disposition,
    /// What is given with it.
    pub acknowledgment: Option<NewAcknowledgment>,
    /// What is promised for later.
    pub promise: Option<Promise>,
    /// MSH-15 or MSH-16 holds a value that counts as empty.
    pub has_unknown_condition: bool,
}

/// The acknowledgment's own MSH-10 and MSH-7.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'a> {
    pub control_id: &'a str,
    pub time: &'a str,
}

/// Checks a frame. `keeps_promises`: what is promised for later will be given; without, MSH-16 is not heard and original
/// mode is answered at once.
pub(crate) fn check(
    bytes: &[u8],
    origin: &Origin<'_>,
    rules: &Rules,
    keeps_promises: bool,
    stamp: Stamp<'_>,
) -> Checked {
    let charset = rules.charset;
    let message = match Message::read_with(bytes, charset) {
        Ok(message) => message,
        Err(unreadable) => {
            let disposition = Disposition::Refused("no-header");
            let acknowledgment = Some(refuse(bytes, charset, &HeaderRefusal::from(unreadable), stamp));
            return Checked {
                sender: None,
                disposition,
                acknowledgment,
                promise: None,
                has_unknown_condition: false,
            };
        }
    };
    let header = message.header();
    let mode = AckMode::of(&header);
    let has_unknown_condition = AckMode::has_unknown_value(&header);
    let sender = Some(sender_of(&header));
    // Two nodes that acknowledge acknowledgments never end. It is kept, and not answered.
    if header.is_acknowledgment() && message.second_header().is_none() {
        let disposition = Disposition::Refused("acknowledgment");
        return Checked { sender, disposition, acknowledgment: None, promise: None, has_unknown_condition };
    }
    match refusal(&message, origin, rules) {
        Some((refusal, reason)) => Checked {
            sender,
            disposition: Disposition::Refused(reason),
            acknowledgment: Some(refuse(bytes, charset, &refusal, stamp)),
            promise: None,
            has_unknown_condition,
        },
        None => {
            let (acknowledgment, promise) = accept(&message, mode, rules, keeps_promises, stamp);
            let disposition = Disposition::Accepted;
            Checked { sender, disposition, acknowledgment, promise, has_unknown_condition }
        }
    }
}

/// Why a message is not accepted, with the code under which it is kept.
fn refusal(
    message: &Message<'_>,
    origin: &Origin<'_>,
    rules: &Rules,
) -> Option<(HeaderRefusal, &'static str)> {
    // Real senders leave MSH-11 out; that alone is no reason to lose a message.
    let demands = HeaderRules {
        processing_ids: &rules.processing_ids,
        requires_processing_id: false,
        ..HeaderRules::STANDARD
    };
    let header = match check_header_by(message, &demands) {
        Ok(header) => header,
        Err(refusal) => return Some((refusal, "header")),
    };
    if !may_send(&rules.senders, &header, origin) {
        let reason = "sender is not bound to this peer";
        return Some((reject(ErrorCode::UnknownKey, 3, reason), "sender"));
    }
    if rules.rejects_unknown_types
        && let Some(refusal) = type_refusal(&header, rules)
    {
        return Some((refusal, "unsupported-type"));
    }
    // A name that breaks the declared character set would be stored garbled; the sender must say what it means.
    message.charset_violation().map(|_| {
        let reason = "bytes do not fit the declared character set";
        let refusal = reject(ErrorCode::DataType, 18, reason);
        (HeaderRefusal { code: AckCode::ApplicationError, ..refusal }, "charset")
    })
}

fn type_refusal(header: &Header<'_>, rules: &Rules) -> Option<HeaderRefusal> {
    match (rules.types)(header.code().trim(), header.event().trim()) {
        TypeSupport::Supported => None,
        TypeSupport::UnknownEvent => Some(reject(ErrorCode::UnsupportedEvent, 9, "event is not supported")),
        TypeSupport::UnknownType => {
            Some(reject(ErrorCode::UnsupportedMessageType, 9, "message type is not supported"))
        }
    }
}

fn reject(error: ErrorCode, field: u16, reason: &'static str) -> HeaderRefusal {
    let location = Some(Location::of_header(field));
    HeaderRefusal { code: AckCode::ApplicationReject, error, location, reason }
}

fn accept(
    message: &Message<'_>,
    mode: AckMode,
    rules: &Rules,
    keeps_promises: bool,
    stamp: Stamp<'_>,
) -> (Option<NewAcknowledgment>, Option<Promise>) {
    if mode == AckMode::Original && rules.acknowledge == Acknowledge::Applied && keeps_promises {
        return (None, Some(Promise::Original));
    }
    let promise = (keeps_promises && mode.awaits_application()).then_some(Promise::Application);
    (Some(given(message, mode, AckCode::ApplicationAccept, None, stamp)), promise)
}

/// The refusal of bytes in the mode that they ask for, when they say one.
pub(crate) fn refuse(
    bytes: &[u8],
    charset: Charset,
    refusal: &HeaderRefusal,
    stamp: Stamp<'_>,
) -> NewAcknowledgment {
    fail(bytes, charset, refusal.code, refusal.to_error(), stamp)
}

/// AE with 207 (application internal error), which senders take as a reason to send again.
pub(crate) fn not_stored(bytes: &[u8], charset: Charset, stamp: Stamp<'_>) -> NewAcknowledgment {
    fail(bytes, charset, AckCode::ApplicationError, internal("not stored, send again"), stamp)
}

/// AE with 207 for a message that is durable and was not applied in time.
pub(crate) fn not_applied_yet(bytes: &[u8], charset: Charset, stamp: Stamp<'_>) -> NewAcknowledgment {
    fail(bytes, charset, AckCode::ApplicationError, internal("stored, not applied yet"), stamp)
}

fn internal(text: &str) -> AckError<'_> {
    AckError { code: ErrorCode::ApplicationInternal, location: None, severity: Severity::Error, text }
}

fn fail(
    bytes: &[u8],
    charset: Charset,
    code: AckCode,
    error: AckError<'_>,
    stamp: Stamp<'_>,
) -> NewAcknowledgment {
    match Message::read_with(bytes, charset) {
        Ok(message) => given(&message, AckMode::of(&message.header()), code, Some(error), stamp),
        Err(_) => {
            let Stamp { control_id, time } = stamp;
            let bytes = acknowledge_unreadable(&Reply { code, control_id, time, error: Some(error) });
            NewAcknowledgment { code: code.code().to_owned(), bytes: Bytes::from(bytes), is_owed: true }
        }
    }
}

/// What is given at the commit of a message; nothing is built when nothing is owed.
fn given(
    message: &Message<'_>,
    mode: AckMode,
    code: AckCode,
    error: Option<AckError<'_>>,
    stamp: Stamp<'_>,
) -> NewAcknowledgment {
    match mode.at_commit(code) {
        Some(code) => {
            let Stamp { control_id, time } = stamp;
            let bytes = acknowledge(message, &Reply { code, control_id, time, error });
            NewAcknowledgment { code: code.code().to_owned(), bytes: Bytes::from(bytes), is_owed: true }
        }
        None => NewAcknowledgment {
            code: code.as_commit().code().to_owned(),
            bytes: Bytes::new(),
            is_owed: false,
        },
    }
}

fn sender_of(header: &Header<'_>) -> SenderKey {
    SenderKey {
        application: header.sending_application().raw().to_vec(),
        facility: header.sending_facility().raw().to_vec(),
        control_id: header.control_id().raw().to_vec(),
    }
}
