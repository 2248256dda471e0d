//! Every acknowledgment of a message: the one given with it, and those given later.

use serde_json::{Value, json};
use store::{AckOutcome, AckStage, Entry, Later};

use crate::clinical::acknowledgment;
use crate::clinical::badge::Badge;
use crate::clinical::raw::{segment_lines, visible};

/// One acknowledgment.
pub(crate) struct AcknowledgmentPanel {
    /// When in the message's life it was given.
    pub(crate) when: &'static str,
    pub(crate) code: String,
    pub(crate) outcome: Badge,
    /// Its segments; empty while values are masked, and when none was owed.
    pub(crate) lines: Vec<String>,
}

/// In the order in which they were given.
pub(crate) fn acknowledgments(entry: &Entry, later: &[Later], reveal: bool) -> Vec<AcknowledgmentPanel> {
    let panel = |(when, code, outcome, bytes): (_, &str, _, &[u8])| AcknowledgmentPanel {
        when,
        code: visible(code),
        outcome: acknowledgment(outcome),
        lines: if reveal { segment_lines(bytes) } else { Vec::new() },
    };
    every(entry, later).map(panel).collect()
}

/// The same for the admin API, without their segments.
pub(crate) fn acknowledgments_json(entry: &Entry, later: &[Later]) -> Value {
    let json = |(when, code, outcome, _): (_, &str, _, &[u8])| json!({"when": when, "code": code, "outcome": acknowledgment(outcome).word});
    every(entry, later).map(json).collect()
}

type Given<'a> = (&'static str, &'a str, AckOutcome, &'a [u8]);

fn every<'a>(entry: &'a Entry, later: &'a [Later]) -> impl Iterator<Item = Given<'a>> {
    let first = entry.acknowledgment.as_ref();
    let first = first.map(|given| ("received", given.code.as_str(), given.outcome, &given.bytes[..]));
    let later = later.iter().map(|Later { given, outcome }| {
        let when = match given.stage {
            AckStage::Interim => "not applied in time",
            AckStage::Final => "processed",
        };
        (when, given.code.as_str(), *outcome, &given.bytes[..])
    });
    first.into_iter().chain(later)
}
