//! What the executor writes down when a trace is asked for: where it is, and the steps that gave a value. What gave nothing
//! is in `miss`.

use super::Executor;
use super::scope::Value as Item;
use crate::coverage::LeafName;
use crate::diagnostic::Place;
use crate::few::Few;
use crate::number_hash::{NumberMap, WordMap};
use crate::plan::{Form, Path, Rule, Slot};
use crate::trace::{Branch, Done, ElementName, Location, Made, Spot, StepNote, Trace, Word, position};
use hl7v2::Part;
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;

/// The trace that is being written, and what is known of the rules that were met.
#[derive(Default)]
pub(crate) struct Notes<'a> {
    pub trace: Trace,
    words: WordMap<'a, Word>,
    /// What rules, objects and conditions read, by [`Reader::of`].
    pub(super) reads: NumberMap<Reads>,
    /// Of [`Reads::paths`].
    pub(super) paths: Vec<(&'a Path, Word)>,
    resource: Option<u32>,
    branch: Option<u32>,
}

/// What reads paths of the message.
#[derive(Clone, Copy)]
pub(super) enum Reader {
    Rule,
    Object,
    Condition,
}

impl Reader {
    /// A number for one rule, object or condition: they lie in the plan and do not move, and the first field of one may be another.
    pub fn of<T>(self, read: &T) -> u64 {
        let address = u64::try_from(std::ptr::from_ref(read).addr()).unwrap_or(u64::MAX);
        let kind = match self {
            Self::Rule => 0,
            Self::Object => 1,
            Self::Condition => 2,
        };
        address << 2 | kind
    }
}

/// Words and readers that a message of usual size meets.
const WORDS_USUAL: usize = 512;
const READERS_USUAL: usize = 1024;

/// The paths that a rule, an object or a condition reads.
#[derive(Clone)]
pub(super) struct Reads {
    /// Of [`Notes::paths`].
    pub paths: Range<usize>,
    /// The condition as it would be written; of others nothing.
    pub text: Word,
}

impl<'a> Notes<'a> {
    pub fn new(files: &Arc<[String]>) -> Self {
        let mut notes = Self::default();
        notes.words.reserve(WORDS_USUAL);
        notes.reads.reserve(READERS_USUAL);
        notes.trace.files = Arc::clone(files);
        notes
    }

    /// A word of the plan, written once.
    pub(super) fn word(&mut self, word: &'a str) -> Word {
        let trace = &mut self.trace;
        *self.words.entry(word).or_insert_with(|| trace.write(word))
    }

    /// Name of an element, with its index when it repeats.
    fn element(&mut self, slot: &'a Slot, suffix: Option<&'a str>, out: &Map<String, Value>) -> ElementName {
        let list = |name: &str| position(out.get(name).and_then(Value::as_array).map_or(0, Vec::len));
        let none = Word::default();
        match &slot.form {
            Form::Extension { .. } => {
                let index = Some(list(EXTENSION));
                ElementName { name: self.word(EXTENSION), suffix: none, index }
            }
            Form::Element => {
                let index = slot.repeats.then(|| list(&slot.name));
                ElementName { name: self.word(&slot.name), suffix: none, index }
            }
            Form::Choice => {
                let suffix = suffix.map_or(none, |suffix| self.word(suffix));
                ElementName { name: self.word(&slot.name), suffix, index: None }
            }
        }
    }

    /// The element that a rule is for.
    pub(super) fn at(&mut self, slot: &'a Slot, rule: &'a Rule, out: &Map<String, Value>) -> Location {
        let last = Some(self.element(slot, rule.suffix.as_deref(), out));
        Location { last, ..self.here() }
    }

    /// The object that is made.
    pub(super) fn here(&self) -> Location {
        Location { resource: self.resource, branch: self.branch, last: None }
    }

    /// A type of which no resource is made.
    pub(super) fn unmade(&mut self, kind: fhir::ResourceType) -> Location {
        let resource = Some(position(self.trace.resources.len()));
        self.trace.resources.push(Made { kind, id: None });
        Location { resource, branch: None, last: None }
    }
}

/// Name of the property that holds extensions.
const EXTENSION: &str = "extension";

/// Where a rule is written.
pub(super) fn spot(place: Place) -> Spot {
    (place.file, place.line, place.column)
}

/// What was being made before a resource on the way.
pub(super) struct Outer {
    resource: Option<u32>,
    branch: Option<u32>,
}

/// What gave an element: the value, else the first part of which a text was made; what was done to it; its code table.
pub(super) struct Source<'s, 'a> {
    pub value: Option<&'s Item<'a>>,
    pub spread: Option<Part<'a>>,
    pub done: Few<Done>,
    pub table: Option<(&'a str, bool)>,
}

impl<'a> Executor<'a> {
    /// Goes into an element.
    pub(super) fn enter(&mut self, slot: &'a Slot, suffix: Option<&'a str>, out: &Map<String, Value>) {
        if let Some(notes) = &mut self.notes {
            let name = notes.element(slot, suffix, out);
            let branch = position(notes.trace.branches.len());
            notes.trace.branches.push(Branch { above: notes.branch, name });
            notes.branch = Some(branch);
        }
    }

    pub(super) fn leave(&mut self) {
        if let Some(notes) = &mut self.notes {
            let inner = notes.branch.and_then(|branch| usize::try_from(branch).ok());
            notes.branch = inner.and_then(|inner| notes.trace.branches.get(inner)?.above);
        }
    }

    /// Begins a resource; gives what was being made.
    pub(super) fn enter_resource(&mut self, kind: fhir::ResourceType, id: &str) -> Option<Outer> {
        let notes = self.notes.as_mut()?;
        let outer = Outer { resource: notes.resource, branch: notes.branch };
        let id = Some(notes.trace.write(id));
        notes.resource = Some(position(notes.trace.resources.len()));
        notes.branch = None;
        notes.trace.resources.push(Made { kind, id });
        Some(outer)
    }

    /// Goes back to what was being made.
    pub(super) fn leave_resource(&mut self, outer: Option<Outer>) {
        if let Some((notes, outer)) = self.notes.as_mut().zip(outer) {
            (notes.resource, notes.branch) = (outer.resource, outer.branch);
        }
    }

    /// Notes that a rule gave a value.
    pub(super) fn ran(&mut self, rule: &Rule) {
        if let Some(notes) = &mut self.notes {
            notes.trace.ran.push(spot(rule.place));
        }
    }

    /// Notes an element that is written.
    pub(super) fn step(
        &mut self,
        slot: &'a Slot,
        rule: &'a Rule,
        out: &Map<String, Value>,
        source: Source<'_, 'a>,
        output: &str,
    ) {
        let Some(notes) = &mut self.notes else { return };
        let at = notes.at(slot, rule, out);
        let part = match source.value {
            Some(Item::Part(part, _)) => Some(*part),
            Some(Item::Text(_) | Item::Segment(_)) | None => source.spread,
        };
        let input = source.value.map(|value| super::value::text_of(&self.groups, value));
        let step = StepNote {
            at,
            source: part.map(|part| (LeafName::of(self.message, part.path()), part.span())),
            rule: spot(rule.place),
            done: source.done,
            table: source.table.map(|(table, hit)| (notes.word(table), hit)),
            input: input.map(|input| notes.trace.write(&input)),
            output: Some(notes.trace.write(output)),
        };
        notes.trace.push_step(step);
    }
}
