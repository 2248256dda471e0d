//! What decides about a resource beside itself: the consents of its patient, and the sensitive visits it belongs to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use fhir::ResourceType;
use residency::{Consent, Policy};
use serde_json::Value;
use store::ResourceKey;

use crate::derive::Write;
use crate::state::{permit, to_current};
use crate::{Error, Ports};

/// Most levels of a resource in which references are looked for; what is nested deeper never leaves.
const DEPTH_MAX: usize = 64;

/// Consents that deny, and labels that cover a visit, of one patient. Empty for most.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Surroundings {
    consents: BTreeMap<String, Consent>,
    covers: BTreeMap<ResourceKey, Cover>,
}

/// A resource whose labels cover its encounters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cover {
    encounters: BTreeSet<String>,
    labels: BTreeSet<String>,
}

/// Labels that resources have because of what they belong to.
pub type Coverage = HashMap<ResourceKey, BTreeSet<String>>;

impl Surroundings {
    /// Does the patient forbid release to this destination?
    pub fn denies(&self, destination: &str) -> bool {
        self.consents.values().any(|consent| consent.denies(destination))
    }

    /// Is any visit covered by a label?
    pub fn has_covered_visits(&self) -> bool {
        !self.covers.is_empty()
    }

    /// Takes a resource as it is now; `body` is `None` when it is gone, or another patient's.
    fn note(&mut self, policy: &Policy, key: &ResourceKey, body: Option<&Value>) {
        self.consents.remove(&key.id);
        self.covers.remove(key);
        let Some(body) = body else { return };
        if is_consent(key.resource_type) {
            let consent = Consent::of(body);
            if consent != Consent::Silent {
                self.consents.insert(key.id.clone(), consent);
            }
            return;
        }
        let labels = policy.covering(key.resource_type, &residency::label(policy, body));
        let encounters = encounters_of(key, body);
        if !labels.is_empty() && !encounters.is_empty() {
            self.covers.insert(key.clone(), Cover { encounters, labels });
        }
    }

    /// Labels by what a resource refers to: a covered visit, or another resource that has such labels.
    pub fn coverage(&self, compartment: &[(&ResourceKey, &Value)]) -> Coverage {
        let mut coverage = Coverage::new();
        for cover in self.covers.values() {
            for encounter in &cover.encounters {
                if let Some(resource_type) = ResourceType::parse("Encounter") {
                    let key = ResourceKey { resource_type, id: encounter.clone() };
                    coverage.entry(key).or_default().extend(cover.labels.iter().cloned());
                }
            }
        }
        let edges: Vec<(&ResourceKey, Vec<ResourceKey>)> = compartment
            .iter()
            .filter(|(key, _)| key.resource_type.as_str() != "Patient")
            .map(|(key, body)| (*key, references(body)))
            .collect();
        let mut has_grown = true;
        // Each round but the last adds a label to a resource, so it ends.
        while has_grown {
            has_grown = false;
            for (key, targets) in &edges {
                let reached: BTreeSet<String> =
                    targets.iter().filter_map(|target| coverage.get(target)).flatten().cloned().collect();
                if !reached.is_empty() {
                    let labels = coverage.entry((*key).clone()).or_default();
                    let before = labels.len();
                    labels.extend(reached);
                    has_grown |= labels.len() > before;
                }
            }
        }
        coverage
    }
}

/// Surroundings by patient, including writes that are not durable yet. Cleared only when everything is.
#[derive(Default)]
pub struct Known(HashMap<String, Surroundings>);

impl Known {
    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One patient's; empty when there is no patient.
    pub fn of(&self, patient: Option<&str>) -> Surroundings {
        patient.and_then(|patient| self.0.get(patient)).cloned().unwrap_or_default()
    }

    /// Loads what is not known of these patients.
    pub async fn load(
        &mut self,
        ports: &Ports,
        policy: &Policy,
        patients: &BTreeSet<&str>,
    ) -> Result<(), Error> {
        let types = deciding_types(policy);
        for patient in patients {
            if self.0.contains_key(*patient) {
                continue;
            }
            let mut surroundings = Surroundings::default();
            for stored in ports.withdrawals.compartment_of(patient, &types).await? {
                let current = to_current(&stored)?;
                surroundings.note(policy, &stored.key, current.exposed(&permit()));
            }
            self.0.insert((*patient).to_owned(), surroundings);
        }
        Ok(())
    }

    /// As [`Known::load`], all at once.
    pub async fn prefetch(
        &mut self,
        ports: &Ports,
        policy: &Policy,
        patients: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let unknown: Vec<String> =
            patients.iter().filter(|patient| !self.0.contains_key(*patient)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = ports.withdrawals.compartments_of(&unknown, &deciding_types(policy)).await?;
        for patient in unknown {
            self.0.insert(patient, Surroundings::default());
        }
        for (patient, stored) in found {
            let current = to_current(&stored)?;
            let surroundings = self.0.entry(patient).or_default();
            surroundings.note(policy, &stored.key, current.exposed(&permit()));
        }
        Ok(())
    }

    /// Takes writes as what is now; returns the patients of whom something changed.
    pub fn note(&mut self, policy: &Policy, writes: &[Write]) -> HashSet<String> {
        let types = policy.covering_types();
        let mut changed = HashSet::new();
        for write in writes
            .iter()
            .filter(|write| is_consent(write.key.resource_type) || types.contains(&write.key.resource_type))
        {
            for patient in owners(write) {
                let Some(surroundings) = self.0.get_mut(patient) else { continue };
                let before = surroundings.clone();
                let is_owner = write.patient.as_deref() == Some(patient);
                surroundings.note(policy, &write.key, write.body.as_deref().filter(|_| is_owner));
                if *surroundings != before {
                    changed.insert(patient.to_owned());
                }
            }
        }
        changed
    }
}

/// Types of which a patient's resources decide about others.
fn deciding_types(policy: &Policy) -> Vec<ResourceType> {
    policy.covering_types().into_iter().chain(ResourceType::parse("Consent")).collect()
}

/// Whose a resource is now, and was.
pub fn owners(write: &Write) -> impl Iterator<Item = &str> {
    write.patient.as_deref().into_iter().chain(write.moved_from.as_deref())
}

/// Is it a Consent, which never leaves?
pub fn is_consent(resource_type: ResourceType) -> bool {
    resource_type.as_str() == "Consent"
}

fn encounters_of(key: &ResourceKey, body: &Value) -> BTreeSet<String> {
    if key.resource_type.as_str() == "Encounter" {
        return BTreeSet::from([key.id.clone()]);
    }
    let encounters =
        references(body).into_iter().filter(|target| target.resource_type.as_str() == "Encounter");
    encounters.map(|target| target.id).collect()
}

/// What a resource refers to by `Type/id`.
fn references(body: &Value) -> Vec<ResourceKey> {
    let mut found = Vec::new();
    collect(body, 0, &mut found);
    found
}

fn collect(value: &Value, depth: usize, found: &mut Vec<ResourceKey>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(map) => {
            let reference = map.get("reference").and_then(Value::as_str);
            if let Some((name, id)) = reference.and_then(|reference| reference.split_once('/'))
                && let Some(resource_type) = ResourceType::parse(name)
            {
                found.push(ResourceKey { resource_type, id: id.to_owned() });
            }
            map.values().for_each(|child| collect(child, depth + 1, found));
        }
        Value::Array(items) => items.iter().for_each(|child| collect(child, depth + 1, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
