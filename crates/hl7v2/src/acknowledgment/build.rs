//! Building an acknowledgment in the form the sender's version knows.

use super::{AckCode, ErrorCode};
use crate::escape;
use crate::{Charset, Delimiters, LeafPath, Message};

/// What to answer. The texts are ours: they must hold no content of the message.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// MSA-1.
    pub code: AckCode,
    /// MSH-10 of the acknowledgment, unique at this node; at most 20 characters suit every version.
    pub control_id: &'a str,
    /// MSH-7 of the acknowledgment, in HL7's form: `20260102030405+0000`.
    pub time: &'a str,
    /// What was wrong, for anything but an accept.
    pub error: Option<AckError<'a>>,
}

/// What ERR says.
#[derive(Debug, Clone, Copy)]
pub struct AckError<'a> {
    /// ERR-3.
    pub code: ErrorCode,
    /// ERR-2.
    pub location: Option<Location>,
    /// ERR-4.
    pub severity: Severity,
    /// ERR-8 (and MSA-3 before v2.7): a sentence for a person, without any content of the message. When empty the
    /// words of table 0357 stand there.
    pub text: &'a str,
}

/// ERR-4, table 0516.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// `I`.
    Information,
    /// `W`.
    Warning,
    /// `E`.
    Error,
    /// `F`.
    Fatal,
}

impl Severity {
    /// `I`, `W`, `E` or `F`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Information => "I",
            Self::Warning => "W",
            Self::Error => "E",
            Self::Fatal => "F",
        }
    }
}

/// A place in a message as ERR-2 names it (data type ERL); 1-based throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    segment: [u8; 3],
    sequence: u32,
    field: Option<u16>,
    repetition: u16,
    component: Option<u16>,
    subcomponent: Option<u16>,
}

impl Location {
    /// A field of the header.
    #[must_use]
    pub fn of_header(field: u16) -> Self {
        Self::of_segment(*b"MSH", 1).with_field(field)
    }

    /// The n-th segment of a name.
    #[must_use]
    pub fn of_segment(segment: [u8; 3], sequence: u32) -> Self {
        Self { segment, sequence, field: None, repetition: 1, component: None, subcomponent: None }
    }

    /// A field of the segment.
    #[must_use]
    pub fn with_field(self, field: u16) -> Self {
        Self { field: Some(field), ..self }
    }

    /// The place of a leaf; None for a line that is no segment.
    #[must_use]
    pub fn of_leaf(path: LeafPath, message: &Message<'_>) -> Option<Self> {
        let at = usize::try_from(path.segment).ok()?;
        let name = message.segment(at)?.name();
        let before = message.segments().take(at).filter(|segment| segment.name() == name).count();
        Some(Self {
            segment: name.as_bytes().try_into().ok()?,
            sequence: u32::try_from(before).ok()?.saturating_add(1),
            field: Some(path.field),
            repetition: path.repetition.saturating_add(1),
            component: Some(path.component),
            subcomponent: Some(path.subcomponent),
        })
    }

    /// Segment, sequence, field, and below the field repetition, component, subcomponent.
    fn parts(&self) -> (Vec<String>, Vec<String>) {
        let segment = String::from_utf8_lossy(&self.segment).into_owned();
        let mut place = vec![segment, self.sequence.to_string()];
        let mut below = Vec::new();
        if let Some(field) = self.field {
            place.push(field.to_string());
            below.push(self.repetition.to_string());
            below.extend(self.component.map(|n| n.to_string()));
            below.extend(self.component.and(self.subcomponent).map(|n| n.to_string()));
        }
        (place, below)
    }
}

/// An acknowledgment of a message: sender and receiver swapped, MSA-2 byte for byte MSH-10, the delimiters, version,
/// processing id and character set of the message, and ERR in the form of its version. Segments end with CR.
///
/// An acknowledgment is itself never acknowledged: see [`crate::Header::is_acknowledgment`].
#[must_use]
pub fn acknowledge(message: &Message<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let header = message.header().segment();
    let raw = |field: usize| header.field(field).raw();
    let version = Version::of(&message.header().version());
    let mut writer =
        Writer { bytes: Vec::new(), delimiters: message.delimiters(), charset: message.charset() };
    writer.raw(b"MSH");
    writer.field(raw(2));
    for field in [5, 6, 3, 4] {
        writer.field(raw(field));
    }
    writer.field_text(reply.time);
    writer.field(b"");
    writer.field_parts(&message_type(version, header.field(9).component(2).raw()));
    writer.field_text(reply.control_id);
    writer.field(or_default(raw(11), b"P"));
    writer.field(or_default(raw(12), DEFAULT_VERSION));
    if !raw(18).is_empty() {
        for _ in 13..=17 {
            writer.field(b"");
        }
        writer.field(raw(18));
    }
    writer.end_segment();
    writer.write_outcome(version, reply, message.header().control_id().raw());
    writer.bytes
}

