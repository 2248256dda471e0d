//! What clients of the REST API change, between two batches of messages: derived from what stands, released and recorded as
//! a message's change is, and committed under guards.
//!
//! What waits is committed together where nothing contradicts; when a guard fails, nothing of it is, and each request is
//! done again by itself from what is durable.

use audit::{Actor, Kind, Record};
use fhir::{Issue, IssueCode, ResourceType};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use store::{
    Act, Answers, ClientOutcome, ClientRefusal, DecidedSet, Guard, GuardedSet, ResourceKey, WriteMethod,
    Written,
};
use tokio::sync::mpsc;
use verifier::KnownIdentifiers;

use crate::derive::{self, Write};
use crate::desk::{Asked, Content, Desk, Image, Link, WAITING_MAX, unavailable};
use crate::follow::Pipeline;
use crate::index::patient_key;
use crate::release::Outcome;
use crate::state::{Current, permit};
use crate::{Error, events, row};

/// Requests that are committed together.
const GROUP_REQUESTS_MAX: usize = 64;
/// Acts that are committed together, but for those of one request.
const GROUP_ACTS_MAX: usize = 1_000;
/// Acts of a request beyond which others have their turn between the steps that work it out.
const TURN_ACTS: usize = 256;
/// How often a request is derived again because what it was derived from was not what stood.
const ATTEMPTS_MAX: usize = 3;
/// Resources that one record names: as many as it can name patients.
const NAMED_MAX: usize = audit::PATIENTS_MAX;
/// Types of a patient's compartment that name people: whose names and numbers may not leave with what a client writes.
const NAMING: [&str; 5] = ["Patient", "RelatedPerson", "Coverage", "Account", "Person"];

/// A request, worked out.
enum Worked {
    Set(GuardedSet, Vec<Written>),
    Refused(ClientRefusal),
}

impl Pipeline {
    /// The port through which clients change resources. There is one; a later call takes the place of an earlier one.
    pub fn desk(&mut self) -> Desk {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.desk = Some(receiver);
        Desk { sender, packages: self.packages.clone() }
    }

    /// Waits until a client asks; for ever when there is no desk, or nobody holds it any more.
    pub(crate) async fn asked(&mut self) {
        if !self.asked.is_empty() {
            return;
        }
        if let Some(asked) = match &mut self.desk {
            Some(desk) => desk.recv().await,
            None => None,
        } {
            self.asked.push_back(asked);
            return;
        }
        std::future::pending().await
    }

    /// Does what clients asked for; `true` when there was anything. Nothing may be uncommitted when this is called.
    pub(crate) async fn client_writes(&mut self) -> Result<bool, Error> {
        let mut group = self.next_group();
        if group.is_empty() {
            return Ok(false);
        }
        match caught(self.together(&mut group)).await {
            Ok(Some(outcomes)) => {
                group.into_iter().zip(outcomes).for_each(|(asked, outcome)| answer(asked, Ok(outcome)));
                return Ok(true);
            }
            Ok(None) => {}
            Err(error) if error.is_waited_for() => return self.failed(group, error),
            Err(_) => self.forget(),
        }
        for mut asked in group {
            let outcome = match caught(self.alone(&mut asked)).await {
                Ok(outcome) => Ok(outcome),
                Err(error) => {
                    // Whatever is wrong with it is this request's: messages go on.
                    self.forget();
                    events::client_failed(asked.write.request, &error);
                    Err(unavailable("the change could not be made"))
                }
            };
            answer(asked, outcome);
        }
        Ok(true)
    }

    /// Nobody of the group can be served now.
    fn failed(&mut self, group: Vec<Asked>, error: Error) -> Result<bool, Error> {
        self.forget();
        for asked in group {
            answer(asked, Err(unavailable("the store did not take the change")));
        }
        Err(error)
    }

    fn next_group(&mut self) -> Vec<Asked> {
        let mut acts = 0;
        let mut group: Vec<Asked> = Vec::new();
        while group.len() < GROUP_REQUESTS_MAX && acts < GROUP_ACTS_MAX {
            let waiting = self.asked.pop_front();
            let next = waiting.or_else(|| self.desk.as_mut().and_then(|desk| desk.try_recv().ok()));
            let Some(asked) = next else { break };
            acts += asked.write.acts.len();
            group.push(asked);
        }
        group
    }

