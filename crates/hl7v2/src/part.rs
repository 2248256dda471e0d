//! Fields, repetitions, components and subcomponents, split when asked for.

use std::borrow::Cow;

use crate::Message;
use crate::escape::{self, Decoded};
use crate::find;
use crate::span::{Span, offset};

/// The three states of a value (HL7 v2.5.1 section 2.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Nothing was sent: what is known stays.
    Absent,
    /// `""` was sent: what is known is to be deleted.
    Null,
    /// A value was sent.
    Valued,
}

/// Where a leaf stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeafPath {
    /// 0-based index of the segment in the message.
    pub segment: u32,
    /// 1-based field number.
    pub field: u16,
    /// 0-based repetition.
    pub repetition: u16,
    /// 1-based component.
    pub component: u16,
    /// 1-based subcomponent.
    pub subcomponent: u16,
}

impl LeafPath {
    /// The first leaf of a field.
    #[must_use]
    pub fn of_field(segment: usize, field: usize) -> Self {
        Self { segment: offset(segment), field: number(field), repetition: 0, component: 1, subcomponent: 1 }
    }
}

/// A populated leaf: its place and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Where it stands.
    pub path: LeafPath,
    /// Its bytes.
    pub span: Span,
}

/// What a part is; decides which delimiters divide it further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Field,
    Repetition,
    Component,
    Subcomponent,
    /// A line that is no segment: never divided.
    Line,
    /// MSH-1, MSH-2: never divided, never unescaped.
    Literal,
}

/// A field, repetition, component or subcomponent; `Copy`, borrows the message, splits on read.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    message: &'a Message<'a>,
    span: Span,
    level: Level,
    path: LeafPath,
}

impl<'a> Part<'a> {
    pub(crate) fn new(message: &'a Message<'a>, span: Span, level: Level, path: LeafPath) -> Self {
        Self { message, span, level, path }
    }

    pub(crate) fn absent(message: &'a Message<'a>, path: LeafPath) -> Self {
        Self::absent_at(message, offset(message.bytes().len()), path)
    }

    pub(crate) fn absent_at(message: &'a Message<'a>, at: u32, path: LeafPath) -> Self {
        Self::new(message, Span::empty_at(at), Level::Field, path)
    }

    /// Absent when no leaf below has bytes, null when every populated leaf is `""`, else valued.
    #[must_use]
    pub fn presence(&self) -> Presence {
        // A first byte that divides nothing and does not begin the null is one of a value.
        let syntax = self.span.of(self.message.syntax()).first();
        if self.raw().first().is_some_and(|first| *first != b'"')
            && syntax.is_some_and(|first| !self.message.delimiters().contains(*first))
        {
            return Presence::Valued;
        }
        let mut presence = Presence::Absent;
        for leaf in self.leaf_iter() {
            if leaf.span.of(self.message.bytes()) != NULL {
                return Presence::Valued;
            }
            presence = Presence::Null;
        }
        presence
    }

    /// True when the part carries a value.
    #[must_use]
    pub fn is_valued(&self) -> bool {
        self.presence() == Presence::Valued
    }

