//! From what a message says and what stands to what is written: pure once the state is loaded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mapping::{Change, PatientMerge, ReplacedSet, ResourceSet};
use serde_json::Value;
use store::{ResourceKey, WriteMethod};

use crate::index::patient_key;
use crate::merge::{join, merge};
use crate::state::{Current, State, permit};
use crate::{Error, Ports};

/// One new version of a resource; `body` is `None` for a deletion.
pub struct Write {
    /// Which resource.
    pub key: ResourceKey,
    /// Its new version.
    pub version: u32,
    /// Its owner from now on.
    pub patient: Option<String>,
    /// Its owner until now, when that was another: its released id derives from the owner and changes with it.
    pub moved_from: Option<String>,
    /// The client of the REST API whose resource it is, and what it did; `None` for what messages make.
    pub client: Option<(String, WriteMethod)>,
    /// Content; `None`: deleted.
    pub body: Option<Arc<Value>>,
    /// This version is stored already: it is only released again.
    pub is_stored: bool,
}

/// Elements of a message under another number that only fill what the patient has.
const SURVIVOR_KEEPS: [&str; 2] = ["identifier", "active"];

/// Points a change at the patients that its ids stand for.
pub fn apply_moves(change: &mut Change, moves: &HashMap<String, String>) {
    if !moves.is_empty() {
        change.sets.iter_mut().for_each(|set| move_set(set, moves));
        for replaced in &mut change.replaced {
            if let Some(survivor) = moves.get(&replaced.patient) {
                survivor.clone_into(&mut replaced.patient);
            }
        }
    }
}

fn move_set(set: &mut ResourceSet, moves: &HashMap<String, String>) {
    retarget(&mut set.resource, moves);
    let Some(survivor) = set.patient.as_ref().and_then(|patient| moves.get(patient)) else { return };
    if set.resource_type.as_str() == "Patient" && moves.contains_key(&set.id) {
        survivor.clone_into(&mut set.id);
        if let Value::Object(map) = &mut set.resource {
            map.insert("id".to_owned(), Value::String(survivor.clone()));
            map.remove("link");
        }
        set.fills.extend(SURVIVOR_KEEPS.map(str::to_owned));
    }
    set.patient = Some(survivor.clone());
}

/// Points references to patients at those that stand for them.
pub(crate) fn retarget(resource: &mut Value, moves: &HashMap<String, String>) {
    fhir::for_each_reference(resource, &mut |_, reference| {
        if let Some(survivor) = reference.strip_prefix("Patient/").and_then(|id| moves.get(id)) {
            *reference = format!("Patient/{survivor}");
        }
    });
}

/// Loads everything `derive` will look at.
pub async fn load(
    state: &mut State,
    ports: &Ports,
    change: &Change,
    links: &[PatientMerge],
) -> Result<(), Error> {
    for link in links {
        state.load_compartment(ports, &link.retired).await?;
        for key in [&link.retired, &link.survivor].into_iter().filter_map(|id| patient_key(id)) {
            state.load(ports, &key).await?;
        }
        for earlier in retired_before(state, &link.retired) {
            state.load(ports, &earlier).await?;
        }
    }
    for set in &change.sets {
        state.load(ports, &key_of(set)).await?;
    }
    for replaced in &change.replaced {
        state.load_compartment(ports, &replaced.patient).await?;
    }
    for merge in &change.merges {
        state.load_compartment(ports, &merge.retired).await?;
    }
    for moved in &change.moves {
        state.load_compartment(ports, &moved.from_patient).await?;
        for id in [&moved.from, &moved.to] {
            let key = ResourceKey { resource_type: moved.resource_type, id: id.clone() };
            state.load(ports, &key).await?;
        }
    }
    Ok(())
}

/// The writes of one change over the loaded state; resources that would not change are left out. What the change says of
/// its resources moves into the writes, so that a large document is not held twice.
pub fn derive(state: &State, change: &mut Change, links: &[PatientMerge]) -> Vec<Write> {
    let mut draft = Draft { state, writes: BTreeMap::new(), order: Vec::new() };
    links.iter().for_each(|link| draft.link(link));
    change.merges.iter().for_each(|merge| draft.move_compartment(merge));
    change.moves.iter().for_each(|moved| draft.move_record(moved));
    change.sets.iter_mut().for_each(|set| draft.set(set));
    change.replaced.iter().for_each(|replaced| draft.replace(replaced));
    draft.finish()
}

/// What becomes of a resource.
pub(crate) struct Next {
    pub(crate) patient: Option<String>,
    pub(crate) body: Option<Value>,
}

/// The writes of one change while they are worked out.
pub(crate) struct Draft<'s> {
    state: &'s State,
    writes: BTreeMap<ResourceKey, Next>,
    order: Vec<ResourceKey>,
}

