//! Reprocess: derive a whole patient again from the journal with the current package, and write what differs.
//!
//! An old message is never applied over newer state. What the patient's messages say today, in journal order, is
//! what stands afterwards; resources that no message makes any more are deleted. Shared entities (practitioners,
//! organizations, locations) belong to many patients and only gain what they never had; a message about no patient
//! derives what it sets from all such messages instead (`shared`).

use std::collections::BTreeSet;
use std::sync::Arc;

use mapping::{Change, PatientMerge, Translation};
use store::{
    Cause, Entry, IdentityDecision, JournalId, MessageState, PatientAlias, PatientIdentifier, ResourceKey,
    ReviewAnswer, Seq, WriteSet,
};

use crate::derive::{self, Write};
use crate::follow::{
    JOURNAL_INCOMPLETE, Pipeline, RELEASE_REFUSED, TOO_MANY_PATIENTS, invalid, translate_safely,
};
use crate::identity::{self, Conflict, Identified};
use crate::row::{self, Heading};
use crate::state::{Current, State, permit, to_current};
use crate::translate::Translated;
use crate::{Error, apart, consent, events, records, shared};

/// Requests taken at once.
const REQUESTS_MAX: usize = 16;
/// Most ids of patients, numbers and senders that are derived again together.
const COMPONENT_IDS_MAX: usize = 1_000;

/// Outcome of a request after which the message is held as before.
const STILL_QUARANTINED: &str = "still-quarantined";

/// What a reprocess comes to.
pub(crate) struct Plan {
    /// A code for the request's row.
    pub(crate) outcome: &'static str,
    /// What is to be written; `None`: nothing, the message stays as it is.
    pub(crate) set: Option<WriteSet>,
}

/// What must be derived together: ids that messages connect, and those messages.
#[derive(Default)]
pub(crate) struct Component {
    ids: BTreeSet<String>,
    sequence: BTreeSet<Seq>,
}

