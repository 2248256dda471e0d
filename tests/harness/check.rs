//! What must hold of a node's files after whatever was done to it: read through the store's ports, with no node running.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use audit::{Kind, Record, Verification, VerifyingKey};
use hl7v2::acknowledgment::Acknowledgment;
use store::sqlite::{Options, Role, Sqlite};
use store::{Apply as _, Entry, Journal as _, Ledger as _, MessageFilter, Messages as _, ResourceKey, Seq};
use tidegate::config::Config;
use tidegate::{clock, keys};
use uuid::Uuid;

/// Rows read at a time.
const PAGE: usize = 500;

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// An acknowledged message is not in the journal.
    Lost(String),
    /// A message is in the journal more than once.
    TwiceInJournal(String),
    /// A stored acknowledgment does not answer the message beside it.
    WrongAcknowledgment(Seq),
    /// A journal entry has no row in the message list.
    NotProcessed(Seq),
    /// A row of the message list, or a record of an application, belongs to no journal entry.
    WithoutEntry(Uuid),
    /// A journal entry has another number of application records than one.
    Applications(Seq, usize),
    /// A version was written by two messages.
    VersionTwice(ResourceKey, u32),
    /// The versions of a resource are not 1, 2, 3 …
    VersionGap(ResourceKey),
    /// The same release stands in the outbox twice.
    OutboxTwice(ResourceKey, u32),
    /// Deliveries in the outbox that no record names, or the reverse.
    OutboxUnlikeLedger(usize),
    /// The ledger does not verify.
    Ledger(String),
}

/// What was found and how much was looked at.
#[derive(Debug, Default)]
pub struct Report {
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// Journal entries.
    pub entries: usize,
    /// Resource versions.
    pub versions: usize,
    /// Outbox rows.
    pub deliveries: usize,
    /// Ledger records.
    pub records: u64,
}

impl Report {
    /// Acknowledged messages that are not in the journal.
    pub fn lost(&self) -> usize {
        self.findings.iter().filter(|finding| matches!(finding, Finding::Lost(_))).count()
    }
}

/// How many entries the journal has, and how many of them were applied; read beside the running node.
///
/// # Panics
/// When the files cannot be read.
pub async fn progress(config: &Config) -> (Seq, Seq) {
    let store = Sqlite::open_reading(&config.data, Role::Clinical, options()).await.expect("the store opens");
    let (last, applied) = (*store.appended().borrow(), store.applied_through().await.expect("node.db reads"));
    store.close().await.expect("the store closes");
    (last, applied)
}

/// Looks at everything; `acknowledged`: control id and bytes of each message that its sender was told is kept.
///
/// # Panics
/// When the files cannot be read at all.
pub async fn check<'m>(config: &Config, acknowledged: impl Iterator<Item = (&'m str, &'m [u8])>) -> Report {
    let store = open(config).await;
    let mut report = Report::default();
    let entries = entries(&store).await;
    report.entries = entries.len();
    journal(&entries, acknowledged, &mut report.findings);
    let ledger = ledger(&store, config, &mut report).await;
    rows(&store, &entries, &ledger, &mut report).await;
    store.close().await.expect("the store closes");
    report
}

async fn open(config: &Config) -> std::sync::Arc<Sqlite> {
    Sqlite::open(&config.data, Role::Clinical, options()).await.expect("the store opens")
}

fn options() -> Options {
    Options { synchronous_full: true, read_connections: 2, now_us: clock::now_us }
}

async fn entries(store: &Sqlite) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let last = all.last().map_or(Seq(0), |entry| entry.seq);
        let page = store.after(last, PAGE).await.expect("the journal reads");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn journal<'m>(
    entries: &[Entry],
    acknowledged: impl Iterator<Item = (&'m str, &'m [u8])>,
    findings: &mut Vec<Finding>,
) {
    let mut times: HashMap<&[u8], usize> = HashMap::new();
    for entry in entries {
        let is_accepted = entry.refused.is_none();
        *times.entry(&entry.bytes).or_default() += 1;
        let control_id = control_id(&entry.bytes);
        let given = entry.acknowledgment.as_ref().and_then(|given| Acknowledgment::read(&given.bytes).ok());
        if !given.is_some_and(|given| {
            given.code.is_accept() == is_accepted && given.answers(control_id.as_bytes())
        }) {
            findings.push(Finding::WrongAcknowledgment(entry.seq));
        }
        // What is refused is heard anew each time.
        if is_accepted && times.get(&entry.bytes[..]) == Some(&2) {
            findings.push(Finding::TwiceInJournal(control_id));
        }
    }
    let lost = acknowledged.filter(|(_, bytes)| !times.contains_key(bytes));
    findings.extend(lost.map(|(control_id, _)| Finding::Lost(control_id.to_owned())));
}

