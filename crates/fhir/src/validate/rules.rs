//! Rules over a whole element: required bindings, reference targets, what an extension holds.

use serde_json::{Map, Value};

use super::{Scope, Walk, contained};
use crate::definitions::{CodeSet, Slot, Strength, r4};
use crate::location::Location;
use crate::outcome::IssueCode;
use crate::reference::Reference;

impl Walk {
    pub(super) fn rules(
        &mut self,
        object: &Map<String, Value>,
        slot: &Slot,
        at: &Location<'_>,
        scope: Scope<'_>,
    ) {
        match slot.type_ref.code {
            "CodeableConcept" => {
                if let Some(codes) = required_codes(slot) {
                    let codings =
                        object.get("coding").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    if !codings.iter().any(|coding| in_set(coding, codes)) {
                        self.error(IssueCode::CodeInvalid, at, "no coding is from the required value set");
                    }
                }
            }
            "Coding" | "Quantity" => {
                if let Some(codes) = required_codes(slot)
                    && !object.get("code").is_some_and(|_| in_set_object(object, codes))
                {
                    self.error(IssueCode::CodeInvalid, at, "the code is not from the required value set");
                }
            }
            "Reference" => self.reference(object, slot.type_ref.targets, at, scope),
            "Extension" => self.extension(object, at),
            _ => {}
        }
    }

    /// A `code` (or a string bound like one) against its required value set.
    pub(super) fn code_binding(&mut self, value: &Value, slot: &Slot, at: &Location<'_>) {
        let Some(codes) = required_codes(slot) else { return };
        if !value.as_str().is_some_and(|code| codes.contains(code)) {
            self.error(IssueCode::CodeInvalid, at, "the code is not from the required value set");
        }
    }

    fn reference(
        &mut self,
        object: &Map<String, Value>,
        targets: &[&str],
        at: &Location<'_>,
        scope: Scope<'_>,
    ) {
        let text = object.get("reference").and_then(Value::as_str);
        let from_text = match text.map(Reference::parse) {
            Some(Reference::Contained("")) => type_of(scope.container),
            Some(Reference::Contained(id)) => {
                let found = contained(scope.container, id);
                if found.is_none() {
                    self.error(IssueCode::Value, at, "refers to a contained resource that is not there");
                }
                found.and_then(type_of)
            }
            Some(Reference::Urn(urn)) => match scope.entries {
                None => None,
                Some(entries) => {
                    let found = entries.find(urn);
                    if found.is_none() {
                        self.error(IssueCode::NotFound, at, "refers to an entry that is not in the bundle");
                    }
                    found.and_then(type_of)
                }
            },
            Some(reference) => reference.resource_type().map(|name| name.as_str()),
            None => None,
        };
        let stated = object.get("type").and_then(Value::as_str).filter(|name| r4().is_resource(name));
        let is_target =
            |name: &str| targets.is_empty() || targets.contains(&"Resource") || targets.contains(&name);
        if !from_text.is_none_or(is_target) || !stated.is_none_or(is_target) {
            self.error(IssueCode::Invalid, at, "a reference to this type of resource is not allowed here");
        }
    }

    /// ext-1: an extension has a value or extensions, not both.
    fn extension(&mut self, object: &Map<String, Value>, at: &Location<'_>) {
        let has_value = object.keys().any(|name| name.trim_start_matches('_').starts_with("value"));
        if has_value == object.contains_key("extension") {
            self.error(IssueCode::Invariant, at, "an extension has either a value or extensions (ext-1)");
        }
    }
}

fn required_codes(slot: &Slot) -> Option<&'static CodeSet> {
    let binding = slot.element.binding.filter(|binding| binding.strength == Strength::Required)?;
    r4().codes(binding.value_set)
}

fn in_set(coding: &Value, codes: &CodeSet) -> bool {
    coding.as_object().is_some_and(|coding| in_set_object(coding, codes))
}

fn in_set_object(coding: &Map<String, Value>, codes: &CodeSet) -> bool {
    let text = |name: &str| coding.get(name).and_then(Value::as_str);
    match (text("system"), text("code")) {
        (Some(system), Some(code)) => codes.contains_in(system, code),
        (None, Some(code)) => codes.contains(code),
        (_, None) => false,
    }
}

fn type_of(resource: &Value) -> Option<&str> {
    resource.get("resourceType")?.as_str()
}
