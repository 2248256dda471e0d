//! Records that go into another, get another number, or belong to another patient (HL7 v2.9, chapter 3.6.2).

use super::resource::push_to;
use super::scope::Scope;
use super::{Executor, Instance};
use crate::plan::{MessagePlan, Pair};
use crate::{Mode, PatientMerge, RecordMove, ResourceSet};
use serde_json::{Value, json};

/// What is said of records, beside what they are.
#[derive(Default)]
pub(super) struct Settled {
    pub merges: Vec<PatientMerge>,
    pub moves: Vec<RecordMove>,
}

impl<'a> Executor<'a> {
    /// Merges, changes of number and moves; of what was before, `sets` keeps what goes on standing.
    pub(super) fn settle(&mut self, plan: &MessagePlan, sets: &mut Vec<ResourceSet>) -> Settled {
        let mut settled = Settled::default();
        for pair in &plan.merges {
            for (stays, ends) in self.pairs(plan, pair) {
                self.merge(pair, &stays, &ends, sets, &mut settled);
            }
        }
        for pair in &plan.renumbers {
            for (stays, ends) in self.pairs(plan, pair) {
                renumber(pair, &stays, &ends, sets, &mut settled);
            }
        }
        self.moved(plan, &mut settled);
        without_repeated(plan, sets);
        settled
    }

    fn merge(
        &mut self,
        pair: &Pair,
        stays: &Record,
        ends: &Record,
        sets: &mut [ResourceSet],
        settled: &mut Settled,
    ) {
        if stays.id == ends.id {
            let path = prior_number(pair.kind);
            let severity = fhir::Severity::Warning;
            self.report_plain(severity, fhir::IssueCode::BusinessRule, path, "it is merged with itself");
        } else if pair.kind.as_str() == "Patient" {
            for set in sets.iter_mut().filter(|set| set.resource_type.as_str() == "Patient") {
                link(set, &stays.id, &ends.id);
            }
            let (survivor, retired) = (stays.id.clone(), ends.id.clone());
            settled.merges.push(PatientMerge { survivor, retired, is_renumbered: false });
        } else {
            settled.moves.extend(record_move(pair, stays, ends, false));
        }
    }

    /// The records of two handles that stand together, in the order of the message.
    fn pairs(&self, plan: &MessagePlan, pair: &Pair) -> Vec<(Record, Record)> {
        let ends = self.of_handle(plan, &pair.ends);
        ends.filter_map(|ends| Some((self.beside(ends, &pair.stays)?, self.record(ends)))).collect()
    }

    fn of_handle<'s>(&'s self, plan: &MessagePlan, handle: &str) -> impl Iterator<Item = &'s Instance> {
        let lines: Vec<usize> = (0..plan.make.len())
            .filter(|index| plan.make.get(*index).is_some_and(|make| make.handle.name == handle))
            .collect();
        self.instances.iter().filter(move |instance| lines.contains(&instance.make))
    }

    /// The record of a handle in the group of an instance, or around it.
    fn beside(&self, instance: &Instance, handle: &str) -> Option<Record> {
        let scope = Scope { group: instance.group, ..Scope::root() };
        let handle = self.plan.and_then(|plan| plan.handle(handle))?;
        let found = self.resources_in_scope(handle, &scope).first().copied()?;
        Some(self.record(self.instances.get(found)?))
    }

    fn record(&self, instance: &Instance) -> Record {
        Record { id: instance.id.clone(), patient: self.patient_near(instance.group) }
    }

    /// `move:` of a record that has another patient now.
    fn moved(&self, plan: &MessagePlan, settled: &mut Settled) {
        for moved in &plan.moves {
            for instance in self.of_handle(plan, &moved.record) {
                let patients = self.beside(instance, &moved.from).zip(self.beside(instance, &moved.to));
                let Some((from, to)) = patients.filter(|(from, to)| from.id != to.id) else { continue };
                let id = instance.id.clone();
                match settled.moves.iter_mut().find(|known| known.to == id) {
                    Some(known) => (known.from_patient, known.to_patient) = (from.id, to.id),
                    None => settled.moves.push(RecordMove {
                        resource_type: instance.kind,
                        from: id.clone(),
                        to: id,
                        from_patient: from.id,
                        to_patient: to.id,
                        is_renumbered: false,
                    }),
                }
            }
        }
    }
}

/// A record that was made, and whose it is.
struct Record {
    id: String,
    patient: Option<String>,
}

/// The field that gives the number of what was before.
fn prior_number(kind: fhir::ResourceType) -> &'static str {
    match kind.as_str() {
        "Account" => "MRG-3",
        "Encounter" => "MRG-5",
        _ => "MRG-1",
    }
}

fn record_move(pair: &Pair, stays: &Record, ends: &Record, is_renumbered: bool) -> Option<RecordMove> {
    Some(RecordMove {
        resource_type: pair.kind,
        from: ends.id.clone(),
        to: stays.id.clone(),
        from_patient: ends.patient.clone()?,
        to_patient: stays.patient.clone()?,
        is_renumbered,
    })
}

fn renumber(pair: &Pair, stays: &Record, ends: &Record, sets: &mut Vec<ResourceSet>, settled: &mut Settled) {
    if pair.kind.as_str() != "Patient" {
        settled.moves.extend(record_move(pair, stays, ends, true).filter(|_| stays.id != ends.id));
        return;
    }
    let is_before = |set: &ResourceSet| set.handle == pair.ends && set.id == ends.id;
    let former = sets.iter().position(is_before).map(|index| sets.remove(index));
    let now = sets.iter_mut().find(|set| set.handle == pair.stays && set.id == stays.id);
    if let (Some(former), Some(now)) = (former, now) {
        let kept: Vec<String> = numbers(&now.resource);
        let gone = numbers(&former.resource).into_iter().filter(|number| !kept.contains(number));
        now.removals.extend(gone.map(|number| format!("identifier:{number}")));
    }
    if stays.id != ends.id {
        let (survivor, retired) = (stays.id.clone(), ends.id.clone());
        settled.merges.push(PatientMerge { survivor, retired, is_renumbered: true });
    }
}

/// System and value of each identifier.
fn numbers(resource: &Value) -> Vec<String> {
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    let identifiers = resource.get("identifier").and_then(Value::as_array).into_iter().flatten();
    let number =
        |one: &Value| Some(format!("{}|{}", text(one, "system").unwrap_or_default(), text(one, "value")?));
    identifiers.filter_map(number).collect()
}

/// What was before and is the same record as one that is made already says nothing of its own.
fn without_repeated(plan: &MessagePlan, sets: &mut Vec<ResourceSet>) {
    if !sets.iter().any(|set| plan.is_prior(&set.handle)) {
        return;
    }
    let mut seen: Vec<(fhir::ResourceType, String)> = Vec::new();
    sets.retain(|set| {
        let key = (set.resource_type, set.id.clone());
        let is_repeated = plan.is_prior(&set.handle) && seen.contains(&key);
        seen.push(key);
        !is_repeated
    });
}

fn link(set: &mut ResourceSet, survivor: &str, retired: &str) {
    let other =
        |id: &str, kind: &str| json!({ "other": { "reference": format!("Patient/{id}") }, "type": kind });
    if set.id == survivor {
        push_to(&mut set.resource, "link", other(retired, "replaces"));
        set.mode = Mode::Merge;
    } else if set.id == retired {
        push_to(&mut set.resource, "link", other(survivor, "replaced-by"));
        if let Some(object) = set.resource.as_object_mut() {
            object.insert("active".into(), false.into());
        }
        set.mode = Mode::Merge;
    }
}
