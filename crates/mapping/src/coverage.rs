//! Coverage: each populated leaf of the message ends as exactly one fate.

mod name;

pub use name::LeafName;

use hl7v2::{Leaf, LeafPath, Message, Part, Span};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Each populated leaf is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeafFate {
    /// Its value is in a resource, or decided one.
    Mapped,
    /// Part of it is: cut, guessed system, code without a row.
    Lossy,
    /// Left out on purpose, with a written reason.
    Ignored,
    /// No rule reads it.
    Unmapped,
    /// A rule read it and could not use it.
    Rejected,
}

/// The fate of every populated leaf, in message order.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// One for each leaf.
    pub leaves: Vec<LeafCoverage>,
}

impl Coverage {
    /// How many leaves have this fate.
    pub fn count(&self, fate: LeafFate) -> usize {
        self.leaves.iter().filter(|leaf| leaf.fate == fate).count()
    }
}

/// The fate of one leaf: path and reason, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafCoverage {
    /// Where it stands.
    pub path: LeafName,
    /// Bytes of the message.
    pub span: Span,
    /// What became of it.
    pub fate: LeafFate,
    /// Why, for anything but mapped.
    pub reason: Option<Arc<str>>,
}

/// Collects fates while translating.
pub(crate) struct Ledger<'a> {
    leaves: Vec<Leaf>,
    fates: Vec<Fate<'a>>,
    /// Index of the first leaf of each segment, and the number of leaves.
    firsts: Vec<usize>,
    /// What the leaves were that changed since the outermost [`Ledger::begin`].
    changed: Vec<(usize, Fate<'a>)>,
    /// How many objects are begun.
    depth: usize,
}

/// What became of a leaf so far, and why.
pub(crate) type Fate<'a> = (LeafFate, Option<Cow<'a, str>>);

impl<'a> Ledger<'a> {
    pub fn new(message: &Message<'_>) -> Self {
        let leaves: Vec<Leaf> = message.leaves().collect();
        let fates = vec![(LeafFate::Unmapped, None); leaves.len()];
        let mut firsts: Vec<usize> = Vec::new();
        for (at, leaf) in leaves.iter().enumerate() {
            let segment = usize::try_from(leaf.path.segment).unwrap_or(usize::MAX);
            // A segment without leaves begins where the next one does.
            while firsts.len() <= segment {
                firsts.push(at);
            }
        }
        firsts.push(leaves.len());
        Ledger { leaves, fates, firsts, changed: Vec::new(), depth: 0 }
    }

    /// Marks every leaf of a part. The better fate wins: mapped, lossy, rejected, ignored, unmapped.
    pub fn mark(&mut self, part: Part<'_>, fate: LeafFate, reason: Option<&'a str>) {
        let segment = usize::try_from(part.path().segment).unwrap_or(usize::MAX);
        let span = part.span();
        let range = self.of_segment(segment);
        let begin = range.start;
        let (leaves, fates) = (
            self.leaves.get(range.clone()).unwrap_or_default(),
            self.fates.get_mut(range).unwrap_or_default(),
        );
        let first = leaves.partition_point(|leaf| leaf.span.start < span.start);
        for (at, (leaf, slot)) in leaves.iter().zip(fates).enumerate().skip(first) {
            if leaf.span.start >= span.end {
                break;
            }
            if rank(fate) > rank(slot.0) {
                let before = std::mem::replace(slot, (fate, reason.map(Cow::Borrowed)));
                if self.depth > 0 {
                    self.changed.push((begin + at, before));
                }
            }
        }
    }

    /// Marks the first leaf of a part: a composite taken as text.
    pub fn mark_first(&mut self, part: Part<'_>, fate: LeafFate, reason: Option<&'a str>) {
        self.mark(part.component(1).subcomponent(1), fate, reason);
    }

    /// Are the leaves of a part as they were at the beginning, and will what is marked now stay?
    pub fn is_untouched(&self, part: Part<'_>) -> bool {
        let fates = self.fates.get(self.of_part(part)).unwrap_or_default();
        self.depth == 0 && fates.iter().all(|fate| fate.0 == LeafFate::Unmapped)
    }

    /// The fates of the leaves of a part.
    pub fn fates_of(&self, part: Part<'_>) -> Vec<Fate<'a>> {
        self.fates.get(self.of_part(part)).unwrap_or_default().to_vec()
    }

    /// Marks the leaves of a part as those of another with the same bytes were.
    pub fn mark_alike(&mut self, part: Part<'_>, fates: &[Fate<'a>]) {
        let range = self.of_part(part);
        let begin = range.start;
        let slots = self.fates.get_mut(range).unwrap_or_default();
        for (at, (slot, fate)) in slots.iter_mut().zip(fates).enumerate() {
            if rank(fate.0) > rank(slot.0) {
                let before = std::mem::replace(slot, fate.clone());
                if self.depth > 0 {
                    self.changed.push((begin + at, before));
                }
            }
        }
    }

    /// Where the leaves of a part lie.
    fn of_part(&self, part: Part<'_>) -> std::ops::Range<usize> {
        let segment = usize::try_from(part.path().segment).unwrap_or(usize::MAX);
        let range = self.of_segment(segment);
        let leaves = self.leaves.get(range.clone()).unwrap_or_default();
        let span = part.span();
        let first = range.start + leaves.partition_point(|leaf| leaf.span.start < span.start);
        first..range.start + leaves.partition_point(|leaf| leaf.span.start < span.end)
    }

