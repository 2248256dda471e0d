//! Coverage: each populated leaf of the message ends as exactly one fate.

use hl7v2::{Leaf, LeafPath, Message, Part, Span};
use std::collections::HashMap;

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
    /// `PID-3~2.4.2`: repetition, component and subcomponent only where there is more than one.
    pub path: String,
    /// Bytes of the message.
    pub span: Span,
    /// What became of it.
    pub fate: LeafFate,
    /// Why, for anything but mapped.
    pub reason: Option<String>,
}

/// Collects fates while translating.
pub(crate) struct Ledger {
    leaves: Vec<Leaf>,
    fates: Vec<Fate>,
    /// What the leaves were that changed since the outermost [`Ledger::begin`].
    changed: Vec<(usize, Fate)>,
    /// How many objects are begun.
    depth: usize,
}

type Fate = (LeafFate, Option<String>);

impl Ledger {
    pub fn new(message: &Message<'_>) -> Self {
        let leaves: Vec<Leaf> = message.leaves().collect();
        let fates = vec![(LeafFate::Unmapped, None); leaves.len()];
        Ledger { leaves, fates, changed: Vec::new(), depth: 0 }
    }

    /// Marks every leaf of a part. The better fate wins: mapped, lossy, rejected, ignored, unmapped.
    pub fn mark(&mut self, part: Part<'_>, fate: LeafFate, reason: Option<&str>) {
        self.mark_span(part.span(), fate, reason);
    }

    /// Marks the first leaf of a part: a composite taken as text.
    pub fn mark_first(&mut self, part: Part<'_>, fate: LeafFate, reason: Option<&str>) {
        let span = part.component(1).subcomponent(1).span();
        self.mark_span(span, fate, reason);
    }

    pub fn mark_span(&mut self, span: Span, fate: LeafFate, reason: Option<&str>) {
        let first = self.leaves.partition_point(|leaf| leaf.span.start < span.start);
        for (at, (leaf, slot)) in self.leaves.iter().zip(self.fates.iter_mut()).enumerate().skip(first) {
            if leaf.span.start >= span.end {
                break;
            }
            if rank(fate) > rank(slot.0) {
                let before = std::mem::replace(slot, (fate, reason.map(str::to_owned)));
                if self.depth > 0 {
                    self.changed.push((at, before));
                }
            }
        }
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
                    let before = std::mem::replace(slot, (LeafFate::Rejected, Some(reason.to_owned())));
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
    pub fn ignore(&mut self, segment: usize, numbers: &[u16], reason: &str) {
        let range = self.of_segment(segment);
        let (leaves, fates) = (
            self.leaves.get(range.clone()).unwrap_or_default(),
            self.fates.get_mut(range).unwrap_or_default(),
        );
        for (leaf, slot) in leaves.iter().zip(fates) {
            let at = [leaf.path.field, leaf.path.component, leaf.path.subcomponent];
            let inside = numbers.iter().zip(at).all(|(wanted, have)| *wanted == have);
            if inside && slot.0 == LeafFate::Unmapped {
                *slot = (LeafFate::Ignored, Some(reason.to_owned()));
            }
        }
    }

    /// Marks what is still unmapped under a part, relative numbers given by component and subcomponent.
    pub fn ignore_part(&mut self, part: Part<'_>, numbers: &[u16], reason: &str) {
        let mut at = part;
        for number in numbers {
            at = below(at, usize::from(*number), part.span());
        }
        if !at.raw().is_empty() {
            self.mark_span(at.span(), LeafFate::Ignored, Some(reason));
        }
    }

    /// Gives the leaves of one segment the fates of the same paths of another with the same bytes.
    pub fn copy_fates(&mut self, from: usize, to: usize) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let range = self.of_segment(from);
        let (leaves, fates) =
            (self.leaves.get(range.clone()).unwrap_or_default(), self.fates.get(range).unwrap_or_default());
        let fates: HashMap<LeafPath, (LeafFate, Option<String>)> = leaves
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
        let number = u32::try_from(segment).unwrap_or(u32::MAX);
        let first = self.leaves.partition_point(|leaf| leaf.path.segment < number);
        let last = self.leaves.partition_point(|leaf| leaf.path.segment <= number);
        first..last
    }

    /// The finished report.
    pub fn finish(self, message: &Message<'_>) -> Coverage {
        let leaves = self
            .leaves
            .iter()
            .zip(self.fates)
            .map(|(leaf, (fate, reason))| LeafCoverage {
                path: path_text(message, leaf.path),
                span: leaf.span,
                fate,
                reason,
            })
            .collect();
        Coverage { leaves }
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

/// `PID-3~2.4.2`.
pub(crate) fn path_text(message: &Message<'_>, path: LeafPath) -> String {
    let Some(segment) = usize::try_from(path.segment).ok().and_then(|index| message.segment(index)) else {
        return String::new();
    };
    let field = segment.field(usize::from(path.field));
    let mut text = format!("{}-{}", segment.name(), path.field);
    if field.repetition_count() > 1 {
        text.push_str(&format!("~{}", u32::from(path.repetition) + 1));
    }
    let repetition = field.repetition(usize::from(path.repetition));
    let component = repetition.component(usize::from(path.component));
    let several = component.subcomponent_count() > 1;
    if repetition.component_count() > 1 || several {
        text.push_str(&format!(".{}", path.component));
    }
    if several {
        text.push_str(&format!(".{}", path.subcomponent));
    }
    text
}
