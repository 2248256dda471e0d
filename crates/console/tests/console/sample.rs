//! A node with messages: one routed, one quarantined, one that is no message, one not processed yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit::{Kind, Record};
use bytes::Bytes;
use console::{AdminTokens, Clinical, Translate};
use fhir::ResourceType;
use mapping::{Change, Context, Coverage, LeafCoverage, LeafFate, LeafName, Rejection, Step, Translation};
use store::{
    AckOutcome, AckStage, Acknowledgments, Appended, Arrival, DeliveryRow, DeliveryState, Entry, ForwardRow,
    Journal, JournalId, Later, LedgerRow, MessageDetail, MessageFilter, MessageRow, MessageState, Messages,
    Micros, NewLater, Promised, ResourceBody, ResourceKey, Result, ReviewAnswer, Seq, Stored,
    StoredAcknowledgment,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::ports::{NODE, Node, START_US, refused};

pub const PATIENT: &str = "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f";
/// Whom the held message is about by itself; known from it alone.
pub const OTHER: &str = "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e60";
pub const PATIENT_TOKEN: &str = "00112233445566778899aabbccddeeff";
/// Every value of the messages that says something of a person.
pub const VALUES: [&str; 6] = ["MRN-4711", "Fairweather", "Imogen", "19620417", "alert(1)", "CTRL-9"];
/// Of the client `operator`.
pub const ADMIN_TOKEN: &str = "admin-token";
pub const PACKAGE: &str = "aaaa";

pub fn ids() -> [Uuid; 4] {
    [1, 2, 3, 4].map(|number| Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 + number))
}

pub const MESSAGE: &[u8] = b"MSH|^~\\&|EMR|WARD|||20260101||ADT^A01|CTRL-9|P|2.5.1\rPID|1||MRN-4711^^^H||Fairweather^Imogen<script>alert(1)</script>||19620417|F\rZZZ|\"\"|Fairweather\r";
const JUNK: &[u8] = b"GET /?name=Fairweather HTTP/1.1\r\n<script>alert(1)</script>";

/// Clinical ports in memory.
pub struct ClinicalNode {
    pub entries: Mutex<Vec<Entry>>,
    /// Given later for the first message.
    pub later: Mutex<Vec<Later>>,
    pub rows: Mutex<Vec<MessageRow>>,
    pub asked: Mutex<Vec<(JournalId, String)>>,
    /// Outcomes of requests.
    pub settled: Mutex<HashMap<Uuid, String>>,
    pub answers: Mutex<Vec<(ReviewAnswer, Record)>>,
    pub decided: Mutex<Vec<(ReviewAnswer, Record)>>,
    pub revived: Mutex<Vec<Record>>,
    pub forwarded: Mutex<Vec<Record>>,
    /// Who asked for an exchange of the package, in order.
    pub exchanges: Mutex<Vec<Record>>,
    pub is_dead: Mutex<bool>,
    /// Records of acknowledged alerts.
    pub acknowledged: Mutex<Vec<Record>>,
    pub processed: watch::Sender<Seq>,
    pub translator_panics: Mutex<bool>,
}

impl Default for ClinicalNode {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            later: Mutex::default(),
            rows: Mutex::default(),
            asked: Mutex::default(),
            settled: Mutex::default(),
            answers: Mutex::default(),
            decided: Mutex::default(),
            revived: Mutex::default(),
            forwarded: Mutex::default(),
            exchanges: Mutex::default(),
            is_dead: Mutex::default(),
            acknowledged: Mutex::default(),
            processed: watch::Sender::new(Seq(0)),
            translator_panics: Mutex::default(),
        }
    }
}

pub fn row(number: i64, id: Uuid, state: MessageState) -> MessageRow {
    MessageRow {
        id: JournalId(id),
        seq: Seq(number),
        channel: "adt".to_owned(),
        received_us: START_US + number,
        processed_us: START_US + number + 1,
        state,
        message_type: "ADT^A01".to_owned(),
        sender: "EMR|WARD".to_owned(),
        reason: None,
        issues: "[]".to_owned(),
        package_hash: PACKAGE.to_owned(),
        flags: 0,
        leaves_mapped: 3,
        leaves_total: 9,
        parent: None,
        resolved_by: None,
    }
}

fn entry(number: i64, id: Uuid, bytes: &'static [u8]) -> Entry {
    Entry {
        id: JournalId(id),
        seq: Seq(number),
        channel: "adt".to_owned(),
        peer: "10.0.0.7".to_owned(),
        received_us: START_US + number,
        bytes: Bytes::from_static(bytes),
        refused: None,
        control_id_reused: false,
        acknowledgment: Some(StoredAcknowledgment {
            code: "AA".to_owned(),
            bytes: Bytes::from_static(b"MSH|^~\\&|||EMR|WARD|||ACK|1|P|2.5.1\rMSA|AA|CTRL-9\r"),
            outcome: AckOutcome::Sent,
        }),
        parent: None,
        charset: None,
    }
}

