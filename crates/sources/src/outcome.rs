//! What the application of a message means to its sender: the state of its row as MSA-1 and ERR. Pure.

use hl7v2::acknowledgment::{AckCode, AckError, ErrorCode, Location, Severity};
use store::MessageState;

use crate::rules::TypeSupport;

/// Longest reason that is told; ours are far shorter.
const REASON_CHARS_MAX: usize = 120;

/// What became of a message, in the words of an acknowledgment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub code: AckCode,
    error: Option<(ErrorCode, Option<Location>, String)>,
}

impl Outcome {
    /// `support`: what is known of the message's type.
    pub fn of(state: MessageState, reason: Option<&str>, support: TypeSupport) -> Self {
        let accepted = Self { code: AckCode::ApplicationAccept, error: None };
        match state {
            MessageState::Stored | MessageState::Routed | MessageState::Filtered => accepted,
            // What it says stands here; that its release to elsewhere was refused is this site's matter.
            MessageState::Quarantined if reason.is_some_and(|reason| reason.starts_with("release:")) => {
                accepted
            }
            MessageState::Quarantined => {
                let reason = reason.unwrap_or_default();
                let (error, location) = error_of(reason, support);
                Self::failed(error, location, format!("quarantined: {}", told(reason)))
            }
            MessageState::Received | MessageState::Translated | MessageState::Error => {
                Self::failed(ErrorCode::ApplicationInternal, None, "could not be applied".to_owned())
            }
        }
    }

    fn failed(error: ErrorCode, location: Option<Location>, text: String) -> Self {
        Self { code: AckCode::ApplicationError, error: Some((error, location, text)) }
    }

    /// What ERR says.
    pub fn error(&self) -> Option<AckError<'_>> {
        self.error.as_ref().map(|(code, location, text)| AckError {
            code: *code,
            location: *location,
            severity: Severity::Error,
            text,
        })
    }
}

/// The code of table 0357 for a quarantine reason, and the place when the reason names one.
fn error_of(reason: &str, support: TypeSupport) -> (ErrorCode, Option<Location>) {
    let (kind, place) = reason.split_once(':').unwrap_or((reason, ""));
    match kind {
        "unsupported-type" => {
            let is_event = support == TypeSupport::UnknownEvent;
            let code = if is_event { ErrorCode::UnsupportedEvent } else { ErrorCode::UnsupportedMessageType };
            (code, Some(Location::of_header(9)))
        }
        "missing" => (ErrorCode::RequiredFieldMissing, location_of(place)),
        "identity-clash" | "identity-conflict" => (ErrorCode::DuplicateKey, None),
        "invalid" => (ErrorCode::DataType, None),
        _ => (ErrorCode::ApplicationInternal, None),
    }
}

/// The place of a path such as `PID-3` or `PID-3.1`, to its field.
fn location_of(path: &str) -> Option<Location> {
    let (segment, rest) = path.split_once('-')?;
    let segment = <[u8; 3]>::try_from(segment.as_bytes()).ok()?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(Location::of_segment(segment, 1).with_field(digits.parse().ok()?))
}

/// A reason is a code of ours; anything else is not told.
fn told(reason: &str) -> &str {
    let is_code = |c: char| c.is_ascii_alphanumeric() || "-_.:[]()^".contains(c);
    let is_told = !reason.is_empty() && reason.len() <= REASON_CHARS_MAX && reason.chars().all(is_code);
    if is_told { reason } else { "see the node" }
}

#[cfg(test)]
mod tests {
    use MessageState::{Error, Filtered, Quarantined, Received, Routed, Stored, Translated};
    use TypeSupport::{Supported, UnknownEvent, UnknownType};

    use super::*;

    /// State, reason and type; MSA-1, and ERR-3 and ERR-8 where there is an error.
    type Case =
        (MessageState, Option<&'static str>, TypeSupport, &'static str, Option<(&'static str, &'static str)>);

    #[test]
    fn every_state_and_reason_has_its_code() {
        let cases: [Case; 17] = [
            (Stored, None, Supported, "AA", None),
            (Routed, None, Supported, "AA", None),
            (Filtered, Some("rule"), Supported, "AA", None),
            (Quarantined, Some("release:leak"), Supported, "AA", None),
            (
                Quarantined,
                Some("unsupported-type"),
                UnknownType,
                "AE",
                Some(("200", "quarantined: unsupported-type")),
            ),
            (
                Quarantined,
                Some("unsupported-type"),
                UnknownEvent,
                "AE",
                Some(("201", "quarantined: unsupported-type")),
            ),
            (
                Quarantined,
                Some("missing:PID-3"),
                Supported,
                "AE",
                Some(("101", "quarantined: missing:PID-3")),
            ),
            (
                Quarantined,
                Some("identity-conflict"),
                Supported,
                "AE",
                Some(("205", "quarantined: identity-conflict")),
            ),
            (
                Quarantined,
                Some("identity-clash:Patient"),
                Supported,
                "AE",
                Some(("205", "quarantined: identity-clash:Patient")),
            ),
            (
                Quarantined,
                Some("invalid:Value:Patient.birthDate"),
                Supported,
                "AE",
                Some(("102", "quarantined: invalid:Value:Patient.birthDate")),
            ),
            (
                Quarantined,
                Some("translator-panic"),
                Supported,
                "AE",
                Some(("207", "quarantined: translator-panic")),
            ),
            (
                Quarantined,
                Some("a name, a place"),
                Supported,
                "AE",
                Some(("207", "quarantined: see the node")),
            ),
            (Quarantined, Some(""), Supported, "AE", Some(("207", "quarantined: see the node"))),
            (Quarantined, None, Supported, "AE", Some(("207", "quarantined: see the node"))),
            (Error, Some("x"), Supported, "AE", Some(("207", "could not be applied"))),
            (Received, None, Supported, "AE", Some(("207", "could not be applied"))),
            (Translated, None, Supported, "AE", Some(("207", "could not be applied"))),
        ];
        for (state, reason, support, code, error) in cases {
            let outcome = Outcome::of(state, reason, support);
            let said = outcome.error().map(|error| (error.code.code(), error.text.to_owned()));
            let expected = error.map(|(code, text)| (code, text.to_owned()));
            assert_eq!((outcome.code.code(), said), (code, expected), "{state:?} {reason:?}");
        }
    }

    #[test]
    fn a_place_is_told_to_its_field() {
        let field = |path| location_of(path).is_some();
        assert!(field("PID-3") && field("PID-3.1") && field("PV1-19[2].1"));
        assert!(!field("PID") && !field("") && !field("X-1") && !field("PID-x"));
        assert_eq!(location_of("PID-3.1"), Some(Location::of_segment(*b"PID", 1).with_field(3)));
    }
}
