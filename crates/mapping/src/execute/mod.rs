//! Runs a program over a message.

mod concept;
mod element;
mod envelope;
mod events;
mod handles;
mod made;
mod mapped;
mod miss;
mod notes;
mod once;
mod participants;
mod persons;
mod provenance;
mod records;
mod resource;
mod scope;
mod superseded;
mod take;
mod value;

pub(crate) use participants::PACKAGE;
pub(crate) use scope::{Level, Scope, Value as Item, child};
pub(crate) use take::ALTERNATE_CODES;

use crate::basis::{Basis, Components, Present};
use crate::coverage::{LeafName, Ledger};
use crate::diagnostic::Place;
use crate::few::Few;
use crate::identity::Identity;
use crate::package::Package;
use crate::plan::{Handle, MessagePlan, Program, Rule};
use crate::{
    BusinessKey, Change, Context, Issue, LeafFate, MissedCode, Rejection, ResourceSet, Trace, Translation,
};
use hl7v2::{Message, Part};
use made::Made;
use notes::Notes;
use once::Known;
use scope::Groups;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Deepest chain of type maps that make resources which make resources.
const DEPTH_MAX: usize = 12;
/// In `for`: every event of a message type that has no file of its own (an ACK names the event it answers, or none).
pub(crate) const EVERY_EVENT: &str = "*";
/// Most issues kept for one message.
const ISSUES_MAX: usize = 1000;

/// One resource to be made: a line of `make` meeting a segment.
pub(crate) struct Instance {
    pub make: usize,
    pub map: usize,
    pub segment: usize,
    pub group: usize,
    pub id: String,
    pub kind: fhir::ResourceType,
    pub continued: Vec<usize>,
}

type OrdinalKey = (Option<usize>, Option<usize>, Vec<String>);

/// The state of one translation.
pub(crate) struct Executor<'a> {
    pub program: &'a Program,
    pub message: &'a Message<'a>,
    pub groups: Groups<'a>,
    pub identity: Identity<'a>,
    pub files: &'a Arc<[String]>,
    pub message_offset: Option<i32>,
    pub instances: Vec<Instance>,
    /// The instances by handle and place; built with them.
    made: Made,
    pub plan: Option<&'a MessagePlan>,
    /// Handles of the Patients of the message file.
    patients: Vec<&'a Handle>,
    pub ledger: Ledger<'a>,
    pub issues: Vec<Issue>,
    missed_codes: Vec<MissedCode>,
    seen_issues: HashSet<(String, String)>,
    /// How often something was reported, or reported again.
    reports: usize,
    /// Resources made on the way (`as XCN.Practitioner ref`), by type and id.
    pub extras: Vec<ResourceSet>,
    pub extra_index: HashMap<(fhir::ResourceType, String), usize>,
    /// Those that are made again of the same bytes: by map and bytes.
    known: HashMap<(usize, &'a [u8]), Known<'a>>,
    ordinals: HashMap<OrdinalKey, usize>,
    ordinal_counts: HashMap<(Option<usize>, Vec<String>), usize>,
    /// An HL7 null was met since this was last cleared.
    null: bool,
    /// A condition is being tested: nothing that it reads is used by that.
    testing: bool,
    touched: Vec<Part<'a>>,
    refused: Option<&'static str>,
    /// The resources of a rule with `match`, by their values.
    matched: HashMap<usize, HashMap<Vec<String>, Few<usize>>>,
    /// A rule with `keep` gave the element that is being made.
    only_fills: bool,
    depth: usize,
    /// Type of the resource whose id is computed.
    id_type: &'a str,
    /// What the message has of what rules stand on.
    present: Present,
    /// What the current item has of it.
    components: Components,
    /// What is written down, when a trace is asked for.
    notes: Option<Notes<'a>>,
}

/// Translates one message.
pub(crate) fn translate(
    package: &Package,
    program: &Program,
    message: &Message<'_>,
    context: &Context<'_>,
) -> Result<Translation, Rejection> {
    let (code, event) = envelope::trigger(message);
    let of_event = |event: &str| program.triggers.get(&(code.clone(), event.to_owned()));
    let plan =
        of_event(&event).or_else(|| of_event(EVERY_EVENT)).and_then(|index| program.messages.get(*index));
    let Some(plan) = plan else {
        return Err(Rejection::UnsupportedType {
            code: envelope::shown(&code),
            event: envelope::shown(&event),
        });
    };
    let grammar = envelope::grammar(message, plan, &code, &event);
    let mut executor = Executor::new(&package.files, program, message, context, grammar);
    executor.plan = Some(plan);
    executor.run(package, plan, &event)
}

