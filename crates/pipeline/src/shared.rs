//! Messages without a patient: master files, staff records.
//!
//! What they set is owned by nobody, so no compartment holds it together. Each resource is a lane of its own: the
//! messages without a patient that set it, found by a key of the message ([`store::SHARED_KEY`]), in journal order.
//! A reprocess derives from that lane again. Messages about patients mention the same practitioners and places in passing;
//! what they brought and no message of the lane speaks of stays as it stands.

use std::collections::{BTreeMap, BTreeSet};

use mapping::{Change, Mode, ResourceSet};
use store::{Entry, JournalId, Key, KeyTerm, MessageFilter, ResourceKey, SHARED_KEY, Seq};

use crate::Error;
use crate::derive::{self, Write, key_of};
use crate::follow::{JOURNAL_INCOMPLETE, Pipeline};
use crate::identity::{self, Identified};
use crate::reprocess::{Again, write};
use crate::state::{State, permit};

/// Most messages that are read again together.
const MESSAGES_MAX: usize = 1_000;

/// The reason of a message whose lanes have more messages than are read again together.
const TOO_MANY_MESSAGES: &str = "too-many-messages";

/// Types that messages about patients mention: one such resource may be somebody's though no master file has it.
const MENTIONED: [&str; 7] = [
    "Device",
    "HealthcareService",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
];

/// Is it about no patient at all?
pub fn is_shared(change: &Change) -> bool {
    identity::ids(change).is_empty()
}

/// Keys by which a message is found again from what it sets; none where it is about a patient.
pub fn keys(change: &Change) -> impl Iterator<Item = Key> {
    let sets = change.sets.iter().filter(|_| is_shared(change));
    sets.map(|set| Key { kind: SHARED_KEY, value: name_of(&key_of(set)), system: None })
}

fn name_of(key: &ResourceKey) -> String {
    format!("{}/{}", key.resource_type.as_str(), key.id)
}

/// What the messages of a lane say today of one resource.
struct Said {
    /// The last that was said of it.
    set: ResourceSet,
    /// All that was ever removed.
    removals: BTreeSet<String>,
}

impl Pipeline {
    /// What the lanes of all that a message sets say today, as writes over what stands, and the deletion of what only
    /// this message made and does not any more. The error is a reason.
    pub(crate) async fn rederive_shared(
        &mut self,
        change: &Change,
        entry: &Entry,
    ) -> Result<Result<Again, &'static str>, Error> {
        let lanes: BTreeSet<ResourceKey> = change.sets.iter().map(key_of).collect();
        let mut sequence = BTreeSet::from([entry.seq]);
        for key in &lanes {
            sequence.extend(self.lane(key).await?);
            if sequence.len() > MESSAGES_MAX {
                return Ok(Err(TOO_MANY_MESSAGES));
            }
        }
        let mut fresh = State::new(self.environment.namespace);
        let mut said: BTreeMap<ResourceKey, Said> = BTreeMap::new();
        for seq in sequence {
            let Some(entry) = self.entry(seq).await? else { return Ok(Err(JOURNAL_INCOMPLETE)) };
            let Some(mut translation) = self.translated(&entry).await? else { continue };
            if is_shared(&translation.change) {
                translation.change.sets.retain(|set| lanes.contains(&key_of(set)));
                replay(&mut fresh, &mut said, &translation.change);
            }
        }
        let sets = said.into_iter().map(|(key, said)| over_what_stands(&fresh, &key, said)).collect();
        let mut change = Change { sets, ..Change::default() };
        derive::load(&mut self.state, &self.ports, &change, &[]).await?;
        let mut writes = derive::derive(&self.state, &mut change, &[]);
        writes.extend(self.unmade(entry.id, entry.seq, &lanes).await?);
        Ok(Ok(Again { writes, identified: Identified::default() }))
    }

    /// The messages without a patient that set a resource.
    async fn lane(&self, key: &ResourceKey) -> Result<Vec<Seq>, Error> {
        let term = KeyTerm { kind: Some(SHARED_KEY), value: name_of(key) };
        let filter = MessageFilter { key: Some(term), ..MessageFilter::default() };
        let rows = self.ports.messages.list(&filter, None, MESSAGES_MAX + 1).await?;
        Ok(rows.into_iter().map(|row| row.seq).collect())
    }

    /// Deletions of what stands by this message alone and is in no lane of it any more.
    async fn unmade(
        &mut self,
        id: JournalId,
        seq: Seq,
        lanes: &BTreeSet<ResourceKey>,
    ) -> Result<Vec<Write>, Error> {
        let Some(detail) = self.ports.messages.detail(id).await? else { return Ok(Vec::new()) };
        let made: BTreeSet<ResourceKey> = detail.resources.into_iter().map(|(key, _)| key).collect();
        let mut writes = Vec::new();
        for key in made.difference(lanes).filter(|key| !MENTIONED.contains(&key.resource_type.as_str())) {
            self.state.load(&self.ports, key).await?;
            let Some(current) = self.state.peek(key) else { continue };
            let stands = current.patient.is_none() && current.exposed(&permit()).is_some();
            if stands && self.lane(key).await?.iter().all(|other| *other == seq) {
                writes.push(write(key, self.state.peek(key), None, None));
            }
        }
        Ok(writes)
    }
}

fn replay(fresh: &mut State, said: &mut BTreeMap<ResourceKey, Said>, change: &Change) {
    let writes = derive::derive(fresh, &mut change.clone(), &[]);
    derive::note(fresh, &writes);
    for set in &change.sets {
        let key = key_of(set);
        let mut removals = said.remove(&key).map(|said| said.removals).unwrap_or_default();
        removals.extend(set.removals.iter().cloned());
        said.insert(key, Said { set: set.clone(), removals });
    }
}

/// The whole of a lane as one set: where it merges, what only others say stays.
fn over_what_stands(fresh: &State, key: &ResourceKey, said: Said) -> ResourceSet {
    let Said { mut set, removals } = said;
    if let Some(body) = fresh.peek(key).and_then(|current| current.exposed(&permit())) {
        set.resource = body.clone();
    }
    set.fills = Vec::new();
    let is_gone = |name: &String| set.mode == Mode::Merge && set.resource.get(name).is_none();
    set.removals = removals.into_iter().filter(is_gone).collect();
    set
}
