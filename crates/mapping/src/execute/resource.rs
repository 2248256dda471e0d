//! Resources: bodies, ids, owners, those made on the way, and two segments for one id.

use super::element::{Said, fill};
use super::scope::Scope;
use super::{Executor, Instance};
use crate::json::{self, push};
use crate::plan::{Event, Handle, Kept, Map, MessagePlan, Program, Target};
use crate::{Mode, Rejection, ResourceSet};
use serde_json::{Map as JsonMap, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

type Object = JsonMap<String, Value>;

/// Types whose messages say only a part: absent keeps.
const MERGED_TYPES: [&str; 8] = [
    "Patient",
    "Encounter",
    "Account",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "RelatedPerson",
];

impl<'a> Executor<'a> {
    /// Makes every resource of the plan.
    pub(super) fn resources(
        &mut self,
        plan: &'a MessagePlan,
        event: Option<&'a Event>,
    ) -> Result<Vec<ResourceSet>, Rejection> {
        let program = self.program;
        let mut sets: Vec<ResourceSet> = Vec::new();
        let mut index: HashMap<(fhir::ResourceType, String), usize> = HashMap::new();
        for number in 0..self.instances.len() {
            let Some(map) = self.instances.get(number).and_then(|instance| program.maps.get(instance.map))
            else {
                continue;
            };
            let Some(set) = self.resource(plan, event, number, map) else { continue };
            let at = match index.entry((set.resource_type, set.id.clone())) {
                Entry::Vacant(free) => {
                    free.insert(sets.len());
                    sets.push(set);
                    continue;
                }
                Entry::Occupied(taken) => *taken.get(),
            };
            match sets.get_mut(at) {
                // What was before stays beside what is now until both are compared.
                _ if plan.is_prior(&set.handle) => sets.push(set),
                _ if !map.merges => {
                    return Err(Rejection::IdentityClash {
                        resource_type: set.resource_type.as_str().to_owned(),
                    });
                }
                Some(first) => {
                    combine(&mut first.resource, set.resource);
                    first.removals.retain(|name| !has(&first.resource, name));
                }
                None => {}
            }
        }
        Ok(sets)
    }

    fn resource(
        &mut self,
        plan: &'a MessagePlan,
        event: Option<&'a Event>,
        number: usize,
        map: &'a Map,
    ) -> Option<ResourceSet> {
        let instance = self.instances.get(number)?;
        let make = plan.make.get(instance.make)?;
        let (handle, resource_type, id) = (make.handle.name.as_str(), instance.kind, instance.id.clone());
        let kind = resource_type.as_str();
        let scope = Scope {
            group: instance.group,
            own: Some(instance.segment),
            make: Some(instance.make),
            instance: Some(number),
            ..Scope::root()
        };
        let patient = self.owner(instance);
        self.enter_resource(resource_type, &id);
        let mut object = Object::new();
        let Said { mut removals, mut fills } = self.build_resource(&map.body, &scope, &mut object);
        if let Some(event) = event {
            let kept = set_aside(event, handle, &mut object, &mut removals);
            self.override_elements(event, handle, &scope, &mut object);
            self.clear(event, handle, &mut object, &mut removals);
            fills.retain(|name| {
                !event.overrides.iter().any(|(of, elements)| {
                    of == handle && elements.fields.iter().any(|field| field.slot.removal.contains(name))
                })
            });
            fills.extend(put_back(kept, &mut object));
            fills.dedup();
            let undone = event.undo.iter().filter(|(name, _)| name == handle);
            removals.extend(undone.map(|(_, element)| format!("{element}:active")));
        }
        object.insert("resourceType".into(), kind.into());
        object.insert("id".into(), id.clone().into());
        let mode = self.mode(make.mode, event, handle, kind);
        if mode == Mode::Merge {
            other_choices(map, &object, &mut removals);
        }
        Some(ResourceSet {
            handle: handle.to_owned(),
            resource_type,
            id,
            resource: Value::Object(object),
            removals,
            fills,
            mode,
            patient,
        })
    }

    fn mode(&self, stated: Option<Mode>, event: Option<&Event>, handle: &str, kind: &str) -> Mode {
        if event.is_some_and(|event| event.update.contains(handle)) {
            return Mode::Merge;
        }
        if event.is_some_and(|event| event.replace.contains(handle)) {
            return Mode::Replace;
        }
        stated.unwrap_or(if MERGED_TYPES.contains(&kind) { Mode::Merge } else { Mode::Replace })
    }

    /// The patient a resource belongs to; None for shared resources.
    fn owner(&self, instance: &Instance) -> Option<String> {
        let kind = instance.kind.as_str();
        if kind == "Patient" {
            return Some(instance.id.clone());
        }
        if fhir::r4().patient_compartment(kind).is_empty() {
            return None;
        }
        self.patient_near(instance.group)
    }

    /// Id of the Patient in scope of a group.
    pub(super) fn patient_near(&self, group: usize) -> Option<String> {
        let scope = Scope { group, ..Scope::root() };
        let found = self.patients.iter().find_map(|handle| {
            self.resources_in_scope(handle, &scope).first().and_then(|index| self.instances.get(*index))
        });
        found.map(|patient| patient.id.clone())
    }

    /// Handles of the lines that make a Patient who stays.
    pub(super) fn patient_handles(&self, plan: &'a MessagePlan) -> Vec<&'a Handle> {
        let is_patient = |map: usize| matches!(self.program.maps.get(map).map(|map| &map.target), Some(Target::Resource(kind)) if kind.as_str() == "Patient");
        let lines = plan.make.iter().filter(|make| !make.is_transient && is_patient(make.map));
        lines.map(|make| &make.handle).collect()
    }

    /// What a type map makes of the current item, for its tests.
    pub(crate) fn map_value(&mut self, map: &'a Map, scope: &Scope<'a>) -> Option<Value> {
        let mut object = Object::new();
        let outer = scope.item.as_ref().map(|item| self.enter_item(item));
        self.build(&map.body, scope, &mut object);
        self.components = outer.unwrap_or_default();
        if map.target == Target::Text {
            return object.remove("value");
        }
        (!object.is_empty()).then_some(Value::Object(object))
    }

    /// `as XCN.Practitioner ref`: makes the resource once and refers to it.
    pub(super) fn made_reference(&mut self, map: &'a Map, scope: &Scope<'a>) -> Option<Value> {
        let Target::Resource(kind) = map.target else { return None };
        let outer_type = std::mem::replace(&mut self.id_type, kind.as_str());
        let touched = std::mem::take(&mut self.touched);
        let id = map.id.as_ref().and_then(|id| self.text(id, scope));
        self.touched = touched;
        self.id_type = outer_type;
        let id = id?.into_owned();
        let outer = self.enter_resource(kind, &id);
        let (outer_null, outer_components) = (self.null, self.components);
        if let Some(item) = &scope.item {
            self.enter_item(item);
        }
        let mut object = Object::new();
        self.build_resource(&map.body, scope, &mut object);
        (self.null, self.components) = (outer_null, outer_components);
        self.leave_resource(outer);
        object.insert("resourceType".into(), kind.as_str().into());
        object.insert("id".into(), id.clone().into());
        self.keep_extra(kind, &id, object, scope);
        Some(json::reference([kind.as_str(), "/", &id].concat()))
    }

    fn keep_extra(&mut self, kind: fhir::ResourceType, id: &str, object: Object, scope: &Scope<'a>) {
        let key = (kind, id.to_owned());
        if let Some(set) = self.extra_index.get(&key).and_then(|index| self.extras.get_mut(*index)) {
            if let Some(first) = set.resource.as_object_mut() {
                fill(first, object);
            }
            return;
        }
        let name = kind.as_str();
        let handle: String =
            name.chars().take(1).flat_map(char::to_lowercase).chain(name.chars().skip(1)).collect();
        let patient = if fhir::r4().patient_compartment(name).is_empty()
            || matches!(name, "Practitioner" | "Organization" | "Location" | "PractitionerRole")
        {
            None
        } else {
            self.patient_near(scope.group)
        };
        let mode = if MERGED_TYPES.contains(&name) { Mode::Merge } else { Mode::Replace };
        self.extra_index.insert(key, self.extras.len());
        self.extras.push(ResourceSet {
            handle,
            resource_type: kind,
            id: id.to_owned(),
            resource: Value::Object(object),
            removals: Vec::new(),
            fills: Vec::new(),
            mode,
            patient,
        });
    }
}

/// In merge mode a choice value must take away its siblings: `deceasedBoolean` when `deceasedDateTime` is set.
fn other_choices(map: &Map, object: &Object, removals: &mut Vec<String>) {
    for field in &map.body.fields {
        let names = &field.slot.removal;
        if names.len() > 1 && names.iter().any(|name| object.contains_key(name)) {
            removals.extend(names.iter().filter(|name| !object.contains_key(*name)).cloned());
        }
    }
}

fn has(resource: &Value, name: &str) -> bool {
    resource.get(name).is_some()
}

/// Two segments for one resource: lists grow by what is new, single elements stay with the first.
fn combine(first: &mut Value, second: Value) {
    let (Some(first), Value::Object(second)) = (first.as_object_mut(), second) else { return };
    for (key, value) in second {
        match (first.get_mut(&key), value) {
            (None, value) => {
                first.insert(key, value);
            }
            (Some(Value::Array(list)), Value::Array(more)) => {
                let fresh: Vec<Value> = more.into_iter().filter(|item| !list.contains(item)).collect();
                list.extend(fresh);
            }
            (Some(Value::Object(have)), Value::Object(more)) => fill(have, more),
            (Some(_), _) => {}
        }
    }
}

/// Adds to a list of a resource.
pub(super) fn push_to(resource: &mut Value, name: &str, value: Value) {
    if let Some(object) = resource.as_object_mut() {
        push(object, name, value);
    }
}

/// Does the map say something about this element?
pub(super) fn mentions(program: &Program, map: usize, element: &str) -> bool {
    program.maps.get(map).is_some_and(|map| map.body.fields.iter().any(|field| field.slot.name == element))
}

/// `keep: visit.status`: takes out what the map made, so that an override of the event can still speak. What only fills
/// removes nothing either.
fn set_aside(
    event: &Event,
    handle: &str,
    object: &mut Object,
    removals: &mut Vec<String>,
) -> Vec<(String, Value)> {
    let mut aside = Vec::new();
    for (_, kept) in event.keep.iter().filter(|(name, _)| name == handle) {
        match kept {
            Kept::Everything => {
                aside.extend(std::mem::take(object));
                removals.clear();
            }
            Kept::Element(element) => {
                aside.extend(object.remove(element).map(|value| (element.clone(), value)));
                removals.retain(|removal| removal != element);
            }
        }
    }
    aside
}

/// Puts back what no override replaced; those elements only fill.
fn put_back(kept: Vec<(String, Value)>, object: &mut Object) -> Vec<String> {
    let mut fills = Vec::new();
    for (element, value) in kept {
        if !object.contains_key(&element) {
            object.insert(element.clone(), value);
            fills.push(element);
        }
    }
    fills
}
