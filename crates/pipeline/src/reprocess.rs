//! Reprocess: derive a whole patient again from the journal with the current package, and write what differs.
//!
//! An old message is never applied over newer state. What the patient's messages say today, in journal order, is
//! what stands afterwards; resources that no message makes any more are deleted. Shared entities (practitioners,
//! organizations, locations) belong to many patients and only gain what they never had.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mapping::{Change, PatientMerge};
use store::{Cause, Entry, JournalId, MessageState, ResourceKey, Seq};

use crate::derive::{self, Write};
use crate::follow::{Pipeline, RELEASE_REFUSED, first_invalid, translate_safely};
use crate::row::{self, Heading};
use crate::state::{Current, State, permit, to_current};
use crate::translate::Translated;
use crate::{Error, events};

/// Requests taken at once.
const REQUESTS_MAX: usize = 16;

impl Pipeline {
    /// Serves open requests; `true` when there were any. Nothing may be uncommitted when this is called.
    pub(crate) async fn reprocess_requests(&mut self) -> Result<bool, Error> {
        let requests = self.ports.messages.claim_reprocess(REQUESTS_MAX).await?;
        let any = !requests.is_empty();
        for (request, id) in requests {
            let outcome = match self.reprocess(id).await {
                Err(error) if !error.is_waited_for() => {
                    self.forget();
                    events::reprocess_failed(id, &error);
                    "failed"
                }
                done => done?,
            };
            events::reprocessed(id, outcome);
            self.ports.messages.settle_reprocess(request, outcome).await?;
        }
        Ok(any)
    }

