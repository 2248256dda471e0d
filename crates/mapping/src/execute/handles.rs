//! Which resources are to be made, with which ids, and what a handle means at a place.

use super::scope::{Scope, Value};
use super::{Executor, Instance};
use crate::Rejection;
use crate::few::Few;
use crate::identity::first_text;
use crate::plan::{Event, Expression, Handle, Make, MessagePlan, Target};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Field numbers of OBX that make two text results one (v2.9 §7.4.2).
const TEXT_KEYS: [usize; 2] = [3, 4];

impl<'a> Executor<'a> {
    /// Finds the segments of every line of `make` and computes the ids.
    pub(super) fn enumerate(
        &mut self,
        plan: &'a MessagePlan,
        event: Option<&'a Event>,
    ) -> Result<(), Rejection> {
        let continued = if plan.join_text { self.continuations() } else { HashMap::new() };
        let followers: HashSet<usize> = continued.values().flatten().copied().collect();
        for (index, make) in plan.make.iter().enumerate() {
            let skipped = event.is_some_and(|event| event.skip.contains(&make.handle.name));
            let segments = self.segments_of(make);
            if segments.is_empty() {
                self.miss_segment(make);
            }
            for segment in segments {
                if followers.contains(&segment) {
                    continue;
                }
                let later = continued.get(&segment).cloned().unwrap_or_default();
                self.instance(plan, index, make, segment, later, skipped)?;
            }
        }
        Ok(())
    }

    fn segments_of(&self, make: &Make) -> Few<usize> {
        if !make.groups.is_empty() {
            return self.groups.find_in_groups(&make.groups, &make.segment, make.every, 0);
        }
        let limit = if make.every { usize::MAX } else { 1 };
        self.groups.all(&make.segment).take(limit).collect()
    }

    fn instance(
        &mut self,
        plan: &'a MessagePlan,
        index: usize,
        make: &'a Make,
        segment: usize,
        continued: Vec<usize>,
        skipped: bool,
    ) -> Result<(), Rejection> {
        let program = self.program;
        let Some(map) = program.maps.get(make.map) else { return Ok(()) };
        let Target::Resource(kind) = map.target else { return Ok(()) };
        let group = self.groups.group_of(segment);
        let scope = Scope { group, own: Some(segment), make: Some(index), ..Scope::root() };
        if skipped || make.when.as_ref().is_some_and(|when| !self.holds(when, &scope)) {
            self.unmade(plan, make, segment, skipped);
            self.miss_resource(make, &scope, skipped);
            return Ok(());
        }
        self.id_type = kind.as_str();
        self.touched.clear();
        let id = map.id.as_ref().and_then(|id| self.text(id, &scope));
        self.id_type = "";
        let touched = std::mem::take(&mut self.touched);
        let Some(id) = id.map(Cow::into_owned) else {
            let path = map.id.as_ref().and_then(first_path).unwrap_or_default();
            if kind.as_str() == "Patient" && !make.is_transient {
                return Err(Rejection::MissingRequired { path });
            }
            self.report_plain(
                fhir::Severity::Error,
                fhir::IssueCode::Required,
                &path,
                &format!("no {} is made: nothing identifies it", kind.as_str()),
            );
            self.miss_resource(make, &scope, false);
            return Ok(());
        };
        for part in touched {
            self.ledger.mark_first(part, crate::LeafFate::Mapped, None);
        }
        let number = self.instances.len();
        for at in self.groups.chain(group) {
            self.made.in_group(&make.handle, at, number);
        }
        self.made.of_segment(&make.handle, segment, number);
        self.instances.push(Instance { make: index, map: make.map, segment, group, id, kind, continued });
        Ok(())
    }

    /// A segment whose condition is false is left out on purpose, unless another line reads it.
    fn unmade(&mut self, plan: &'a MessagePlan, make: &'a Make, segment: usize, skipped: bool) {
        let only = plan.make.iter().filter(|other| other.segment == make.segment).count() == 1;
        if only {
            let reason =
                if skipped { "not made for this event" } else { "the condition of `make` is not met" };
            self.ignore_segment(segment, reason);
        }
    }

