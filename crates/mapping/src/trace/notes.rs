//! A trace as it is written down: numbers, and words that stand once in one text. Writing a note allocates nothing of its
//! own; it is put into words when the trace is read.

use super::again::Moves;
use super::{Miss, Read, Step, Trace, Why};
use crate::coverage::LeafName;
use crate::few::Few;
use hl7v2::Span;
use std::ops::Range;

/// A piece of the trace's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Word {
    start: u32,
    end: u32,
}

/// A resource that is made, or a type of which none is.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub kind: fhir::ResourceType,
    pub id: Option<Word>,
}

/// An element that others lie in.
#[derive(Clone, Copy)]
pub(crate) struct Branch {
    /// The branch around it; none at the top of a resource.
    pub above: Option<u32>,
    pub name: ElementName,
}

/// Name of an element; of a choice with the suffix of its type; with its index when it repeats.
#[derive(Clone, Copy)]
pub(crate) struct ElementName {
    pub name: Word,
    pub suffix: Word,
    pub index: Option<u32>,
}

/// A place in what is made: resource, branch, and what lies below the branch.
#[derive(Clone, Copy)]
pub(crate) struct Location {
    pub resource: Option<u32>,
    pub branch: Option<u32>,
    pub last: Option<ElementName>,
}

/// Where a rule is written: file of the package (by number), line, column.
pub(crate) type Spot = (u32, u32, u32);

/// One element written.
#[derive(Clone)]
pub(crate) struct StepNote {
    pub at: Location,
    pub source: Option<(LeafName, Span)>,
    pub rule: Spot,
    pub done: Few<Done>,
    pub table: Option<(Word, bool)>,
    pub input: Option<Word>,
    pub output: Option<Word>,
}

/// What was done to a value.
#[derive(Clone, Copy)]
pub(crate) enum Done {
    Converted(&'static str),
    Lost(&'static str),
    /// Through a type map of this name.
    Mapped(Word),
    /// A reference to what a handle names.
    Referred(Word),
}

/// One rule that gave nothing.
#[derive(Clone)]
pub(crate) struct MissNote {
    pub at: Location,
    pub rule: Spot,
    /// Of [`Trace::reads`].
    pub reads: Range<u32>,
    pub why: Cause,
}

/// A place of the message that a rule reads.
#[derive(Clone, Copy)]
pub(crate) enum ReadNote {
    /// What a path led to, with bytes or without.
    Part(LeafName, Option<Span>),
    /// A path as it is written, which led nowhere.
    Path(Word),
}

/// [`Why`], in numbers.
#[derive(Clone)]
pub(crate) enum Cause {
    /// The condition as it would be written, and what its paths held: of [`Trace::values`].
    Condition(Word, Range<u32>),
    Unvalued,
    Null,
    Refused(&'static str),
    Code(Word),
    Map,
    Superseded,
    Branch,
    Reference(Word),
    Segment(Word),
    Event,
    Unidentified,
}

/// A position in a list of the trace. A list of more than 2^32 does not come about: misses are limited, and so are the
/// bytes of a message.
pub(crate) fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What lies between two positions.
fn among<'l, T>(list: &'l [T], range: &Range<u32>) -> &'l [T] {
    let at = |position: u32| usize::try_from(position).unwrap_or(usize::MAX);
    list.get(at(range.start)..at(range.end)).unwrap_or_default()
}

fn nth<T>(list: &[T], index: u32) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

impl FromIterator<Step> for Trace {
    /// Notes of steps that another translator tells of; conversions are kept by name.
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        let (mut trace, mut files) = (Self::default(), Vec::new());
        for step in steps {
            let note = trace.note(&step, &mut files);
            trace.push_step(note);
        }
        trace.files = files.into();
        trace
    }
}

impl Trace {
    /// The note of a step; what is no resource, file or leaf of this product is left out of it.
    fn note(&mut self, step: &Step, files: &mut Vec<String>) -> StepNote {
        let (kind, id) = step.resource.split_once('/').unwrap_or((&step.resource, ""));
        let resource = fhir::ResourceType::parse(kind).map(|kind| {
            let id = Some(self.write(id));
            self.resources.push(Made { kind, id });
            position(self.resources.len() - 1)
        });
        let below = step.element.split_once('.').map(|(_, below)| self.write(below));
        let last = below.map(|name| ElementName { name, suffix: Word::default(), index: None });
        let mut place = step.rule.rsplitn(3, ':');
        let mut number = || place.next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let (column, line) = (number(), number());
        files.push(place.next().unwrap_or_default().to_owned());
        let name = step.source_path.as_deref().and_then(LeafName::parse);
        StepNote {
            at: Location { resource, branch: None, last },
            source: name.zip(step.span),
            rule: (position(files.len() - 1), line, column),
            done: step.conversions.iter().map(|done| Done::Mapped(self.write(done))).collect(),
            table: step.code_table.as_ref().map(|(table, hit)| (self.write(table), *hit)),
            input: step.input.as_deref().map(|input| self.write(input)),
            output: step.output.as_deref().map(|output| self.write(output)),
        }
    }

