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

/// What a node demands of a header beyond MSH-9 and MSH-10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderRules<'r> {
    /// MSH-11.1 codes (table 0103) that are accepted; a production node may leave out `T` and `D`.
    pub processing_ids: &'r [&'r str],
    /// Refuse an empty MSH-11, as the standard does. A feed in five leaves it empty.
    pub requires_processing_id: bool,
    /// Refuse an empty MSH-12, as the standard does.
    pub requires_version: bool,
}

impl HeaderRules<'_> {
    /// The demands of the standard.
    pub const STANDARD: Self =
        Self { processing_ids: &["P", "T", "D"], requires_processing_id: true, requires_version: true };
}

/// Checks what must hold before a message is accepted, by the demands of the standard.
///
/// # Errors
/// As [`check_header_by`].
pub fn check_header<'a>(message: &'a Message<'_>) -> Result<Header<'a>, HeaderRefusal> {
    check_header_by(message, &HeaderRules::STANDARD)
}

/// Checks what must hold before a message is accepted: one MSH only, every line a segment, MSH-9 and MSH-10 filled, MSH-11 an accepted code,
/// MSH-12 a version 2.1 to 2.9, MSH-18 a known character set.
///
/// # Errors
/// [`HeaderRefusal`] with the acknowledgment code, the code of table 0357 and the place.
pub fn check_header_by<'a>(
    message: &'a Message<'_>,
    rules: &HeaderRules<'_>,
) -> Result<Header<'a>, HeaderRefusal> {
    use AckCode::{ApplicationError, ApplicationReject};
    if message.second_header().is_some() {
        let location = Some(Location::of_segment(*b"MSH", 2));
        let reason = "more than one MSH in one message";
        return Err(HeaderRefusal {
            code: ApplicationError,
            error: ErrorCode::SegmentSequence,
            location,
            reason,
        });
    }
    if let Some(location) = broken_segment(message) {
        let reason = "a line end inside of a field: what follows this segment is in none";
        return Err(HeaderRefusal {
            code: ApplicationError,
            error: ErrorCode::SegmentSequence,
            location: Some(location),
            reason,
        });
    }
    let header = message.header();
    let (processing_id, version) = (header.processing_id(), header.version());
    let (processing_id, version) = (processing_id.trim(), version.trim());
    let reject = |error, field, reason| (ApplicationReject, error, field, reason);
    let missing = |field, reason| reject(ErrorCode::RequiredFieldMissing, field, reason);
    let fault = if header.code().trim().is_empty() {
        Some(missing(9, "message type missing"))
    } else if header.control_id().is_empty() {
        Some(missing(10, "message control id missing"))
    } else if processing_id.is_empty() && rules.requires_processing_id {
        Some(missing(11, "processing id missing"))
    } else if !processing_id.is_empty() && !rules.processing_ids.contains(&processing_id) {
        Some(reject(ErrorCode::UnsupportedProcessingId, 11, "processing id not accepted"))
    } else if version.is_empty() && rules.requires_version {
        Some(missing(12, "version missing"))
    } else if !version.is_empty() && !is_supported(version) {
        Some(reject(ErrorCode::UnsupportedVersion, 12, "unsupported version"))
    } else if message.issues().iter().any(|issue| issue.kind == IssueKind::UnknownCharset) {
        Some((ApplicationError, ErrorCode::TableValueNotFound, 18, "unknown character set"))
    } else {
        None
    };
    match fault {
        None => Ok(header),
        Some((code, error, field, reason)) => {
            Err(HeaderRefusal { code, error, location: Some(Location::of_header(field)), reason })
        }
    }
}

/// The segment after which a line stands that is in no segment: its last field was cut by a line end that should have been
/// escaped, and the rest of it would be lost. Lines before the header are no part of the message.
fn broken_segment(message: &Message<'_>) -> Option<Location> {
    if !message.issues().iter().any(|issue| issue.kind == IssueKind::StrayLine) {
        return None;
    }
    let mut before: Option<[u8; 3]> = None;
    for (at, segment) in message.segments().enumerate() {
        match (segment.is_stray(), before) {
            (true, Some(name)) => {
                let same = message.segments().take(at).filter(|other| other.name().as_bytes() == name);
                return Some(Location::of_segment(name, u32::try_from(same.count()).ok()?));
            }
            (true, None) => {}
            (false, _) => before = segment.name().as_bytes().try_into().ok(),
        }
    }
    None
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
