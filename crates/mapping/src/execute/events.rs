//! What trigger events change: overrides, clearing, replaced sets, links of patients.

use super::resource::mentions;
use super::scope::Scope;
use super::{Executor, Instance};
use crate::plan::{Event, MessagePlan};
use crate::{PatientLink, ReplacedSet, ResourceSet};
use serde_json::{Map, Value};

impl<'a> Executor<'a> {
    /// `visit.status: =finished`: over what the map said.
    pub(super) fn override_elements(
        &mut self,
        event: &'a Event,
        handle: &str,
        scope: &Scope<'a>,
        object: &mut Map<String, Value>,
    ) {
        for (_, elements) in event.overrides.iter().filter(|(name, _)| name == handle) {
            let mut made = Map::new();
            self.build(elements, scope, &mut made);
            for (key, value) in made {
                match (object.get_mut(&key), value) {
                    (Some(Value::Object(have)), Value::Object(mut more)) => have.append(&mut more),
                    (_, value) => {
                        object.insert(key, value);
                    }
                }
            }
        }
    }

    /// `clear: visit.period.end`.
    pub(super) fn clear(
        &mut self,
        event: &Event,
        handle: &str,
        object: &mut Map<String, Value>,
        removals: &mut Vec<String>,
    ) {
        for (_, path) in event.clear.iter().filter(|(name, _)| name == handle) {
            if !remove(object, path) {
                removals.push(path.join("."));
            }
        }
    }

    /// Snapshot sets: of a kind of which the message has at least one segment, exactly what it made remains.
    pub(super) fn replaced(
        &self,
        plan: &MessagePlan,
        event: Option<&Event>,
        sets: &[ResourceSet],
    ) -> Vec<ReplacedSet> {
        let Some(event) = event else { return Vec::new() };
        let mut replaced: Vec<ReplacedSet> = Vec::new();
        for make in plan.make.iter().filter(|make| event.replace.contains(&make.handle.name)) {
            let Some(segment) = self.groups.first(&make.segment) else { continue };
            let Some(patient) = self.patient_near(self.groups.group_of(segment)) else { continue };
            let Some(kind) = self.program.maps.get(make.map).and_then(|map| map.target.resource()) else {
                continue;
            };
            if replaced.iter().any(|other| other.resource_type == kind && other.patient == patient) {
                continue;
            }
            let of_kind = sets
                .iter()
                .filter(|set| set.resource_type == kind && set.patient.as_deref() == Some(patient.as_str()));
            let keep = of_kind.map(|set| set.id.clone()).collect();
            let visit = sets.iter().find(|set| {
                set.resource_type.as_str() == "Encounter" && set.patient.as_deref() == Some(patient.as_str())
            });
            let encounter =
                visit.filter(|_| mentions(self.program, make.map, "encounter")).map(|set| set.id.clone());
            replaced.push(ReplacedSet { resource_type: kind, patient, encounter, keep });
        }
        replaced
    }

    /// A24 and A37: the first Patient of the handle with each of the others.
    pub(super) fn links(&mut self, plan: &MessagePlan) -> Vec<PatientLink> {
        let Some((handle, is_one)) = &plan.link else { return Vec::new() };
        let handle_of =
            |instance: &Instance| plan.make.get(instance.make).map(|make| make.handle.name.as_str());
        let linked = self.instances.iter().filter(|instance| handle_of(instance) == Some(handle));
        let mut ids = linked.map(|instance| instance.id.clone()).collect::<Vec<_>>().into_iter();
        let Some(one) = ids.next() else { return Vec::new() };
        let others: Vec<String> = ids.collect();
        if others.is_empty() {
            self.report_plain(
                fhir::Severity::Warning,
                fhir::IssueCode::BusinessRule,
                "PID-3",
                "the message names one patient alone",
            );
        }
        others.into_iter().map(|other| PatientLink { one: one.clone(), other, is_one: *is_one }).collect()
    }
}

/// Removes a nested element; false when it was not there.
fn remove(object: &mut Map<String, Value>, path: &[String]) -> bool {
    match path {
        [] => false,
        [last] => object.remove(last).is_some(),
        [first, rest @ ..] => {
            let Some(inner) = object.get_mut(first).and_then(Value::as_object_mut) else { return false };
            remove(inner, rest);
            if inner.is_empty() {
                object.remove(first);
                return false;
            }
            // The element that remains replaces the stored one, and with it what is cleared.
            true
        }
    }
}