    /// All of a group in one commit; `None` when a guard failed and nothing was written.
    async fn together(&mut self, group: &mut [Asked]) -> Result<Option<Vec<ClientOutcome>>, Error> {
        self.foresee(group).await?;
        let (mut sets, mut outcomes) = (Vec::new(), Vec::new());
        for asked in group.iter_mut() {
            match self.work_out(asked).await? {
                Worked::Set(set, written) => {
                    sets.push(set);
                    outcomes.push(ClientOutcome::Written(written));
                }
                Worked::Refused(refusal) => outcomes.push(ClientOutcome::Refused(refusal)),
            }
        }
        if !sets.is_empty() {
            match self.ports.apply.commit_guarded(sets).await {
                Ok(()) => {}
                Err(store::Error::Guard { .. }) => {
                    self.forget();
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (asked, outcome) in group.iter().zip(&mut outcomes) {
            self.tell_unchanged(asked, outcome).await?;
        }
        Ok(Some(outcomes))
    }

    /// One request from what is durable.
    async fn alone(&mut self, asked: &mut Asked) -> Result<ClientOutcome, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let (set, written) = match self.work_out(asked).await? {
                Worked::Refused(refusal) => return Ok(ClientOutcome::Refused(refusal)),
                Worked::Set(set, written) => (set, written),
            };
            match self.ports.apply.commit_guarded(vec![set]).await {
                Ok(()) => {
                    let mut outcome = ClientOutcome::Written(written);
                    self.tell_unchanged(asked, &mut outcome).await?;
                    return Ok(outcome);
                }
                Err(store::Error::Guard { guard, .. }) => {
                    self.forget();
                    if guard < asked.write.guards.len() {
                        return Ok(ClientOutcome::Refused(ClientRefusal::Guard(guard)));
                    }
                }
                Err(error) => {
                    self.forget();
                    return Err(error.into());
                }
            }
        }
        Err(unavailable("what it changes is being changed").into())
    }

    /// What was not changed was made at an instant that only the store knows.
    async fn tell_unchanged(&self, asked: &Asked, outcome: &mut ClientOutcome) -> Result<(), Error> {
        let ClientOutcome::Written(written) = outcome else { return Ok(()) };
        for (act, written) in asked.write.acts.iter().zip(written) {
            if written.updated_us == UNTOLD && written.version > 0 {
                let stored = self.ports.resources.read(&act.key).await?;
                written.updated_us = stored.map_or(0, |stored| stored.updated_us);
            }
        }
        Ok(())
    }

    /// What a request comes to over what stands. What it writes counts as standing from here on, unless it is refused.
    async fn work_out(&mut self, asked: &mut Asked) -> Result<Worked, Error> {
        self.load_all(asked).await?;
        if let Some(position) = asked.write.guards.iter().position(|guard| !self.may_hold(guard)) {
            return Ok(Worked::Refused(ClientRefusal::Guard(position)));
        }
        let now_us = (self.environment.now_us)();
        let derived = asked.write.acts.iter().position(|act| {
            self.state.peek(&act.key).is_some_and(|current| current.version > 0 && current.client.is_none())
        });
        if let Some(position) = derived {
            return Ok(Worked::Refused(ClientRefusal::Derived(position)));
        }
        if let Some(refusal) = self.unresolved(asked).await? {
            return Ok(Worked::Refused(refusal));
        }
        turn(asked).await;
        let (mut writes, mut images, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for (act, content) in asked.write.acts.iter().zip(&mut asked.contents) {
            let current = self.state.peek(&act.key).unwrap_or(&Current::ABSENT);
            let (write, image, told) = change(&asked.write.client, act, content.as_mut(), current, now_us);
            if let Some(write) = write {
                writes.push(write);
                images.push(image);
            }
            written.push(told);
        }
        let mut guards = asked.write.guards.clone();
        guards.extend(self.grounds(asked));
        turn(asked).await;
        let set = self.decided(asked, writes, images, now_us).await?;
        Ok(Worked::Set(GuardedSet { guards, set }, written))
    }

    /// Loads at once what each request of a group will ask for.
    async fn foresee(&mut self, group: &[Asked]) -> Result<(), Error> {
        self.state.load_all(&self.ports, group.iter().flat_map(keys_of)).await?;
        let contents = || group.iter().flat_map(|asked| asked.contents.iter().flatten());
        let is_patient = |key: &&ResourceKey| key.resource_type.as_str() == "Patient";
        let referred = contents().flat_map(|content| content.targets().filter(is_patient));
        self.state.prefetch_survivors(&self.ports, &referred.map(|key| key.id.clone()).collect()).await?;
        let owners = contents().filter_map(|content| content.owner.clone()).collect();
        self.release.prefetch_surroundings(&self.ports, &owners).await
    }

    /// Loads all that a request changes, refers to or is guarded by.
    async fn load_all(&mut self, asked: &Asked) -> Result<(), Error> {
        self.state.load_all(&self.ports, keys_of(asked)).await
    }

    /// Guards on a version are known to fail before anything is worked out; the writer looks again.
    fn may_hold(&self, guard: &Guard) -> bool {
        let current = |key| self.state.peek(key).unwrap_or(&Current::ABSENT);
        match guard {
            Guard::Version { key, version } => current(key).version == *version,
            Guard::Live(key) => current(key).body.is_some(),
            Guard::Absent(key) => current(key).body.is_none(),
            Guard::NoMatch(_) | Guard::OnlyMatch { .. } => true,
        }
    }

    /// What the request was worked out from, as guards.
    fn grounds(&self, asked: &Asked) -> Vec<Guard> {
        let own: HashSet<&ResourceKey> = asked.write.acts.iter().map(|act| &act.key).collect();
        let acts = asked.write.acts.iter();
        let mut guards: Vec<Guard> = acts
            .map(|Act { key, .. }| {
                let version = self.state.peek(key).map_or(0, |current| current.version);
                Guard::Version { key: key.clone(), version }
            })
            .collect();
        let targets = asked.contents.iter().flatten().flat_map(Content::targets);
        let others: BTreeSet<&ResourceKey> = targets.filter(|key| !own.contains(key)).collect();
        guards.extend(others.into_iter().cloned().map(Guard::Live));
        guards
    }

    /// A reference to what is not there, or to a patient who goes by another id today.
    async fn unresolved(&mut self, asked: &Asked) -> Result<Option<ClientRefusal>, Error> {
        let becomes: HashMap<&ResourceKey, bool> =
            asked.write.acts.iter().map(|act| (&act.key, act.content.is_some())).collect();
        for (position, content) in asked.contents.iter().enumerate() {
            let mut issues = Vec::new();
            for (location, link) in content.iter().flat_map(|content| &content.links) {
                let wrong = |code, text| Issue::error(code, location.clone(), text);
                let Link::Here(key) = link else {
                    let text = "a reference by a search is resolved in a transaction alone";
                    issues.push(wrong(IssueCode::NotSupported, text));
                    continue;
                };
                let stands = || self.state.peek(key).is_some_and(|current| current.body.is_some());
                if !becomes.get(key).copied().unwrap_or_else(stands) {
                    issues
                        .push(wrong(IssueCode::NotFound, "the resource that is referred to does not exist"));
                } else if key.resource_type.as_str() == "Patient"
                    && self.state.survivor(&self.ports, &key.id).await? != key.id
                {
                    let text = "the patient was merged into another; refer to that one";
                    issues.push(wrong(IssueCode::BusinessRule, text));
                }
            }
            if !issues.is_empty() {
                return Ok(Some(ClientRefusal::Invalid(position, issues)));
            }
        }
        Ok(None)
    }

    /// Releases, records and notes what is written.
    async fn decided(
        &mut self,
        asked: &Asked,
        writes: Vec<Write>,
        images: Vec<Image>,
        now_us: i64,
    ) -> Result<DecidedSet, Error> {
        let mut known = self.people_of(&writes).await?;
        turn(asked).await;
        let Outcome { deliveries, pseudonyms, decisions, refused, .. } = self
            .release
            .release(&self.ports, &self.environment, &mut self.state, &writes, &mut known)
            .await?;
        turn(asked).await;
        let code = if refused.is_some() { "release-refused" } else { "ok" };
        let mut records = self.client_records(asked, &writes, code, &decisions)?;
        records.extend(row::withdrawn_records(&self.environment, None, &deliveries)?);
        records.extend(row::released_records(&self.environment, &deliveries)?);
        let versions = writes.iter().zip(images);
        let versions = versions.map(|(write, image)| row::version_of(write, image, "", now_us)).collect();
        derive::keep(&mut self.state, writes);
        Ok(DecidedSet { at_us: now_us, versions, deliveries, pseudonyms, records, answers: Answers::Client })
    }

    /// The identifiers of whom the writes are about; they may not stand in what leaves.
    async fn people_of(&self, writes: &[Write]) -> Result<KnownIdentifiers, Error> {
        let mut known = KnownIdentifiers::default();
        writes.iter().filter_map(|write| write.body.as_ref()).for_each(|body| known.add_resource(body));
        let types: Vec<ResourceType> = NAMING.iter().filter_map(|name| ResourceType::parse(name)).collect();
        let patients: BTreeSet<&String> = writes
            .iter()
            .filter(|write| write.body.is_some())
            .flat_map(|write| write.patient.iter().chain(&write.moved_from))
            .collect();
        for patient in &patients {
            let permit = permit();
            let patient_itself = patient_key(patient).and_then(|key| self.state.peek(&key)?.exposed(&permit));
            patient_itself.into_iter().for_each(|body| known.add_resource(body));
        }
        let patients: Vec<String> = patients.into_iter().cloned().collect();
        for (_, stored) in self.ports.withdrawals.compartments_of(&patients, &types).await? {
            let body: Value = serde_json::from_slice(stored.body.expose()).map_err(Error::Body)?;
            known.add_resource(&body);
        }
        Ok(known)
    }

    /// The records of the act: of what it created, changed and deleted.
    fn client_records(
        &self,
        asked: &Asked,
        writes: &[Write],
        code: &'static str,
        decisions: &[(String, String, u64)],
    ) -> Result<Vec<Record>, Error> {
        let begin = |kind| -> Result<Record, Error> {
            let environment = &self.environment;
            let record = Record::new(kind, asked.write.request, &environment.node, (environment.now_us)())
                .outcome(code)
                .actor(Actor::Client(asked.write.client.clone()));
            Ok(record.object("policy", self.release.policy_hash())?)
        };
        let mut groups: BTreeMap<&str, (Kind, Vec<&Write>)> = BTreeMap::new();
        for write in writes {
            let kind = match (&write.body, write.version) {
                (None, _) => Kind::ResourceDeleted,
                (Some(_), 1) => Kind::ResourceCreated,
                (Some(_), _) => Kind::ResourceUpdated,
            };
            groups.entry(kind.as_str()).or_insert_with(|| (kind, Vec::new())).1.push(write);
        }
        let mut records = Vec::new();
        for (kind, of_kind) in groups.into_values() {
            for chunk in of_kind.chunks(NAMED_MAX) {
                let mut record = begin(kind)?;
                if records.is_empty() {
                    for (destination, decision, number) in decisions {
                        record = record.object("decision", &format!("{destination}|{decision}|{number}"))?;
                    }
                }
                for Write { key, version, .. } in chunk.iter().copied() {
                    record =
                        record.object("resource", &format!("{}/{}|{version}", key.resource_type, key.id))?;
                }
                // A request is most often about one patient, and a token costs a digest.
                let mut named = HashSet::new();
                for patient in chunk.iter().filter_map(|write| write.patient.as_deref()) {
                    if named.insert(patient) {
                        record = record.patient_token(&(self.environment.patient_token)(patient));
                    }
                }
                records.push(record);
            }
        }
        if records.is_empty() {
            // Nothing differs, and that is an act as well.
            records.push(begin(Kind::ResourceUpdated)?.object("resources", "0")?);
        }
        Ok(records)
    }
}

/// All that a request changes, refers to or is guarded by.
fn keys_of(asked: &Asked) -> impl Iterator<Item = &ResourceKey> {
    let own = asked.write.acts.iter().map(|act| &act.key);
    let guarded = asked.write.guards.iter().filter_map(|guard| match guard {
        Guard::Version { key, .. } | Guard::Live(key) | Guard::Absent(key) => Some(key),
        Guard::NoMatch(_) | Guard::OnlyMatch { .. } => None,
    });
    own.chain(guarded).chain(asked.contents.iter().flatten().flat_map(Content::targets))
}

/// A request of thousands of acts takes a thread of all requests for no longer than one of its steps.
async fn turn(asked: &Asked) {
    if asked.write.acts.len() > TURN_ACTS {
        tokio::task::yield_now().await;
    }
}

/// A panic over what a client sent costs that request, and never the pipeline.
async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or(std::task::Poll::Ready(Err(Error::Client)))
    })
    .await
}

