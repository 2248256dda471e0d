//! Where things stand in the raw bytes, and the delimiters that divide them.

/// A byte range of the raw message, `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The empty span at an offset.
    #[must_use]
    pub const fn empty_at(offset: u32) -> Self {
        Self { start: offset, end: offset }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// True when the span holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The bytes of the span; empty when the span does not lie inside `bytes`.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(index(self.start)..index(self.end)).unwrap_or_default()
    }

    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end) }
    }
}

/// An offset as an index into a slice. `usize` holds every `u32` on the platforms this runs on.
pub(crate) fn index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// An index as an offset. Messages are at most `MAX_MESSAGE_BYTES`, so this never saturates.
pub(crate) fn offset(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The delimiters a message declares in MSH-1 and MSH-2 (HL7 v2.5.1 section 2.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiters {
    /// MSH-1, usually `|`.
    pub field: u8,
    /// First encoding character, usually `^`.
    pub component: u8,
    /// Second encoding character, usually `~`.
    pub repetition: u8,
    /// Third encoding character, usually `\`; none when MSH-2 stops before it.
    pub escape: Option<u8>,
    /// Fourth encoding character, usually `&`.
    pub subcomponent: u8,
    /// Fifth encoding character (v2.7 and later), usually `#`.
    pub truncation: Option<u8>,
}

/// The most encoding characters MSH-2 may hold (v2.7 added the fifth).
pub const MAX_ENCODING_CHARACTERS: usize = 5;

impl Delimiters {
    /// The delimiters the standard recommends: `|^~\&`.
    pub const STANDARD: Self = Self {
        field: b'|',
        component: b'^',
        repetition: b'~',
        escape: Some(b'\\'),
        subcomponent: b'&',
        truncation: None,
    };

    /// Delimiters from MSH-1 and the bytes of MSH-2. The flag is false when MSH-2 is not of the usual form:
    /// shorter than four or longer than five characters, or one character in two roles.
    pub(crate) fn from_header(field: u8, encoding: &[u8]) -> (Self, bool) {
        // `^~\\&`: a program escaped the escape character on its way.
        if let [component, repetition, escape, again, subcomponent] = *encoding
            && escape == again
        {
            let (delimiters, _) = Self::from_header(field, &[component, repetition, escape, subcomponent]);
            return (delimiters, false);
        }
        let mut used = vec![field];
        used.extend_from_slice(encoding.get(..MAX_ENCODING_CHARACTERS).unwrap_or(encoding));
        let or_default = |at: usize, usual: u8| {
            encoding.get(at).copied().unwrap_or(if used.contains(&usual) { NEVER_SENT } else { usual })
        };
        // `^~&` is a sender that leaves the escape character out, not one that escapes with `&`.
        let no_escape = encoding.len() == 3 && encoding.get(2) == Some(&b'&');
        let delimiters = Self {
            field,
            component: or_default(0, b'^'),
            repetition: or_default(1, b'~'),
            escape: if no_escape { None } else { encoding.get(2).copied() },
            subcomponent: if no_escape { b'&' } else { or_default(3, b'&') },
            truncation: encoding.get(4).copied(),
        };
        let mut distinct = used.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let usual = matches!(encoding.len(), 4 | 5) && distinct.len() == used.len();
        (delimiters, usual)
    }

    /// True when the byte is one of the delimiters.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        byte == self.field
            || byte == self.component
            || byte == self.repetition
            || byte == self.subcomponent
            || Some(byte) == self.escape
            || Some(byte) == self.truncation
    }
}

/// Stands for a delimiter that the sender neither declared nor left free.
const NEVER_SENT: u8 = 0;
