//! The message: a flat index over borrowed bytes.

pub use crate::issue::{IssueKind, ReadIssue, Unreadable};
pub use crate::part::{Leaf, LeafPath, Part, Presence};
pub use crate::segment::SegmentRef;
pub use crate::span::{Delimiters, Span};

use crate::charset::Charset;
use crate::header::Header;
use crate::index::{BYTE_ORDER_MARK, Index, NAME_LENGTH, find_header, is_utf_16};
use crate::limits::{MAX_COMPONENTS, MAX_MESSAGE_BYTES, MAX_REPETITIONS};
use crate::part::Level;
use crate::span::{index, offset};

/// A message read leniently. It borrows the bytes it was read from; `Debug` prints sizes only.
pub struct Message<'m> {
    bytes: &'m [u8],
    /// The bytes with multi-byte characters masked, where the character set needs it; same length.
    mask: Option<Vec<u8>>,
    delimiters: Delimiters,
    charset: Charset,
    pub(crate) index: Index,
    issues: Vec<ReadIssue>,
    violation: Option<Span>,
}

impl<'m> Message<'m> {
    /// Reads a message whose character set is UTF-8 unless MSH-18 says otherwise.
    ///
    /// # Errors
    /// [`Unreadable`] when there is no MSH, or a limit of [`crate::limits`] is passed.
    pub fn read(bytes: &'m [u8]) -> Result<Self, Unreadable> {
        Self::read_with(bytes, Charset::UTF_8)
    }

    /// Reads a message that was kept with the label of its channel's character set ([`Charset::of_site`]).
    ///
    /// # Errors
    /// As [`Message::read`].
    pub fn read_as(bytes: &'m [u8], label: Option<&str>) -> Result<Self, Unreadable> {
        Self::read_with(bytes, Charset::of_site(label))
    }

    /// Reads a message; `default` is the site's character set for an empty MSH-18.
    ///
    /// # Errors
    /// As [`Message::read`].
    pub fn read_with(bytes: &'m [u8], default: Charset) -> Result<Self, Unreadable> {
        let mut message = Self::index(bytes, default, None)?;
        message.check_part_counts()?;
        message.find_line_feed();
        message.find_spliced_header();
        message.find_charset_violation();
        Ok(message)
    }