    /// Reprocesses one message; the answer is a code for the request's row.
    pub async fn reprocess(&mut self, id: JournalId) -> Result<&'static str, Error> {
        self.forget();
        let Some(entry) = self.ports.journal.read(id).await? else { return Ok("not-found") };
        let package = Arc::clone(&self.package);
        let translated = translate_safely(&package, self.environment.namespace, &entry);
        let Translated::Message { mut translation, known, message_type, sender } = translated else {
            return Ok("still-quarantined");
        };
        let histories = self.histories(&mut translation.change).await?;
        let mut writes = Vec::new();
        for (patient, retired) in &histories {
            writes.extend(self.rederive(patient, retired, &entry).await?);
        }
        let unsent = self.unsent(id, &writes).await?;
        writes.extend(unsent);
        let heading = Heading { entry: &entry, message_type, sender, package_hash: package.hash() };
        if let Some(reason) = first_invalid(&writes) {
            return self.still_invalid(&heading, reason).await;
        }
        let set = self.applied(&heading, Cause::Reprocessed(entry.seq), &translation, known, writes).await?;
        let outcome = match set.message.state {
            MessageState::Quarantined => "still-quarantined",
            _ => "done",
        };
        self.ports.apply.commit(set).await?;
        self.forget();
        Ok(outcome)
    }

    async fn still_invalid(&mut self, heading: &Heading<'_>, reason: String) -> Result<&'static str, Error> {
        let now_us = (self.environment.now_us)();
        let message = row::message_row(heading, MessageState::Quarantined, Some(reason), None, now_us);
        let records = vec![row::quarantined_record(&self.environment, heading)];
        let set = store::WriteSet::of(Cause::Reprocessed(heading.entry.seq), message, records);
        self.ports.apply.commit(set).await?;
        Ok("still-quarantined")
    }

    /// Whose histories a message belongs to: each patient as it is known today, with those that this message retires.
    async fn histories(&mut self, change: &mut Change) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
        derive::follow_merges(&mut self.state, &self.ports, change).await?;
        let mut histories: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for merge in &change.merges {
            let survivor = self.state.survivor(&self.ports, &merge.survivor).await?;
            histories.entry(survivor).or_default().insert(merge.retired.clone());
        }
        let retired: BTreeSet<String> = histories.values().flatten().cloned().collect();
        for patient in change.sets.iter().filter_map(|set| set.patient.as_ref()) {
            if !retired.contains(patient) {
                histories.entry(patient.clone()).or_default();
            }
        }
        Ok(histories)
    }

    /// What was stored of a message whose release was refused, and still stands: nothing about it is new, but it may
    /// leave now.
    async fn unsent(&self, id: JournalId, writes: &[Write]) -> Result<Vec<Write>, Error> {
        let Some(detail) = self.ports.messages.detail(id).await? else { return Ok(Vec::new()) };
        if !detail.row.reason.is_some_and(|reason| reason.starts_with(RELEASE_REFUSED)) {
            return Ok(Vec::new());
        }
        let mut unsent: Vec<Write> = Vec::new();
        for (key, _) in detail.resources {
            if writes.iter().chain(&unsent).any(|write| write.key == key) {
                continue;
            }
            let Some(stored) = self.ports.resources.read(&key).await? else { continue };
            let Current { version, patient, body } = to_current(&stored)?;
            let body = body.map(|body| body.expose(&permit()).clone());
            unsent.push(Write { key, version, patient, moved_from: None, body, is_stored: true });
        }
        Ok(unsent)
    }

    /// What the messages of one patient, and of those it turned out to be, say from the beginning, as writes against
    /// what stands. Each message is read with the merges that came before it.
    async fn rederive(
        &mut self,
        patient: &str,
        retired: &BTreeSet<String>,
        asked: &Entry,
    ) -> Result<Vec<Write>, Error> {
        let mut sequence: BTreeSet<Seq> = self.ports.apply.messages_of(patient).await?.into_iter().collect();
        for retired in retired {
            sequence.extend(self.ports.apply.messages_of(retired).await?);
        }
        sequence.insert(asked.seq);
        let mut fresh = State::default();
        let mut shared: Vec<Write> = Vec::new();
        for seq in sequence {
            let before = Seq(seq.0 - 1);
            let Some(entry) =
                self.ports.journal.after(before, 1).await?.into_iter().find(|entry| entry.seq == seq)
            else {
                continue;
            };
            let translated = translate_safely(&self.package, self.environment.namespace, &entry);
            let Translated::Message { mut translation, .. } = translated else { continue };
            derive::follow_known_merges(&fresh, &mut translation.change);
            shared.extend(self.gained(&translation.change).await?);
            translation.change.sets.retain(|set| set.patient.is_some());
            replay(&mut fresh, &translation.change);
        }
        self.replay_stored_merges(&mut fresh, patient).await?;
        let owners: BTreeSet<String> =
            fresh.owners().into_iter().filter(|owner| fresh.known_survivor(owner) == patient).collect();
        let mut writes = self.difference(&fresh, &owners).await?;
        writes.extend(shared);
        Ok(writes)
    }

    /// Merges that the store knows of and no message in the journal tells of any more.
    async fn replay_stored_merges(&mut self, fresh: &mut State, patient: &str) -> Result<(), Error> {
        for owner in fresh.owners() {
            let is_told = fresh.known_survivor(&owner) == patient;
            if !is_told && self.state.survivor(&self.ports, &owner).await? == patient {
                let merges = vec![PatientMerge { survivor: patient.to_owned(), retired: owner }];
                replay(fresh, &Change { merges, ..Change::default() });
            }
        }
        Ok(())
    }

    /// Writes that turn what stands into `fresh` for these owners, who are one patient.
    async fn difference(&mut self, fresh: &State, owners: &BTreeSet<String>) -> Result<Vec<Write>, Error> {
        let mut standing = State::default();
        for owner in owners {
            standing.load_compartment(&self.ports, owner).await?;
        }
        let new: Vec<_> = owners.iter().flat_map(|owner| fresh.all_owned(owner)).collect();
        for (key, _) in &new {
            // Not in a compartment, but perhaps deleted once: its version numbers go on.
            standing.load(&self.ports, key).await?;
        }
        let mut writes: Vec<Write> =
            new.iter().filter_map(|(key, current)| change_of(standing.peek(key), key, current)).collect();
        for (key, current) in owners.iter().flat_map(|owner| standing.all_owned(owner)) {
            if !new.iter().any(|(other, _)| *other == key) {
                let owner = current.patient.clone();
                writes.push(write(&key, Some(&current), owner, None));
            }
        }
        Ok(writes)
    }

    /// Shared entities that were never written.
    async fn gained(&mut self, change: &Change) -> Result<Vec<Write>, Error> {
        let sets: Vec<_> = change.sets.iter().filter(|set| set.patient.is_none()).cloned().collect();
        let shared = Change { sets, ..Change::default() };
        derive::load(&mut self.state, &self.ports, &shared).await?;
        let mut writes = derive::derive(&self.state, &shared);
        writes.retain(|write| write.version == 1);
        derive::note(&mut self.state, &writes);
        Ok(writes)
    }
}

/// Applies one message's change to a history.
fn replay(fresh: &mut State, change: &Change) {
    let writes = derive::derive(fresh, change);
    derive::note(fresh, &writes);
    for merge in &change.merges {
        fresh.alias(&merge.retired, &merge.survivor);
    }
}

/// The write that turns `before` into `current`; `None` when nothing differs.
fn change_of(before: Option<&Current>, key: &ResourceKey, current: &Current) -> Option<Write> {
    let permit = permit();
    let standing = before.and_then(|before| before.exposed(&permit));
    let is_moved = standing.is_some() && before.is_some_and(|before| before.patient != current.patient);
    let differs = standing != current.exposed(&permit) || is_moved;
    let body = current.exposed(&permit).cloned();
    differs.then(|| write(key, before, current.patient.clone(), body))
}

fn write(
    key: &ResourceKey,
    before: Option<&Current>,
    patient: Option<String>,
    body: Option<serde_json::Value>,
) -> Write {
    let version = before.map_or(0, |current| current.version) + 1;
    let owner = before.filter(|current| current.body.is_some()).and_then(|current| current.patient.clone());
    let moved_from = owner.filter(|owner| patient.as_ref() != Some(owner));
    Write { key: key.clone(), version, patient, moved_from, body, is_stored: false }
}