    /// From here on what is marked can be taken back: an object is begun that may turn out to lack what it needs.
    pub fn begin(&mut self) -> usize {
        self.depth += 1;
        self.changed.len()
    }

    /// Ends it. With a reason, what was marked since is rejected instead, unless it was used before; gives those leaves.
    pub fn end(&mut self, begun: usize, refused: Option<&str>) -> Vec<LeafPath> {
        let mut rejected = Vec::new();
        if let Some(reason) = refused {
            let changed = self.changed.split_off(begun.min(self.changed.len()));
            // Latest first: a leaf that changed twice gets back what it was at the beginning.
            for (at, before) in changed.iter().rev() {
                if let Some(slot) = self.fates.get_mut(*at) {
                    *slot = before.clone();
                }
            }
            for (at, _) in changed {
                let Some((leaf, slot)) = self.leaves.get(at).zip(self.fates.get_mut(at)) else { continue };
                if rank(LeafFate::Rejected) > rank(slot.0) {
                    let reason = Some(Cow::Owned(reason.to_owned()));
                    let before = std::mem::replace(slot, (LeafFate::Rejected, reason));
                    self.changed.push((at, before));
                    rejected.push(leaf.path);
                }
            }
        }
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.changed.clear();
        }
        rejected
    }

    /// Marks what is still unmapped under a segment and numbers (field, component, subcomponent).
    pub fn ignore(&mut self, segment: usize, numbers: &[u16], reason: &'a str) {
        let range = self.of_segment(segment);
        let (leaves, fates) = (
            self.leaves.get(range.clone()).unwrap_or_default(),
            self.fates.get_mut(range).unwrap_or_default(),
        );
        for (leaf, slot) in leaves.iter().zip(fates).filter(|(_, slot)| slot.0 == LeafFate::Unmapped) {
            let at = [leaf.path.field, leaf.path.component, leaf.path.subcomponent];
            if numbers.iter().zip(at).all(|(wanted, have)| *wanted == have) {
                *slot = (LeafFate::Ignored, Some(Cow::Borrowed(reason)));
            }
        }
    }

    /// Marks what is still unmapped under a part, relative numbers given by component and subcomponent.
    pub fn ignore_part(&mut self, part: Part<'_>, numbers: &[u16], reason: &'a str) {
        let mut at = part;
        for number in numbers {
            at = below(at, usize::from(*number), part.span());
        }
        if !at.raw().is_empty() {
            self.mark(at, LeafFate::Ignored, Some(reason));
        }
    }

    /// Gives the leaves of one segment the fates of the same paths of another with the same bytes.
    pub fn copy_fates(&mut self, from: usize, to: usize) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let range = self.of_segment(from);
        let (leaves, fates) =
            (self.leaves.get(range.clone()).unwrap_or_default(), self.fates.get(range).unwrap_or_default());
        let fates: HashMap<LeafPath, Fate<'a>> = leaves
            .iter()
            .zip(fates)
            .map(|(leaf, fate)| (LeafPath { segment: number(to), ..leaf.path }, fate.clone()))
            .collect();
        let range = self.of_segment(to);
        let (leaves, slots) = (
            self.leaves.get(range.clone()).unwrap_or_default(),
            self.fates.get_mut(range).unwrap_or_default(),
        );
        for (leaf, slot) in leaves.iter().zip(slots) {
            if slot.0 == LeafFate::Unmapped
                && let Some(fate) = fates.get(&leaf.path)
            {
                *slot = fate.clone();
            }
        }
    }

    /// The leaves of one segment; they lie in message order.
    fn of_segment(&self, segment: usize) -> std::ops::Range<usize> {
        let first = |segment: usize| self.firsts.get(segment).copied().unwrap_or(self.leaves.len());
        first(segment)..first(segment.saturating_add(1))
    }

    /// The finished report.
    pub fn finish(self, message: &Message<'_>) -> Coverage {
        let mut reasons: Vec<Arc<str>> = Vec::new();
        let mut reason_of = |reason: Cow<'a, str>| match reasons.iter().find(|known| ***known == *reason) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = reason.into();
                reasons.push(Arc::clone(&new));
                new
            }
        };
        let mut names = name::Names::new(message);
        let leaves = self.leaves.iter().zip(self.fates);
        let leaves = leaves.map(|(leaf, (fate, reason))| LeafCoverage {
            path: names.of(leaf),
            span: leaf.span,
            fate,
            reason: reason.map(&mut reason_of),
        });
        Coverage { leaves: leaves.collect() }
    }
}

fn rank(fate: LeafFate) -> u8 {
    match fate {
        LeafFate::Unmapped => 0,
        LeafFate::Ignored => 1,
        LeafFate::Rejected => 2,
        LeafFate::Lossy => 3,
        LeafFate::Mapped => 4,
    }
}

/// One level down: component of a repetition, subcomponent of a component.
fn below(part: Part<'_>, number: usize, whole: Span) -> Part<'_> {
    if part.span() == whole { part.component(number) } else { part.subcomponent(number) }
}
