//! Current state of resources as the next message must see it: the store, plus what is on its way there.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fhir::ResourceType;
use residency::{Clinical, OnPrem, Permit, Purpose};
use serde_json::Value;
use store::{ResourceKey, Stored};

use crate::index::Index;
use crate::{Error, Ports};

/// Cached resources before the cache is emptied (at a moment when nothing in it is uncommitted).
pub const CACHED_RESOURCES_MAX: usize = 50_000;
/// Weight of their bodies before it is emptied, in bytes; a few large documents weigh as much as all else.
const CACHED_BYTES_MAX: usize = 8 << 20;
/// What a value of JSON takes beside its text, about.
const VALUE_BYTES: usize = 64;

/// One resource as it stands.
#[derive(Clone)]
pub struct Current {
    /// Version of the last write; 0 when the resource was never written.
    pub version: u32,
    /// Owner; `None` for shared entities.
    pub patient: Option<String>,
    /// The client of the REST API that wrote it; `None` for what messages made.
    pub client: Option<String>,
    /// `None`: never written, or deleted.
    pub body: Option<Clinical<Arc<Value>>>,
}

impl Current {
    /// What was never written.
    pub(crate) const ABSENT: Self = Self { version: 0, patient: None, client: None, body: None };

    /// The body, for code of this zone.
    pub fn exposed<'a>(&'a self, permit: &Permit<OnPrem>) -> Option<&'a Value> {
        self.body.as_ref().map(|body| &**body.expose(permit))
    }

    /// The body, shared, for code of this zone.
    pub fn shared(&self, permit: &Permit<OnPrem>) -> Option<Arc<Value>> {
        self.body.as_ref().map(|body| Arc::clone(body.expose(permit)))
    }
}

/// Resources by key, including writes that are not durable yet.
#[derive(Default)]
pub struct State {
    resources: HashMap<ResourceKey, Current>,
    /// Weight of the bodies.
    bytes: usize,
    aliases: HashMap<String, Option<String>>,
    /// Whose number is whose.
    pub index: Index,
    /// Secret UUIDv5 namespace of the site: whose number an id is.
    pub namespace: uuid::Uuid,
}

impl State {
    /// Nothing known, at a site of this namespace.
    pub fn new(namespace: uuid::Uuid) -> Self {
        Self { namespace, ..Self::default() }
    }

    /// What is known of `key`; `None`: not loaded.
    pub fn peek(&self, key: &ResourceKey) -> Option<&Current> {
        self.resources.get(key)
    }

    /// Notes a write that was handed to the store.
    pub fn put(&mut self, key: ResourceKey, current: Current) {
        self.bytes += weight(&current);
        let before = self.resources.insert(key, current);
        self.bytes = self.bytes.saturating_sub(before.as_ref().map_or(0, weight));
    }

    /// Forgets everything; the store is the truth again.
    pub fn clear(&mut self) {
        self.resources.clear();
        self.bytes = 0;
        self.aliases.clear();
        self.index = Index::default();
    }

    /// Is the cache due to be emptied?
    pub fn is_full(&self) -> bool {
        self.resources.len() > CACHED_RESOURCES_MAX || self.bytes > CACHED_BYTES_MAX
    }

    /// Loads `key` unless it is there.
    pub async fn load(&mut self, ports: &Ports, key: &ResourceKey) -> Result<(), Error> {
        if !self.resources.contains_key(key) {
            let current = match ports.resources.read(key).await? {
                Some(stored) => to_current(&stored)?,
                None => Current::ABSENT,
            };
            self.put(key.clone(), current);
        }
        Ok(())
    }

