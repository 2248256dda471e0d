//! Objects: fields in order, choices, extensions, lists, references.

use super::Executor;
use super::notes::Source;
use super::scope::{Level, Scope, Value as Item};
use crate::coverage::LeafName;
use crate::few::Few;
use crate::json::{self, object, push};
use crate::plan::{Action, Elements, Field, Form, Into, Nested, Path, Root, Rule, Slot};
use crate::trace::{Cause, Done};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;

type Object = Map<String, Value>;

/// One value a rule yields, with the extension that stands beside a primitive.
pub(super) struct Yield {
    pub value: Value,
    pub beside: Option<Value>,
}

/// What a resource says beside its elements.
#[derive(Default)]
pub(super) struct Said {
    /// Elements that an HL7 null removes.
    pub removals: Vec<String>,
    /// Elements that only fill.
    pub fills: Vec<String>,
}

impl Yield {
    pub fn plain(value: Value) -> Self {
        Yield { value, beside: None }
    }
}

impl<'a> Executor<'a> {
    /// Fills one object. `$each` is the caller's matter.
    pub(super) fn build(&mut self, elements: &'a Elements, scope: &Scope<'a>, out: &mut Object) {
        if let Some(when) = elements.when.as_ref().filter(|when| !self.holds(when, scope)) {
            self.miss_object(elements, when, scope);
            return;
        }
        for field in &elements.fields {
            self.field(field, scope, out);
        }
    }

    /// Fills an object that FHIR knows only whole. Where what it needs got no value, nothing of it is written and what was
    /// read for it is rejected: one value that cannot be used does not make the resource invalid.
    pub(super) fn build_whole(&mut self, elements: &'a Elements, scope: &Scope<'a>, out: &mut Object) {
        if elements.needs.is_empty() {
            return self.build(elements, scope, out);
        }
        let begun = self.ledger.begin();
        self.build(elements, scope, out);
        let missing =
            elements.needs.iter().find(|name| !holds_element(out, name)).filter(|_| !out.is_empty());
        let refused = missing.map(|name| format!("{name}, which FHIR requires beside it, has no value"));
        let paths = self.ledger.end(begun, refused.as_deref());
        if let Some(reason) = refused {
            out.clear();
            for path in paths {
                let path = LeafName::of(self.message, path).to_string();
                self.report_plain(fhir::Severity::Warning, fhir::IssueCode::Required, &path, &reason);
            }
        }
    }

    /// Fills the top of a resource.
    pub(super) fn build_resource(
        &mut self,
        elements: &'a Elements,
        scope: &Scope<'a>,
        out: &mut Object,
    ) -> Said {
        let mut said = Said::default();
        if elements.when.as_ref().is_some_and(|when| !self.holds(when, scope)) {
            return said;
        }
        for field in &elements.fields {
            self.null = false;
            self.only_fills = false;
            self.field(field, scope, out);
            if self.null && !is_filled(&field.slot, out) {
                said.removals.extend(field.slot.removal.iter().cloned());
            }
            if self.only_fills {
                said.fills.extend(field.slot.removal.iter().filter(|name| out.contains_key(*name)).cloned());
            }
        }
        self.null = false;
        said
    }

    fn field(&mut self, field: &'a Field, scope: &Scope<'a>, out: &mut Object) {
        // A trace tells of every rule.
        if self.notes.is_none() && !self.has_basis(&field.basis) {
            return;
        }
        self.rules(&field.rules, &field.slot, scope, out);
        if let Some(Nested { suffix, elements }) = field.nested.as_deref() {
            self.nested(&field.slot, suffix.as_deref(), elements, scope, out);
        }
    }

    /// Runs a list: all of it on a repeating element, else the first that yields.
    fn rules(&mut self, rules: &'a [Rule], slot: &'a Slot, scope: &Scope<'a>, out: &mut Object) -> bool {
        let mut wrote = false;
        for (at, rule) in rules.iter().enumerate() {
            let yielded = self.rule(rule, slot, scope, out);
            self.only_fills |= yielded && rule.keep;
            wrote |= yielded;
            if wrote && !slot.repeats {
                let rest = rules.get(at + 1..).unwrap_or_default();
                self.supersede(rest, scope);
                self.miss_rest(rest, slot, scope, out);
                break;
            }
        }
        wrote
    }

