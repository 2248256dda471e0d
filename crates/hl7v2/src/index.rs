//! The flat index: one pass over the bytes that finds lines and field separators.

use crate::issue::{IssueKind, ReadIssue, Unreadable};
use crate::limits::{MAX_FIELDS, MAX_SEGMENTS};
use crate::span::{Delimiters, Span, index, offset};

/// One line of the message.
#[derive(Clone, Copy)]
pub(crate) struct SegmentEntry {
    pub span: Span,
    /// Position in `Index::separators` of the segment's first field separator.
    pub first: u32,
    pub count: u32,
    pub form: Form,
}

/// How the fields of a line are numbered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Field 1 follows the first separator.
    Plain,
    /// MSH, BHS, FHS: the separator itself is field 1.
    Header,
    /// No segment: the whole line is field 1.
    Stray,
}

#[derive(Default)]
pub(crate) struct Index {
    pub segments: Vec<SegmentEntry>,
    pub separators: Vec<u32>,
    /// Position in `segments` of the first MSH.
    pub header: usize,
}

pub(crate) const NAME_LENGTH: usize = 3;

/// Bytes that surround messages in frames and files and belong to no segment.
pub(crate) fn is_padding(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x00 | 0x0B | 0x1C)
}

/// The mark of UTF-8 that Windows programs put before a file.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Most of a message that the first guess of its separators counts with.
const GUESSED_BYTES_MAX: usize = 256 << 10;

/// Two-byte text, with or without its byte order mark: every delimiter would stand beside a zero.
pub(crate) fn is_utf_16(bytes: &[u8]) -> bool {
    let marks: [&[u8]; 4] = [b"\xFF\xFE", b"\xFE\xFF", b"M\0S\0H\0", b"\0M\0S\0H"];
    marks.iter().any(|mark| bytes.starts_with(mark))
}

/// Start of the first line that is an MSH with a field separator, and that separator.
pub(crate) fn find_header(bytes: &[u8]) -> Option<(usize, u8)> {
    let mut at = 0;
    loop {
        let end = line_end(bytes, at, bytes.len());
        let start = line_start(bytes, at, end);
        if let Some(separator) = header_separator(bytes.get(start..end)?) {
            return Some((start, separator));
        }
        at = end + 1;
        if at >= bytes.len() {
            return None;
        }
    }
}

fn header_separator(line: &[u8]) -> Option<u8> {
    let separator = *line.strip_prefix(b"MSH")?.first()?;
    separator.is_ascii_punctuation().then_some(separator)
}

fn line_end(bytes: &[u8], from: usize, limit: usize) -> usize {
    bytes.get(from..limit).and_then(|rest| memchr::memchr2(b'\r', b'\n', rest)).map_or(limit, |at| from + at)
}

/// First byte of a line after padding and a byte order mark.
fn line_start(bytes: &[u8], from: usize, end: usize) -> usize {
    let mut at = from;
    loop {
        match bytes.get(at..end) {
            Some([first, ..]) if is_padding(*first) => at += 1,
            Some(rest) if at == from && rest.starts_with(BYTE_ORDER_MARK) => at += BYTE_ORDER_MARK.len(),
            _ => return at,
        }
    }
}

