//! Accounts and visits that another stands for, and those that belong to another patient from here on.
//!
//! A merge of two (A41, A42) or a change of number (A49, A50) leaves the former record standing as entered in error and part of
//! the one that goes on. This is how it is known later: what is said of the former is said of that one, whichever came first.
//! A move (A44, A45) takes along what is subordinate to the record, and leaves what is about the person. It counts from its
//! place in the journal: a later message that files the record under the patient before takes it back.

use std::collections::{BTreeSet, HashMap};

use mapping::{Change, RecordMove, ResourceSet};
use serde_json::Value;
use store::ResourceKey;

use crate::Error;
use crate::derive::{self, Draft, Next, key_of, retarget};
use crate::follow::Pipeline;
use crate::merge::join;
use crate::state::{State, permit};

/// Types that another of their kind can stand for.
const RECORDS: [&str; 2] = ["Account", "Encounter"];
/// Longest row of records of which each stands for the one before.
const ROW_MAX: usize = 32;
/// What is about the person and not about one of the person's accounts or visits.
const OF_PERSON: [&str; 5] = ["Patient", "Coverage", "RelatedPerson", "Consent", "Provenance"];
/// Elements of an account that speak of the person it was filed under.
const OF_HOLDER: [&str; 2] = ["coverage", "guarantor"];

impl Pipeline {
    /// Points a loaded change at the records that stand for those it speaks of.
    pub(crate) async fn follow_records(&mut self, change: &mut Change) -> Result<(), Error> {
        for _ in 0..ROW_MAX {
            let unknown: Vec<ResourceKey> =
                change.sets.iter().filter_map(|set| unknown(&self.state, set)).collect();
            if unknown.is_empty() {
                break;
            }
            for key in &unknown {
                self.state.load(&self.ports, key).await?;
            }
        }
        if follow(&self.state, change) {
            derive::load(&mut self.state, &self.ports, change, &[]).await?;
        }
        Ok(())
    }
}

/// The record that stands for the set's one as far as the state knows, when it is not loaded.
fn unknown(state: &State, set: &ResourceSet) -> Option<ResourceKey> {
    let last = last(state, key_of(set), &BTreeSet::new())?;
    state.peek(&last).is_none().then_some(last)
}

/// The record that the one of `key` is part of since it was found to be in error.
fn successor(state: &State, key: &ResourceKey) -> Option<ResourceKey> {
    if !RECORDS.contains(&key.resource_type.as_str()) {
        return None;
    }
    let permit = permit();
    let body = state.peek(key)?.exposed(&permit)?;
    let is_in_error = body.get("status").and_then(Value::as_str) == Some("entered-in-error");
    let whole = body.pointer("/partOf/reference").and_then(Value::as_str).filter(|_| is_in_error)?;
    let id = whole.strip_prefix(key.resource_type.as_str())?.strip_prefix('/')?;
    Some(ResourceKey { resource_type: key.resource_type, id: id.to_owned() })
}

/// The last of the records that stand for the one of `key`; `None` when it stands for itself, or when one of the row is
/// `ended` by the message: then it is the message that says what stands for what.
fn last(state: &State, key: ResourceKey, ended: &BTreeSet<String>) -> Option<ResourceKey> {
    let mut at = successor(state, &key)?;
    for _ in 0..ROW_MAX {
        if at == key || ended.contains(&at.id) {
            return None;
        }
        match successor(state, &at) {
            Some(next) => at = next,
            None => return Some(at),
        }
    }
    None
}

/// Points a change at the records that stand for those it speaks of; `true` when it did.
pub fn follow(state: &State, change: &mut Change) -> bool {
    let ended: BTreeSet<String> =
        change.moves.iter().filter(|moved| moved.from != moved.to).map(|moved| moved.from.clone()).collect();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for set in change.sets.iter_mut().filter(|set| !ended.contains(&set.id)) {
        let kind = set.resource_type.as_str();
        let key = key_of(set);
        if let Some(last) = last(state, key.clone(), &ended) {
            renamed.insert(format!("{kind}/{}", set.id), format!("{kind}/{}", last.id));
            if let Some(resource) = set.resource.as_object_mut() {
                resource.insert("id".to_owned(), Value::String(last.id.clone()));
            }
            set.id = last.id;
            // Its number is not the record's any more.
            set.fills.push("identifier".to_owned());
        } else if successor(state, &key).is_some() {
            // A record that was found to be in error goes on after all.
            set.removals.push("partOf".to_owned());
        }
    }
    if renamed.is_empty() {
        return false;
    }
    for set in &mut change.sets {
        rename(&mut set.resource, &renamed);
    }
    let id_of = |kind: &str, id: &str| {
        let new = renamed.get(&format!("{kind}/{id}"))?;
        new.split_once('/').map(|(_, id)| id.to_owned())
    };
    for moved in &mut change.moves {
        let is_same = moved.from == moved.to;
        if let Some(id) = id_of(moved.resource_type.as_str(), &moved.to) {
            moved.to.clone_from(&id);
            if is_same {
                moved.from = id;
            }
        }
    }
    for replaced in &mut change.replaced {
        if let Some(id) = replaced.encounter.as_deref().and_then(|id| id_of("Encounter", id)) {
            replaced.encounter = Some(id);
        }
    }
    true
}