    /// Bytes as sent, undecoded.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.span.of(self.message.bytes())
    }

    /// Where the part stands in the raw message.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The place of the part's first leaf.
    #[must_use]
    pub fn path(&self) -> LeafPath {
        self.path
    }

    /// Text, decoded by the message's character set and unescaped; empty for the null `""`. Delimiters inside the part
    /// are kept as characters, so the text of a free-text field is whole even when its sender did not escape them.
    /// Borrowed when nothing had to change.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        self.decoded().text
    }

    /// As [`Part::text`], with what was odd about it.
    #[must_use]
    pub fn decoded(&self) -> Decoded<'a> {
        let raw = self.raw();
        let raw = if raw == NULL { &[] } else { raw };
        let mut delimiters = self.message.delimiters();
        if self.level == Level::Literal {
            delimiters.escape = None;
        }
        let syntax = self.span.of(self.message.syntax());
        let syntax = syntax.get(..raw.len()).unwrap_or(raw);
        escape::decode_masked(raw, syntax, &delimiters, self.message.charset())
    }

    /// Of a field with bytes: how many repetitions; of anything lower with bytes: 1; without bytes: 0.
    #[must_use]
    pub fn repetition_count(&self) -> usize {
        self.count(Level::Field, self.message.delimiters().repetition)
    }

    /// 0-based repetition of a field; of anything lower the part itself is repetition 0.
    #[must_use]
    pub fn repetition(&self, i: usize) -> Part<'a> {
        let path = LeafPath { repetition: number(i), ..self.path };
        if self.level > Level::Field {
            return self.itself(i == 0, path);
        }
        self.piece(self.message.delimiters().repetition, i, Level::Repetition, path)
    }

    /// The repetitions of a field with bytes, in order.
    pub fn repetitions(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let field = *self;
        let mut at = Some(field.span.start).filter(|_| !field.span.is_empty());
        (0..).map_while(move |i| {
            let rest = Span { start: at?, end: field.span.end };
            let delimiter = field.message.delimiters().repetition;
            let found = find::first(delimiter, rest.of(field.message.syntax()))
                .filter(|_| field.level == Level::Field);
            let end = found.map_or(rest.end, |length| rest.start + offset(length));
            at = found.map(|_| end + 1);
            let path = LeafPath { repetition: number(i), ..field.path };
            let level = field.level.max(Level::Repetition);
            let path = if field.level == Level::Field { path } else { field.path };
            Some(Part::new(field.message, Span { start: rest.start, end }, level, path))
        })
    }

    /// 1-based component. On a field: of its first repetition. A part without components is its own component 1.
    #[must_use]
    pub fn component(&self, n: usize) -> Part<'a> {
        if self.level == Level::Field {
            return self.repetition(0).component(n);
        }
        let path = LeafPath { component: number(n), ..self.path };
        if self.level > Level::Repetition {
            return self.itself(n == 1, LeafPath { component: self.path.component, ..path });
        }
        self.nth(self.message.delimiters().component, n, Level::Component, path)
    }

    /// How many components; 0 without bytes. On a field: of its first repetition.
    #[must_use]
    pub fn component_count(&self) -> usize {
        match self.level {
            Level::Field => self.repetition(0).component_count(),
            _ => self.count(Level::Repetition, self.message.delimiters().component),
        }
    }

    /// 1-based subcomponent. On a field or repetition: of its first component.
    #[must_use]
    pub fn subcomponent(&self, n: usize) -> Part<'a> {
        if self.level < Level::Component {
            return self.component(1).subcomponent(n);
        }
        let path = LeafPath { subcomponent: number(n), ..self.path };
        if self.level > Level::Component {
            return self.itself(n == 1, LeafPath { subcomponent: self.path.subcomponent, ..path });
        }
        self.nth(self.message.delimiters().subcomponent, n, Level::Subcomponent, path)
    }

    /// How many subcomponents; 0 without bytes. On a field or repetition: of its first component.
    #[must_use]
    pub fn subcomponent_count(&self) -> usize {
        match self.level {
            Level::Field | Level::Repetition => self.component(1).subcomponent_count(),
            _ => self.count(Level::Component, self.message.delimiters().subcomponent),
        }
    }

    /// Whether there is more than one: of a field repetition, of a repetition component, of a component subcomponent.
    #[must_use]
    pub fn is_divided(&self) -> bool {
        let delimiters = self.message.delimiters();
        let delimiter = match self.level {
            Level::Field => delimiters.repetition,
            Level::Repetition => delimiters.component,
            Level::Component => delimiters.subcomponent,
            Level::Subcomponent | Level::Line | Level::Literal => return false,
        };
        find::first(delimiter, self.span.of(self.message.syntax())).is_some()
    }

    /// The populated leaves under this part, in order.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + use<'a> {
        self.leaf_iter()
    }

    fn leaf_iter(&self) -> Leaves<'a> {
        Leaves { part: *self, at: self.span.start, path: self.path, done: self.span.is_empty() }
    }

    fn itself(&self, is_first: bool, path: LeafPath) -> Part<'a> {
        if is_first { *self } else { Self::absent_at(self.message, self.span.end, path) }
    }

    fn count(&self, level: Level, delimiter: u8) -> usize {
        match (self.span.is_empty(), self.level == level) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => memchr::memchr_iter(delimiter, self.span.of(self.message.syntax())).count() + 1,
        }
    }

    fn nth(&self, delimiter: u8, n: usize, level: Level, path: LeafPath) -> Part<'a> {
        match n.checked_sub(1) {
            Some(i) => self.piece(delimiter, i, level, path),
            None => Self::absent_at(self.message, self.span.end, path),
        }
    }

    /// The i-th piece, 0-based, between delimiters.
    fn piece(&self, delimiter: u8, i: usize, level: Level, path: LeafPath) -> Part<'a> {
        let syntax = self.span.of(self.message.syntax());
        let mut start = 0;
        for _ in 0..i {
            let rest = syntax.get(start..).unwrap_or_default();
            match find::first(delimiter, rest) {
                Some(at) => start += at + 1,
                None => return Self::new(self.message, Span::empty_at(self.span.end), level, path),
            }
        }
        let rest = syntax.get(start..).unwrap_or_default();
        let length = find::first(delimiter, rest).unwrap_or(rest.len());
        let start = self.span.start + offset(start);
        Self::new(self.message, Span { start, end: start + offset(length) }, level, path)
    }
}

impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("path", &self.path).field("bytes", &self.span.len()).finish()
    }
}

/// Walks the leaves of a part in one pass.
struct Leaves<'a> {
    part: Part<'a>,
    at: u32,
    path: LeafPath,
    done: bool,
}

impl Iterator for Leaves<'_> {
    type Item = Leaf;

    fn next(&mut self) -> Option<Leaf> {
        while !self.done {
            let (span, path) = self.step();
            if !span.is_empty() {
                return Some(Leaf { path, span });
            }
        }
        None
    }
}

impl Leaves<'_> {
    /// One leaf, populated or not, and moves behind the delimiter that ends it.
    fn step(&mut self) -> (Span, LeafPath) {
        let end = self.part.span.end;
        let path = self.path;
        let start = self.at;
        let delimiters = self.part.message.delimiters();
        let rest = Span { start, end }.of(self.part.message.syntax());
        let found = match self.part.level {
            Level::Literal | Level::Line | Level::Subcomponent => None,
            Level::Component => find::first(delimiters.subcomponent, rest),
            Level::Repetition => find::first_of_two(delimiters.subcomponent, delimiters.component, rest),
            Level::Field => find::first_of_three(
                delimiters.subcomponent,
                delimiters.component,
                delimiters.repetition,
                rest,
            ),
        };
        let Some(length) = found else {
            self.done = true;
            return (Span { start, end }, path);
        };
        let stop = start + offset(length);
        self.at = stop + 1;
        let delimiter = rest.get(length).copied();
        // A byte with two roles divides at the higher level.
        if self.part.level == Level::Field && delimiter == Some(delimiters.repetition) {
            self.path = LeafPath {
                repetition: path.repetition.saturating_add(1),
                component: 1,
                subcomponent: 1,
                ..path
            };
        } else if self.part.level <= Level::Repetition && delimiter == Some(delimiters.component) {
            self.path = LeafPath { component: path.component.saturating_add(1), subcomponent: 1, ..path };
        } else {
            self.path.subcomponent = path.subcomponent.saturating_add(1);
        }
        (Span { start, end: stop }, path)
    }
}

/// The explicit null.
const NULL: &[u8] = b"\"\"";

/// A place number; counts beyond 16 bits are refused when a message is read.
fn number(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