    pub(crate) fn index(
        bytes: &'m [u8],
        default: Charset,
        until: Option<&[u8; NAME_LENGTH]>,
    ) -> Result<Self, Unreadable> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(Unreadable::TooLong);
        }
        let (start, separator) = find_header(bytes).ok_or_else(|| no_header(bytes))?;
        let mut issues = Vec::new();
        let header = header_fields(bytes, start, separator);
        let encoding = header.clone().nth(1).unwrap_or_default();
        let (delimiters, usual) = Delimiters::from_header(separator, encoding);
        if !usual {
            let end = start + 4 + encoding.len();
            issues.push(ReadIssue { kind: IssueKind::EncodingCharacters, span: Span::new(start + 4, end) });
        }
        let declared = header.clone().nth(CHARSET_FIELD - 1).unwrap_or_default();
        let labels = declared.split(|b| *b == delimiters.repetition).map(String::from_utf8_lossy);
        let charset = match Charset::declared(labels) {
            Ok(charset) => charset.unwrap_or(default),
            Err(_) => {
                let before: usize = header.take(CHARSET_FIELD - 1).map(|field| field.len() + 1).sum();
                let at = start + NAME_LENGTH + before;
                issues.push(ReadIssue {
                    kind: IssueKind::UnknownCharset,
                    span: Span::new(at, at + declared.len()),
                });
                default
            }
        };
        let mask = charset.mask(bytes);
        let index = Index::build(mask.as_deref().unwrap_or(bytes), &delimiters, until, &mut issues)?;
        if index.header == usize::MAX {
            return Err(Unreadable::NoHeader);
        }
        Ok(Self { bytes, mask, delimiters, charset, index, issues, violation: None })
    }

    /// The bytes as received.
    #[must_use]
    pub fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// The delimiters of MSH-1 and MSH-2.
    #[must_use]
    pub fn delimiters(&self) -> Delimiters {
        self.delimiters
    }

    /// The character set the text is decoded by.
    #[must_use]
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Number of segments, stray lines included.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.index.segments.len()
    }

    /// The n-th segment of the message, 0-based, in message order.
    #[must_use]
    pub fn segment(&self, index: usize) -> Option<SegmentRef<'_>> {
        self.index.segments.get(index).map(|entry| SegmentRef::new(self, index, *entry))
    }

    /// The segments in message order. A line that is no segment stands among them without a name.
    pub fn segments(&self) -> impl Iterator<Item = SegmentRef<'_>> {
        self.index.segments.iter().enumerate().map(|(index, entry)| SegmentRef::new(self, index, *entry))
    }

    /// The n-th segment of a name, 1-based.
    #[must_use]
    pub fn segment_named(&self, name: &str, nth: usize) -> Option<SegmentRef<'_>> {
        self.segments().filter(|segment| segment.name() == name).nth(nth.checked_sub(1)?)
    }

    /// The header segment.
    #[must_use]
    pub fn header(&self) -> Header<'_> {
        // `index` refuses a message without MSH, so the position is inside; a default entry would read as absent.
        let entry = self.index.segments.get(self.index.header).copied();
        Header::new(SegmentRef::or_absent(self, self.index.header, entry))
    }

    /// Every populated leaf (subcomponent with bytes), in message order. The delimiters of MSH-1 and MSH-2 are no leaves.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ {
        self.segments().flat_map(|segment| segment.leaves())
    }

    /// The part a leaf path names; an absent part when the message has no such place.
    #[must_use]
    pub fn at(&self, path: LeafPath) -> Part<'_> {
        let Some(segment) = self.segment(index(path.segment)) else { return Part::absent(self, path) };
        let repetition = segment.field(usize::from(path.field)).repetition(usize::from(path.repetition));
        repetition.component(usize::from(path.component)).subcomponent(usize::from(path.subcomponent))
    }

    /// The part of a leaf of this message, without the search that [`Message::at`] does.
    #[must_use]
    pub fn part_of(&self, leaf: Leaf) -> Part<'_> {
        let is_line = self.segment(index(leaf.path.segment)).is_some_and(|segment| segment.is_stray());
        Part::new(self, leaf.span, if is_line { Level::Line } else { Level::Subcomponent }, leaf.path)
    }

    /// What was odd while reading, in the order met.
    #[must_use]
    pub fn issues(&self) -> &[ReadIssue] {
        &self.issues
    }

    /// The second MSH, when the bytes hold more than one message.
    #[must_use]
    pub fn second_header(&self) -> Option<Span> {
        self.issues.iter().find(|issue| issue.kind == IssueKind::SecondHeader).map(|issue| issue.span)
    }

    /// The first bytes outside the message's character set; they decode to U+FFFD.
    #[must_use]
    pub fn charset_violation(&self) -> Option<Span> {
        self.violation
    }

    /// Spans that cover the message without gap or overlap, in order: each segment and what stands between segments.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let mut at = 0;
        let end = offset(self.bytes.len());
        let segments = self.index.segments.iter().enumerate().map(|(index, entry)| (Some(index), entry.span));
        segments
            .chain([(None, Span::empty_at(end))])
            .flat_map(move |(segment, span)| {
                let between = Piece { segment: None, span: Span { start: at, end: span.start } };
                at = span.end;
                [between, Piece { segment, span }]
            })
            .filter(|piece| !piece.span.is_empty())
    }

    pub(crate) fn syntax(&self) -> &[u8] {
        self.mask.as_deref().unwrap_or(self.bytes)
    }

    fn find_line_feed(&mut self) {
        let is_between = |at: usize| {
            let at = offset(at);
            let next = self.index.segments.partition_point(|entry| entry.span.end <= at);
            self.index.segments.get(next).is_none_or(|entry| at < entry.span.start)
        };
        if let Some(at) = memchr::memchr(b'\n', self.syntax()).filter(|at| is_between(*at)) {
            self.issues.push(ReadIssue { kind: IssueKind::LineFeed, span: Span::new(at, at + 1) });
        }
    }

    /// A header inside a segment: a send that broke off and was repeated on the same connection.
    fn find_spliced_header(&mut self) {
        let start = self.index.segments.get(self.index.header).map_or(0, |entry| index(entry.span.start));
        let syntax = self.syntax();
        let Some(mark) = syntax.get(start..start + SPLICE_MARK_LENGTH) else { return };
        let at_line_start = |at: usize| {
            self.index.segments.binary_search_by_key(&offset(at), |entry| entry.span.start).is_ok()
        };
        // The name alone is rarer in text than the delimiters behind it, so it is the quicker thing to look for.
        let mut found = memchr::memmem::find_iter(syntax, b"MSH").filter(|at| {
            *at > start && syntax.get(*at..at + SPLICE_MARK_LENGTH) == Some(mark) && !at_line_start(*at)
        });
        if let Some(at) = found.next() {
            let span = Span::new(at, at + SPLICE_MARK_LENGTH);
            self.issues.push(ReadIssue { kind: IssueKind::SecondHeader, span });
        }
    }

    fn find_charset_violation(&mut self) {
        // A byte order mark is not part of the text.
        let text = self.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(self.bytes);
        let before = self.bytes.len() - text.len();
        let Some(range) = self.charset.first_violation(text) else { return };
        let span = Span::new(before + range.start, before + range.end);
        self.violation = Some(span);
        self.issues.push(ReadIssue { kind: IssueKind::CharsetViolation, span });
    }

    /// Places are numbered in 16 bits; a field with more parts than that cannot be addressed.
    fn check_part_counts(&self) -> Result<(), Unreadable> {
        let marks = [
            (self.delimiters.repetition, MAX_REPETITIONS),
            (self.delimiters.component, MAX_COMPONENTS),
            (self.delimiters.subcomponent, MAX_COMPONENTS),
        ];
        let crowded = |bytes: &[u8]| {
            let exceeds = |(mark, limit): &(u8, usize)| {
                bytes.len() >= *limit && memchr::memchr_iter(*mark, bytes).count() >= *limit
            };
            marks.iter().any(exceeds)
        };
        if !crowded(self.syntax()) {
            return Ok(());
        }
        for segment in self.segments() {
            for number in 1..=segment.field_count() {
                let span = segment.field(number).span();
                if crowded(span.of(self.syntax())) {
                    let field = u16::try_from(number).unwrap_or(u16::MAX);
                    return Err(Unreadable::TooManyRepetitions { segment: offset(segment.index), field });
                }
            }
        }
        Ok(())
    }
}