impl Index {
    /// Indexes every line, or the lines up to and including the first segment named `until`.
    pub fn build(
        syntax: &[u8],
        delimiters: &Delimiters,
        until: Option<&[u8; NAME_LENGTH]>,
        issues: &mut Vec<ReadIssue>,
    ) -> Result<Self, Unreadable> {
        // A guess that suits most messages; a peek reads their beginning only, and what is long is mostly one document.
        let expected = syntax.len().min(if until.is_some() { 1_024 } else { GUESSED_BYTES_MAX });
        let mut index = Self {
            segments: Vec::with_capacity(expected / 128 + 4),
            separators: Vec::with_capacity(expected / 8 + 8),
            header: usize::MAX,
        };
        let limit = syntax
            .iter()
            .rposition(|b| !matches!(b, b'\r' | b'\n' | 0x00 | 0x0B | 0x1C))
            .map_or(0, |at| at + 1);
        let mut at = 0;
        while at < limit {
            let end = line_end(syntax, at, limit);
            let start = line_start(syntax, at, end);
            if start < end && !syntax.get(start..end).unwrap_or_default().iter().all(|b| is_padding(*b)) {
                index.add_line(syntax, Span::new(start, end), delimiters.field, issues)?;
                let is_last = |name: &[u8; NAME_LENGTH]| index.ends_with(syntax, name);
                if index.header != usize::MAX && until.is_some_and(is_last) {
                    break;
                }
            }
            at = end + 1;
        }
        Ok(index)
    }

    fn add_line(
        &mut self,
        syntax: &[u8],
        span: Span,
        separator: u8,
        issues: &mut Vec<ReadIssue>,
    ) -> Result<(), Unreadable> {
        if self.segments.len() >= MAX_SEGMENTS {
            return Err(Unreadable::TooManySegments);
        }
        let line = span.of(syntax);
        let form = form_of(line, separator);
        let first = self.separators.len();
        if form == Form::Stray {
            issues.push(ReadIssue { kind: IssueKind::StrayLine, span });
        } else {
            push_positions(line, separator, span.start, &mut self.separators);
        }
        let count = self.separators.len() - first;
        if count > MAX_FIELDS {
            return Err(Unreadable::TooManyFields { segment: offset(self.segments.len()) });
        }
        if form == Form::Header && line.starts_with(b"MSH") {
            if self.header == usize::MAX {
                self.header = self.segments.len();
                if span.start > 0 {
                    issues.push(ReadIssue {
                        kind: IssueKind::LeadingBytes,
                        span: Span { start: 0, end: span.start },
                    });
                }
            } else {
                issues.push(ReadIssue { kind: IssueKind::SecondHeader, span });
            }
        }
        self.segments.push(SegmentEntry { span, first: offset(first), count: offset(count), form });
        Ok(())
    }

    /// The line added last is a segment of this name.
    fn ends_with(&self, syntax: &[u8], name: &[u8; NAME_LENGTH]) -> bool {
        let last = self.segments.last();
        last.is_some_and(|entry| entry.form == Form::Plain && entry.span.of(syntax).starts_with(name))
    }

    pub fn separators_of(&self, segment: &SegmentEntry) -> &[u32] {
        let first = index(segment.first);
        self.separators.get(first..first + index(segment.count)).unwrap_or_default()
    }
}

/// Appends the offsets at which `byte` stands in `line`. Fields are short, so eight bytes are looked at together here:
/// a search that starts anew at each hit costs twice as much.
fn push_positions(line: &[u8], byte: u8, base: u32, out: &mut Vec<u32>) {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let pattern = u64::from_le_bytes([byte; 8]);
    let (words, tail) = line.as_chunks::<8>();
    let mut at = base;
    for word in words {
        let difference = u64::from_le_bytes(*word) ^ pattern;
        // The high bit of each byte that is zero in `difference`.
        let mut hits = !(((difference & LOW) + LOW) | difference | LOW);
        while hits != 0 {
            out.push(at + hits.trailing_zeros() / 8);
            hits &= hits - 1;
        }
        at += 8;
    }
    out.extend((at..).zip(tail).filter(|(_, b)| **b == byte).map(|(at, _)| at));
}

fn form_of(line: &[u8], separator: u8) -> Form {
    let Some((name, rest)) = line.split_at_checked(NAME_LENGTH) else { return Form::Stray };
    if !name.iter().all(u8::is_ascii_alphanumeric) || rest.first().is_some_and(|b| *b != separator) {
        return Form::Stray;
    }
    match name {
        b"MSH" | b"BHS" | b"FHS" if !rest.is_empty() => Form::Header,
        _ => Form::Plain,
    }
}