impl Draft<'_> {
    /// A resource as it stands after what was worked out so far.
    pub(crate) fn standing(&self, key: &ResourceKey) -> Option<&Value> {
        match self.writes.get(key) {
            Some(next) => next.body.as_ref(),
            None => self.state.peek(key).and_then(|current| current.exposed(&permit())),
        }
    }

    /// All that a patient owns after what was worked out so far.
    pub(crate) fn owned(&self, patient: &str) -> Vec<(ResourceKey, Value)> {
        let stored = self.state.all_owned(patient).into_iter().map(|(key, _)| key);
        let keys: BTreeSet<ResourceKey> = stored.chain(self.writes.keys().cloned()).collect();
        let is_owned = |key: &ResourceKey| {
            self.writes.get(key).is_none_or(|next| next.patient.as_deref() == Some(patient))
        };
        let owned = keys.into_iter().filter(is_owned);
        owned.filter_map(|key| self.standing(&key).cloned().map(|body| (key, body))).collect()
    }

    /// Enters what becomes of a resource.
    pub(crate) fn put(&mut self, key: ResourceKey, next: Next) {
        if self.writes.insert(key.clone(), next).is_none() {
            self.order.push(key);
        }
    }

    fn set(&mut self, set: &mut ResourceSet) {
        let key = key_of(set);
        let body = merge(self.standing(&key), set);
        self.put(key, Next { patient: set.patient.clone(), body: Some(body) });
    }

    /// v2 snapshot mode. An empty set deletes nothing: absent keeps.
    fn replace(&mut self, replaced: &ReplacedSet) {
        if replaced.keep.is_empty() {
            return;
        }
        for key in self.state.owned(&replaced.patient, replaced.resource_type) {
            let is_in_scope = match (&replaced.encounter, self.standing(&key)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(encounter), Some(body)) => refers_to_encounter(body, encounter),
            };
            if is_in_scope && !replaced.keep.contains(&key.id) {
                self.put(key, Next { patient: Some(replaced.patient.clone()), body: None });
            }
        }
    }

    /// Two patients turned out to be one: the survivor takes over all, and what it does not say of itself.
    fn link(&mut self, link: &PatientMerge) {
        let (Some(retired), Some(survivor)) = (patient_key(&link.retired), patient_key(&link.survivor))
        else {
            return;
        };
        for earlier in retired_before(self.state, &link.retired) {
            self.point(earlier, link);
        }
        if let Some(body) = self.standing(&retired).cloned() {
            let joined = join(self.standing(&survivor), body, &link.survivor);
            self.put(survivor, Next { patient: Some(link.survivor.clone()), body: Some(joined) });
            self.put(retired, Next { patient: Some(link.retired.clone()), body: None });
        }
        self.move_compartment(link);
    }

    /// A Patient that was retired by a merge points to the survivor.
    fn point(&mut self, earlier: ResourceKey, link: &PatientMerge) {
        let Some(mut body) = self.standing(&earlier).cloned() else { return };
        retarget(&mut body, &HashMap::from([(link.retired.clone(), link.survivor.clone())]));
        let patient = Some(earlier.id.clone());
        self.put(earlier, Next { patient, body: Some(body) });
    }

    /// A40: what the retired patient owned belongs to the survivor; the retired Patient itself stays, inactive.
    fn move_compartment(&mut self, merge: &PatientMerge) {
        if merge.survivor == merge.retired {
            return;
        }
        let moves = HashMap::from([(merge.retired.clone(), merge.survivor.clone())]);
        for (key, current) in self.state.all_owned(&merge.retired) {
            if key.resource_type.as_str() == "Patient" {
                continue;
            }
            let standing = self.standing(&key).or_else(|| current.exposed(&permit()));
            let Some(mut body) = standing.cloned() else { continue };
            retarget(&mut body, &moves);
            self.put(key, Next { patient: Some(merge.survivor.clone()), body: Some(body) });
        }
    }

    fn finish(mut self) -> Vec<Write> {
        let order = std::mem::take(&mut self.order);
        order.into_iter().filter_map(|key| self.finish_one(key)).collect()
    }

    fn finish_one(&mut self, key: ResourceKey) -> Option<Write> {
        let Next { patient, body } = self.writes.remove(&key)?;
        let current = self.state.peek(&key).unwrap_or(&Current::ABSENT);
        let (version, standing, owner) =
            (current.version, current.exposed(&permit()), current.patient.clone());
        let client = moved_by_message(current);
        let moved_from = owner.filter(|owner| standing.is_some() && patient.as_ref() != Some(owner));
        let unchanged = body.as_ref() == standing && moved_from.is_none();
        (!unchanged).then(|| Write {
            key,
            version: version + 1,
            patient,
            moved_from,
            client,
            body: body.map(Arc::new),
            is_stored: false,
        })
    }
}

/// What a message does to a client's resource: it goes along with its patient, and stays the client's.
pub(crate) fn moved_by_message(current: &Current) -> Option<(String, WriteMethod)> {
    current.client.clone().map(|client| (client, WriteMethod::Moved))
}

