//! A person, place or organization that a message names over and over is made once: what a reference leads to depends on the
//! bytes alone where the type map reads nothing else.

use super::Executor;
use super::scope::{Level, Scope, Value as Item};
use crate::coverage::{Fate, LeafName};
use crate::plan::Map;
use crate::trace::Noted;
use hl7v2::Part;
use serde_json::Value;

/// What became of a value and its leaves when it was met first.
pub(super) struct Known<'a> {
    reference: Value,
    fates: Vec<Fate<'a>>,
    only_fills: bool,
    /// What a trace has of it.
    noted: Option<Noted>,
}

impl<'a> Executor<'a> {
    /// [`Executor::made_reference`], where it was not made already.
    pub(super) fn reference_once(&mut self, map: &'a Map, index: usize, scope: &Scope<'a>) -> Option<Value> {
        let Some(part) = self.comparable(map, scope) else { return self.made_reference(map, scope) };
        let key = (index, part.raw());
        if let Some(known) = self.known.get(&key) {
            self.only_fills = known.only_fills;
            self.ledger.mark_alike(part, &known.fates);
            if let (Some(notes), Some(noted)) = (&mut self.notes, known.noted) {
                notes.again(noted, (LeafName::of(self.message, part.path()), part.span()));
            }
            return Some(known.reference.clone());
        }
        // What was marked before, or may be taken back, is not this map's doing; what is reported names its place.
        let is_first = self.ledger.is_untouched(part);
        let reports = self.reports;
        let begin = self.notes.as_ref().map(|notes| notes.trace.marks());
        let reference = self.made_reference(map, scope)?;
        if is_first && self.reports == reports {
            let fates = self.ledger.fates_of(part);
            let noted = self.notes.as_ref().zip(begin).map(|(notes, begin)| {
                notes.trace.noted(begin, LeafName::of(self.message, part.path()), part.span())
            });
            let known = Known { reference: reference.clone(), fates, only_fills: self.only_fills, noted };
            self.known.insert(key, known);
        }
        Some(reference)
    }

    /// The value that a map is for, if what it makes of it depends on nothing else.
    fn comparable(&self, map: &Map, scope: &Scope<'a>) -> Option<Part<'a>> {
        match &scope.item {
            Some(Item::Part(part, Level::Repetition)) if map.is_local => Some(*part),
            _ => None,
        }
    }
}
