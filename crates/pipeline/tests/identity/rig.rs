//! A pipeline over a store of its own, with the shipped mappings, policy and profiles.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use audit::Kind;
use bytes::Bytes;
use mapping::{Package, Sources};
use pipeline::{Environment, Pipeline, Ports, Rehearsal, Release};
use residency::{Policy, Profile, SealingKey};
use serde_json::Value;
use store::sqlite::{Options, Role, Sqlite};
use store::{
    Apply, Arrival, ClientOutcome, ClientWrite, ClientWrites, Disposition, Entry, Journal, JournalId, Ledger,
    MessageDetail, MessageRow, Messages, Outbox, PatientIndex, Resources, Review, ReviewAnswer, Search, Seq,
    Settlement, WriteSet,
};
use uuid::Uuid;
use verifier::Grammar;

use crate::feeds;
use crate::watched::Watched;

const PROFILE: &str = "safe-harbor-us";
const NAMESPACE: Uuid = Uuid::from_u128(0x5eed);

/// Types of resources that a state holds.
pub const TYPES: [&str; 5] =
    ["Patient", "AllergyIntolerance", "Observation", "DiagnosticReport", "Encounter"];

/// A node without ports: messages in, state out.
pub struct Rig {
    pub store: Arc<Sqlite>,
    pipeline: Pipeline,
    rehearsal: Rehearsal,
    folder: PathBuf,
    sent: u32,
}

impl Drop for Rig {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.folder);
        assert!(removed.is_ok() || std::thread::panicking(), "the folder of a test stays behind");
    }
}

fn files(folder: &Path, below: &Path, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, below, into);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let name = path.strip_prefix(below).expect("below").to_string_lossy().replace('\\', "/");
            into.insert(name, text);
        }
    }
}

fn folder(name: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    let mut found = BTreeMap::new();
    files(&root, &root, &mut found);
    found
}

/// Compiled once for all tests.
fn package() -> Arc<Package> {
    static PACKAGE: OnceLock<Arc<Package>> = OnceLock::new();
    Arc::clone(PACKAGE.get_or_init(compiled))
}

fn compiled() -> Arc<Package> {
    compiled_with(folder("mappings"), &[])
}

/// The package with more at the end of overlays: (site, line).
fn compiled_with(mut sources: BTreeMap<String, String>, lines: &[(&str, &str)]) -> Arc<Package> {
    sources.retain(|name, _| !name.starts_with("sites/") && !name.ends_with(".test.yaml"));
    for (name, index) in feeds::SITES {
        let mut text = feeds::site(name, index);
        let own = lines.iter().filter(|(site, _)| *site == name);
        own.for_each(|(_, line)| text.push_str(&format!("{line}\n")));
        sources.insert(format!("sites/{}/site.yaml", name.to_lowercase()), text);
    }
    Arc::new(Package::compile(&Sources(sources)).expect("the package compiles"))
}

fn release() -> Release {
    static CONTENT: OnceLock<(Arc<Profile>, Arc<Grammar>, Arc<Policy>)> = OnceLock::new();
    let (profile, grammar, policy) = CONTENT.get_or_init(|| {
        let files = folder(&format!("profiles/deidentification/{PROFILE}"));
        let profile = Profile::compile(PROFILE, &files).expect("the profile compiles");
        let grammar = Grammar::compile(PROFILE, &files).expect("the grammar compiles");
        let policy = Policy::compile(&folder("profiles/residency"), &[PROFILE]).expect("the policy compiles");
        (Arc::new(profile), Arc::new(grammar), Arc::new(policy))
    });
    let profiles = HashMap::from([(PROFILE.to_owned(), (Arc::clone(profile), Arc::clone(grammar)))]);
    Release::new(Arc::clone(policy), profiles, Arc::new(SealingKey::from_bytes(&[7; 32])))
}

/// A clock that ticks when it is read.
pub fn now_us() -> i64 {
    static NOW: AtomicI64 = AtomicI64::new(1_795_392_000_000_000);
    NOW.fetch_add(1_000, Ordering::Relaxed)
}