/// What a history says today.
pub(crate) struct Again {
    pub(crate) writes: Vec<Write>,
    pub(crate) identified: Identified,
}

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
        let Plan { outcome, set } = self.plan_reprocess(id).await?;
        if let Some(set) = set {
            self.ports.apply.commit(set).await?;
            self.forget();
        }
        Ok(outcome)
    }

    /// What a reprocess of one message comes to. Writes nothing.
    pub(crate) async fn plan_reprocess(&mut self, id: JournalId) -> Result<Plan, Error> {
        self.forget();
        let nothing = |outcome| Ok(Plan { outcome, set: None });
        let Some(entry) = self.ports.journal.read(id).await? else {
            let is_known = self.ports.messages.detail(id).await?.is_some();
            return nothing(if is_known { JOURNAL_INCOMPLETE } else { "not-found" });
        };
        let package = Arc::clone(&self.package);
        let translated = translate_safely(&package, self.environment.namespace, &entry);
        let translated = match self.whole(&entry, translated).await? {
            Translated::Waiting { message_type, sender, keys } => {
                let heading = Heading { entry: &entry, message_type, sender, package_hash: package.hash() };
                let set = self.waiting(&heading, Cause::Reprocessed(entry.seq), keys);
                return Ok(Plan { outcome: "done", set: Some(set) });
            }
            translated => translated,
        };
        let Translated::Message { mut translation, known, message_type, sender } = translated else {
            return nothing(STILL_QUARANTINED);
        };
        let heading = Heading { entry: &entry, message_type, sender, package_hash: package.hash() };
        let again = if shared::is_shared(&translation.change) {
            match self.rederive_shared(&translation.change, &entry).await? {
                Ok(again) => again,
                Err(reason) => return nothing(reason),
            }
        } else {
            let component = match self.component(&translation.change, &entry).await? {
                Ok(component) => component,
                Err(reason) => return nothing(reason),
            };
            match self.rederive(&component, &mut translation.change, &entry, &[]).await? {
                Ok(again) => again,
                Err(conflict) => return self.still_in_conflict(&heading, &translation, &conflict),
            }
        };
        let Again { mut writes, identified } = again;
        let unsent = self.unsent(id, &writes).await?;
        writes.extend(unsent);
        if let Some(reason) = invalid(&package, &mut translation, &writes) {
            return Ok(self.still_invalid(&heading, reason, &translation));
        }
        let cause = Cause::Reprocessed(entry.seq);
        let set = self.applied(&heading, cause, &translation, known, writes, identified).await?;
        let outcome = match set.message.state {
            MessageState::Quarantined => STILL_QUARANTINED,
            _ => "done",
        };
        Ok(Plan { outcome, set: Some(set) })
    }

    fn still_invalid(&self, heading: &Heading<'_>, reason: String, translation: &Translation) -> Plan {
        let now_us = (self.environment.now_us)();
        let message =
            row::message_row(heading, MessageState::Quarantined, Some(reason), Some(translation), now_us);
        let records = vec![row::quarantined_record(&self.environment, heading)];
        let set = WriteSet::of(Cause::Reprocessed(heading.entry.seq), message, records);
        Plan { outcome: STILL_QUARANTINED, set: Some(set) }
    }

    fn still_in_conflict(
        &self,
        heading: &Heading<'_>,
        translation: &Translation,
        conflict: &Conflict,
    ) -> Result<Plan, Error> {
        let mut set = self.conflict(heading, translation, conflict)?;
        set.cause = Cause::Reprocessed(heading.entry.seq);
        Ok(Plan { outcome: STILL_QUARANTINED, set: Some(set) })
    }

    /// All whom the message is about, and all whom their messages are about, with those messages: what one of them
    /// means depends on the others. The error is a reason: they are more than anybody's history should be, or bytes of
    /// one were dropped: from half of a history nothing may be derived, for what the other half said would be deleted.
    pub(crate) async fn component(
        &mut self,
        change: &Change,
        asked: &Entry,
    ) -> Result<Result<Component, &'static str>, Error> {
        let mut component = Component { sequence: BTreeSet::from([asked.seq]), ..Component::default() };
        let mut open: Vec<String> = identity::ids(change).into_iter().collect();
        while let Some(id) = open.pop() {
            if !component.ids.insert(id.clone()) {
                continue;
            }
            if component.ids.len() > COMPONENT_IDS_MAX {
                return Ok(Err(TOO_MANY_PATIENTS));
            }
            open.push(self.state.survivor(&self.ports, &id).await?);
            for seq in self.ports.apply.messages_of(&id).await? {
                if component.sequence.insert(seq) {
                    let Some(entry) = self.entry(seq).await? else { return Ok(Err(JOURNAL_INCOMPLETE)) };
                    let translated = self.translated(&entry).await?;
                    open.extend(translated.iter().flat_map(|one| identity::ids(&one.change)));
                }
            }
        }
        Ok(Ok(component))
    }

    /// The entry at a position; `None` when it is gone.
    pub(crate) async fn entry(&self, seq: Seq) -> Result<Option<Entry>, Error> {
        let after = self.ports.journal.after(Seq(seq.0 - 1), 1).await?;
        Ok(after.into_iter().find(|entry| entry.seq == seq))
    }

    /// The translation of an entry; `None` when it says nothing today.
    pub(crate) async fn translated(&self, entry: &Entry) -> Result<Option<Box<Translation>>, Error> {
        let translated = translate_safely(&self.package, self.environment.namespace, entry);
        match self.whole(entry, translated).await? {
            Translated::Message { translation, .. } => Ok(Some(translation)),
            Translated::Quarantined { .. } | Translated::Part { .. } | Translated::Waiting { .. } => Ok(None),
        }
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
            let Current { version, patient, body, .. } = to_current(&stored)?;
            let body = body.map(|body| body.into_exposed(&permit()));
            unsent.push(Write {
                key,
                version,
                patient,
                moved_from: None,
                client: None,
                body,
                is_stored: true,
            });
        }
        Ok(unsent)
    }

    /// What the messages of a component say from the beginning, as writes against what stands. Each message is read
    /// with the links and merges that came before it, and with every decision of a person; `said`: what the asked
    /// message says of two patients.
    pub(crate) async fn rederive(
        &mut self,
        component: &Component,
        asked: &mut Change,
        entry: &Entry,
        said: &[IdentityDecision],
    ) -> Result<Result<Again, Conflict>, Error> {
        let ids: Vec<String> = component.ids.iter().cloned().collect();
        let mut fresh = State::new(self.environment.namespace);
        fresh.index.decide(&ids, self.ports.index.decisions(&ids).await?);
        said.iter().for_each(|decision| fresh.index.overrule(decision));
        let mut shared: Vec<Write> = Vec::new();
        let (mut is_whole, mut is_known_here_only, mut is_said_otherwise) = (true, false, false);
        for seq in &component.sequence {
            // `component` found each of them.
            let translated = match self.entry(*seq).await? {
                Some(entry) => self.translated(&entry).await?,
                None => None,
            };
            let Some(mut translation) = translated else {
                is_whole = false;
                continue;
            };
            let change = &mut translation.change;
            let identified = match identity::identify(&fresh, change) {
                Ok(identified) => identified,
                Err(conflict) if *seq == entry.seq => return Ok(Err(conflict)),
                Err(_) => continue,
            };
            if *seq == entry.seq {
                is_known_here_only = identified.is_known_here_only;
                is_said_otherwise = identified.is_said_otherwise;
                asked.clone_from(change);
            }
            shared.extend(self.gained(change).await?);
            change.sets.retain(|set| set.patient.is_some());
            replay(&mut fresh, change, &identified);
        }
        if !is_whole {
            self.replay_stored_links(&mut fresh, component).await?;
        }
        let owners: BTreeSet<String> = component.ids.iter().cloned().chain(fresh.owners()).collect();
        let mut writes = self.difference(&fresh, &owners).await?;
        writes.extend(shared);
        let mut identified = self.identity_difference(&fresh, component).await?;
        identified.is_known_here_only = is_known_here_only;
        identified.is_said_otherwise = is_said_otherwise;
        Ok(Ok(Again { writes, identified }))
    }

    /// Links and merges that the store knows of, when not all messages that could tell of them are in the journal any
    /// more; but none that a person took back.
    async fn replay_stored_links(&mut self, fresh: &mut State, component: &Component) -> Result<(), Error> {
        for id in &component.ids {
            let survivor = self.state.survivor(&self.ports, id).await?;
            let is_told = fresh.known_survivor(id) == survivor;
            let is_apart = fresh.decided(id, &survivor) == Some(ReviewAnswer::Different);
            if !is_told && !is_apart {
                let merges = vec![PatientMerge {
                    survivor: survivor.clone(),
                    retired: id.clone(),
                    is_renumbered: false,
                }];
                let aliases = vec![PatientAlias { alias: id.clone(), patient: survivor }];
                let identified = Identified { aliases, ..Identified::default() };
                replay(fresh, &mut Change { merges, ..Change::default() }, &identified);
            }
        }
        Ok(())
    }

    /// Aliases that are new, or told by nobody any more, and whose every number is.
    async fn identity_difference(
        &mut self,
        fresh: &State,
        component: &Component,
    ) -> Result<Identified, Error> {
        let mut identified = Identified::default();
        for id in &component.ids {
            let survivor = fresh.known_survivor(id);
            if self.state.survivor(&self.ports, id).await? != survivor {
                let (alias, patient) = (id.clone(), survivor.to_owned());
                identified.aliases.push(PatientAlias { alias, patient });
            }
        }
        identified.identifiers = fresh
            .index
            .recorded()
            .map(|((system, value), patient)| PatientIdentifier {
                system: system.clone(),
                value: value.clone(),
                patient: fresh.known_survivor(patient).to_owned(),
            })
            .collect();
        identified.identifiers.sort_by(|a, b| (&a.system, &a.value).cmp(&(&b.system, &b.value)));
        Ok(identified)
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
            if current.exposed(&permit()).is_some_and(consent::is_said_by_a_person) {
                continue;
            }
            if current.client.is_some() {
                writes.extend(self.client_resource(fresh, &key, &current).await?);
                continue;
            }
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
        let mut shared = Change { sets, ..Change::default() };
        derive::load(&mut self.state, &self.ports, &shared, &[]).await?;
        let mut writes = derive::derive(&self.state, &mut shared, &[]);
        writes.retain(|write| write.version == 1);
        derive::note(&mut self.state, &writes);
        Ok(writes)
    }
}

