//! Ports in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit::Record;
use fhir::{IndexValue, ResourceType};
use rest::{Allowance, CursorKey, Fhir, Limiter, Limits, Metrics, Rate, TokenSet, every_type, token_hash};
use serde_json::{Value, json};
use store::{
    Access, Arrived, Clause, Error, History, HistoryOf, HistoryPage, Intake, IntakeWrite, Ledger, LedgerRow,
    Micros, Origin, Page, Position, ResourceBody, ResourceKey, Resources, Result, SealedLeaf, Search, Stored,
    TokenValue, Unsealed,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub const BASE: &str = "http://node.example/fhir";
/// 2026-09-21T14:13:20.123456Z
pub const AT: Micros = 1_790_000_000_123_456;
/// No HMAC: the form that a record takes.
pub const PATIENT_TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub fn now() -> Micros {
    AT
}

/// Resources, newest version last.
#[derive(Default)]
pub struct Memory {
    pub versions: Vec<Stored>,
    pub broken: AtomicBool,
    pub panics: AtomicBool,
    /// Counting is too costly.
    pub uncounted: AtomicBool,
}

pub fn stored(resource: &Value, version: u32) -> Stored {
    let resource_type = ResourceType::of(resource).expect("a type");
    let id = resource["id"].as_str().expect("an id").to_owned();
    let subject = resource.pointer("/subject/reference").and_then(Value::as_str);
    let patient = match subject.and_then(|subject| subject.strip_prefix("Patient/")) {
        _ if resource_type.as_str() == "Patient" => Some(id.clone()),
        patient => patient.map(str::to_owned),
    };
    let body = ResourceBody::new(fhir::canonical_json(resource));
    let origin = Origin::Package("p".to_owned());
    let key = ResourceKey { resource_type, id };
    Stored { key, version, updated_us: AT, patient, deleted: false, origin, body }
}

/// Two patients, one of them with two versions, one deleted; five observations.
pub fn memory() -> Memory {
    let patient = |id: &str, active: bool| {
        json!({"resourceType": "Patient", "id": id, "meta": {"profile": ["http://example.org/p"]}, "active": active,
            "identifier": [{"system": "urn:mrn", "value": "A,1"}, {"value": "nosystem"}],
            "name": [{"family": "Everywoman"}]})
    };
    let observation = |id: &str, patient: &str, code: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": format!("Patient/{patient}")},
            "valueQuantity": {"value": 1.0}})
    };
    let mut gone = stored(&patient("gone", true), 2);
    gone.deleted = true;
    let mut versions = vec![
        stored(&patient("p1", false), 1),
        stored(&patient("p1", true), 2),
        stored(&patient("p2", true), 1),
        stored(&patient("gone", true), 1),
        gone,
    ];
    for (id, of, code) in [
        ("o1", "p1", "8480-6"),
        ("o2", "p1", "8462-4"),
        ("o3", "p1", "8480-6"),
        ("o4", "p2", "8480-6"),
        ("o5", "p2", "x"),
    ] {
        versions.push(stored(&observation(id, of, code), 1));
    }
    Memory { versions, ..Memory::default() }
}

impl Memory {
    fn check(&self) -> Result<()> {
        assert!(!self.panics.load(Ordering::Relaxed), "Eve Everywoman");
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("Eve Everywoman".into()));
        }
        Ok(())
    }

    fn current(&self) -> Vec<&Stored> {
        let newest = |stored: &&Stored| {
            !self.versions.iter().any(|other| other.key == stored.key && other.version > stored.version)
        };
        self.versions.iter().filter(newest).collect()
    }
}

