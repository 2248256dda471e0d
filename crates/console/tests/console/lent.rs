//! What is lent to the console, in memory: dry runs, routes, deliveries, records of access.

use async_trait::async_trait;
use audit::Record;
use console::{
    Difference, DryRun, DryRunError, Exchange, Exchanged, Fault, Foreseen, NotExchanged, Outcome, Refed,
    Refeed, Route, Routing, RuleTried, Window,
};
use serde_json::Value;
use store::{
    Accesses, Cause, Delivery, DeliveryRow, Dropped, Effect, Entry, Forward, ForwardBacklog, ForwardRow,
    ForwardSettlement, Forwards, Hold, JournalId, JournalMonth, Key, LedgerRow, MessageState, Micros,
    NewDelivery, NewForward, Origin, Outbox, PATIENT_KEY, ResourceBody, ResourceVersion, Result, Retention,
    Sealed, Settlement, Verified, WriteSet,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::ports::{Node, START_US, now_us, refused};
use crate::sample::{PACKAGE, PATIENT, ids, key, row};

/// Places at which the package of the first exchange is wrong; more than an answer names.
pub const FAULTS: u32 = 130;

#[async_trait]
impl DryRun for Node {
    /// The held message would be routed; of others nothing is known.
    async fn reprocess(&self, id: JournalId) -> std::result::Result<Outcome, DryRunError> {
        if id.0 != ids()[1] {
            return Ok(Outcome::Nothing("not-found"));
        }
        let elements = vec!["birthDate".to_owned(), "name".to_owned()];
        Ok(Outcome::Foreseen(Foreseen {
            state: MessageState::Routed,
            reason: None,
            differences: vec![Difference { key: key(), change: "added", elements }],
            deliveries: 1,
        }))
    }

    /// A message without a patient's number would be held; any other would change the patient and leave.
    async fn process(&self, entry: &Entry) -> std::result::Result<WriteSet, DryRunError> {
        let text = String::from_utf8_lossy(&entry.bytes).into_owned();
        let is_held = !text.contains("MRN");
        let state = if is_held { MessageState::Quarantined } else { MessageState::Routed };
        let mut message = row(9, entry.id.0, state);
        message.reason = is_held.then(|| "missing:PID-3".to_owned());
        let mut set = WriteSet::of(Cause::Applied(message.seq), message, Vec::new());
        set.keys.push(Key { kind: PATIENT_KEY, value: PATIENT.to_owned(), system: None });
        if !is_held {
            set.versions.push(ResourceVersion {
                key: key(),
                version: 3,
                updated_us: START_US,
                patient: Some(PATIENT.to_owned()),
                deleted: false,
                body: ResourceBody::new(
                    format!(r#"{{"resourceType":"Patient","id":"{PATIENT}","birthDate":"1963-01-01"}}"#)
                        .into_bytes(),
                ),
                index: Vec::new(),
                origin: Origin::Package(String::new()),
            });
            set.deliveries.push(leaving());
        }
        Ok(set)
    }
}

fn leaving() -> NewDelivery {
    NewDelivery {
        id: Uuid::from_u128(6),
        destination: "portal".to_owned(),
        lane: String::new(),
        resource: key(),
        released_id: "ffeeddccbbaa99887766554433221100".to_owned(),
        version: 3,
        patient: Some(PATIENT.to_owned()),
        revision: 1,
        effect: Effect::Stands([0; 32]),
        basis: String::new(),
        sealed: Sealed {
            destination: "portal".to_owned(),
            decision_id: Uuid::from_u128(7),
            bytes: br#"{"resourceType":"Patient","birthDate":"1963"}"#.to_vec(),
            mac: [0; 32],
        },
        actions: "[]".to_owned(),
    }
}

impl Route for Node {
    fn routes(&self, resource: &Value) -> Vec<Routing> {
        assert!(resource.get("resourceType").is_some());
        let rule = |id: &str, permits, fails: &[&'static str]| RuleTried {
            id: id.to_owned(),
            permits,
            fails: fails.to_vec(),
        };
        vec![Routing {
            destination: "portal".to_owned(),
            zone: "cloud, US".to_owned(),
            labels: vec!["N".to_owned()],
            profile: Some("safe-harbor-us".to_owned()),
            reason: "",
            rules: vec![rule("sensitive-stays", false, &["label"]), rule("clinical-goes", true, &[])],
        }]
    }

    fn policy_hash(&self) -> &str {
        "bbbb"
    }
}

#[async_trait]
impl Accesses for Node {
    async fn accesses_of(&self, message: JournalId, limit: usize) -> Result<Vec<LedgerRow>> {
        let records = self.access.lock().expect("lock");
        let of = records.iter().rev().filter(|record| record.message_id() == Some(message.0));
        let row = |record: &Record| LedgerRow { leaf: None, hash: None, record: record.to_bytes() };
        Ok(of.take(limit).map(row).collect())
    }
}

#[async_trait]
impl Outbox for Node {
    async fn claim(&self, _: &str, _: Micros, _: usize) -> Result<Vec<Delivery>> {
        Err(refused())
    }
    async fn settle(&self, _: Vec<(Uuid, Settlement)>, _: Vec<Record>) -> Result<()> {
        Err(refused())
    }
    async fn backlog(&self, _: &str) -> Result<(u64, Option<Micros>)> {
        Err(refused())
    }
    async fn dead(&self, _: &str, _: i64, _: usize) -> Result<Vec<(i64, DeliveryRow)>> {
        Err(refused())
    }
    async fn revive(&self, _: Uuid, record: Record) -> Result<()> {
        let mut revived = self.clinical.revived.lock().expect("lock");
        if !revived.is_empty() {
            return Err(store::Error::NotFound);
        }
        revived.push(record);
        Ok(())
    }
    fn queued(&self) -> watch::Receiver<i64> {
        watch::channel(0).1
    }
}

#[async_trait]
impl Retention for Node {
    async fn months(&self, _: Micros, _: Option<u32>) -> Result<Vec<JournalMonth>> {
        Ok(Vec::new())
    }

    async fn survey(&self, _: &str) -> Result<Dropped> {
        Err(store::Error::NotFound)
    }

    async fn drop_month(&self, _: Dropped, _: Micros, _: audit::Record) -> Result<()> {
        Err(store::Error::NotFound)
    }

    async fn is_dropped(&self, _: Micros) -> Result<bool> {
        Ok(false)
    }

    async fn patients_of(&self, _: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn place_hold(&self, _: Hold, _: audit::Record) -> Result<i64> {
        Err(store::Error::NotFound)
    }

    async fn holds(&self) -> Result<Vec<Hold>> {
        Ok(Vec::new())
    }

    async fn release_hold(&self, _: i64, _: &str, _: Micros, _: audit::Record) -> Result<()> {
        Err(store::Error::NotFound)
    }

    async fn verify_month(&self, _: &str) -> Result<Verified> {
        Err(store::Error::NotFound)
    }
}

/// No destination but the archive, to which the page of a message leads.
#[async_trait]
impl Forwards for Node {
    async fn claim_forwards(&self, _: &str, _: Micros, _: usize) -> Result<Vec<Forward>> {
        Err(refused())
    }
    async fn accepted_forwards(&self, _: &str, _: usize) -> Result<Vec<Forward>> {
        Err(refused())
    }
    async fn settle_forward(&self, _: ForwardSettlement, _: Vec<Record>) -> Result<()> {
        Err(refused())
    }
    async fn queue_forwards(&self, _: Vec<NewForward>, _: Vec<Record>) -> Result<()> {
        Err(refused())
    }
    async fn forward_backlogs(&self) -> Result<Vec<ForwardBacklog>> {
        let destination = "archive".to_owned();
        Ok(vec![ForwardBacklog { destination, pending: 3, oldest_us: Some(now_us()), dead: 2 }])
    }
    async fn dead_forwards(&self, _: &str, _: i64, _: usize) -> Result<Vec<ForwardRow>> {
        Err(refused())
    }
    async fn revive_forward(&self, _: Uuid, record: Record) -> Result<()> {
        self.clinical.forwarded.lock().expect("lock").push(record);
        Ok(())
    }
    async fn forget_delivered(&self, _: Micros, _: usize) -> Result<u64> {
        Err(refused())
    }
    fn forwards_queued(&self) -> watch::Receiver<i64> {
        watch::channel(0).1
    }
}

/// The archive takes two messages of a first page; of other destinations nothing is known.
#[async_trait]
impl Refeed for Node {
    async fn refeed(&self, window: Window, destination: &str) -> Result<Option<Refed>> {
        assert!(window.from_us < window.until_us && window.limit > 0);
        let next = (window.after.0 == 0).then_some(store::Seq(9));
        Ok((destination == "archive").then_some(Refed { queued: 2, kept: 1, next }))
    }
}

/// The first exchange finds the package wrong in more places than are named, the second puts another into force, the third
/// finds it in force; then the ledger takes nothing, and then too many ask.
#[async_trait]
impl Exchange for Node {
    async fn exchange(&self, by: Record) -> std::result::Result<Exchanged, NotExchanged> {
        let mut asked = self.clinical.exchanges.lock().expect("lock");
        asked.push(by);
        let (package, before) = ("b2".to_owned(), PACKAGE.to_owned());
        let fault = |line: u32| Fault {
            place: format!("mappings/segments/PID.Patient.yaml:{line}:1"),
            cause: "E0301 unknown element".to_owned(),
            fix: "write it as R4 does".to_owned(),
        };
        match asked.len() {
            1 => Err(NotExchanged::Wrong((1..=FAULTS).map(fault).collect())),
            2 => Ok(Exchanged { package, before }),
            3 => Ok(Exchanged { package: package.clone(), before: package }),
            4 => Err(NotExchanged::NotRecorded("no space".into())),
            _ => Err(NotExchanged::Busy),
        }
    }
}
