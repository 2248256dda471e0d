//! Identifiers that must not come out, in whatever spelling or encoding.

mod collect;
mod dates;

use std::collections::HashSet;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::decode;
use crate::fold::{digits, fold, hex, words};
use crate::search::Search;
use crate::structure::Role;

/// Shorter numbers are not told apart from codes and values.
const NUMBER_CHARS_MIN: usize = 4;
/// Shorter names stand inside other words (a patient called May).
const NAME_CHARS_MIN: usize = 5;
/// Inside a code, a number, or free bytes, a shorter run of digits is there by chance.
const INSIDE_CODE_CHARS_MIN: usize = 7;
/// The same for random ids and the bytes as a whole.
const INSIDE_ID_CHARS_MIN: usize = 8;
/// Most identifiers of one message; more and nothing passes.
const IDENTIFIERS_MAX: usize = 10_000;

/// What kind of identifier a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// A person's name or a part of it.
    Name,
    /// A record, account, order, licence or other number.
    Number,
    /// A phone or fax number.
    Phone,
    /// An electronic mail address.
    Email,
    /// A street line.
    Street,
    /// A full date.
    Date,
    /// Any other unique text.
    Other,
}

/// Identifiers that must not come out: of the source message, the patient and relatives. Debug prints counts.
#[derive(Default)]
pub struct KnownIdentifiers {
    /// Folded forms.
    needles: Search,
    /// Folded names, the short ones included.
    names: HashSet<String>,
    /// More were added than can be kept.
    overflow: bool,
}

impl KnownIdentifiers {
    /// Adds one identifier as the source spells it; what is too short to tell apart from chance is left out.
    pub fn add(&mut self, kind: IdentifierKind, text: &str) {
        if self.needles.len() > IDENTIFIERS_MAX {
            self.overflow = true;
            return;
        }
        match kind {
            IdentifierKind::Name => self.add_name(text),
            IdentifierKind::Date => {
                for form in dates::forms(text) {
                    self.needle(kind, form);
                }
            }
            IdentifierKind::Phone => self.add_phone(text),
            IdentifierKind::Number
            | IdentifierKind::Email
            | IdentifierKind::Street
            | IdentifierKind::Other => {
                self.add_exact(kind, text);
            }
        }
    }

    /// Collects names, identifiers, telecoms, addresses and birth dates from a clinical resource, relatives included.
    pub fn add_resource(&mut self, resource: &Value) {
        collect::collect(resource, &mut |kind, text| self.add(kind, text));
    }