fn matches(stored: &Stored, clause: &Clause) -> bool {
    let resource: Value = serde_json::from_slice(stored.body.expose()).expect("JSON");
    let of = stored.key.resource_type.as_str();
    let index = |name: &str| {
        let parameter = fhir::r4().search_parameter(of, name.split(':').next().unwrap_or_default());
        fhir::extract(&resource, parameter.expect("a parameter"))
    };
    match clause {
        Clause::Id(ids) => ids.contains(&stored.key.id),
        Clause::Token { parameter, values, not } => {
            not ^ index(parameter).iter().any(|held| match held {
                IndexValue::Token { system, code } => {
                    values.iter().any(|asked| token(asked, system.as_deref(), code))
                }
                _ => false,
            })
        }
        Clause::Reference { parameter, values } => index(parameter).iter().any(|held| match held {
            IndexValue::Reference { resource_type, id } => {
                values.iter().any(|(of, asked)| asked == id && (of.is_none() || of == resource_type))
            }
            _ => false,
        }),
        Clause::Date { parameter, values } => index(parameter).iter().any(|held| match held {
            IndexValue::Date { low_us, high_us } => values.iter().any(|asked| asked.holds(*low_us, *high_us)),
            _ => false,
        }),
        Clause::Missing { parameter, missing } => *missing == index(parameter).is_empty(),
        Clause::Any(clauses) => clauses.iter().any(|clause| matches(stored, clause)),
        Clause::All(clauses) => clauses.iter().all(|clause| matches(stored, clause)),
        Clause::None(clauses) => !clauses.iter().any(|clause| matches(stored, clause)),
        // What these find is the store's matter, and tested over one.
        Clause::Updated(_)
        | Clause::Text { .. }
        | Clause::Uri { .. }
        | Clause::Number { .. }
        | Clause::Words { .. }
        | Clause::OfType { .. }
        | Clause::Composite { .. }
        | Clause::Chain { .. }
        | Clause::Has { .. }
        | Clause::Among { .. } => false,
    }
}

fn token(asked: &TokenValue, system: Option<&str>, code: &str) -> bool {
    asked.code.as_deref().is_none_or(|asked| asked == code)
        && match asked.system.as_deref() {
            None => true,
            Some("") => system.is_none(),
            asked => asked == system,
        }
}

#[async_trait]
impl Resources for Memory {
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>> {
        self.check()?;
        Ok(self.current().into_iter().find(|stored| stored.key == *key).cloned())
    }

    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>> {
        self.check()?;
        Ok(self.versions.iter().find(|stored| stored.key == *key && stored.version == version).cloned())
    }

    async fn search(&self, search: &Search) -> Result<Page> {
        self.check()?;
        let found: Vec<&Stored> = self
            .current()
            .into_iter()
            .filter(|stored| stored.key.resource_type == search.resource_type && !stored.deleted)
            .filter(|stored| search.clauses.iter().all(|clause| matches(stored, clause)))
            .collect();
        let start = search.after.as_ref().map_or(0, |after| after.number);
        let start = usize::try_from(start).expect("a position");
        let end = (start + search.count).min(found.len());
        let number = i64::try_from(end).expect("a position");
        let next = (end < found.len()).then(|| Position { keys: Vec::new(), number });
        let counted = u64::try_from(found.len()).expect("a count");
        let total = (!self.uncounted.load(Ordering::Relaxed)).then_some(counted);
        let matches = found[start..end].iter().map(|stored| (*stored).clone()).collect();
        Ok(Page { matches, next, total, ..Page::default() })
    }

    async fn history(&self, history: &History) -> Result<Option<HistoryPage>> {
        self.check()?;
        let of = |stored: &&Stored| {
            let made = history.since_us.is_none_or(|since_us| stored.updated_us >= since_us);
            made && match &history.of {
                HistoryOf::Resource(key) => stored.key == *key,
                HistoryOf::Type(of) => stored.key.resource_type == *of,
                HistoryOf::System => true,
            }
        };
        let versions: Vec<Stored> = self.versions.iter().rev().filter(of).cloned().collect();
        let known = match &history.of {
            HistoryOf::Resource(key) => self.versions.iter().any(|stored| stored.key == *key),
            HistoryOf::Type(_) | HistoryOf::System => true,
        };
        let places = (1..).take(versions.len()).collect::<Vec<i64>>().into_iter().rev().collect();
        Ok(known.then_some(HistoryPage { versions, places, next: None, total: None }))
    }

    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>> {
        Ok(Vec::new())
    }
}

/// Access records; `commit` holds them back until permits are added.
pub struct Records {
    pub kept: Mutex<Vec<Record>>,
    pub broken: AtomicBool,
    pub commit: Semaphore,
}

impl Default for Records {
    fn default() -> Self {
        Self { kept: Mutex::default(), broken: AtomicBool::new(false), commit: Semaphore::new(1_000_000) }
    }
}

impl Records {
    pub fn texts(&self) -> Vec<String> {
        let kept = self.kept.lock().expect("not poisoned");
        kept.iter().map(|record| String::from_utf8(record.to_bytes()).expect("UTF-8")).collect()
    }
}

