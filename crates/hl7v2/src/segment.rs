//! One segment of a message.

use crate::Message;
use crate::index::{Form, NAME_LENGTH, SegmentEntry};
use crate::part::{Leaf, LeafPath, Level, Part};
use crate::span::{Span, index, offset};

/// A segment; `Copy`, borrows the message.
#[derive(Clone, Copy)]
pub struct SegmentRef<'a> {
    /// 0-based position in the message.
    pub index: usize,
    message: &'a Message<'a>,
    entry: SegmentEntry,
}

impl<'a> SegmentRef<'a> {
    pub(crate) fn new(message: &'a Message<'a>, index: usize, entry: SegmentEntry) -> Self {
        Self { index, message, entry }
    }

    pub(crate) fn or_absent(message: &'a Message<'a>, index: usize, entry: Option<SegmentEntry>) -> Self {
        let absent = SegmentEntry { span: Span::empty_at(0), first: 0, count: 0, form: Form::Plain };
        Self::new(message, index, entry.unwrap_or(absent))
    }

    /// Three ASCII letters or digits, as sent; empty for a line that is no segment.
    #[must_use]
    pub fn name(&self) -> &'a str {
        if self.is_stray() {
            return "";
        }
        let bytes = self.entry.span.of(self.message.bytes());
        // The name of a segment is ASCII by construction of the index.
        bytes.get(..NAME_LENGTH).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// True for a line that is no segment; its whole text is field 1.
    #[must_use]
    pub fn is_stray(&self) -> bool {
        self.entry.form == Form::Stray
    }

    /// Field n, 1-based (MSH-1 is the separator). A field that was not sent is a part that is absent.
    #[must_use]
    pub fn field(&self, n: usize) -> Part<'a> {
        let path = LeafPath::of_field(self.index, n);
        match self.field_span(n) {
            Some(span) => {
                let level = match self.entry.form {
                    Form::Stray => Level::Line,
                    Form::Header if n <= 2 => Level::Literal,
                    Form::Header | Form::Plain => Level::Field,
                };
                Part::new(self.message, span, level, path)
            }
            None => Part::absent_at(self.message, self.entry.span.end, path),
        }
    }

    /// Highest field number present, populated or not.
    #[must_use]
    pub fn field_count(&self) -> usize {
        let separators = index(self.entry.count);
        match self.entry.form {
            Form::Plain => separators,
            Form::Header => separators + 1,
            Form::Stray => 1,
        }
    }

    /// The bytes of the segment without its line end.
    #[must_use]
    pub fn span(&self) -> Span {
        self.entry.span
    }

    /// The populated leaves of the segment, in order.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + use<'a> {
        let segment = *self;
        (1..=segment.field_count())
            .filter(move |n| segment.entry.form != Form::Header || *n > 2)
            .flat_map(move |n| segment.field(n).leaves())
    }

    fn field_span(&self, n: usize) -> Option<Span> {
        let separators = self.message.index.separators_of(&self.entry);
        let opens = match self.entry.form {
            Form::Plain => n.checked_sub(1)?,
            Form::Stray => return (n == 1).then_some(self.entry.span),
            Form::Header if n == 1 => {
                let start = self.entry.span.start + offset(NAME_LENGTH);
                return Some(Span { start, end: start + 1 });
            }
            Form::Header => n.checked_sub(2)?,
        };
        let start = separators.get(opens)? + 1;
        let end = separators.get(opens + 1).copied().unwrap_or(self.entry.span.end);
        Some(Span { start, end })
    }
}

impl std::fmt::Debug for SegmentRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentRef")
            .field("index", &self.index)
            .field("bytes", &self.entry.span.len())
            .field("fields", &self.field_count())
            .finish()
    }
}