impl ClinicalNode {
    pub fn fill(&self, node: &Node) {
        let [routed, held, junk, waiting] = ids();
        let refused =
            Entry { refused: Some("no-header".to_owned()), acknowledgment: None, ..entry(3, junk, JUNK) };
        self.entries.lock().expect("lock").extend([
            entry(1, routed, MESSAGE),
            entry(2, held, MESSAGE),
            refused,
            entry(4, waiting, MESSAGE),
        ]);
        let issues = r#"[{"severity":"Warning","code":"CodeInvalid","path":"PID-8","rule":"x.yaml:1:2","text":"no row"}]"#;
        let held = MessageRow {
            reason: Some("unsupported-type".to_owned()),
            issues: issues.to_owned(),
            ..row(2, held, MessageState::Quarantined)
        };
        self.rows.lock().expect("lock").extend([row(1, routed, MessageState::Routed), held]);
        node.stored.lock().expect("lock").push(Stored {
            key: key(),
            version: 2,
            updated_us: START_US,
            patient: Some(PATIENT.to_owned()),
            deleted: false,
            origin: store::Origin::Package(String::new()),
            body: ResourceBody::new(
                format!(
                    r#"{{"resourceType":"Patient","id":"{PATIENT}","identifier":[{{"value":"MRN-4711"}}],"name":[{{"family":"Fairweather","given":["Imogen<script>alert(1)</script>"]}}],"birthDate":"1962-04-17"}}"#
                )
                .into_bytes(),
            ),
        });
    }
}

impl Node {
    /// The message as it is, forwarded to the archive.
    fn forward(&self, message: JournalId) -> ForwardRow {
        let is_dead = *self.clinical.is_dead.lock().expect("lock");
        ForwardRow {
            id: Uuid::from_u128(15),
            number: 1,
            destination: "archive".to_owned(),
            message,
            state: if is_dead { DeliveryState::Dead } else { DeliveryState::Delivered },
            attempts: 2,
            queued_us: START_US,
            next_us: 0,
            accepted_us: None,
            settled_us: Some(START_US + 9),
            last_error: is_dead.then(|| "refused".to_owned()),
            ack_code: Some(if is_dead { "AE" } else { "AA" }.to_owned()),
            error_code: is_dead.then(|| "103".to_owned()),
        }
    }

    fn delivery(&self) -> DeliveryRow {
        match *self.clinical.is_dead.lock().expect("lock") {
            true => {
                DeliveryRow { state: DeliveryState::Dead, delivered_us: None, receipt: None, ..delivery() }
            }
            false => delivery(),
        }
    }

    /// What the routed message wrote: everything that is stored.
    fn written(&self) -> Vec<(ResourceKey, u32)> {
        let stored = self.stored.lock().expect("lock");
        stored.iter().map(|stored| (stored.key.clone(), stored.version)).collect()
    }
}

pub fn key() -> ResourceKey {
    ResourceKey { resource_type: ResourceType::parse("Patient").expect("R4"), id: PATIENT.to_owned() }
}

fn delivery() -> DeliveryRow {
    DeliveryRow {
        id: Uuid::from_u128(5),
        destination: "portal".to_owned(),
        resource: key(),
        released_id: "ffeeddccbbaa99887766554433221100".to_owned(),
        version: 2,
        state: DeliveryState::Delivered,
        attempts: 2,
        next_us: 0,
        last_error: Some("timeout".to_owned()),
        delivered_us: Some(START_US),
        body: ResourceBody::new(
            br#"{"resourceType":"Patient","id":"ffeeddccbbaa99887766554433221100","birthDate":"1962"}"#.to_vec(),
        ),
        actions: r#"[{"location":"Patient.name","operation":"drop"},{"location":"Patient.birthDate","operation":"year"}]"#
            .to_owned(),
        receipt: Some("signed".to_owned()),
    }
}