/// An answer to bytes that have no MSH: there is no sender to name and no control id to repeat, so MSA-2 is empty.
#[must_use]
pub fn acknowledge_unreadable(reply: &Reply<'_>) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::new(), delimiters: Delimiters::STANDARD, charset: Charset::UTF_8 };
    writer.raw(b"MSH|^~\\&||||");
    writer.field_text(reply.time);
    writer.field(b"");
    writer.field(b"ACK");
    writer.field_text(reply.control_id);
    writer.field(b"P");
    writer.field(DEFAULT_VERSION);
    writer.end_segment();
    writer.write_outcome(Version::LATEST, reply, b"");
    writer.bytes
}

/// MSH-12 where the message gives none.
const DEFAULT_VERSION: &[u8] = b"2.5.1";

fn or_default<'a>(value: &'a [u8], default: &'a [u8]) -> &'a [u8] {
    if value.is_empty() { default } else { value }
}

/// MSH-9: the event came in v2.3, the structure in v2.4.
fn message_type(version: Version, event: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![b"ACK".to_vec()];
    if version >= Version(3) && !event.is_empty() {
        parts.push(event.to_vec());
        if version >= Version(4) {
            parts.push(b"ACK".to_vec());
        }
    }
    parts
}

/// The minor number of a version 2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u8);

impl Version {
    const LATEST: Self = Self(5);

    /// An unknown version is answered in the form of v2.5.
    fn of(text: &str) -> Self {
        let minor = text.trim().strip_prefix("2.").and_then(|rest| rest.split('.').next()?.parse().ok());
        minor.map_or(Self::LATEST, Self)
    }
}

struct Writer {
    bytes: Vec<u8>,
    delimiters: Delimiters,
    charset: Charset,
}

impl Writer {
    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn field(&mut self, raw: &[u8]) {
        self.bytes.push(self.delimiters.field);
        self.raw(raw);
    }

    fn field_text(&mut self, text: &str) {
        let text = self.text(text);
        self.field(&text);
    }

    fn field_parts(&mut self, parts: &[Vec<u8>]) {
        let joined = parts.join(&self.delimiters.component);
        self.field(&joined);
    }

    fn text(&self, text: &str) -> Vec<u8> {
        let escaped = escape::encode(text, &self.delimiters);
        self.charset.encode(&escaped).0.into_owned()
    }

    fn end_segment(&mut self) {
        self.bytes.push(b'\r');
    }

    /// MSA and, for a fault, ERR.
    fn write_outcome(&mut self, version: Version, reply: &Reply<'_>, control_id: &[u8]) {
        self.raw(b"MSA");
        self.field(reply.code.code().as_bytes());
        self.field(control_id);
        // MSA-3 was withdrawn in v2.7.
        if let Some(error) = reply.error.filter(|_| version < Version(7)) {
            self.field_text(error.sentence());
        }
        self.end_segment();
        if let Some(error) = &reply.error {
            self.raw(b"ERR");
            if version >= Version(5) {
                self.write_error(error)
            } else {
                self.write_early_error(error)
            }
            self.end_segment();
        }
    }

    /// v2.5 and later: `ERR||PID^1^5^1^1|101^Required field missing^HL70357|E||||sentence`.
    fn write_error(&mut self, error: &AckError<'_>) {
        let (mut place, below) = error.location.map(|location| location.parts()).unwrap_or_default();
        place.extend(below);
        let place: Vec<Vec<u8>> = place.into_iter().map(String::into_bytes).collect();
        self.field(b"");
        self.field_parts(&place);
        self.field_parts(&self.coded(error.code));
        self.field(error.severity.code().as_bytes());
        for _ in 5..=7 {
            self.field(b"");
        }
        self.field_text(error.sentence());
    }

    /// Before v2.5: `ERR|PID^1^5^101&Required field missing&HL70357`.
    fn write_early_error(&mut self, error: &AckError<'_>) {
        let (mut place, _) = error.location.map(|location| location.parts()).unwrap_or_default();
        place.resize(3, String::new());
        let mut place: Vec<Vec<u8>> = place.into_iter().map(String::into_bytes).collect();
        place.push(self.coded(error.code).join(&self.delimiters.subcomponent));
        self.field_parts(&place);
    }

    fn coded(&self, code: ErrorCode) -> Vec<Vec<u8>> {
        vec![code.code().as_bytes().to_vec(), self.text(code.text()), b"HL70357".to_vec()]
    }
}

impl<'a> AckError<'a> {
    fn sentence(&self) -> &'a str {
        if self.text.is_empty() { self.code.text() } else { self.text }
    }
}
