//! The trace: for each FHIR element where it came from and how.

mod again;
mod notes;

pub(crate) use again::Noted;
use again::{Again, List};
pub(crate) use notes::{
    Branch, Cause, Done, ElementName, Location, Made, MissNote, ReadNote, Spot, StepNote, Word, position,
};

use std::sync::Arc;

/// One step per FHIR element written: where it came from; and one miss per rule that gave nothing. It is kept in notes
/// that are put into words one by one as they are read. Values are PHI; Debug prints counts only.
#[derive(Clone, Default)]
pub struct Trace {
    /// Every word of the notes.
    text: String,
    /// Names of the package's files, by number.
    pub(crate) files: Arc<[String]>,
    pub(crate) resources: Vec<Made>,
    pub(crate) branches: Vec<Branch>,
    steps: Vec<StepNote>,
    misses: Vec<MissNote>,
    agains: Vec<Again>,
    /// How many steps and misses are told, those that hold again included.
    told_steps: u32,
    told_misses: u32,
    pub(crate) reads: Vec<ReadNote>,
    /// Paths of conditions, and what they held.
    pub(crate) values: Vec<(Word, Option<Word>)>,
    /// Places of the rules that gave a value, as often as they did.
    pub(crate) ran: Vec<Spot>,
    pub(crate) is_cut: bool,
}

impl Trace {
    /// The steps, in the order written.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step> + '_ {
        let steps = self.walk(List::Steps);
        let steps = steps.filter_map(|(at, moves)| Some(self.told_step(self.steps.get(at)?, &moves)));
        Counted { left: self.told_steps, told: steps }
    }

    /// The misses, in the order tried.
    pub fn misses(&self) -> impl ExactSizeIterator<Item = Miss> + '_ {
        let misses = self.walk(List::Misses);
        let misses = misses.filter_map(|(at, moves)| Some(self.told_miss(self.misses.get(at)?, &moves)));
        Counted { left: self.told_misses, told: misses }
    }

    /// Notes a step.
    pub(crate) fn push_step(&mut self, step: StepNote) {
        self.told_steps = self.told_steps.saturating_add(1);
        self.steps.push(step);
    }

    /// Notes a miss.
    pub(crate) fn push_miss(&mut self, miss: MissNote) {
        self.told_misses = self.told_misses.saturating_add(1);
        self.misses.push(miss);
    }

    /// How many misses are told.
    pub(crate) fn misses_told(&self) -> u32 {
        self.told_misses
    }

    /// Places of the rules that gave nothing, with the code of the reason.
    pub(crate) fn missed(&self) -> impl Iterator<Item = (Spot, &'static str)> + '_ {
        self.misses.iter().map(|note| (note.rule, self.why(&note.why).code()))
    }

    /// Whether there were more misses than are kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("steps", &self.told_steps).field("misses", &self.told_misses).finish()
    }
}

/// What is told, with how much of it is left.
struct Counted<I> {
    left: u32,
    told: I,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let next = self.told.next()?;
        self.left = self.left.saturating_sub(1);
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

/// One element written.
#[derive(Clone)]
pub struct Step {
    /// `Patient/<id>`.
    pub resource: String,
    /// FHIRPath location, `Patient.name[0].family`.
    pub element: String,
    /// `PID-5.1.1`; None for literals and references.
    pub source_path: Option<String>,
    /// Bytes of the message.
    pub span: Option<hl7v2::Span>,
    /// `segments/PID.Patient.yaml:21:12`.
    pub rule: String,
    /// What was done, in order.
    pub conversions: Vec<String>,
    /// Code table and whether it had the code.
    pub code_table: Option<(String, bool)>,
    /// Text before conversion. PHI.
    pub input: Option<String>,
    /// Value after conversion. PHI.
    pub output: Option<String>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("element", &self.element)
            .field("source_path", &self.source_path)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// One rule that gave nothing.
#[derive(Clone)]
pub struct Miss {
    /// `Patient/<id>`; the type alone when the resource was not made.
    pub resource: String,
    /// FHIRPath location of what it would have given, `Patient.deceasedDateTime`; the type alone for a resource.
    pub element: String,
    /// `segments/PID.Patient.yaml:21:12`.
    pub rule: String,
    /// What the rule reads.
    pub reads: Vec<Read>,
    /// Why it gave nothing.
    pub why: Why,
}

impl std::fmt::Debug for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Miss")
            .field("element", &self.element)
            .field("rule", &self.rule)
            .field("why", &self.why.code())
            .finish_non_exhaustive()
    }
}

/// A place of the message that a rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// `PID-29`; as the rule writes it when nothing is there.
    pub path: String,
    /// Its bytes; None when nothing is there.
    pub span: Option<hl7v2::Span>,
}

/// Why a rule gave nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Why {
    /// Its condition does not hold.
    Condition {
        /// As the mapping language writes it.
        text: String,
        /// Its paths and what they held. PHI.
        values: Vec<(String, Option<String>)>,
    },
    /// What it reads is not valued.
    Unvalued,
    /// What it reads is the HL7 null, which removes and sets nothing.
    Null,
    /// The conversion refused the value.
    Refused(&'static str),
    /// The code table gives the code no value.
    Code(String),
    /// The type map made nothing of the value.
    Map,
    /// An earlier rule gave the element, which holds one value.
    Superseded,
    /// No branch is for the value.
    Branch,
    /// The message made no resource that it could refer to.
    Reference(String),
    /// The message has no such segment.
    Segment(String),
    /// The resource is not made for this trigger event.
    Event,
    /// Nothing identifies the resource.
    Unidentified,
}

impl Why {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Why::Condition { .. } => "condition",
            Why::Unvalued => "unvalued",
            Why::Null => "null",
            Why::Refused(_) => "refused",
            Why::Code(_) => "code",
            Why::Map => "map",
            Why::Superseded => "superseded",
            Why::Branch => "branch",
            Why::Reference(_) => "reference",
            Why::Segment(_) => "segment",
            Why::Event => "event",
            Why::Unidentified => "unidentified",
        }
    }
}

/// Words without content.
impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::Condition { text, .. } => write!(f, "its condition does not hold: {text}"),
            Why::Unvalued => f.write_str("what it reads is not valued"),
            Why::Null => f.write_str("the HL7 null removes the element"),
            Why::Refused(reason) => f.write_str(reason),
            Why::Code(table) => write!(f, "{table} gives the code no value"),
            Why::Map => f.write_str("the type map makes nothing of the value"),
            Why::Superseded => f.write_str("an earlier rule gave the element, which holds one value"),
            Why::Branch => f.write_str("no branch is for this value"),
            Why::Reference(handle) => write!(f, "the message makes no `{handle}` to refer to"),
            Why::Segment(name) => write!(f, "the message has no {name}"),
            Why::Event => f.write_str("it is not made for this trigger event"),
            Why::Unidentified => f.write_str("nothing identifies it"),
        }
    }
}

impl std::fmt::Debug for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}