fn rename(resource: &mut Value, renamed: &HashMap<String, String>) {
    fhir::for_each_reference(resource, &mut |_, reference| {
        if let Some(new) = renamed.get(reference.as_str()) {
            reference.clone_from(new);
        }
    });
}

impl Draft<'_> {
    /// What referred to the record refers to the one that stands for it, and what is subordinate to it goes along to
    /// another patient.
    pub(crate) fn move_record(&mut self, moved: &RecordMove) {
        let key = |id: &String| ResourceKey { resource_type: moved.resource_type, id: id.clone() };
        let (from, to) = (key(&moved.from), key(&moved.to));
        let owned = self.owned(&moved.from_patient);
        if moved.is_renumbered {
            self.carry(&from, &to, &moved.to_patient);
        }
        let is_of_another = moved.from_patient != moved.to_patient;
        let going = if is_of_another { subordinates(&owned, &from) } else { BTreeSet::new() };
        let name = |key: &ResourceKey| format!("{}/{}", key.resource_type.as_str(), key.id);
        let records = HashMap::from([(name(&from), name(&to))]);
        let patients = HashMap::from([(moved.from_patient.clone(), moved.to_patient.clone())]);
        for (key, mut body) in owned {
            if from != to && (key == from || key == to) {
                continue;
            }
            let goes = going.contains(&key);
            rename(&mut body, &records);
            let owner = if goes { &moved.to_patient } else { &moved.from_patient };
            if goes {
                retarget(&mut body, &patients);
                without_holder(&key, &mut body);
            } else if is_of_another && key.resource_type.as_str() == "Provenance" {
                without_targets(&mut body, &going, &name(&to));
            }
            if self.standing(&key) != Some(&body) || goes {
                self.put(key, Next { patient: Some(owner.clone()), body: Some(body) });
            }
        }
    }

    /// What was told of the record under its former number stands under its new one, where that does not say it itself.
    fn carry(&mut self, from: &ResourceKey, to: &ResourceKey, patient: &str) {
        let is_told = |body: &&Value| body.get("partOf").is_none();
        let Some(before) = self.standing(from).filter(is_told).cloned() else { return };
        let body = join(self.standing(to), before, &to.id);
        self.put(to.clone(), Next { patient: Some(patient.to_owned()), body: Some(body) });
    }
}

/// The record, what refers to it, and what only those refer to.
fn subordinates(owned: &[(ResourceKey, Value)], record: &ResourceKey) -> BTreeSet<ResourceKey> {
    let of_visit: Vec<(&ResourceKey, BTreeSet<String>)> = owned
        .iter()
        .filter(|(key, _)| !OF_PERSON.contains(&key.resource_type.as_str()))
        .map(|(key, body)| (key, references(body)))
        .collect();
    let name = |key: &ResourceKey| format!("{}/{}", key.resource_type.as_str(), key.id);
    let mut going: BTreeSet<ResourceKey> = BTreeSet::from([record.clone()]);
    loop {
        let names: BTreeSet<String> = going.iter().map(name).collect();
        let staying = of_visit.iter().filter(|(key, _)| !going.contains(*key));
        let more: Vec<ResourceKey> = staying
            .filter(|(key, references)| {
                let refers = references.iter().any(|one| names.contains(one) && is_above(key, one));
                refers || is_only_of(&of_visit, &going, &name(key))
            })
            .map(|(key, _)| (*key).clone())
            .collect();
        if more.is_empty() {
            return going;
        }
        going.extend(more);
    }
}

/// Does a reference of this resource say what it is subordinate to? An account is subordinate to none; a visit to its
/// account, and to the visit it is part of.
fn is_above(key: &ResourceKey, reference: &str) -> bool {
    match key.resource_type.as_str() {
        "Account" => false,
        "Encounter" => RECORDS.iter().any(|kind| reference.starts_with(kind)),
        _ => true,
    }
}

/// Is it referred to by what goes, and by nothing that stays? Accounts and visits have a place of their own.
fn is_only_of(all: &[(&ResourceKey, BTreeSet<String>)], going: &BTreeSet<ResourceKey>, name: &str) -> bool {
    if RECORDS.iter().any(|kind| name.starts_with(kind)) {
        return false;
    }
    let mut referring = all.iter().filter(|(_, references)| references.contains(name)).peekable();
    referring.peek().is_some() && referring.all(|(key, _)| going.contains(*key))
}

fn references(body: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fhir::references(body, &mut |_, reference| {
        found.insert(reference.to_owned());
    });
    found
}

fn without_holder(key: &ResourceKey, body: &mut Value) {
    if let (Some(map), "Account") = (body.as_object_mut(), key.resource_type.as_str()) {
        OF_HOLDER.iter().for_each(|element| {
            map.remove(*element);
        });
    }
}

/// The history of the patient before tells of what is the patient's, and of nothing that is another's now. One target stays.
fn without_targets(body: &mut Value, going: &BTreeSet<ResourceKey>, record: &str) {
    let Some(Value::Array(targets)) = body.get_mut("target") else { return };
    let is_gone = |target: &Value| {
        let reference = target.get("reference").and_then(Value::as_str).unwrap_or_default();
        reference == record
            || reference.split_once('/').is_some_and(|(kind, id)| {
                going.iter().any(|key| key.resource_type.as_str() == kind && key.id == id)
            })
    };
    if targets.iter().any(|target| !is_gone(target)) {
        targets.retain(|target| !is_gone(target));
    }
}
