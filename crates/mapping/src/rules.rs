//! Which rules of a package its own tests run: what no test runs can break unseen.

use crate::diagnostic::Place;
use crate::plan::{Action, Elements, Field, Form, Nested, Program, Rule, Slot};
use crate::trace::Spot;
use crate::{At, Package, TestOutcome, test_file};
use std::collections::{BTreeMap, BTreeSet};

/// The rules of a package, of its sites too, with what its tests did with them.
#[derive(Debug, Clone, Default)]
pub struct RuleCoverage {
    /// By file, line and column.
    pub rules: Vec<RuleRun>,
}

/// One rule that can give a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRun {
    /// File and line.
    pub at: At,
    /// Column, from 1.
    pub column: u32,
    /// What it gives: `PID.Patient birthDate`; of an event `ADT_A01 A04 visit status`.
    pub gives: String,
    /// What the tests did with it.
    pub fate: RuleFate,
}

/// What tests did with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleFate {
    /// A test made it give a value.
    Run,
    /// It was tried and gave nothing; the code of the last reason ([`crate::Why::code`]).
    Tried(&'static str),
    /// No test came to it.
    Untried,
}

impl RuleCoverage {
    /// How many rules gave a value in some test.
    pub fn run(&self) -> usize {
        self.rules.iter().filter(|rule| rule.fate == RuleFate::Run).count()
    }

    /// Of all rules, those that gave a value, in hundredths of a percent; all where there are none.
    pub fn share(&self) -> usize {
        share(self.run(), self.rules.len())
    }

    /// The same by file, in the order of the files. A file without a rule that can give a value is not there.
    pub fn by_file(&self) -> Vec<FileRules<'_>> {
        let mut files: Vec<FileRules<'_>> = Vec::new();
        for rule in &self.rules {
            let is_run = usize::from(rule.fate == RuleFate::Run);
            match files.last_mut() {
                Some(last) if last.file == rule.at.file => {
                    last.run += is_run;
                    last.all += 1;
                }
                _ => files.push(FileRules { file: &rule.at.file, run: is_run, all: 1 }),
            }
        }
        files
    }

    /// Rules that no test made give a value.
    pub fn not_run(&self) -> impl Iterator<Item = &RuleRun> {
        self.rules.iter().filter(|rule| rule.fate != RuleFate::Run)
    }
}

/// The rules of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRules<'a> {
    /// Path in the package.
    pub file: &'a str,
    /// Rules that gave a value in some test.
    pub run: usize,
    /// All rules that can give one.
    pub all: usize,
}

impl FileRules<'_> {
    /// Of its rules, those that gave a value, in hundredths of a percent.
    pub fn share(&self) -> usize {
        share(self.run, self.all)
    }
}

/// `run` of `all` in hundredths of a percent, cut off, so that 100 % is all.
fn share(run: usize, all: usize) -> usize {
    (run * 10_000).checked_div(all).unwrap_or(10_000)
}

/// What the tests did, by the place of a rule.
#[derive(Default)]
pub(crate) struct Tally {
    ran: BTreeSet<Spot>,
    /// With the code of the last reason.
    missed: BTreeMap<Spot, &'static str>,
}

impl Tally {
    /// Takes in the trace of one test.
    pub fn add(&mut self, trace: &crate::Trace) {
        self.ran.extend(&trace.ran);
        self.missed.extend(trace.missed());
    }
}

impl Package {
    /// [`Package::run_tests`], and which rules the tests made give a value. A rule that stands in the base package and is
    /// run under a site's overlay is run.
    pub fn run_tests_covering(&self) -> (Vec<TestOutcome>, RuleCoverage) {
        let mut tally = Tally::default();
        let outcomes = test_file::run(self, Some(&mut tally));
        let mut all = BTreeMap::new();
        for program in std::iter::once(&self.base).chain(&self.sites) {
            of_program(program, &mut all);
        }
        let mut rules: Vec<RuleRun> = all
            .into_iter()
            .map(|(spot, gives)| {
                let (file, line, column) = spot;
                let at = self.at(Place { file, line, column, length: 1 });
                let fate = match (tally.ran.contains(&spot), tally.missed.get(&spot)) {
                    (true, _) => RuleFate::Run,
                    (false, Some(code)) => RuleFate::Tried(code),
                    (false, None) => RuleFate::Untried,
                };
                RuleRun { at, column, gives, fate }
            })
            .collect();
        rules.sort_by(|a, b| (&a.at, a.column).cmp(&(&b.at, b.column)));
        (outcomes, RuleCoverage { rules })
    }
}

/// Where a walk is, and what it has found.
struct Walk<'a> {
    /// `PID.Patient`, or message, event and handle.
    owner: String,
    all: &'a mut BTreeMap<Spot, String>,
}

fn of_program(program: &Program, all: &mut BTreeMap<Spot, String>) {
    for map in &program.maps {
        Walk { owner: map.name.clone(), all }.elements(&map.body, "");
    }
    for message in &program.messages {
        for (event, said) in &message.events {
            for (handle, elements) in &said.overrides {
                let owner = format!("{} {event} {handle}", message.name);
                Walk { owner, all }.elements(elements, "");
            }
        }
    }
}

impl Walk<'_> {
    fn elements(&mut self, elements: &Elements, around: &str) {
        elements.fields.iter().for_each(|field| self.field(field, around));
    }

    fn field(&mut self, field: &Field, around: &str) {
        field.rules.iter().for_each(|rule| self.rule(rule, &field.slot, around));
        if let Some(Nested { suffix, elements: nested }) = field.nested.as_deref() {
            self.elements(nested, &below(around, &field.slot, suffix.as_deref()));
        }
    }

    fn rule(&mut self, rule: &Rule, slot: &Slot, around: &str) {
        let here = below(around, slot, rule.suffix.as_deref());
        match &rule.action {
            Action::Take(_) | Action::Refer { .. } => {
                let Place { file, line, column, .. } = rule.place;
                self.all.entry((file, line, column)).or_insert_with(|| format!("{} {here}", self.owner));
            }
            Action::Build(elements) => self.elements(elements, &here),
            Action::First(rules) => rules.iter().for_each(|rule| self.rule(rule, slot, around)),
            Action::Dispatch { branches, otherwise, .. } => {
                let rules = branches.iter().flat_map(|(_, rules)| rules).chain(otherwise);
                rules.for_each(|rule| self.rule(rule, slot, around));
            }
        }
        for elements in [&rule.fill, &rule.set].into_iter().flatten() {
            self.elements(elements, &here);
        }
    }
}

/// `name`, then `name.family`.
fn below(around: &str, slot: &Slot, suffix: Option<&str>) -> String {
    let name = match &slot.form {
        Form::Element => slot.name.clone(),
        Form::Choice => format!("{}{}", slot.name, suffix.unwrap_or_default()),
        Form::Extension { .. } => format!("ext:{}", slot.name),
    };
    if around.is_empty() { name } else { format!("{around}.{name}") }
}