    fn rule(&mut self, rule: &'a Rule, slot: &'a Slot, scope: &Scope<'a>, out: &mut Object) -> bool {
        if !self.has_basis(&rule.basis) && self.pass_over(rule, slot, out) {
            return false;
        }
        if let Some(when) = rule.when.as_ref().filter(|when| !self.holds(when, scope)) {
            self.miss_condition(slot, rule, scope, out, when);
            return false;
        }
        match &rule.action {
            Action::Take(take) => self.take(take, rule, slot, scope, out),
            Action::Build(elements) => match &rule.into {
                Some(into) => self.build_into(into, elements, slot, scope, out),
                None => self.build_each(elements, rule, slot, scope, out),
            },
            Action::First(rules) => rules.iter().any(|rule| self.rule(rule, slot, scope, out)),
            Action::Refer { handle, pairs } if pairs.is_empty() => {
                let indices = if handle.name == "*" {
                    // What is kept may not refer to what is not.
                    let is_kept = |made: &usize| {
                        let made = self.instances.get(*made).map(|made| made.make);
                        made.zip(self.plan).is_none_or(|(make, plan)| plan.is_kept(make))
                    };
                    (0..self.instances.len()).filter(is_kept).collect()
                } else {
                    self.resources_in_scope(handle, scope)
                };
                self.refer(&handle.name, indices, rule, slot, scope, out)
            }
            Action::Refer { handle, pairs } => {
                let indices = self.matched_anywhere(handle, pairs, scope);
                self.refer(&handle.name, indices, rule, slot, scope, out)
            }
            Action::Dispatch { by, branches, otherwise } => {
                let found = self.values(by, scope);
                let key = found.first().map(|value| self.text_of(value)).unwrap_or_default();
                if let Some(Item::Part(part, _)) = found.first() {
                    self.ledger.mark_first(*part, crate::LeafFate::Mapped, None);
                }
                let branch = branches
                    .iter()
                    .find(|(keys, _)| keys.iter().any(|one| **one == *key))
                    .map_or(otherwise, |(_, rules)| rules);
                if branch.is_empty() {
                    self.miss(slot, rule, scope, out, Cause::Branch);
                }
                self.rules(branch, slot, scope, out)
            }
        }
    }

    fn build_each(
        &mut self,
        elements: &'a Elements,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        out: &mut Object,
    ) -> bool {
        let Some(each) = &elements.each else { return self.build_one(elements, rule, slot, scope, out) };
        let mut wrote = false;
        let values = self.parts(each, scope);
        if values.is_empty() {
            self.miss_value(slot, rule, scope, out);
        }
        for (index, value) in (1..).zip(values) {
            let outer = self.components;
            let inner = match &value {
                Item::Segment(segment) => Scope {
                    bound: Some(*segment),
                    index,
                    group: self.groups.group_of(*segment),
                    ..scope.clone()
                },
                Item::Part(part, _) if part.presence() != hl7v2::Presence::Valued => {
                    self.null |= part.presence() == hl7v2::Presence::Null;
                    continue;
                }
                Item::Part(..) | Item::Text(_) => {
                    self.enter_item(&value);
                    Scope { index, ..scope.with_item(value) }
                }
            };
            wrote |= self.build_one(elements, rule, slot, &inner, out);
            self.components = outer;
        }
        wrote
    }

    fn build_one(
        &mut self,
        elements: &'a Elements,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        out: &mut Object,
    ) -> bool {
        let mut made = Object::new();
        self.enter(slot, rule.suffix.as_deref(), out);
        self.build_whole(elements, scope, &mut made);
        self.leave();
        if made.is_empty() {
            return false;
        }
        if slot.primitive {
            beside(slot, out, made);
        } else {
            write(slot, rule.suffix.as_deref(), Yield::plain(Value::Object(made)), out);
        }
        true
    }

    fn build_into(
        &mut self,
        into: &Into,
        elements: &'a Elements,
        slot: &'a Slot,
        scope: &Scope<'a>,
        out: &mut Object,
    ) -> bool {
        let mut made = Object::new();
        self.enter(slot, None, out);
        self.build_whole(elements, scope, &mut made);
        self.leave();
        if made.is_empty() {
            return false;
        }
        match into {
            Into::New => {
                write(slot, None, Yield::plain(Value::Object(made)), out);
                true
            }
            Into::Nth(index) => match out
                .get_mut(&slot.name)
                .and_then(|list| list.get_mut(*index))
                .and_then(Value::as_object_mut)
            {
                Some(item) => {
                    item.append(&mut made);
                    true
                }
                None => false,
            },
        }
    }

    fn nested(
        &mut self,
        slot: &'a Slot,
        suffix: Option<&'a str>,
        elements: &'a Elements,
        scope: &Scope<'a>,
        out: &mut Object,
    ) {
        let single = matches!(slot.form, Form::Element | Form::Choice) && !slot.repeats && !slot.primitive;
        let name = property(slot, suffix);
        let mut made = match single.then(|| out.remove(&*name)) {
            Some(Some(Value::Object(made))) => made,
            Some(Some(other)) => {
                out.insert(name.into_owned(), other);
                Object::new()
            }
            Some(None) | None => Object::new(),
        };
        self.enter(slot, suffix, out);
        self.build_whole(elements, scope, &mut made);
        self.leave();
        if made.is_empty() {
            return;
        }
        if slot.primitive && matches!(slot.form, Form::Element) {
            beside(slot, out, made);
        } else {
            write(slot, suffix, Yield::plain(Value::Object(made)), out);
        }
    }