/// Different bytes at every call.
fn fill_random(buffer: &mut [u8]) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    for chunk in buffer.chunks_mut(16) {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let bytes = Uuid::new_v5(&NAMESPACE, &n.to_be_bytes());
        chunk.copy_from_slice(bytes.as_bytes().get(..chunk.len()).expect("at most sixteen"));
    }
}

/// The shipped policy with changes.
fn release_under(edits: &[(&str, &str, &str)]) -> Release {
    let files = folder(&format!("profiles/deidentification/{PROFILE}"));
    let profile = Profile::compile(PROFILE, &files).expect("the profile compiles");
    let grammar = Grammar::compile(PROFILE, &files).expect("the grammar compiles");
    let mut files = folder("profiles/residency");
    for (name, from, to) in edits {
        let text = files.get_mut(*name).expect("a file of the policy");
        assert!(text.contains(from), "{name} has {from}");
        *text = text.replace(from, to);
    }
    let policy = Policy::compile(&files, &[PROFILE]).expect("the policy compiles");
    let profiles = HashMap::from([(PROFILE.to_owned(), (Arc::new(profile), Arc::new(grammar)))]);
    Release::new(Arc::new(policy), profiles, Arc::new(SealingKey::from_bytes(&[7; 32])))
}

fn ports(store: &Arc<Sqlite>) -> Ports {
    Ports {
        journal: store.clone(),
        apply: store.clone(),
        resources: store.clone(),
        messages: store.clone(),
        withdrawals: store.clone(),
        index: store.clone(),
        coverage: store.clone(),
        codes: store.clone(),
    }
}

fn environment() -> Environment {
    Environment {
        now_us,
        fill_random,
        node: "node-1".into(),
        namespace: NAMESPACE,
        patient_token: Arc::new(|id| Uuid::new_v5(&NAMESPACE, id.as_bytes()).simple().to_string()),
    }
}

