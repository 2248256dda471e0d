//! The checks made before an acknowledgment is given.

use super::{AckCode, AckError, ErrorCode, Location, Severity};
use crate::{Header, IssueKind, Message, Unreadable};

/// Why a message is refused by its header. Nothing else of the message is looked at before the acknowledgment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct HeaderRefusal {
    /// `AE` or `AR`; [`AckCode::as_commit`] gives the code for enhanced mode.
    pub code: AckCode,
    /// Code of table 0357.
    pub error: ErrorCode,
    /// The place at fault; none when there is no MSH.
    pub location: Option<Location>,
    /// A sentence without content of the message.
    pub reason: &'static str,
}

impl HeaderRefusal {
    /// What ERR says of this refusal.
    #[must_use]
    pub fn to_error(&self) -> AckError<'static> {
        AckError { code: self.error, location: self.location, severity: Severity::Error, text: self.reason }
    }
}

impl From<Unreadable> for HeaderRefusal {
    fn from(unreadable: Unreadable) -> Self {
        let reason = match unreadable {
            Unreadable::NoHeader => "no MSH segment",
            Unreadable::Utf16 => "UTF-16 is not supported, send UTF-8",
            Unreadable::TooLong => "message too long",
            Unreadable::TooManySegments => "too many segments",
            Unreadable::TooManyFields { .. } => "too many fields in a segment",
            Unreadable::TooManyRepetitions { .. } => "too many repetitions in a field",
        };
        let code = AckCode::ApplicationReject;
        Self { code, error: ErrorCode::SegmentSequence, location: None, reason }
    }
}

/// Checks what must hold before a message is accepted: one MSH only, MSH-9 and MSH-10 filled, MSH-11 a code of table
/// 0103, MSH-12 a version 2.1 to 2.9, MSH-18 a known character set.
///
/// # Errors
/// [`HeaderRefusal`] with the acknowledgment code, the code of table 0357 and the place.
pub fn check_header<'a>(message: &'a Message<'_>) -> Result<Header<'a>, HeaderRefusal> {
    use AckCode::{ApplicationError, ApplicationReject};
    let header = message.header();
    let refuse =
        |code, error, location, reason| Err(HeaderRefusal { code, error, location: Some(location), reason });
    let missing = |field, reason| {
        refuse(ApplicationReject, ErrorCode::RequiredFieldMissing, Location::of_header(field), reason)
    };
    if message.second_header().is_some() {
        let second = Location::of_segment(*b"MSH", 2);
        return refuse(
            ApplicationError,
            ErrorCode::SegmentSequence,
            second,
            "more than one MSH in one message",
        );
    }
    if header.code().trim().is_empty() {
        return missing(9, "message type missing");
    }
    if header.control_id().is_empty() {
        return missing(10, "message control id missing");
    }
    let processing_id = header.processing_id();
    match processing_id.trim() {
        "" => return missing(11, "processing id missing"),
        "P" | "T" | "D" => {}
        _ => {
            let code = ErrorCode::UnsupportedProcessingId;
            return refuse(ApplicationReject, code, Location::of_header(11), "unknown processing id");
        }
    }
    let version = header.version();
    if version.trim().is_empty() {
        return missing(12, "version missing");
    }
    if !is_supported(version.trim()) {
        let code = ErrorCode::UnsupportedVersion;
        return refuse(ApplicationReject, code, Location::of_header(12), "unsupported version");
    }
    if message.issues().iter().any(|issue| issue.kind == IssueKind::UnknownCharset) {
        let code = ErrorCode::TableValueNotFound;
        return refuse(ApplicationError, code, Location::of_header(18), "unknown character set");
    }
    Ok(header)
}

/// `2.1` to `2.9`, with the third number of `2.5.1`.
fn is_supported(version: &str) -> bool {
    let mut parts = version.split('.');
    let is_digit = |part: Option<&str>| part.is_some_and(|p| matches!(p.as_bytes(), [b'1'..=b'9']));
    parts.next() == Some("2")
        && is_digit(parts.next())
        && parts.next().is_none_or(|p| is_digit(Some(p)))
        && parts.next().is_none()
}