/// Patients that a merge retired in favour of `patient`, who stands.
fn retired_before(state: &State, patient: &str) -> Vec<ResourceKey> {
    let links = state.standing_patient(patient).and_then(|body| body.get("link")?.as_array());
    let replaced = links
        .into_iter()
        .flatten()
        .filter(|link| link.get("type").and_then(Value::as_str) == Some("replaces"));
    let references = replaced.filter_map(|link| link.pointer("/other/reference")?.as_str());
    references.filter_map(|reference| patient_key(reference.strip_prefix("Patient/")?)).collect()
}

/// Notes writes in the state, as current from now on.
pub fn note(state: &mut State, writes: &[Write]) {
    for write in writes {
        let client = write.client.as_ref().map(|(client, _)| client.clone());
        state.put(
            write.key.clone(),
            current(write.version, write.patient.clone(), client, write.body.clone()),
        );
    }
}

/// As [`note`], of writes that nobody needs any more: nothing is copied.
pub fn keep(state: &mut State, writes: Vec<Write>) {
    for Write { key, version, patient, client, body, .. } in writes {
        state.put(key, current(version, patient, client.map(|(client, _)| client), body));
    }
}

fn current(
    version: u32,
    patient: Option<String>,
    client: Option<String>,
    body: Option<Arc<Value>>,
) -> Current {
    Current { version, patient, client, body: body.map(residency::Clinical::new) }
}

/// What names the resource that a message sets.
pub(crate) fn key_of(set: &ResourceSet) -> ResourceKey {
    ResourceKey { resource_type: set.resource_type, id: set.id.clone() }
}

fn refers_to_encounter(body: &Value, encounter: &str) -> bool {
    let reference = body.pointer("/encounter/reference").and_then(Value::as_str);
    reference.and_then(|reference| reference.strip_prefix("Encounter/")) == Some(encounter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::Mode;
    use serde_json::json;

    fn set(resource_type: &str, id: &str, mut resource: Value) -> ResourceSet {
        resource["resourceType"] = json!(resource_type);
        resource["id"] = json!(id);
        let resource_type = fhir::ResourceType::parse(resource_type).expect("a type of R4");
        let (handle, patient) = (String::new(), Some("p".to_owned()));
        ResourceSet {
            handle,
            resource_type,
            id: id.into(),
            resource,
            fills: Vec::new(),
            removals: Vec::new(),
            mode: Mode::Merge,
            patient,
        }
    }

    fn state_with(sets: &[ResourceSet]) -> State {
        let mut state = State::default();
        let mut change = Change { sets: sets.to_vec(), ..Change::default() };
        let writes = derive(&state, &mut change, &[]);
        note(&mut state, &writes);
        state
    }

    #[test]
    fn a_message_that_says_nothing_new_writes_nothing() {
        let state = state_with(&[set("Patient", "p", json!({"gender": "male"}))]);
        let mut again =
            Change { sets: vec![set("Patient", "p", json!({"gender": "male"}))], ..Change::default() };
        assert!(derive(&state, &mut again, &[]).is_empty());
        let mut other =
            Change { sets: vec![set("Patient", "p", json!({"gender": "female"}))], ..Change::default() };
        assert_eq!(derive(&state, &mut other, &[]).first().map(|write| write.version), Some(2));
    }

    #[test]
    fn a_snapshot_deletes_what_it_does_not_name_and_an_empty_one_nothing() {
        let state = state_with(&[
            set("AllergyIntolerance", "a", json!({})),
            set("AllergyIntolerance", "b", json!({})),
        ]);
        let replaced = |keep: &[&str]| {
            let resource_type = fhir::ResourceType::parse("AllergyIntolerance").expect("a type of R4");
            let keep = keep.iter().map(|id| (*id).to_owned()).collect();
            Change {
                replaced: vec![ReplacedSet { resource_type, patient: "p".into(), encounter: None, keep }],
                ..Change::default()
            }
        };
        let writes = derive(&state, &mut replaced(&["a"]), &[]);
        assert!(matches!(writes.as_slice(), [write] if write.key.id == "b" && write.body.is_none()));
        assert!(derive(&state, &mut replaced(&[]), &[]).is_empty());
    }

    #[test]
    fn a_merge_moves_what_the_retired_patient_owned() {
        let observation = set("Observation", "o", json!({"subject": {"reference": "Patient/p"}}));
        let state = state_with(&[set("Patient", "p", json!({})), observation]);
        let merges = vec![PatientMerge { survivor: "s".into(), retired: "p".into(), is_renumbered: false }];
        let writes = derive(&state, &mut Change { merges, ..Change::default() }, &[]);
        assert_eq!(writes.len(), 1);
        assert_eq!(writes[0].patient.as_deref(), Some("s"));
        assert_eq!(writes[0].moved_from.as_deref(), Some("p"));
        assert_eq!(
            writes[0].body.as_ref().map(|b| b["subject"]["reference"].clone()),
            Some(json!("Patient/s"))
        );
    }
}