    /// Adds words to the text.
    pub(crate) fn write(&mut self, words: &str) -> Word {
        self.write_all([words])
    }

    /// Adds pieces to the text as one.
    pub(crate) fn write_all(&mut self, pieces: impl IntoIterator<Item = impl AsRef<str>>) -> Word {
        let start = position(self.text.len());
        pieces.into_iter().for_each(|piece| self.text.push_str(piece.as_ref()));
        Word { start, end: position(self.text.len()) }
    }

    fn word(&self, word: Word) -> &str {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        self.text.get(at(word.start)..at(word.end)).unwrap_or_default()
    }

    fn text(&self, word: Option<Word>) -> Option<String> {
        word.map(|word| self.word(word).to_owned())
    }

    /// `Patient/<id>`, and `Patient.name[0].family`.
    fn location(&self, at: Location) -> (String, String) {
        let made = at.resource.and_then(|resource| nth(&self.resources, resource));
        let kind = made.map(|made| made.kind.as_str()).unwrap_or_default();
        let id = made.and_then(|made| made.id);
        let resource = id.map_or_else(|| kind.to_owned(), |id| format!("{kind}/{}", self.word(id)));
        let branch = |index: Option<u32>| index.and_then(|index| nth(&self.branches, index));
        let around: Vec<&Branch> =
            std::iter::successors(branch(at.branch), |inner| branch(inner.above)).collect();
        let mut element = kind.to_owned();
        for name in around.iter().rev().map(|branch| &branch.name).chain(&at.last) {
            element.push('.');
            element.push_str(self.word(name.name));
            element.push_str(self.word(name.suffix));
            if let Some(index) = name.index {
                element.push_str(&format!("[{index}]"));
            }
        }
        (resource, element)
    }

    /// `segments/PID.Patient.yaml:21:12`.
    fn rule(&self, (file, line, column): Spot) -> String {
        format!("{}:{line}:{column}", nth(&self.files, file).map(String::as_str).unwrap_or_default())
    }

    /// A step in words.
    pub(super) fn told_step(&self, note: &StepNote, moves: &Moves<'_>) -> Step {
        let (resource, element) = self.location(note.at);
        let done = |done: &Done| match *done {
            Done::Converted(name) => name.to_owned(),
            Done::Lost(what) => format!("lossy: {what}"),
            Done::Mapped(map) => self.word(map).to_owned(),
            Done::Referred(handle) => format!("ref {}", self.word(handle)),
        };
        let source = note.source.map(|(name, span)| moves.place(name, span));
        Step {
            resource,
            element,
            source_path: source.map(|(name, _)| name.to_string()),
            span: source.map(|(_, span)| span),
            rule: self.rule(note.rule),
            conversions: note.done.iter().map(done).collect(),
            code_table: note.table.map(|(table, hit)| (self.word(table).to_owned(), hit)),
            input: self.text(note.input),
            output: self.text(note.output),
        }
    }

    /// A miss in words; what a rule reads twice is named once.
    pub(super) fn told_miss(&self, note: &MissNote, moves: &Moves<'_>) -> Miss {
        let (resource, element) = self.location(note.at);
        let mut reads: Vec<Read> = Vec::new();
        for read in among(&self.reads, &note.reads) {
            let read = match moves.read(*read) {
                ReadNote::Part(name, span) => Read { path: name.to_string(), span },
                ReadNote::Path(path) => Read { path: self.word(path).to_owned(), span: None },
            };
            if !reads.contains(&read) {
                reads.push(read);
            }
        }
        Miss { resource, element, rule: self.rule(note.rule), reads, why: self.why(&note.why) }
    }

    pub(super) fn why(&self, cause: &Cause) -> Why {
        let word = |word: Word| self.word(word).to_owned();
        match cause {
            Cause::Condition(text, values) => {
                let values = among(&self.values, values);
                let values = values.iter().map(|(path, held)| (word(*path), self.text(*held)));
                Why::Condition { text: word(*text), values: values.collect() }
            }
            Cause::Unvalued => Why::Unvalued,
            Cause::Null => Why::Null,
            Cause::Refused(reason) => Why::Refused(reason),
            Cause::Code(table) => Why::Code(word(*table)),
            Cause::Map => Why::Map,
            Cause::Superseded => Why::Superseded,
            Cause::Branch => Why::Branch,
            Cause::Reference(handle) => Why::Reference(word(*handle)),
            Cause::Segment(name) => Why::Segment(word(*name)),
            Cause::Event => Why::Event,
            Cause::Unidentified => Why::Unidentified,
        }
    }
}