/// Applies one message's change to a history.
fn replay(fresh: &mut State, change: &mut Change, identified: &Identified) {
    records::follow(fresh, change);
    apart::keep_apart(fresh, change);
    // The change is looked at again for what is shared.
    let writes = derive::derive(fresh, &mut change.clone(), &identified.links);
    derive::note(fresh, &writes);
    identity::note(fresh, identified);
}

/// The write that turns `before` into `current`; `None` when nothing differs.
fn change_of(before: Option<&Current>, key: &ResourceKey, current: &Current) -> Option<Write> {
    let permit = permit();
    let standing = before.and_then(|before| before.exposed(&permit));
    let is_moved = standing.is_some() && before.is_some_and(|before| before.patient != current.patient);
    let differs = standing != current.exposed(&permit) || is_moved;
    let body = current.shared(&permit);
    differs.then(|| write(key, before, current.patient.clone(), body))
}

pub(crate) fn write(
    key: &ResourceKey,
    before: Option<&Current>,
    patient: Option<String>,
    body: Option<Arc<serde_json::Value>>,
) -> Write {
    let version = before.map_or(0, |current| current.version) + 1;
    let owner = before.filter(|current| current.body.is_some()).and_then(|current| current.patient.clone());
    let moved_from = owner.filter(|owner| patient.as_ref() != Some(owner));
    let client = before.and_then(derive::moved_by_message);
    Write { key: key.clone(), version, patient, moved_from, client, body, is_stored: false }
}