    /// Loads those of the keys that are not there, all at once.
    pub async fn load_all<'k>(
        &mut self,
        ports: &Ports,
        keys: impl Iterator<Item = &'k ResourceKey>,
    ) -> Result<(), Error> {
        let unknown: HashSet<&ResourceKey> = keys.filter(|key| !self.resources.contains_key(key)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<ResourceKey> = unknown.into_iter().cloned().collect();
        let found = ports.resources.read_all(&unknown).await?;
        for key in unknown {
            self.put(key, Current::ABSENT);
        }
        for stored in found {
            let current = to_current(&stored)?;
            self.put(stored.key, current);
        }
        Ok(())
    }

    /// The patient under whose id `patient` is kept since a merge; itself when it was never merged away.
    pub async fn survivor(&mut self, ports: &Ports, patient: &str) -> Result<String, Error> {
        if let Some(known) = self.aliases.get(patient) {
            return Ok(known.clone().unwrap_or_else(|| patient.to_owned()));
        }
        let alias = ports.apply.alias(patient).await?;
        self.told_alias(patient.to_owned(), alias);
        Ok(self.known_survivor(patient).to_owned())
    }

    /// As [`State::survivor`], as far as this state was told.
    pub fn known_survivor<'a>(&'a self, patient: &'a str) -> &'a str {
        self.aliases.get(patient).and_then(Option::as_deref).unwrap_or(patient)
    }

    /// Was it asked whether this id stands for another patient?
    pub fn knows_alias(&self, patient: &str) -> bool {
        self.aliases.contains_key(patient)
    }

    /// Takes in what the store says of an id: the patient it stands for, or itself. That patient may stand for yet
    /// another by what is on its way to the store.
    pub fn told_alias(&mut self, patient: String, stands_for: Option<String>) {
        let last = stands_for.map(|patient| self.known_survivor(&patient).to_owned());
        self.aliases.insert(patient, last);
    }

    /// From here on `retired` is kept under `survivor`.
    pub fn alias(&mut self, retired: &str, survivor: &str) {
        for target in self.aliases.values_mut().flatten() {
            if target == retired {
                survivor.clone_into(target);
            }
        }
        self.aliases.insert(retired.to_owned(), Some(survivor.to_owned()));
    }

    /// Keys of loaded, live resources of one type and owner that messages made.
    pub fn owned(&self, patient: &str, resource_type: ResourceType) -> Vec<ResourceKey> {
        let is_owned = |(key, current): &(&ResourceKey, &Current)| {
            key.resource_type == resource_type
                && current.body.is_some()
                && current.client.is_none()
                && current.patient.as_deref() == Some(patient)
        };
        let mut keys: Vec<_> = self.resources.iter().filter(is_owned).map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    }

    /// Every owner of a loaded, live resource.
    pub fn owners(&self) -> BTreeSet<String> {
        let live = self.resources.values().filter(|current| current.body.is_some());
        live.filter_map(|current| current.patient.clone()).collect()
    }

    /// Loaded, live resources of an owner, with their keys, in key order.
    pub fn all_owned(&self, patient: &str) -> Vec<(ResourceKey, Current)> {
        let is_owned =
            |current: &Current| current.body.is_some() && current.patient.as_deref() == Some(patient);
        let owned = self.resources.iter().filter(|(_, current)| is_owned(current));
        let mut owned: Vec<_> = owned.map(|(key, current)| (key.clone(), current.clone())).collect();
        owned.sort_by(|(a, _), (b, _)| a.cmp(b));
        owned
    }

    /// Loads every live resource of a patient; what is loaded already is newer and stays.
    pub async fn load_compartment(&mut self, ports: &Ports, patient: &str) -> Result<(), Error> {
        for stored in ports.apply.compartment(patient).await? {
            let current = to_current(&stored)?;
            if !self.resources.contains_key(&stored.key) {
                self.put(stored.key, current);
            }
        }
        Ok(())
    }
}

fn weight(current: &Current) -> usize {
    current.exposed(&permit()).map_or(0, weight_of)
}

/// What a value takes in memory, about.
pub(crate) fn weight_of(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight_of).sum(),
        Value::Object(map) => map.iter().map(|(name, value)| name.len() + weight_of(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    VALUE_BYTES + inner
}

/// Reads a stored row.
pub fn to_current(stored: &Stored) -> Result<Current, Error> {
    let body = if stored.deleted {
        None
    } else {
        let value = serde_json::from_slice(stored.body.expose()).map_err(Error::Body)?;
        Some(Clinical::new(Arc::new(value)))
    };
    let client = stored.origin.client().map(str::to_owned);
    Ok(Current { version: stored.version, patient: stored.patient.clone(), client, body })
}

/// Leave to look at clinical content while applying.
pub fn permit() -> Permit<OnPrem> {
    Permit::on_prem(Purpose::Translate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> ResourceKey {
        let resource_type = ResourceType::parse("Observation").expect("a type of R4");
        ResourceKey { resource_type, id: id.to_owned() }
    }

    fn of(text: usize) -> Current {
        let body = serde_json::json!({"valueString": "x".repeat(text)});
        Current { version: 1, patient: None, client: None, body: Some(Clinical::new(Arc::new(body))) }
    }

    #[test]
    fn large_bodies_fill_the_cache_and_what_replaces_them_frees_it() {
        let mut state = State::default();
        state.put(key("a"), of(CACHED_BYTES_MAX / 2));
        state.put(key("a"), of(CACHED_BYTES_MAX / 2));
        assert!(!state.is_full(), "one body, twice");
        state.put(key("b"), of(CACHED_BYTES_MAX / 2));
        assert!(state.is_full());
        state.put(key("b"), Current::ABSENT);
        assert!(!state.is_full());
        state.put(key("c"), of(CACHED_BYTES_MAX));
        state.clear();
        assert!(!state.is_full() && state.bytes == 0);
    }
}
