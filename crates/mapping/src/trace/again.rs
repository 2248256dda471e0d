//! What was noted once and holds again. A person who is named in every line of a message is made of the same bytes each
//! time; the notes of the first making are told again, with the place of the later ones.

use super::Trace;
use super::notes::{ReadNote, position};
use crate::coverage::LeafName;
use hl7v2::Span;
use std::ops::Range;

/// Positions among the notes of a trace: steps, misses, and what holds again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    steps: u32,
    misses: u32,
    agains: u32,
}

/// What was noted between two positions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted {
    begin: Marks,
    end: Marks,
    /// The value that it was made of.
    of: (LeafName, Span),
}

/// At this position what was noted there holds again, of another value with the same bytes.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    at: Marks,
    first: Noted,
    of: (LeafName, Span),
    /// Not where there are more misses than are told already.
    with_misses: bool,
}

/// Which of the two lists is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    Steps,
    Misses,
}

impl Marks {
    fn of(self, list: List) -> u32 {
        match list {
            List::Steps => self.steps,
            List::Misses => self.misses,
        }
    }
}

impl Again {
    /// A place of the first value as one of this.
    fn moved(&self, name: LeafName, span: Span) -> (LeafName, Span) {
        let (of, whole) = self.first.of;
        if span.start < whole.start || span.end > whole.end {
            return (name, span);
        }
        let start = self.of.1.start + (span.start - whole.start);
        (name.moved(of, self.of.0), Span { start, end: start + (span.end - span.start) })
    }
}

/// How the places of a note have moved, innermost first.
pub(super) struct Moves<'t>(Vec<&'t Again>);

impl Moves<'_> {
    pub fn place(&self, name: LeafName, span: Span) -> (LeafName, Span) {
        self.0.iter().fold((name, span), |(name, span), again| again.moved(name, span))
    }

    pub fn read(&self, read: ReadNote) -> ReadNote {
        match read {
            ReadNote::Part(name, Some(span)) => {
                let (name, span) = self.place(name, span);
                ReadNote::Part(name, Some(span))
            }
            ReadNote::Part(name, None) => {
                let moved = |name: LeafName, again: &&Again| name.moved(again.first.of.0, again.of.0);
                ReadNote::Part(self.0.iter().fold(name, moved), None)
            }
            ReadNote::Path(path) => ReadNote::Path(path),
        }
    }
}

impl Trace {
    /// Where the notes stand.
    pub(crate) fn marks(&self) -> Marks {
        Marks {
            steps: position(self.steps.len()),
            misses: position(self.misses.len()),
            agains: position(self.agains.len()),
        }
    }

    /// What was noted since, of this value.
    pub(crate) fn noted(&self, begin: Marks, name: LeafName, span: Span) -> Noted {
        Noted { begin, end: self.marks(), of: (name, span) }
    }

    /// What was noted holds again, of another value with the same bytes; its misses only where there is room for them.
    pub(crate) fn again(&mut self, first: Noted, (name, span): (LeafName, Span), with_misses: bool) {
        let told = |list: List| position(Walk::between(self, list, first.begin, first.end).count());
        let steps = told(List::Steps);
        let misses = if with_misses { told(List::Misses) } else { 0 };
        self.agains.push(Again { at: self.marks(), first, of: (name, span), with_misses });
        self.told_steps = self.told_steps.saturating_add(steps);
        self.told_misses = self.told_misses.saturating_add(misses);
    }

    /// Every note of a list, those that hold again in their places.
    pub(super) fn walk(&self, list: List) -> Walk<'_> {
        Walk::between(self, list, Marks { steps: 0, misses: 0, agains: 0 }, self.marks())
    }
}

/// A walk over the notes of a list, in the order told.
pub(super) struct Walk<'t> {
    trace: &'t Trace,
    list: List,
    open: Vec<Open<'t>>,
}

/// Notes between two positions, and what of that is told.
struct Open<'t> {
    notes: Range<u32>,
    agains: Range<u32>,
    of: Option<&'t Again>,
}

impl<'t> Walk<'t> {
    fn between(trace: &'t Trace, list: List, begin: Marks, end: Marks) -> Self {
        let open = Open { notes: begin.of(list)..end.of(list), agains: begin.agains..end.agains, of: None };
        Walk { trace, list, open: vec![open] }
    }
}

impl<'t> Iterator for Walk<'t> {
    /// The position of a note, and how its places have moved.
    type Item = (usize, Moves<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let last = self.open.last_mut()?;
            let next = usize::try_from(last.agains.start).ok().and_then(|at| self.trace.agains.get(at));
            let next =
                next.filter(|again| !last.agains.is_empty() && again.at.of(self.list) <= last.notes.start);
            if let Some(again) = next {
                last.agains.start += 1;
                if matches!(self.list, List::Misses) && !again.with_misses {
                    continue;
                }
                let Noted { begin, end, .. } = again.first;
                let notes = begin.of(self.list)..end.of(self.list);
                self.open.push(Open { notes, agains: begin.agains..end.agains, of: Some(again) });
                continue;
            }
            if let Some(at) = last.notes.next() {
                let moves = self.open.iter().rev().filter_map(|open| open.of).collect();
                return Some((usize::try_from(at).ok()?, Moves(moves)));
            }
            self.open.pop();
        }
    }
}
