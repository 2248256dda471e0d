//! Many messages in one file: batches (FHS, BHS, BTS, FTS; HL7 v2.5.1 section 2.10.3), MLLP-framed bytes, or messages
//! one after the other.

mod answer;
mod envelope;
mod splitter;

pub use answer::BatchAnswer;
pub use envelope::{Discrepancy, Envelopes};
pub use splitter::{Splitter, Stretch};

use crate::Span;
use crate::index::{NAME_LENGTH, find_header};

/// What a stretch of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// One message, from its MSH to its last line end; without frame bytes.
    Message,
    /// FHS.
    FileHeader,
    /// BHS.
    BatchHeader,
    /// BTS.
    BatchTrailer,
    /// FTS.
    FileTrailer,
    /// Frame bytes, blank lines, a byte order mark.
    Between,
    /// Bytes that belong to no message: text before the first MSH or after the end of a frame.
    Stray,
}

/// A stretch of a file. The pieces of a file cover it without gap or overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPiece {
    /// What it is.
    pub kind: PieceKind,
    /// Offset of the first byte. A file may be longer than a [`Span`] can say.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl BatchPiece {
    /// The bytes of the piece.
    #[must_use]
    pub fn of<'f>(&self, file: &'f [u8]) -> &'f [u8] {
        file.get(self.start..self.end).unwrap_or_default()
    }

    /// The place as a span; None beyond 4 GiB.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        Some(Span { start: u32::try_from(self.start).ok()?, end: u32::try_from(self.end).ok()? })
    }
}

/// The messages of a file, in order. A file of one message gives that message.
pub fn messages(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    pieces(file).filter(|piece| piece.kind == PieceKind::Message).map(|piece| piece.of(file))
}

/// Everything in a file, in order; concatenated, the pieces are the file.
pub fn pieces(file: &[u8]) -> impl Iterator<Item = BatchPiece> + '_ {
    Pieces { lines: Lines { file, at: 0 }, next: None }
}

/// What a file holds, and what its trailers say it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSummary {
    /// Messages found.
    pub messages: usize,
    /// Batch headers (BHS).
    pub batch_headers: usize,
    /// Batch trailers (BTS).
    pub batch_trailers: usize,
    /// File headers (FHS) and trailers (FTS).
    pub file_headers: usize,
    /// File trailers (FTS).
    pub file_trailers: usize,
    /// Stretches that belong to no message.
    pub strays: usize,
    /// Sum of the message counts of the trailers that give one (BTS-1).
    pub declared_messages: Option<u64>,
}

impl BatchSummary {
    /// Counts a file.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        let mut summary = Self::default();
        for piece in pieces(file) {
            match piece.kind {
                PieceKind::Message => summary.messages += 1,
                PieceKind::FileHeader => summary.file_headers += 1,
                PieceKind::BatchHeader => summary.batch_headers += 1,
                PieceKind::BatchTrailer => {
                    summary.batch_trailers += 1;
                    if let Some(count) = first_number(piece.of(file)) {
                        summary.declared_messages =
                            Some(summary.declared_messages.unwrap_or(0).saturating_add(count));
                    }
                }
                PieceKind::FileTrailer => summary.file_trailers += 1,
                PieceKind::Stray => summary.strays += 1,
                PieceKind::Between => {}
            }
        }
        summary
    }

    /// Every header has its trailer, the trailers' counts hold, and nothing lies outside the messages.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let declared = self.declared_messages.is_none_or(|count| u64::try_from(self.messages) == Ok(count));
        declared
            && self.strays == 0
            && self.batch_headers == self.batch_trailers
            && self.file_headers == self.file_trailers
    }
}

/// Field 1 of a trailer, when it is a number.
fn first_number(line: &[u8]) -> Option<u64> {
    let digits = line.get(NAME_LENGTH + 1..)?;
    let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// Start and end of an MLLP frame.
const FRAME_START: u8 = 0x0B;
const FRAME_END: u8 = 0x1C;

/// Joins lines to pieces.
struct Pieces<'f> {
    lines: Lines<'f>,
    next: Option<Line>,
}