    /// Number of distinct needles.
    pub fn len(&self) -> usize {
        self.needles.len() + self.names.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add_name(&mut self, text: &str) {
        let parts: Vec<String> = words(text).collect();
        for part in parts.iter().filter(|part| part.chars().count() >= 2) {
            self.names.insert(part.clone());
        }
        let joined = parts.concat();
        let reversed: String = parts.iter().rev().map(String::as_str).collect();
        for needle in parts.into_iter().chain([joined, reversed]) {
            if needle.chars().count() >= NAME_CHARS_MIN {
                self.needle(IdentifierKind::Name, needle);
            }
        }
        self.encoded(IdentifierKind::Name, text);
    }

    /// All digits, the last ten and the last seven.
    fn add_phone(&mut self, text: &str) {
        let number = digits(&fold(text));
        for length in [number.len(), 10, INSIDE_CODE_CHARS_MIN] {
            let tail = number.len().checked_sub(length).and_then(|start| number.get(start..));
            if let Some(tail) = tail.filter(|tail| tail.len() >= INSIDE_CODE_CHARS_MIN) {
                self.needle(IdentifierKind::Phone, tail.to_owned());
            }
        }
        self.encoded(IdentifierKind::Phone, text);
    }

    fn add_exact(&mut self, kind: IdentifierKind, text: &str) {
        let folded = fold(text);
        if folded.chars().count() < NUMBER_CHARS_MIN {
            return;
        }
        let number = digits(&folded);
        let reversed: String = folded.chars().rev().collect();
        if kind == IdentifierKind::Number && number.len() >= NUMBER_CHARS_MIN {
            let short = number.trim_start_matches('0');
            if short.len() >= NUMBER_CHARS_MIN && short.len() < number.len() {
                self.needle(kind, short.to_owned());
            }
            self.needle(kind, number);
        }
        if reversed.chars().count() >= INSIDE_ID_CHARS_MIN {
            self.needle(kind, reversed);
        }
        self.needle(kind, folded);
        self.encoded(kind, text);
    }

    /// Base64 at its three alignments, hexadecimal, and SHA-256 without a key, which anyone can reverse by trying.
    fn encoded(&mut self, kind: IdentifierKind, text: &str) {
        let text = text.trim();
        if text.len() < NUMBER_CHARS_MIN {
            return;
        }
        for shift in 0..3_usize {
            let mut padded = vec![b' '; shift];
            padded.extend_from_slice(text.as_bytes());
            let encoded = STANDARD.encode(&padded);
            // The first and last characters depend on what stands beside the text.
            let first = (shift * 8).div_ceil(6);
            let last = (padded.len() * 8) / 6;
            self.code(kind, encoded.get(first..last));
        }
        for bytes in [text.as_bytes(), digest::digest(&digest::SHA256, text.as_bytes()).as_ref()] {
            self.code(kind, Some(&hex(bytes)));
        }
    }

    fn code(&mut self, kind: IdentifierKind, encoded: Option<&str>) {
        let folded = fold(encoded.unwrap_or_default());
        if folded.len() >= INSIDE_ID_CHARS_MIN {
            // Encoded text is found anywhere, a name's too.
            let kind = if kind == IdentifierKind::Name { IdentifierKind::Other } else { kind };
            self.needle(kind, folded);
        }
    }

    fn needle(&mut self, kind: IdentifierKind, folded: String) {
        self.needles.add(&folded, kind);
    }

    /// Whether a leaf holds an identifier, as it is or hidden.
    pub(crate) fn in_leaf(&self, role: Role, text: &str) -> bool {
        match role {
            Role::Closed => self.overflow,
            Role::Code | Role::Number | Role::Id => self.in_text(role, text),
            Role::Unexplained => {
                self.in_text(role, text) || decode::any(text, &mut |hidden| self.in_text(role, hidden))
            }
        }
    }

    /// Whether the bytes as a whole hold a long identifier.
    pub(crate) fn in_bytes(&self, bytes: &[u8]) -> bool {
        let long = |kind, length| kind != IdentifierKind::Name && length >= INSIDE_ID_CHARS_MIN;
        self.needles.any(&bytes.to_ascii_lowercase(), &long)
    }

    fn in_text(&self, role: Role, text: &str) -> bool {
        // Nothing passes unchecked.
        if self.overflow {
            return true;
        }
        if matches!(role, Role::Code | Role::Unexplained) && !self.names.is_empty() {
            let least = if role == Role::Code { NAME_CHARS_MIN } else { 2 };
            if words(text).any(|word| word.chars().count() >= least && self.names.contains(&word)) {
                return true;
            }
        }
        let folded = fold(text);
        let number = digits(&folded);
        let digits_apart = number.len() < folded.len();
        if role != Role::Unexplained && (self.is_whole(&folded) || (digits_apart && self.is_whole(&number))) {
            return true;
        }
        let counts = |kind: IdentifierKind, length: usize| match role {
            Role::Closed => false,
            Role::Code | Role::Number => {
                let date = kind == IdentifierKind::Date;
                kind != IdentifierKind::Name
                    && length >= if date { INSIDE_ID_CHARS_MIN } else { INSIDE_CODE_CHARS_MIN }
            }
            Role::Id => kind != IdentifierKind::Name && length >= INSIDE_ID_CHARS_MIN,
            Role::Unexplained => true,
        };
        self.needles.any(folded.as_bytes(), &counts)
            || (digits_apart && self.needles.any(number.as_bytes(), &counts))
    }

    /// Whether a text is an identifier from end to end, leading zeros aside.
    fn is_whole(&self, spelling: &str) -> bool {
        [spelling, spelling.trim_start_matches('0')].iter().any(|spelling| {
            let kind = self.needles.exact(spelling).filter(|_| spelling.len() > NUMBER_CHARS_MIN);
            kind.is_some_and(|kind| !matches!(kind, IdentifierKind::Date | IdentifierKind::Name))
        })
    }
}

impl std::fmt::Debug for KnownIdentifiers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KnownIdentifiers({} needles, {} names)", self.needles.len(), self.names.len())
    }
}
