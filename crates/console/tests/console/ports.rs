//! Ports in memory, a clock and a source of bytes that tests turn by hand.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit::Record;
use console::Console;
use fhir::ResourceType;
use store::{
    Access, Error, Ledger, LedgerRow, Micros, Page, ResourceKey, Resources, Result, SealedLeaf, Search,
    Stored, Unsealed,
};

pub const START_US: Micros = 1_790_000_000_000_000;
pub const NODE: &str = "node-1";
pub const CODE: &str = "one-time-code";

thread_local! {
    static NOW: Cell<Micros> = const { Cell::new(START_US) };
    static NEXT: Cell<u8> = const { Cell::new(1) };
}

pub fn now_us() -> Micros {
    NOW.get()
}

pub fn advance(by_us: Micros) {
    NOW.set(NOW.get() + by_us);
}

fn fill(bytes: &mut [u8]) {
    let value = NEXT.get();
    NEXT.set(value.wrapping_add(1));
    bytes.fill(value);
}

pub fn refused() -> Error {
    Error::Unavailable("closed for the test".into())
}

/// What the node holds and was told.
#[derive(Default)]
pub struct Node {
    pub stored: Mutex<Vec<Stored>>,
    pub ledger: Mutex<Vec<Record>>,
    pub access: Mutex<Vec<Record>>,
    /// Sealed records with the hashes stored beside them, and the checkpoint over them.
    pub leaves: Mutex<Vec<(Vec<u8>, [u8; 32])>>,
    pub note: Mutex<Option<(u64, String)>>,
    pub ledger_fails: Mutex<bool>,
    pub access_fails: Mutex<bool>,
    #[cfg(feature = "clinical")]
    pub clinical: crate::sample::ClinicalNode,
}

#[cfg(feature = "clinical")]
impl Node {
    pub fn recorded(&self, kind: audit::Kind) -> Vec<Record> {
        self.access.lock().expect("lock").iter().filter(|record| record.kind() == kind).cloned().collect()
    }
}

#[async_trait]
impl Access for Node {
    async fn record(&self, record: Record) -> Result<()> {
        if *self.access_fails.lock().expect("lock") {
            return Err(refused());
        }
        self.access.lock().expect("lock").push(record);
        Ok(())
    }
}

#[async_trait]
impl Resources for Node {
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>> {
        Ok(self.stored.lock().expect("lock").iter().rfind(|stored| stored.key == *key).cloned())
    }
    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>> {
        let stored = self.stored.lock().expect("lock");
        Ok(stored.iter().find(|stored| stored.key == *key && stored.version == version).cloned())
    }
    async fn search(&self, _: &Search) -> Result<Page> {
        Err(refused())
    }
    async fn history(&self, _: &store::History) -> Result<Option<store::HistoryPage>> {
        Err(refused())
    }
    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>> {
        let kind = |name: &str| ResourceType::parse(name).expect("R4");
        Ok(vec![(kind("Patient"), 3), (kind("Observation"), 41)])
    }
}

#[async_trait]
impl Ledger for Node {
    async fn unsealed(&self, _: usize) -> Result<Vec<Unsealed>> {
        Err(refused())
    }
    async fn seal(&self, _: Vec<SealedLeaf>, _: Vec<u8>, _: String, _: u64) -> Result<()> {
        Err(refused())
    }
    async fn frontier(&self) -> Result<Option<Vec<u8>>> {
        Err(refused())
    }
    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<LedgerRow>> {
        let leaves = self.leaves.lock().expect("lock");
        let row = |(leaf, (record, hash)): (u64, &(Vec<u8>, [u8; 32]))| LedgerRow {
            leaf: Some(leaf),
            hash: Some(*hash),
            record: record.clone(),
        };
        let skipped = usize::try_from(from).expect("small");
        Ok((from..).zip(leaves.iter().skip(skipped)).take(limit).map(row).collect())
    }
    async fn checkpoints(&self) -> Result<Vec<String>> {
        Ok(self.note.lock().expect("lock").iter().map(|(_, note)| note.clone()).collect())
    }
    async fn latest_checkpoint(&self) -> Result<Option<(u64, String)>> {
        if let Some(note) = self.note.lock().expect("lock").clone() {
            return Ok(Some(note));
        }
        Ok(Some((
            7,
            "node-1/ledger\n7\nROOT=\ntime 1790000000000001\n\n\u{2014} node-1/ledger sig\n".to_owned(),
        )))
    }
    async fn append(&self, records: Vec<Record>) -> Result<()> {
        if *self.ledger_fails.lock().expect("lock") {
            return Err(refused());
        }
        self.ledger.lock().expect("lock").extend(records);
        Ok(())
    }
    async fn unsealed_summary(&self) -> Result<(u64, Option<Micros>)> {
        Ok((if self.note.lock().expect("lock").is_some() { 0 } else { 2 }, Some(START_US)))
    }
}

/// A console over `node` whose one code is [`CODE`]; a portal console where `clinical` is false.
pub fn console(node: &Arc<Node>, clinical: bool) -> Console {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, CODE.as_bytes());
    let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let codes = Mutex::new(HashSet::from([hash]));
    #[cfg(not(feature = "clinical"))]
    assert!(!clinical, "this build has no clinical console");
    Console {
        resources: node.clone(),
        access: node.clone(),
        ledger: node.clone(),
        node: NODE.to_owned(),
        now_us,
        fill_random: fill,
        login: Arc::new(move |hash: &str| codes.lock().expect("lock").remove(hash)),
        secure: false,
        guide: None,
        ledger_key: None,
        witnesses: Vec::new(),
        condition: tokio::sync::watch::channel(store::Condition::default()).1,
        warnings: Arc::new(|| vec!["MLLP 10.0.0.1:2575 has no TLS: ward VLAN".to_owned()]),
        #[cfg(feature = "clinical")]
        clinical: clinical.then(|| crate::sample::clinical(node)),
    }
}