/// Stands for an instant that is asked of the store.
const UNTOLD: i64 = i64::MIN;

fn answer(asked: Asked, outcome: store::Result<ClientOutcome>) {
    if asked.reply.send(outcome).is_err() {
        tracing::debug!("the answer to a client's change found nobody waiting");
    }
}

/// What an act does to what stands; no write when that is nothing.
fn change(
    client: &str,
    act: &Act,
    mut content: Option<&mut Content>,
    current: &Current,
    now_us: i64,
) -> (Option<Write>, Image, Written) {
    let permit = permit();
    let standing = current.exposed(&permit);
    let body = content.as_ref().map(|content| match act.method {
        WriteMethod::Patch => Arc::clone(&content.body),
        _ => with_labels(Arc::clone(&content.body), standing),
    });
    let image = match (&mut content, &body) {
        (Some(content), Some(body)) => content.image_of(body),
        _ => Image::of_deletion(),
    };
    let told = |version, updated_us| Written {
        version,
        updated_us,
        created: standing.is_none() && body.is_some(),
        body: body.is_some().then(|| image.body.clone()),
    };
    if body.as_deref() == standing {
        let told = told(current.version, UNTOLD);
        return (None, image, told);
    }
    let version = current.version + 1;
    let owner = current.patient.clone().filter(|_| standing.is_some());
    // Labels do not tell whose it is.
    let patient = match content {
        Some(content) => content.owner.clone(),
        None => current.patient.clone(),
    };
    let written = told(version, now_us);
    let write = Write {
        key: act.key.clone(),
        version,
        moved_from: owner.filter(|owner| patient.as_ref() != Some(owner)),
        patient,
        client: Some((client.to_owned(), act.method)),
        body,
        is_stored: false,
    };
    (Some(write), image, written)
}

/// Tags and security labels that stand stay, unless a patch takes them away (R4, resource §2.26.3.4): a client that does
/// not know a label must not lift it.
fn with_labels(mut body: Arc<Value>, standing: Option<&Value>) -> Arc<Value> {
    let Some(standing) = standing else { return body };
    for name in ["security", "tag"] {
        let place = format!("/meta/{name}");
        let kept = standing.pointer(&place).and_then(Value::as_array);
        for label in kept.into_iter().flatten() {
            let is_same =
                |other: &Value| ["system", "code"].iter().all(|part| other.get(*part) == label.get(*part));
            let own = body.pointer(&place).and_then(Value::as_array);
            if own.is_some_and(|own| own.iter().any(is_same)) {
                continue;
            }
            let Some(resource) = Arc::make_mut(&mut body).as_object_mut() else { continue };
            let meta = resource.entry("meta").or_insert_with(|| Value::Object(serde_json::Map::new()));
            let Some(meta) = meta.as_object_mut() else { continue };
            let labels = meta.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Some(labels) = labels.as_array_mut() {
                labels.push(label.clone());
            }
        }
    }
    body
}
