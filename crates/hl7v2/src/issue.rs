//! What was odd about a message, and what makes bytes unreadable.

use crate::Span;

/// Why bytes are no HL7 v2 message, or one beyond the limits of the reader. All else is a [`ReadIssue`] beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// No line starts with `MSH` and a field separator.
    #[error("no MSH segment")]
    NoHeader,
    /// Two-byte text: no character set of MSH-18 that ER7 can be written in.
    #[error("message is UTF-16")]
    Utf16,
    /// Longer than [`crate::limits::MAX_MESSAGE_BYTES`].
    #[error("message longer than the limit of {} bytes", crate::limits::MAX_MESSAGE_BYTES)]
    TooLong,
    /// More lines than [`crate::limits::MAX_SEGMENTS`].
    #[error("more segments than the limit of {}", crate::limits::MAX_SEGMENTS)]
    TooManySegments,
    /// A segment with more fields than [`crate::limits::MAX_FIELDS`].
    #[error("segment {segment} has more fields than the limit of {}", crate::limits::MAX_FIELDS)]
    TooManyFields {
        /// 0-based index of the segment.
        segment: u32,
    },
    /// A field with more repetitions, components or subcomponents than [`crate::limits`] allow.
    #[error("segment {segment} field {field} has more repetitions or components than the limit")]
    TooManyRepetitions {
        /// 0-based index of the segment.
        segment: u32,
        /// 1-based field number.
        field: u16,
    },
}

/// One oddity met while reading. It names a place, never content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadIssue {
    /// What was met.
    pub kind: IssueKind,
    /// Where.
    pub span: Span,
}

/// The kinds of oddity a reader tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IssueKind {
    /// A byte order mark, or other bytes, before the header segment.
    LeadingBytes,
    /// Segments end with LF or CRLF, not with CR alone.
    LineFeed,
    /// A line that is no segment: most often free text broken by an unescaped line end. Kept as a segment without a name.
    StrayLine,
    /// A second MSH: two messages in one, or a broken send spliced with its repetition.
    SecondHeader,
    /// MSH-2 is shorter than four characters, longer than five, or gives one character two roles.
    EncodingCharacters,
    /// MSH-18 names a character set that is not known.
    UnknownCharset,
    /// Bytes that the character set of the message cannot hold; they decode to U+FFFD.
    CharsetViolation,
}

impl std::fmt::Display for IssueKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LeadingBytes => "bytes before the header segment",
            Self::LineFeed => "segments end with a line feed",
            Self::StrayLine => "a line that is no segment",
            Self::SecondHeader => "a second MSH segment",
            Self::EncodingCharacters => "unusual encoding characters in MSH-2",
            Self::UnknownCharset => "unknown character set in MSH-18",
            Self::CharsetViolation => "bytes outside the declared character set",
        })
    }
}
