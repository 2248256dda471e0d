//! Reprocess: derive a whole patient again from the journal with the current package, and write what differs.
//!
//! An old message is never applied over newer state. What the patient's messages say today, in journal order, is
//! what stands afterwards; resources that no message makes any more are deleted. Shared entities (practitioners,
//! organizations, locations) belong to many patients and only gain what they never had.

use std::collections::BTreeSet;
use std::sync::Arc;

use mapping::Change;
use store::{Cause, Entry, JournalId, MessageState, ResourceKey, Seq};

use crate::derive::{self, Write};
use crate::follow::{Pipeline, first_invalid, translate_safely};
use crate::row::{self, Heading};
use crate::state::{Current, State, permit};
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
            let outcome = self.reprocess(id).await?;
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
        let merges = translation.change.merges.clone();
        derive::follow_merges(&mut self.state, &self.ports, &mut translation.change).await?;
        let patients: BTreeSet<String> =
            translation.change.sets.iter().filter_map(|set| set.patient.clone()).collect();
        let mut writes = Vec::new();
        let mut standing = State::default();
        if merges.is_empty() {
            for patient in &patients {
                writes.extend(self.rederive(&mut standing, patient, &entry).await?);
            }
        } else {
            // A merge touches two patients whose histories differ; it is applied as it came.
            derive::load(&mut self.state, &self.ports, &translation.change).await?;
            writes = derive::derive(&self.state, &translation.change);
        }
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
        let set = store::WriteSet {
            cause: Cause::Reprocessed(heading.entry.seq),
            message,
            versions: Vec::new(),
            keys: Vec::new(),
            aliases: Vec::new(),
            deliveries: Vec::new(),
            pseudonyms: Vec::new(),
            records: vec![row::quarantined_record(&self.environment, heading)],
        };
        self.ports.apply.commit(set).await?;
        Ok("still-quarantined")
    }

    /// What one patient's messages say from the beginning, as writes against what stands.
    async fn rederive(
        &mut self,
        standing: &mut State,
        patient: &str,
        asked: &Entry,
    ) -> Result<Vec<Write>, Error> {
        standing.load_compartment(&self.ports, patient).await?;
        let mut sequence: BTreeSet<Seq> = self.ports.apply.messages_of(patient).await?.into_iter().collect();
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
            derive::follow_merges(&mut self.state, &self.ports, &mut translation.change).await?;
            shared.extend(self.gained(&translation.change).await?);
            translation.change.sets.retain(|set| set.patient.is_some());
            let writes = derive::derive(&fresh, &translation.change);
            derive::note(&mut fresh, &writes);
        }
        for (key, _) in fresh.all_owned(patient) {
            // Not in the compartment, but perhaps deleted once: its version numbers go on.
            standing.load(&self.ports, &key).await?;
        }
        let mut writes = difference(standing, &fresh, patient);
        writes.extend(shared);
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

/// Writes that turn `standing` into `fresh` for one patient.
fn difference(standing: &State, fresh: &State, patient: &str) -> Vec<Write> {
    let permit = permit();
    let old = standing.all_owned(patient);
    let new = fresh.all_owned(patient);
    let body_of = |current: &Current| current.exposed(&permit).cloned();
    let mut writes = Vec::new();
    for (key, current) in &new {
        let before = standing.peek(key);
        if before.and_then(|b| b.exposed(&permit)) != current.exposed(&permit) {
            writes.push(write(key, before, Some(patient), body_of(current)));
        }
    }
    for (key, current) in &old {
        if !new.iter().any(|(other, _)| other == key) {
            writes.push(write(key, Some(current), Some(patient), None));
        }
    }
    writes
}

fn write(
    key: &ResourceKey,
    before: Option<&Current>,
    patient: Option<&str>,
    body: Option<serde_json::Value>,
) -> Write {
    let version = before.map_or(0, |current| current.version) + 1;
    Write { key: key.clone(), version, patient: patient.map(ToOwned::to_owned), moved_from: None, body }
}