/// A stretch of the raw message: a segment, or the line ends and padding between segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// 0-based index of the segment; none for what stands between.
    pub segment: Option<usize>,
    /// The bytes.
    pub span: Span,
}

/// The start of a message: MSH and all up to the first PID, for routing before the whole is read.
pub struct Peek<'m> {
    message: Message<'m>,
}

impl<'m> Peek<'m> {
    /// Indexes the segments up to and including the first PID, and checks nothing.
    ///
    /// # Errors
    /// As [`Message::read`].
    pub fn read(bytes: &'m [u8], default: Charset) -> Result<Self, Unreadable> {
        Ok(Self { message: Message::index(bytes, default, Some(b"PID"))? })
    }

    /// The header segment.
    #[must_use]
    pub fn header(&self) -> Header<'_> {
        self.message.header()
    }

    /// A field of the first PID; absent when the message has none.
    #[must_use]
    pub fn patient(&self, field: usize) -> Part<'_> {
        let last = self.message.segment_count().saturating_sub(1);
        match self.message.segment(last).filter(|segment| segment.name() == "PID") {
            Some(segment) => segment.field(field),
            None => Part::absent(&self.message, LeafPath::of_field(last, field)),
        }
    }
}

impl std::fmt::Debug for Peek<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Peek").field(&self.message).finish()
    }
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("bytes", &self.bytes.len())
            .field("segments", &self.index.segments.len())
            .field("issues", &self.issues.len())
            .finish_non_exhaustive()
    }
}

fn no_header(bytes: &[u8]) -> Unreadable {
    if is_utf_16(bytes) { Unreadable::Utf16 } else { Unreadable::NoHeader }
}

/// Fields of the header line: MSH-1 as an empty slice, MSH-2, and so on.
fn header_fields(bytes: &[u8], start: usize, separator: u8) -> impl Iterator<Item = &[u8]> + Clone {
    let rest = bytes.get(start + NAME_LENGTH..).unwrap_or_default();
    let line = memchr::memchr2(b'\r', b'\n', rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
    line.split(move |b| *b == separator)
}

/// MSH-18.
const CHARSET_FIELD: usize = 18;
/// `MSH`, the field separator and two encoding characters: enough to know a header inside a line.
const SPLICE_MARK_LENGTH: usize = 6;