    /// Text results that go on in the next OBX: head to the rest.
    fn continuations(&self) -> HashMap<usize, Vec<usize>> {
        let mut found: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut head: Option<usize> = None;
        let mut last = usize::MAX;
        for segment in self.groups.all("OBX") {
            let continues = head.is_some_and(|head| {
                last.checked_add(1) == Some(segment) && self.same_text_result(head, segment)
            });
            match (continues, head) {
                (true, Some(head)) => found.entry(head).or_default().push(segment),
                _ => head = Some(segment),
            }
            last = segment;
        }
        found
    }

    fn same_text_result(&self, left: usize, right: usize) -> bool {
        let Some((left, right)) = self.message.segment(left).zip(self.message.segment(right)) else {
            return false;
        };
        let text =
            |segment: hl7v2::SegmentRef<'a>| matches!(first_text(segment.field(2)).as_ref(), "TX" | "FT");
        text(left)
            && text(right)
            && TEXT_KEYS.iter().all(|field| left.field(*field).raw() == right.field(*field).raw())
    }

    /// The resources a handle means here: those of the own segment if the handle is made from such segments, else those of
    /// the own group and below, else of the enclosing group.
    pub(super) fn resources_in_scope(&self, handle: &Handle, scope: &Scope<'a>) -> Few<usize> {
        if !self.made.has(handle) {
            return Few::None;
        }
        let is_origin = |segment: usize| {
            let code = self.groups.code_of(segment);
            self.plan.is_some_and(|plan| plan.origins.contains(&(handle.number, code)))
        };
        let found = match scope.own.filter(|segment| is_origin(*segment)) {
            Some(segment) => self.made.at_segment(handle, segment),
            None => self.groups.chain(scope.group).find_map(|group| self.made.within(handle, group)),
        };
        found.cloned().unwrap_or_default()
    }

    /// The resources of a handle, anywhere in the message, whose values equal those here. A value that is absent on either
    /// side matches nothing.
    pub(super) fn matched_anywhere(
        &mut self,
        handle: &Handle,
        pairs: &'a [(Expression, Expression)],
        scope: &Scope<'a>,
    ) -> Few<usize> {
        // The rule's own list of pairs is its key: it lies in the plan and does not move.
        let rule = pairs.as_ptr().addr();
        let null = self.null;
        if !self.matched.contains_key(&rule) {
            let index = self.index_of(handle, pairs);
            self.matched.insert(rule, index);
        }
        let here: Option<Vec<String>> = pairs.iter().map(|(_, here)| self.filled_text(here, scope)).collect();
        let found = here
            .and_then(|key| self.matched.get(&rule).and_then(|index| index.get(&key)).cloned())
            .unwrap_or_default();
        for number in found.iter() {
            let Some(there) = self.instances.get(*number).map(Scope::at) else { continue };
            for (value, _) in pairs {
                for value in self.values(value, &there) {
                    if let Value::Part(part, _) = value {
                        self.ledger.mark_first(part, crate::LeafFate::Mapped, None);
                    }
                }
            }
        }
        self.null = null;
        found
    }

    fn filled_text(&mut self, value: &'a Expression, scope: &Scope<'a>) -> Option<String> {
        self.text(value, scope).filter(|text| !text.is_empty()).map(Cow::into_owned)
    }

    fn index_of(
        &mut self,
        handle: &Handle,
        pairs: &'a [(Expression, Expression)],
    ) -> HashMap<Vec<String>, Few<usize>> {
        let mut index: HashMap<Vec<String>, Few<usize>> = HashMap::new();
        let lines = self.plan.map(|plan| &*plan.make).unwrap_or_default();
        for number in 0..self.instances.len() {
            let Some(instance) = self.instances.get(number) else { continue };
            if lines.get(instance.make).is_none_or(|make| make.handle.number != handle.number) {
                continue;
            }
            let there = Scope::at(instance);
            let key: Option<Vec<String>> =
                pairs.iter().map(|(value, _)| self.filled_text(value, &there)).collect();
            if let Some(key) = key {
                index.entry(key).or_default().push(number);
            }
        }
        index
    }
}

/// The first path of an id, for messages.
fn first_path(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Path(path) => Some(path.text.clone()),
        Expression::First(parts) => parts.iter().find_map(first_path),
        Expression::Call { arguments, .. } => arguments.iter().find_map(first_path),
        Expression::Literal(_) | Expression::Absent | Expression::IdOf(_) => None,
    }
}