#[async_trait]
impl Messages for Node {
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<MessageRow>> {
        let rows = self.clinical.rows.lock().expect("lock");
        let fits = |row: &&MessageRow| {
            filter.state.is_none_or(|state| state == row.state)
                && filter.channel.as_ref().is_none_or(|channel| *channel == row.channel)
                && filter.reason.as_ref().is_none_or(|reason| row.reason.as_ref() == Some(reason))
                && filter.key.as_ref().is_none_or(|key| key.value == "MRN-4711" || key.value == PATIENT)
                && (!filter.is_unresolved || row.resolved_by.is_none())
                && before.is_none_or(|before| row.seq < before)
        };
        let mut found: Vec<MessageRow> = rows.iter().filter(fits).cloned().collect();
        found.sort_by_key(|row| std::cmp::Reverse(row.seq));
        found.truncate(limit);
        Ok(found)
    }
    async fn detail(&self, id: JournalId) -> Result<Option<MessageDetail>> {
        let rows = self.clinical.rows.lock().expect("lock");
        let Some(row) = rows.iter().find(|row| row.id == id).cloned() else { return Ok(None) };
        let is_routed = row.state == MessageState::Routed;
        let record = Record::new(Kind::MessageApplied, Uuid::from_u128(8), NODE, START_US).outcome("ok");
        Ok(Some(MessageDetail {
            row,
            resources: if is_routed { self.written() } else { Vec::new() },
            deliveries: if is_routed { vec![self.delivery()] } else { Vec::new() },
            forwards: if is_routed { vec![self.forward(id)] } else { Vec::new() },
            records: vec![LedgerRow { leaf: Some(6), hash: Some([0xab; 32]), record: record.to_bytes() }],
        }))
    }
    async fn neighbours(
        &self,
        filter: &MessageFilter,
        of: Seq,
    ) -> Result<(Option<JournalId>, Option<JournalId>)> {
        let mut rows = self.list(filter, None, usize::MAX).await?;
        let older = rows.iter().find(|row| row.seq < of).map(|row| row.id);
        rows.reverse();
        Ok((older, rows.iter().find(|row| row.seq > of).map(|row| row.id)))
    }
    async fn children(&self, parent: JournalId) -> Result<Vec<MessageRow>> {
        let rows = self.clinical.rows.lock().expect("lock");
        Ok(rows.iter().filter(|row| row.parent == Some(parent)).cloned().collect())
    }
    async fn counts(&self) -> Result<Vec<(MessageState, u64)>> {
        Ok(vec![(MessageState::Routed, 12), (MessageState::Quarantined, 5)])
    }
    fn processed(&self) -> watch::Receiver<Seq> {
        self.clinical.processed.subscribe()
    }
    async fn request_reprocess(&self, ids: &[JournalId], requested_by: &str, _: Micros) -> Result<u64> {
        let rows = self.clinical.rows.lock().expect("lock");
        let mut asked = self.clinical.asked.lock().expect("lock");
        let before = asked.len();
        for id in ids {
            if rows.iter().any(|row| row.id == *id) && !asked.iter().any(|(known, _)| known == id) {
                asked.push((*id, requested_by.to_owned()));
            }
        }
        Ok(u64::try_from(asked.len() - before).expect("small"))
    }
    async fn claim_reprocess(&self, _: usize) -> Result<Vec<(i64, JournalId)>> {
        Err(refused())
    }
    async fn settle_reprocess(&self, _: i64, _: &str) -> Result<()> {
        Err(refused())
    }
    async fn reprocess_outcomes(&self, ids: &[JournalId]) -> Result<Vec<(JournalId, Option<String>)>> {
        let (asked, settled) =
            (self.clinical.asked.lock().expect("lock"), self.clinical.settled.lock().expect("lock"));
        let known = ids.iter().filter(|id| asked.iter().any(|(known, _)| known == *id));
        Ok(known.map(|id| (*id, settled.get(&id.0).cloned())).collect())
    }
}

#[async_trait]
impl Journal for Node {
    async fn append(&self, arrival: Arrival) -> Result<Appended> {
        let mut entries = self.clinical.entries.lock().expect("lock");
        let seq = Seq(i64::try_from(entries.len()).expect("small") + 1);
        entries.push(Entry {
            id: arrival.id,
            seq,
            channel: arrival.channel,
            peer: arrival.peer,
            received_us: arrival.received_us,
            bytes: arrival.bytes,
            refused: None,
            control_id_reused: false,
            acknowledgment: None,
            parent: arrival.parent,
            charset: None,
        });
        Ok(Appended::New { seq, control_id_reused: false })
    }
    async fn settle(&self, _: JournalId, _: AckOutcome) -> Result<()> {
        Err(refused())
    }
    async fn read(&self, id: JournalId) -> Result<Option<Entry>> {
        Ok(self.clinical.entries.lock().expect("lock").iter().find(|entry| entry.id == id).cloned())
    }
    async fn after(&self, _: Seq, _: usize) -> Result<Vec<Entry>> {
        Err(refused())
    }
    async fn window(&self, from: Micros, until: Micros, after: Seq, limit: usize) -> Result<Vec<Entry>> {
        let entries = self.clinical.entries.lock().expect("lock");
        let inside = |entry: &&Entry| (from..until).contains(&entry.received_us) && entry.seq > after;
        Ok(entries.iter().filter(inside).take(limit).cloned().collect())
    }
    fn appended(&self) -> watch::Receiver<Seq> {
        self.clinical.processed.subscribe()
    }
}

