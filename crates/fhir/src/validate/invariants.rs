//! The invariants of R4: those that are FHIRPath, and the few that the walk knows by itself.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Scope, Walk};
use crate::definitions::{Slot, r4};
use crate::location::Location;
use crate::outcome::IssueCode;
use crate::path::{Constraint, STEPS_MAX, Typed, Verdict};
use crate::primitive::Primitive;

impl Walk {
    /// Each resource has a budget of its own, which it shares with what it contains.
    pub(super) fn renew_budget(&self, scope: Scope<'_>) {
        if let Some(budget) = self.budget.as_ref().filter(|_| !scope.contained) {
            budget.set(STEPS_MAX);
        }
    }

    pub(super) fn resource_invariants<'a>(
        &mut self,
        value: &'a Value,
        object: &'a Map<String, Value>,
        at: &Location<'_>,
        scope: Scope<'a>,
    ) {
        let Some(context) = Typed::resource(value).filter(|_| self.budget.is_some()) else { return };
        if !scope.contained && object.contains_key("contained") {
            self.contained_is_referenced(context, at);
        }
        // Resources within it, entries of a bundle, have spent theirs.
        self.renew_budget(scope);
        let constraints = context.node.map_or(&[][..], |node| &node.constraints);
        self.constraints(constraints, context, at, scope);
    }

    pub(super) fn element_invariants<'a>(
        &mut self,
        value: &'a Value,
        slot: &'static Slot,
        at: &Location<'_>,
        scope: Scope<'a>,
    ) {
        if self.budget.is_none() {
            return;
        }
        if let Value::Object(object) = value {
            self.has_more_than_an_id(object, at);
        }
        let node = if slot.primitive.is_none() { slot.node() } else { None };
        let of_type = node.map_or(&[][..], |node| &node.constraints);
        if of_type.is_empty() && slot.constraints.is_empty() {
            return;
        }
        let context = Typed::of(Some(value), None, slot);
        self.constraints(of_type, context, at, scope);
        self.constraints(slot.constraints, context, at, scope);
    }

    fn constraints<'a>(
        &mut self,
        constraints: &[&'static Constraint],
        context: Typed<'a>,
        at: &Location<'_>,
        scope: Scope<'a>,
    ) {
        if constraints.is_empty() {
            return;
        }
        for (constraint, verdict) in self.verdicts(constraints, context, scope) {
            match verdict {
                Verdict::Met | Verdict::Undecided => {}
                Verdict::Broken => {
                    let text = format!("{} ({})", constraint.human, constraint.key);
                    self.error(IssueCode::Invariant, at, text);
                }
                Verdict::TooCostly => {
                    self.error(IssueCode::TooCostly, at, "too large for its invariants to be checked");
                    self.budget = None;
                    return;
                }
            }
        }
    }

    /// The constraints that are not met.
    fn verdicts<'a>(
        &self,
        constraints: &[&'static Constraint],
        context: Typed<'a>,
        scope: Scope<'a>,
    ) -> Vec<(&'static Constraint, Verdict)> {
        let (Some(resource), Some(root), Some(budget)) =
            (Typed::resource(scope.resource), Typed::resource(scope.container), &self.budget)
        else {
            return Vec::new();
        };
        let resolve = |reference: &str| match reference.strip_prefix('#') {
            Some(id) => contained(scope.container, id).and_then(Typed::resource),
            None => Typed::resource(scope.entries?.find(reference)?),
        };
        let member_of = |set: &str, system: Option<&str>, code: &str| {
            let codes = r4().codes(set)?;
            Some(system.map_or(codes.contains(code), |system| codes.contains_in(system, code)))
        };
        let scope =
            crate::path::Scope { resource, root, context, resolve: &resolve, member_of: &member_of, budget };
        let verdicts = constraints.iter().map(|constraint| (*constraint, constraint.verdict(&scope)));
        verdicts.filter(|(_, verdict)| *verdict != Verdict::Met).collect()
    }

    /// ele-1: an element has a value or children other than its id.
    pub(super) fn has_more_than_an_id(&mut self, object: &Map<String, Value>, at: &Location<'_>) {
        if self.budget.is_some() && object.len() == 1 && object.contains_key("id") {
            self.error(IssueCode::Invariant, at, "an element has a value or children (ele-1)");
        }
    }

    /// dom-3: a contained resource is referred to from elsewhere, or refers to its container.
    fn contained_is_referenced(&mut self, resource: Typed<'_>, at: &Location<'_>) {
        let mut referred = HashSet::new();
        fragments(resource, 0, &mut referred);
        let mut index = 0;
        let mut unreferenced = Vec::new();
        resource.children("contained", &mut |contained| {
            let mut own = HashSet::new();
            fragments(contained, 0, &mut own);
            let is_resource = r4().is_resource(contained.type_code);
            let is_referred = contained.text("id").is_some_and(|id| referred.contains(id));
            if is_resource && !is_referred && !own.contains("") {
                unreferenced.push(index);
            }
            index += 1;
        });
        for index in unreferenced {
            let here = at.child("contained").repetition(index);
            self.error(IssueCode::Invariant, &here, "nothing refers to this contained resource (dom-3)");
        }
    }
}

/// What the resource refers to by `#`.
fn fragments<'a>(parent: Typed<'a>, depth: usize, found: &mut HashSet<&'a str>) {
    if depth > super::DEPTH_MAX {
        return;
    }
    parent.all_children(&mut |slot, child| {
        let is_link = slot.element.name == "reference"
            || matches!(slot.primitive, Some(Primitive::Canonical | Primitive::Uri | Primitive::Url));
        let text = child.primitive_value().and_then(Value::as_str);
        if let Some(id) = text.filter(|_| is_link).and_then(|text| text.strip_prefix('#')) {
            found.insert(id);
        }
        fragments(child, depth + 1, found);
    });
}

/// The contained resource of an id; the container itself for none.
pub(crate) fn contained<'a>(container: &'a Value, id: &str) -> Option<&'a Value> {
    if id.is_empty() {
        return Some(container);
    }
    let mut resources = container.get("contained")?.as_array()?.iter();
    resources.find(|resource| resource.get("id").and_then(Value::as_str) == Some(id))
}
