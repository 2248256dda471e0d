//! Checks a resource against the rules of a profile.

use std::cell::Cell;

use serde_json::Value;

use super::Profiles;
use super::rule::{Criterion, Profile, Rule, Segment, Slice, Test, fits};
use crate::location::Location;
use crate::outcome::{Issue, IssueCode, Severity};
use crate::path::{Scope, Typed, Verdict, is_of};
use crate::reference::Reference;
use crate::validate::{DEPTH_MAX, ISSUES_MAX, contained};

/// One resource against one definition.
pub(super) struct Check<'a> {
    pub(super) profiles: &'a Profiles,
    pub(super) profile: &'a Profile,
    pub(super) resource: Typed<'a>,
    pub(super) budget: &'a Cell<u32>,
    pub(super) issues: Vec<Issue>,
}

impl<'a> Check<'a> {
    fn add(&mut self, severity: Severity, code: IssueCode, at: &Location<'_>, text: &str) {
        if self.issues.len() < ISSUES_MAX {
            let text = format!("{text} ({})", self.profile.id);
            self.issues.push(Issue { severity, code, location: at.to_string(), text });
        }
    }

    fn error(&mut self, code: IssueCode, at: &Location<'_>, text: &str) {
        self.add(Severity::Error, code, at, text);
    }

    /// What the rule asks of an element itself and of all below it.
    pub(super) fn element(&mut self, item: Typed<'a>, rule: &'a Rule, at: &Location<'_>, depth: usize) {
        if depth > DEPTH_MAX {
            return self.error(IssueCode::TooCostly, at, "nested too deep");
        }
        if let Some(types) = &rule.types
            && !types.iter().any(|name| **name == *item.type_code)
        {
            self.error(IssueCode::Structure, at, "this type is not allowed");
        }
        if rule.fixed.as_ref().is_some_and(|fixed| item.value != Some(fixed)) {
            self.error(IssueCode::Value, at, "not the fixed value");
        }
        if let Some(pattern) = &rule.pattern
            && !item.value.is_some_and(|value| fits(value, pattern))
        {
            self.error(IssueCode::Value, at, "not as the pattern");
        }
        if let Some(set) = &rule.binding
            && self.is_member(item, set) == Some(false)
        {
            self.error(IssueCode::CodeInvalid, at, "the code is not from the required value set");
        }
        if let Some(targets) = &rule.targets
            && item.type_code == "Reference"
        {
            self.target(item, targets, at);
        }
        self.constraints(item, rule, at);
        for child in &rule.children {
            self.child(item, child, at, depth + 1);
        }
        self.data_type_profiles(item, rule, at, depth);
    }

    fn child(&mut self, parent: Typed<'a>, rule: &'a Rule, at: &Location<'_>, depth: usize) {
        let mut items = Vec::new();
        parent.children(&rule.name, &mut |item| items.push(item));
        let here = at.child(&rule.name);
        self.cardinality(items.len(), rule, &here, None);
        let repeats = parent.repeats(&rule.name);
        let mut counts = vec![0; rule.slices.len()];
        for (index, item) in items.into_iter().enumerate() {
            let here = if repeats { here.repetition(index) } else { here };
            self.element(item, rule, &here, depth);
            let found = rule.slices.iter().position(|slice| self.is_in(item, slice));
            match found.and_then(|found| Some((counts.get_mut(found)?, rule.slices.get(found)?))) {
                Some((count, slice)) => {
                    *count += 1;
                    self.element(item, &slice.rule, &here, depth);
                }
                None if rule.is_closed => self.error(IssueCode::Structure, &here, "in none of the slices"),
                None => {}
            }
        }
        for (slice, count) in rule.slices.iter().zip(counts) {
            self.cardinality(count, &slice.rule, &here, Some(&slice.name));
        }
    }

    fn cardinality(&mut self, count: usize, rule: &Rule, at: &Location<'_>, slice: Option<&str>) {
        let named = |text: &str| match slice {
            Some(slice) => format!("{text}: slice {slice}"),
            None => text.to_owned(),
        };
        let number = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        if count < number(rule.min) {
            let text =
                if count == 0 { "a required element is absent" } else { "fewer repetitions than required" };
            self.error(IssueCode::Required, at, &named(text));
        }
        if rule.max.is_some_and(|max| count > number(max)) {
            let text = if rule.max == Some(0) { "not allowed here" } else { "more repetitions than allowed" };
            self.error(IssueCode::Structure, at, &named(text));
        }
    }

    fn target(&mut self, item: Typed<'a>, targets: &[Box<str>], at: &Location<'_>) {
        let reference = item.text("reference");
        let name = match reference.map(Reference::parse) {
            Some(Reference::Contained(id)) => self.contained(id).map(|found| found.type_code),
            Some(reference) => reference.resource_type().map(|name| name.as_str()),
            None => None,
        };
        let Some(name) = name.or_else(|| item.text("type")) else { return };
        if !targets.iter().any(|target| **target == *name) {
            self.error(IssueCode::Invalid, at, "a reference to this type of resource is not allowed here");
        }
    }