impl Rig {
    /// An empty node.
    pub async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("identity-{}", Uuid::new_v4()));
        let options = Options { synchronous_full: false, read_connections: 2, now_us };
        let store = Sqlite::open(&folder, Role::Clinical, options).await.expect("opens");
        let rehearsal = Rehearsal::new(ports(&store), environment(), package(), release);
        let pipeline = Pipeline::new(ports(&store), environment(), package(), release());
        Self { store, pipeline, rehearsal, folder, sent: 0 }
    }

    /// Starts again with a changed policy: (file, what stood there, what stands there now).
    pub async fn restart(&mut self, edits: &[(&str, &str, &str)]) {
        let release = release_under(edits);
        self.pipeline = Pipeline::new(ports(&self.store), environment(), package(), release);
        self.run().await;
    }

    /// Starts again with changed mappings: (file, what stands there, what shall). None: the shipped ones.
    pub async fn remap(&mut self, edits: &[(&str, &str, &str)]) {
        self.remap_with(edits, &[]).await;
    }

    /// As [`Rig::remap`], with more files.
    pub async fn remap_with(&mut self, edits: &[(&str, &str, &str)], more: &[(&str, &str)]) {
        let package = if edits.is_empty() && more.is_empty() {
            package()
        } else {
            let mut sources = folder("mappings");
            for (name, from, to) in edits {
                let text = sources.get_mut(*name).unwrap_or_else(|| panic!("no {name}"));
                assert!(text.contains(from), "{name} has {from}");
                *text = text.replace(from, to);
            }
            sources.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
            compiled_with(sources, &[])
        };
        self.pipeline = Pipeline::new(ports(&self.store), environment(), package, release());
        self.run().await;
    }

    /// Starts again with more in the EMR's overlay.
    pub fn overlay(&mut self, more: &str) {
        let package = compiled_with(folder("mappings"), &[(feeds::EMR, more)]);
        self.pipeline = Pipeline::new(ports(&self.store), environment(), package, release());
    }

    /// Starts again with more in the site files: (site, line).
    pub async fn restart_with(&mut self, lines: &[(&str, &str)]) {
        let package = compiled_with(folder("mappings"), lines);
        self.pipeline = Pipeline::new(ports(&self.store), environment(), package, release());
        self.run().await;
    }

    /// Starts again over a store whose readers are counted.
    pub fn watched(&mut self) -> Arc<Watched> {
        let watched = Watched::new(Arc::clone(&self.store));
        let ports = Ports { resources: watched.clone(), ..ports(&self.store) };
        self.pipeline = Pipeline::new(ports, environment(), package(), release());
        watched
    }

    /// A node that got these messages one after another.
    pub async fn with(messages: &[String]) -> Self {
        let mut rig = Self::new().await;
        for message in messages {
            rig.send(message).await;
        }
        rig
    }

    /// Takes a message in without processing it.
    pub async fn append(&mut self, message: &str) -> JournalId {
        self.sent += 1;
        let id = JournalId(Uuid::from_u128(0x7000_0000 + u128::from(self.sent)));
        let arrival = Arrival {
            id,
            channel: "test".into(),
            peer: "127.0.0.1:40000".into(),
            received_us: now_us(),
            bytes: Bytes::copy_from_slice(message.as_bytes()),
            sender: None,
            disposition: Disposition::Accepted,
            acknowledgment: None,
            promise: None,
            parent: None,
            charset: None,
        };
        Journal::append(&*self.store, arrival).await.expect("appends");
        id
    }

    /// Takes a message in and processes it.
    pub async fn send(&mut self, message: &str) -> JournalId {
        let id = self.append(message).await;
        self.run().await;
        id
    }

    /// Processes what is there.
    pub async fn run(&mut self) {
        self.pipeline.catch_up().await.expect("catches up");
    }

    /// Asks as a client of the REST API does.
    pub async fn ask(&mut self, write: ClientWrite) -> ClientOutcome {
        self.ask_all(vec![write]).await.remove(0)
    }

    /// As [`Rig::ask`], of several that wait together.
    pub async fn ask_all(&mut self, writes: Vec<ClientWrite>) -> Vec<ClientOutcome> {
        let desk = self.pipeline.desk();
        let waiting: Vec<_> = writes
            .into_iter()
            .map(|write| {
                let desk = desk.clone();
                tokio::spawn(async move { desk.write(write).await })
            })
            .collect();
        while !waiting.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::task::yield_now().await;
            self.run().await;
        }
        let mut outcomes = Vec::new();
        for one in waiting {
            outcomes.push(one.await.expect("ends").expect("is served"));
        }
        outcomes
    }

    /// Derives a message's patients again; the outcome.
    pub async fn reprocess(&mut self, id: JournalId) -> &'static str {
        self.pipeline.reprocess(id).await.expect("reprocesses")
    }

    /// What a message would write if it came now.
    pub async fn rehearse(&self, message: &str) -> WriteSet {
        let entry = Entry {
            id: JournalId(Uuid::from_u128(9)),
            seq: Seq(i64::MAX),
            channel: "test".into(),
            peer: "rehearsal".into(),
            received_us: now_us(),
            bytes: Bytes::copy_from_slice(message.as_bytes()),
            refused: None,
            control_id_reused: false,
            acknowledgment: None,
            parent: None,
            charset: None,
        };
        self.rehearsal.run(&entry).await.expect("rehearses")
    }

    /// All that is stored of a message.
    pub async fn detail(&self, id: JournalId) -> MessageDetail {
        self.store.detail(id).await.expect("reads").expect("processed")
    }

    /// How many records the ledger holds, sealed or not.
    pub async fn recorded(&self) -> usize {
        self.store.unsealed(10_000).await.expect("reads").len()
    }

    /// The row of a message.
    pub async fn row(&self, id: JournalId) -> MessageRow {
        self.store.detail(id).await.expect("reads").expect("processed").row
    }

    /// Kinds of the ledger records of a message, in order.
    pub async fn records(&self, id: JournalId) -> Vec<Kind> {
        let detail = self.store.detail(id).await.expect("reads").expect("processed");
        let kind = |row: &store::LedgerRow| audit::Record::from_bytes(&row.record).expect("a record").kind();
        detail.records.iter().map(kind).collect()
    }

    /// Live resources of a type.
    pub async fn all(&self, name: &str) -> Vec<Value> {
        let resource_type = fhir::ResourceType::parse(name).expect("a type of R4");
        let search = Search::of(resource_type, 100);
        let page = self.store.search(&search).await.expect("searches");
        let body = |stored: &store::Stored| serde_json::from_slice(stored.body.expose()).expect("JSON");
        page.matches.iter().map(body).collect()
    }

    /// The only Patient.
    pub async fn patient(&self) -> Value {
        let all = self.all("Patient").await;
        assert_eq!(all.len(), 1, "one patient");
        all.into_iter().next().expect("one")
    }

    /// All live resources without what depends on when they were made, sorted; lists of identifiers too.
    pub async fn state(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for name in TYPES {
            all.extend(self.all(name).await);
        }
        for resource in &mut all {
            if let Some(Value::Array(list)) = resource.get_mut("identifier") {
                list.sort_by_key(Value::to_string);
            }
        }
        all.sort_by_key(Value::to_string);
        all
    }

    /// What the destination has: the last word on each released id, in the order of deliveries.
    pub async fn released(&self) -> Vec<(String, String)> {
        let mut live: BTreeSet<(String, String)> = BTreeSet::new();
        loop {
            let claimed = self.store.claim("cloud", i64::MAX, 100).await.expect("claims");
            if claimed.is_empty() {
                return live.into_iter().collect();
            }
            let mut settled = Vec::new();
            for delivery in claimed {
                let body: Value = serde_json::from_slice(&delivery.sealed.bytes).expect("JSON");
                let key = (delivery.resource.resource_type.as_str().to_owned(), delivery.released_id);
                // A deletion notice has type and id only.
                let is_gone = body.as_object().is_some_and(|body| body.len() == 2);
                if is_gone {
                    live.remove(&key)
                } else {
                    live.insert(key)
                };
                let receipt = "receipt".to_owned();
                settled.push((delivery.id, Settlement::Delivered { receipt, at_us: now_us() }));
            }
            Outbox::settle(&*self.store, settled, Vec::new()).await.expect("settles");
        }
    }

    /// Open reviews.
    pub async fn open(&self) -> Vec<Review> {
        self.store.reviews(true, 10).await.expect("reads")
    }

    /// Answers a review, and processes what waited for it.
    pub async fn answer(&mut self, review: &Review, answer: ReviewAnswer) {
        let record = audit::Record::new(Kind::ReviewAnswered, Uuid::new_v4(), "node-1", now_us());
        let standing = review.answered.as_ref().map(|(answer, ..)| *answer);
        let id = review.question.id;
        self.store.answer(id, answer, standing, "ann", now_us(), record).await.expect("answers");
        self.run().await;
    }

    /// Says what two ids are.
    pub async fn decide(&mut self, one: &str, other: &str, answer: ReviewAnswer) {
        self.say(one, other, answer).await;
        self.run().await;
    }

    /// Takes a person's word on who is who without acting on it yet.
    pub async fn say(&mut self, one: &str, other: &str, answer: ReviewAnswer) {
        let record = audit::Record::new(Kind::ReviewAnswered, Uuid::new_v4(), "node-1", now_us());
        self.store.decide(one, other, answer, "ann", now_us(), record).await.expect("decides");
    }

    /// What a reprocess of a message would change.
    pub async fn dry_run(&self, id: JournalId) -> pipeline::Outcome {
        self.rehearsal.reprocess(id).await.expect("foresees")
    }

    /// The patient an id stands for.
    pub async fn alias(&self, id: &str) -> Option<String> {
        self.store.alias(id).await.expect("reads")
    }
}

/// Id of the patient whom only this number names.
pub fn named(text: &str) -> String {
    let (kind, value) = text.split_once(' ').expect("a kind and a value");
    let arc = match kind {
        "MR" => "1",
        "PI" => "21",
        _ => "31",
    };
    mapping::patient_id(NAMESPACE, &format!("urn:oid:2.16.840.1.113883.3.9999.{arc}"), value)
}

/// Values of a patient's identifiers, sorted.
pub fn values(patient: &Value) -> Vec<&str> {
    let list = patient["identifier"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut values: Vec<&str> = list.iter().filter_map(|one| one["value"].as_str()).collect();
    values.sort_unstable();
    values
}