impl<'a> Executor<'a> {
    pub(crate) fn new(
        files: &'a Arc<[String]>,
        program: &'a Program,
        message: &'a Message<'a>,
        context: &Context<'_>,
        grammar: Option<&'static hl7v2::dictionary::Group>,
    ) -> Self {
        let facility = envelope::facility(message);
        Executor {
            program,
            message,
            groups: Groups::new(message, grammar),
            identity: Identity::new(context.namespace, &program.systems, &program.site, facility),
            files,
            message_offset: envelope::offset(message),
            instances: Vec::new(),
            made: Made::default(),
            plan: None,
            patients: Vec::new(),
            ledger: Ledger::new(message),
            issues: Vec::new(),
            missed_codes: Vec::new(),
            seen_issues: HashSet::new(),
            reports: 0,
            extras: Vec::new(),
            extra_index: HashMap::new(),
            known: HashMap::new(),
            ordinals: HashMap::new(),
            ordinal_counts: HashMap::new(),
            null: false,
            testing: false,
            touched: Vec::new(),
            refused: None,
            matched: HashMap::new(),
            only_fills: false,
            depth: 0,
            id_type: "",
            components: Components::default(),
            present: program.fields.of(message),
            notes: context.trace.then(|| Notes::new(files)),
        }
    }

    fn run(
        mut self,
        package: &Package,
        plan: &'a MessagePlan,
        event: &str,
    ) -> Result<Translation, Rejection> {
        for path in &plan.require {
            if !self.is_path_valued(path) {
                return Err(Rejection::MissingRequired { path: path.text.clone() });
            }
        }
        let event = plan.events.get(event);
        self.patients = self.patient_handles(plan);
        self.enumerate(plan, event)?;
        let mut sets = self.resources(plan, event)?;
        let records::Settled { merges, moves } = self.settle(plan, &mut sets);
        let links = self.links(plan);
        let replaced = self.replaced(plan, event, &sets);
        self.fill_identifiers(&mut sets);
        let persons = self.persons();
        let (transient, mut sets) = if plan.make.iter().any(|make| make.is_transient) {
            sets.into_iter().partition(|set| plan.is_transient(&set.handle))
        } else {
            (Vec::new(), sets)
        };
        sets.append(&mut self.extras);
        let keys = self.keys();
        self.envelope_coverage(plan);
        let of_records = self.of_records(&sets);
        if let Some(set) = self.provenance(package, &sets) {
            sets.push(set);
        }
        sets.extend(of_records);
        let change = Change { sets, replaced, merges, moves, links, persons };
        Ok(self.finish(change, transient, keys))
    }

    fn finish(self, change: Change, transient: Vec<ResourceSet>, keys: Vec<BusinessKey>) -> Translation {
        let coverage = self.ledger.finish(self.message);
        let Self { issues, missed_codes, notes, .. } = self;
        let trace = notes.map(|notes| notes.trace);
        Translation { change, transient, issues, coverage, missed_codes, trace, keys, site: None }
    }

    /// `segments/PID.Patient.yaml:21:12`.
    fn rule_text(&self, place: Place) -> String {
        let file = usize::try_from(place.file)
            .ok()
            .and_then(|index| self.files.get(index))
            .map(String::as_str)
            .unwrap_or_default();
        format!("{file}:{}:{}", place.line, place.column)
    }

    /// Adds an issue once for each path and text.
    fn report(
        &mut self,
        severity: fhir::Severity,
        code: fhir::IssueCode,
        rule: &Rule,
        part: Option<Part<'a>>,
        text: &str,
    ) {
        self.reports += 1;
        if self.issues.len() >= ISSUES_MAX {
            return;
        }
        let path = part.map(|part| LeafName::of(self.message, part.path()).to_string()).unwrap_or_default();
        if self.seen_issues.insert((path.clone(), text.to_owned())) {
            let rule = Some(self.rule_text(rule.place));
            self.issues.push(Issue { severity, code, path, rule, text: text.to_owned() });
        }
    }

    /// Adds an issue that no rule of a map stands behind.
    fn report_plain(&mut self, severity: fhir::Severity, code: fhir::IssueCode, path: &str, text: &str) {
        self.reports += 1;
        if self.issues.len() < ISSUES_MAX && self.seen_issues.insert((path.to_owned(), text.to_owned())) {
            self.issues.push(Issue {
                severity,
                code,
                path: path.to_owned(),
                rule: None,
                text: text.to_owned(),
            });
        }
    }

    /// Can what stands on this give anything?
    fn has_basis(&self, basis: &Basis) -> bool {
        self.present.holds(basis, self.components)
    }

    /// Goes to another item; gives what the one before had.
    fn enter_item(&mut self, item: &Item<'a>) -> Components {
        std::mem::replace(&mut self.components, Components::of(item))
    }

    /// The trace so far.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.notes.as_ref().map(|notes| &notes.trace)
    }

    /// Marks the leaves of a segment that nothing read.
    fn ignore_segment(&mut self, segment: usize, reason: &'static str) {
        self.ledger.ignore(segment, &[], reason);
    }

    fn mark_field(&mut self, segment: usize, field: usize) {
        if let Some(segment) = self.message.segment(segment) {
            self.ledger.mark(segment.field(field), LeafFate::Mapped, None);
        }
    }
}