    fn contained(&self, id: &str) -> Option<Typed<'a>> {
        Typed::resource(contained(self.resource.value?, id)?)
    }

    fn constraints(&mut self, item: Typed<'a>, rule: &'a Rule, at: &Location<'_>) {
        for (severity, constraint) in &rule.constraints {
            let resolve = |reference: &str| self.contained(reference.strip_prefix('#')?);
            let member_of = |set: &str, system: Option<&str>, code: &str| {
                self.profiles.codes(set).map(|codes| codes.contains(system, code))
            };
            let scope = Scope {
                resource: self.resource,
                root: self.resource,
                context: item,
                resolve: &resolve,
                member_of: &member_of,
                budget: self.budget,
            };
            match constraint.verdict(&scope) {
                Verdict::Met | Verdict::Undecided => {}
                Verdict::Broken => {
                    let text = format!("{} ({})", constraint.human, constraint.key);
                    self.add(*severity, IssueCode::Invariant, at, &text);
                }
                Verdict::TooCostly => {
                    self.error(IssueCode::TooCostly, at, "too large for its constraints to be checked");
                    return;
                }
            }
        }
    }

    /// Of the profiles of a data type one must hold.
    fn data_type_profiles(&mut self, item: Typed<'a>, rule: &'a Rule, at: &Location<'_>, depth: usize) {
        let mut first = None;
        for canonical in &rule.profiles {
            let Some(profile) = self.profiles.find(canonical) else { return };
            if *profile.type_code != *item.type_code {
                continue;
            }
            let mut check = Check { profile, issues: Vec::new(), ..*self };
            check.element(item, &profile.root, at, depth + 1);
            if !check.issues.iter().any(Issue::is_error) {
                return;
            }
            first.get_or_insert(check.issues);
        }
        self.issues.extend(first.into_iter().flatten());
    }

    /// Whether a code, coding, quantity or concept is of a value set; `None` when it says no code.
    fn is_member(&self, item: Typed<'a>, set: &str) -> Option<bool> {
        let codes = self.profiles.codes(set)?;
        match item.type_code {
            "CodeableConcept" => {
                let mut is_member = false;
                item.children("coding", &mut |coding| {
                    is_member |=
                        coding.text("code").is_some_and(|code| codes.contains(coding.text("system"), code));
                });
                Some(is_member)
            }
            "Coding" | "Quantity" => {
                Some(item.text("code").is_some_and(|code| codes.contains(item.text("system"), code)))
            }
            _ => Some(codes.contains(None, item.primitive_value()?.as_str()?)),
        }
    }

    fn is_in(&self, item: Typed<'a>, slice: &Slice) -> bool {
        slice.criteria.iter().all(|criterion| self.holds(item, criterion))
    }

    fn holds(&self, item: Typed<'a>, criterion: &Criterion) -> bool {
        let mut found = vec![item];
        let segments = match (&criterion.test, &*criterion.path) {
            // The type of a target is known without it.
            (Test::Type(names), [walked @ .., Segment::Resolve]) => {
                walked.iter().for_each(|segment| found = self.step(&found, segment));
                return found.iter().any(|reference| {
                    let name =
                        reference.text("reference").and_then(|text| Reference::parse(text).resource_type());
                    name.is_some_and(|name| names.iter().any(|wanted| **wanted == *name.as_str()))
                });
            }
            (_, segments) => segments,
        };
        segments.iter().for_each(|segment| found = self.step(&found, segment));
        let value = |test: &dyn Fn(&Value) -> bool| found.iter().any(|item| item.value.is_some_and(test));
        match &criterion.test {
            Test::Fixed(fixed) => value(&|value| value == fixed),
            Test::Pattern(pattern) => value(&|value| fits(value, pattern)),
            Test::Member(set) => found.iter().any(|item| self.is_member(*item, set) == Some(true)),
            Test::Type(names) => {
                found.iter().any(|item| names.iter().any(|name| is_of(item.type_code, name)))
            }
            Test::Exists(wanted) => found.is_empty() != *wanted,
        }
    }

    fn step(&self, items: &[Typed<'a>], segment: &Segment) -> Vec<Typed<'a>> {
        let mut found = Vec::new();
        for item in items {
            match segment {
                Segment::Child(name) => item.children(name, &mut |child| found.push(child)),
                Segment::OfType(name) if is_of(item.type_code, name) => found.push(*item),
                Segment::OfType(_) => {}
                Segment::Extension(url) => item.children("extension", &mut |child| {
                    if child.text("url") == Some(url) {
                        found.push(child);
                    }
                }),
                Segment::Resolve => {
                    let id = item.text("reference").and_then(|text| text.strip_prefix('#'));
                    found.extend(id.and_then(|id| self.contained(id)));
                }
            }
        }
        found
    }
}
