//! Two persons whom a message calls by one number: what it says of one must not land on the other's resources.
//!
//! Ids of dependent resources are made from the number that the message gives. Where a person said that two patients
//! are two, a resource whose id is taken by the other gets an id of its own.

use std::collections::{BTreeSet, HashMap};

use mapping::{Change, ResourceSet};
use serde_json::Value;
use store::{ResourceKey, ReviewAnswer};
use uuid::Uuid;

use crate::state::State;

/// Owners of loaded resources that the change would take from them, and the patients it would give them to.
pub fn other_owners(state: &State, change: &Change) -> Vec<String> {
    let taken = change.sets.iter().filter_map(|set| Some((other_owner(state, set)?, set.patient.clone()?)));
    let ids: BTreeSet<String> = taken.flat_map(|(owner, patient)| [owner, patient]).collect();
    ids.into_iter().collect()
}

fn other_owner(state: &State, set: &ResourceSet) -> Option<String> {
    let key = ResourceKey { resource_type: set.resource_type, id: set.id.clone() };
    let current = state.peek(&key).filter(|current| current.body.is_some())?;
    current.patient.clone().filter(|owner| set.patient.as_ref().is_some_and(|patient| patient != owner))
}

/// Gives ids of their own to resources that would land on those of somebody else.
pub fn keep_apart(state: &State, change: &mut Change) {
    let mut renamed: HashMap<String, String> = HashMap::new();
    // What the message itself takes from the one and gives to the other is meant.
    let moved: Vec<String> = change.moves.iter().map(|moved| moved.to.clone()).collect();
    for set in change.sets.iter_mut().filter(|set| !moved.contains(&set.id)) {
        let (Some(owner), Some(patient)) = (other_owner(state, set), set.patient.clone()) else { continue };
        if state.decided(&owner, &patient) != Some(ReviewAnswer::Different) {
            continue;
        }
        let kind = set.resource_type.as_str();
        let name = format!("{kind}/{} of {patient}", set.id);
        let id = Uuid::new_v5(&state.namespace, name.as_bytes()).to_string();
        renamed.insert(format!("{kind}/{}", set.id), format!("{kind}/{id}"));
        if let Some(resource) = set.resource.as_object_mut() {
            resource.insert("id".to_owned(), Value::String(id.clone()));
        }
        set.id = id;
    }
    for set in change.sets.iter_mut().filter(|_| !renamed.is_empty()) {
        fhir::for_each_reference(&mut set.resource, &mut |_, reference| {
            if let Some(new) = renamed.get(reference.as_str()) {
                reference.clone_from(new);
            }
        });
    }
    for replaced in &mut change.replaced {
        let kind = replaced.resource_type.as_str();
        for id in &mut replaced.keep {
            if let Some(new) = renamed.get(&format!("{kind}/{id}")).and_then(|new| new.split_once('/')) {
                new.1.clone_into(id);
            }
        }
    }
}