    fn refer(
        &mut self,
        handle: &'a str,
        indices: Few<usize>,
        rule: &'a Rule,
        slot: &'a Slot,
        scope: &Scope<'a>,
        out: &mut Object,
    ) -> bool {
        let limit = if slot.repeats { indices.len() } else { 1 };
        let is_list = slot.repeats && matches!(slot.form, Form::Element);
        let mut named = if is_list { references(out.get(&slot.name)) } else { HashSet::new() };
        let mut wrote = false;
        for index in indices.into_iter().take(limit) {
            let Some(instance) = self.instances.get(index) else { continue };
            let reference = [instance.kind.as_str(), "/", &instance.id].concat();
            wrote = true;
            let is_named = is_list && !named.insert(reference.clone());
            if let Some(notes) = &mut self.notes {
                let done = Few::One(Done::Referred(notes.word(handle)));
                self.ran(rule);
                if !is_named {
                    let source = Source { value: None, spread: None, done, table: None };
                    self.step(slot, rule, out, source, &reference);
                }
            }
            if !is_named {
                let made = Yield::plain(json::reference(reference));
                write(slot, rule.suffix.as_deref(), made, out);
            }
        }
        if let (false, Some(notes)) = (wrote, &mut self.notes) {
            let cause = Cause::Reference(notes.word(handle));
            self.miss(slot, rule, scope, out, cause);
        }
        wrote
    }

    /// The segments or repetitions a bare path names, for `require` and `$each`.
    pub(super) fn is_path_valued(&mut self, path: &'a Path) -> bool {
        let scope = Scope::root();
        let named_segment = matches!(&path.root, Root::Segment { field: None, .. });
        let found = self.parts(path, &scope);
        if named_segment {
            return !found.is_empty();
        }
        found
            .iter()
            .any(|value| matches!(value, Item::Part(part, _) if part.presence() == hl7v2::Presence::Valued))
    }
}

/// Whether an object has this element, a choice by any of its types.
fn holds_element(object: &Object, name: &str) -> bool {
    object.keys().any(|key| {
        let key = key.strip_prefix('_').unwrap_or(key);
        key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_uppercase))
    })
}

/// Whether the element has a value already.
fn is_filled(slot: &Slot, out: &Object) -> bool {
    match &slot.form {
        Form::Element => out.contains_key(&slot.name) || out.contains_key(&format!("_{}", slot.name)),
        Form::Choice => slot.removal.iter().any(|name| out.contains_key(name)),
        Form::Extension { url, .. } => out
            .get("extension")
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|one| one.get("url").and_then(Value::as_str) == Some(url))),
    }
}

/// Writes a value where its slot says.
pub(super) fn write(slot: &Slot, suffix: Option<&str>, made: Yield, out: &mut Object) {
    match &slot.form {
        Form::Extension { url, suffix: value_suffix } => {
            let extension = match (value_suffix, made.value) {
                (Some(suffix), value) => {
                    object([("url", url.as_str().into()), (&["value", suffix].concat(), value)])
                }
                (None, Value::Object(mut parts)) => {
                    parts.insert("url".into(), url.clone().into());
                    Value::Object(parts)
                }
                (None, _) => return,
            };
            push(out, "extension", extension);
        }
        // A list has no place for an extension without its code.
        Form::Element if slot.repeats && made.value.is_null() => {}
        Form::Element if slot.repeats => push(out, &slot.name, made.value),
        Form::Element | Form::Choice => {
            let name = property(slot, suffix).into_owned();
            if let Some(extension) = made.beside {
                let mut holder = Object::new();
                push(&mut holder, "extension", extension);
                beside(slot, out, holder);
            }
            if !made.value.is_null() {
                out.insert(name, made.value);
            }
        }
    }
}

/// Name of the JSON property; of a choice with its type.
fn property<'s>(slot: &'s Slot, suffix: Option<&str>) -> Cow<'s, str> {
    match suffix {
        None => Cow::Borrowed(&slot.name),
        Some(suffix) => [&slot.name, suffix].concat().into(),
    }
}

/// What the items of a list refer to that are references and nothing else.
fn references(list: Option<&Value>) -> HashSet<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let bare = items.filter(|item| item.len() == 1).filter_map(|item| item.get("reference")?.as_str());
    bare.map(str::to_owned).collect()
}

/// Extensions of a primitive: `_birthDate`.
fn beside(slot: &Slot, out: &mut Object, made: Object) {
    let name = ["_", &slot.name].concat();
    let held = out.entry(name).or_insert_with(|| Value::Object(Object::new()));
    let Some(held) = held.as_object_mut() else { return };
    for (key, value) in made {
        match (held.get_mut(&key).and_then(Value::as_array_mut), value) {
            (Some(list), Value::Array(more)) => list.extend(more),
            (_, value) => {
                held.insert(key, value);
            }
        }
    }
}

/// Fills what is absent in `into`.
pub(super) fn fill(into: &mut Object, from: Object) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (None, value) => {
                into.insert(key, value);
            }
            (Some(Value::Object(have)), Value::Object(more)) => fill(have, more),
            (Some(_), _) => {}
        }
    }
}

/// The repetition level of a field's part.
pub(super) fn as_item(part: hl7v2::Part<'_>) -> Item<'_> {
    Item::Part(part, Level::Repetition)
}