fn control_id(bytes: &[u8]) -> String {
    let message = hl7v2::Message::read(bytes).expect("only messages were sent");
    String::from_utf8_lossy(message.header().control_id().raw()).into_owned()
}

/// What the ledger says: applications by journal id, and the deliveries they name.
#[derive(Default)]
struct Applications {
    times: BTreeMap<Uuid, usize>,
    deliveries: BTreeSet<String>,
}

async fn ledger(store: &Sqlite, config: &Config, report: &mut Report) -> Applications {
    let public = keys::read_text(&config.keys, keys::LEDGER_PUBLIC).expect("the public key is there");
    let mut verification = Verification::new(VerifyingKey::from_text(&public).expect("it is a key"));
    let mut applications = Applications::default();
    loop {
        let page = store.leaves(report.records, PAGE).await.expect("the ledger reads");
        if page.is_empty() {
            break;
        }
        for row in page {
            let (leaf, hash) = (row.leaf.expect("it is sealed"), row.hash.expect("it is sealed"));
            verification.record_with_hash(leaf, &row.record, hash);
            report.records = leaf + 1;
            note(&mut applications, &Record::from_bytes(&row.record).expect("it is a record"));
        }
    }
    for checkpoint in store.checkpoints().await.expect("the ledger reads") {
        verification.checkpoint(&checkpoint);
    }
    let (unsealed, _) = store.unsealed_summary().await.expect("the ledger reads");
    let verdict = verification.finish();
    if !verdict.is_intact() || unsealed > 0 {
        report.findings.push(Finding::Ledger(format!("{verdict}; {unsealed} records are not sealed")));
    }
    applications
}

fn note(applications: &mut Applications, record: &Record) {
    if !matches!(record.kind(), Kind::MessageApplied | Kind::MessageQuarantined) {
        return;
    }
    *applications.times.entry(record.message_id().expect("an application names its message")).or_default() +=
        1;
    let named = record.objects().iter().filter(|(name, _)| name == "delivery");
    applications.deliveries.extend(named.map(|(_, id)| id.clone()));
}

async fn rows(store: &Sqlite, entries: &[Entry], ledger: &Applications, report: &mut Report) {
    let mut versions: BTreeMap<ResourceKey, Vec<u32>> = BTreeMap::new();
    let (mut releases, mut deliveries) = (HashSet::new(), BTreeSet::new());
    for entry in entries {
        let times = ledger.times.get(&entry.id.0).copied().unwrap_or(0);
        if times != 1 {
            report.findings.push(Finding::Applications(entry.seq, times));
        }
        let Some(detail) = store.detail(entry.id).await.expect("node.db reads") else {
            report.findings.push(Finding::NotProcessed(entry.seq));
            continue;
        };
        detail
            .resources
            .into_iter()
            .for_each(|(key, version)| versions.entry(key).or_default().push(version));
        for delivery in detail.deliveries {
            deliveries.insert(delivery.id.to_string());
            let release =
                (delivery.destination, delivery.resource.clone(), delivery.version, delivery.released_id);
            if !releases.insert(release) {
                report.findings.push(Finding::OutboxTwice(delivery.resource, delivery.version));
            }
        }
    }
    report.deliveries = deliveries.len();
    let unlike = deliveries.symmetric_difference(&ledger.deliveries).count();
    report.findings.extend((unlike > 0).then_some(Finding::OutboxUnlikeLedger(unlike)));
    report.versions = versions.values().map(Vec::len).sum();
    versions.into_iter().for_each(|(key, versions)| consecutive(key, versions, &mut report.findings));
    strangers(store, entries, ledger, &mut report.findings).await;
}

fn consecutive(key: ResourceKey, mut versions: Vec<u32>, findings: &mut Vec<Finding>) {
    versions.sort_unstable();
    let twice = versions.windows(2).filter(|pair| pair[0] == pair[1]);
    findings.extend(twice.map(|pair| Finding::VersionTwice(key.clone(), pair[0])));
    versions.dedup();
    if (1..).zip(&versions).any(|(expected, version)| expected != *version) {
        findings.push(Finding::VersionGap(key));
    }
}

/// What was made of a message that is not in the journal.
async fn strangers(store: &Sqlite, entries: &[Entry], ledger: &Applications, findings: &mut Vec<Finding>) {
    let known: HashSet<Uuid> = entries.iter().map(|entry| entry.id.0).collect();
    let mut named: BTreeSet<Uuid> = ledger.times.keys().copied().collect();
    let mut before = None;
    loop {
        let page = store.list(&MessageFilter::default(), before, PAGE).await.expect("node.db reads");
        let Some(last) = page.last() else { break };
        before = Some(last.seq);
        named.extend(page.iter().map(|row| row.id.0));
    }
    findings.extend(named.into_iter().filter(|id| !known.contains(id)).map(Finding::WithoutEntry));
}