impl Iterator for Pieces<'_> {
    type Item = BatchPiece;

    fn next(&mut self) -> Option<BatchPiece> {
        let first = self.next.take().or_else(|| self.lines.next())?;
        let mut piece = BatchPiece { kind: first.content.kind(), start: first.start, end: first.end };
        for line in self.lines.by_ref() {
            if !piece.kind.takes(line.content) {
                self.next = Some(line);
                break;
            }
            piece.end = line.end;
        }
        Some(piece)
    }
}

impl PieceKind {
    /// Does a line go on with a piece of this kind?
    fn takes(self, line: Content) -> bool {
        match self {
            Self::Message => matches!(line, Content::Text | Content::Blank),
            Self::Stray => line == Content::Text,
            Self::Between => matches!(line, Content::Blank | Content::Frame),
            Self::FileHeader | Self::BatchHeader | Self::BatchTrailer | Self::FileTrailer => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Header,
    Envelope(PieceKind),
    Text,
    Blank,
    /// Bytes of a frame: they end a message.
    Frame,
}

struct Line {
    content: Content,
    start: usize,
    end: usize,
}

impl Content {
    /// The kind of the piece that a line begins.
    fn kind(self) -> PieceKind {
        match self {
            Self::Header => PieceKind::Message,
            Self::Envelope(kind) => kind,
            Self::Text => PieceKind::Stray,
            Self::Blank | Self::Frame => PieceKind::Between,
        }
    }
}

/// Lines with their line ends; frame bytes and what pads the start of a line are lines of their own.
struct Lines<'f> {
    file: &'f [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let start = self.at;
        let rest = self.file.get(start..).filter(|rest| !rest.is_empty())?;
        let (content, length) = classify(rest);
        self.at = start + length;
        Some(Line { content, start, end: self.at })
    }
}

/// What stands at the beginning of `rest`, and how many bytes of it belong together.
fn classify(rest: &[u8]) -> (Content, usize) {
    if let Some(length) = count_while(rest, |b| matches!(b, FRAME_START | FRAME_END)) {
        return (Content::Frame, length);
    }
    if let Some(length) = count_while(rest, |b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
        return (Content::Blank, length);
    }
    if rest.starts_with(b"\xEF\xBB\xBF") {
        return (Content::Blank, 3);
    }
    let text = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
    let text = frame_end(rest.get(..text).unwrap_or(rest), rest).unwrap_or(text);
    // A frame that starts inside a line: its sender broke off and began again.
    let line = rest.get(..text).unwrap_or(rest);
    let restart = memchr::memmem::find(line, &[FRAME_START, b'M', b'S', b'H']);
    let text = restart.unwrap_or(text);
    let end = text
        + rest.get(text..).and_then(|tail| count_while(tail, |b| matches!(b, b'\r' | b'\n'))).unwrap_or(0);
    let line = rest.get(..text).unwrap_or(rest);
    (content(line), end)
}

/// The byte that ends a frame inside a line: only when a line end, another frame or nothing follows.
fn frame_end(line: &[u8], rest: &[u8]) -> Option<usize> {
    let ends = |at: &usize| matches!(rest.get(at + 1), None | Some(b'\r' | b'\n' | &FRAME_START));
    memchr::memchr_iter(FRAME_END, line).find(ends)
}

fn content(line: &[u8]) -> Content {
    let ends_name = |at: Option<&u8>| at.is_none_or(|b| b.is_ascii_punctuation());
    let envelope =
        |kind| if ends_name(line.get(NAME_LENGTH)) { Content::Envelope(kind) } else { Content::Text };
    match line.get(..NAME_LENGTH) {
        Some(b"MSH") if find_header(line).is_some() => Content::Header,
        Some(b"FHS") => envelope(PieceKind::FileHeader),
        Some(b"BHS") => envelope(PieceKind::BatchHeader),
        Some(b"BTS") => envelope(PieceKind::BatchTrailer),
        Some(b"FTS") => envelope(PieceKind::FileTrailer),
        _ => Content::Text,
    }
}

fn count_while(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> Option<usize> {
    let length = bytes.iter().position(|b| !belongs(*b)).unwrap_or(bytes.len());
    (length > 0).then_some(length)
}