#[async_trait]
impl Access for Records {
    async fn record(&self, record: Record) -> Result<()> {
        self.commit.acquire().await.expect("open").forget();
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Full);
        }
        self.kept.lock().expect("not poisoned").push(record);
        Ok(())
    }
}

/// A node over its ports.
pub struct Node {
    #[cfg_attr(not(feature = "clinical"), allow(dead_code))]
    pub memory: Arc<Memory>,
    pub records: Arc<Records>,
    pub fhir: Fhir,
}

/// Limits that no test meets whose clock stands still.
fn unlimited() -> Limiter {
    let rate = Rate { per_second: 1_000_000, burst: 1_000_000 };
    let client = Allowance { rate, per_day: None };
    Limiter::new(Limits { client, peer: rate, ..Limits::default() })
}

pub fn node() -> Node {
    let (memory, records) = (Arc::new(memory()), Arc::new(Records::default()));
    let fhir = Fhir {
        resources: memory.clone().into(),
        #[cfg(feature = "clinical")]
        writes: None,
        access: records.clone(),
        tokens: TokenSet::new([("console".to_owned(), token_hash("good"))]),
        issued: rest::Issued::default(),
        issuers: rest::Issuers::default(),
        authorization: None,
        cursor_key: CursorKey::from_bytes(&[5; 32]).expect("32 bytes"),
        base_url: BASE.to_owned(),
        node: "node-1".to_owned(),
        types: every_type(),
        now_us: now,
        patient_token: Arc::new(|_| PATIENT_TOKEN.to_owned()),
        metrics: Arc::new(Metrics::new("clinical")),
        limiter: unlimited(),
        origins: rest::Origins::default(),
        index: store::SearchIndex::default(),
    };
    Node { memory, records, fhir }
}

/// What the cloud keeps.
#[derive(Default)]
pub struct Cloud {
    pub writes: Mutex<Vec<IntakeWrite>>,
    pub witnesses: Mutex<Vec<(String, String, u64)>>,
    pub refusals: Mutex<Vec<Record>>,
    pub broken: AtomicBool,
}

#[async_trait]
impl Intake for Cloud {
    async fn arrive(&self, writes: Vec<IntakeWrite>) -> Result<Vec<Arrived>> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Full);
        }
        let mut kept = self.writes.lock().expect("not poisoned");
        let mut arrived = Vec::new();
        for write in writes {
            match kept.iter().find(|kept| kept.idempotency_key == write.idempotency_key) {
                Some(kept) => arrived.push(Arrived::Duplicate { receipt: kept.receipt.clone() }),
                None => {
                    kept.push(write);
                    arrived.push(Arrived::New);
                }
            }
        }
        Ok(arrived)
    }

    async fn receipt(&self, idempotency_key: Uuid) -> Result<Option<String>> {
        let kept = self.writes.lock().expect("not poisoned");
        Ok(kept.iter().find(|kept| kept.idempotency_key == idempotency_key).map(|kept| kept.receipt.clone()))
    }

    async fn keep_witness(&self, origin: &str, note: &str, size: u64, _at_us: Micros) -> Result<()> {
        self.witnesses.lock().expect("not poisoned").push((origin.to_owned(), note.to_owned(), size));
        Ok(())
    }

    async fn witness(&self, origin: &str) -> Result<Option<String>> {
        let kept = self.witnesses.lock().expect("not poisoned");
        let largest = kept.iter().filter(|kept| kept.0 == origin).map(|kept| kept.2).max();
        Ok(kept.iter().find(|kept| kept.0 == origin && Some(kept.2) == largest).map(|kept| kept.1.clone()))
    }
}

#[async_trait]
impl Ledger for Cloud {
    async fn unsealed(&self, _limit: usize) -> Result<Vec<Unsealed>> {
        Ok(Vec::new())
    }

    async fn seal(&self, _: Vec<SealedLeaf>, _: Vec<u8>, _: String, _: u64) -> Result<()> {
        Ok(())
    }

    async fn frontier(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    async fn leaves(&self, _from: u64, _limit: usize) -> Result<Vec<LedgerRow>> {
        Ok(Vec::new())
    }

    async fn checkpoints(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn latest_checkpoint(&self) -> Result<Option<(u64, String)>> {
        Ok(None)
    }

    async fn append(&self, records: Vec<Record>) -> Result<()> {
        self.refusals.lock().expect("not poisoned").extend(records);
        Ok(())
    }

    async fn unsealed_summary(&self) -> Result<(u64, Option<Micros>)> {
        Ok((0, None))
    }
}