#[async_trait]
impl Acknowledgments for Node {
    async fn promised(&self, _: &str, _: Seq, _: Seq, _: usize) -> Result<Vec<Promised>> {
        Err(refused())
    }
    async fn give(&self, _: JournalId, _: NewLater) -> Result<()> {
        Err(refused())
    }
    async fn note(&self, _: JournalId, _: AckStage, _: AckOutcome) -> Result<()> {
        Err(refused())
    }
    async fn given(&self, id: JournalId) -> Result<Vec<Later>> {
        let later = self.clinical.later.lock().expect("lock").clone();
        Ok(if id.0 == ids()[0] { later } else { Vec::new() })
    }
    async fn unsent(&self, _: &str, _: Seq, _: usize) -> Result<Vec<(Promised, Later)>> {
        Err(refused())
    }
    async fn applied(&self, _: &[JournalId]) -> Result<Vec<(JournalId, MessageState, Option<String>)>> {
        Err(refused())
    }
}

/// What every message says of a patient whom nobody knew.
fn said(context: &Context<'_>) -> mapping::ResourceSet {
    assert!(!context.namespace.is_nil());
    mapping::ResourceSet {
        handle: "patient".to_owned(),
        resource_type: key().resource_type,
        id: OTHER.to_owned(),
        resource: serde_json::json!({"resourceType": "Patient", "id": OTHER, "birthDate": "1999-01-01"}),
        removals: Vec::new(),
        fills: Vec::new(),
        mode: mapping::Mode::Merge,
        patient: Some(OTHER.to_owned()),
    }
}

/// A package of three rules.
impl Translate for Node {
    fn hash(&self) -> &str {
        PACKAGE
    }

    fn translate(
        &self,
        message: &hl7v2::Message<'_>,
        context: &Context<'_>,
    ) -> std::result::Result<Translation, Rejection> {
        assert!(!*self.clinical.translator_panics.lock().expect("lock"), "as told: Fairweather");
        let rules = [("PID-5.1", "name[0].family"), ("PID-5.2", "name[0].given[0]"), ("PID-7", "birthDate")];
        let part = |path: &str| path.parse::<hl7v2::path::Path>().expect("path").resolve(message);
        let steps = rules.map(|(path, element)| Step {
            resource: format!("Patient/{PATIENT}"),
            element: format!("Patient.{element}"),
            source_path: Some(path.to_owned()),
            span: Some(part(path).span()),
            rule: "segments/PID.Patient.yaml:21:12".to_owned(),
            conversions: vec!["text".to_owned()],
            code_table: None,
            input: Some(part(path).text().into_owned()),
            output: Some(part(path).text().into_owned()),
        });
        let mapped: Vec<_> = steps.iter().filter_map(|step| step.span).collect();
        let leaves = message.leaves().map(|leaf| LeafCoverage {
            path: LeafName::of(message, leaf.path),
            span: leaf.span,
            fate: if mapped.contains(&leaf.span) { LeafFate::Mapped } else { LeafFate::Unmapped },
            reason: None,
        });
        Ok(Translation {
            transient: Vec::new(),
            change: Change { sets: vec![said(context)], ..Change::default() },
            issues: Vec::new(),
            coverage: Coverage { leaves: leaves.collect() },
            missed_codes: Vec::new(),
            trace: Some(steps.into_iter().collect()),
            keys: Vec::new(),
            site: None,
        })
    }
}

pub fn clinical(node: &Arc<Node>) -> Clinical {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ADMIN_TOKEN.as_bytes());
    let hash = digest.as_ref().try_into().expect("32 bytes");
    Clinical {
        admin: AdminTokens::new([("operator".to_owned(), hash)]),
        dry_run: node.clone(),
        messages: node.clone(),
        statistics: node.clone(),
        reviews: node.clone(),
        coverage: node.clone(),
        codes: node.clone(),
        journal: node.clone(),
        acknowledgments: node.clone(),
        retention: node.clone(),
        journal_months: None,
        package: {
            let package = node.clone();
            Arc::new(move || package.clone())
        },
        route: node.clone(),
        accesses: node.clone(),
        outbox: node.clone(),
        forwards: node.clone(),
        refeed: node.clone(),
        exchange: node.clone(),
        namespace: Uuid::from_u128(77),
        patient_token: Arc::new(|patient| {
            assert!([PATIENT, OTHER].contains(&patient));
            if patient == PATIENT { PATIENT_TOKEN.to_owned() } else { PATIENT_TOKEN.replace('0', "1") }
        }),
    }
}
