//! Storage ports and their SQLite adapter. CONTRACT: ports and row types (no SQL types here).
#![allow(missing_docs, clippy::all)]
use async_trait::async_trait;
use bytes::Bytes;
use fhir::{IndexValue, ResourceType};
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("storage is not available")] Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the disk is full")] Full,
    #[error("a stored row cannot be read: {0}")] Corrupt(&'static str),
    #[error("the database has a newer schema than this program")] NewerSchema,
    #[error("journal entry {0} is applied already")] AlreadyApplied(i64),
    #[error("no such row")] NotFound,
}
pub type Result<T> = std::result::Result<T, Error>;

/// UUIDv7 of a journal entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)] pub struct JournalId(pub Uuid);
/// Position in the journal, over all monthly files; from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)] pub struct Seq(pub i64);
/// µs since the epoch, UTC; always an argument, never read here.
pub type Micros = i64;
/// A stored resource body: canonical JSON. PHI on the clinical role. Debug `[phi]`; no Serialize, Display, AsRef.
#[derive(Clone, PartialEq, Eq)] pub struct ResourceBody(Vec<u8>);
impl ResourceBody { pub fn new(b: Vec<u8>) -> Self { Self(b) } pub fn expose(&self) -> &[u8] { &self.0 } pub fn into_exposed(self) -> Vec<u8> { self.0 } }
impl std::fmt::Debug for ResourceBody { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("[phi]") } }
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)] pub struct ResourceKey { pub resource_type: ResourceType, pub id: String }

// ---- journal (clinical) ---------------------------------------------------------------------
/// What came in, with the acknowledgment it will get; both durable in one commit.
#[derive(Clone)] pub struct Arrival { pub id: JournalId, pub channel: String, pub peer: String, pub received_us: Micros, pub bytes: Bytes,
    /// None: nothing that names a sender (no MSH).
    pub sender: Option<SenderKey>, pub disposition: Disposition, pub acknowledgment: Option<NewAcknowledgment> }
/// MSH-3, MSH-4, MSH-10 as sent.
#[derive(Clone, PartialEq, Eq, Hash)] pub struct SenderKey { pub application: Vec<u8>, pub facility: Vec<u8>, pub control_id: Vec<u8> }
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum Disposition { Accepted, /// code such as `no-header`, `truncated`, `oversized`, `charset`
    Refused(&'static str) }
#[derive(Clone)] pub struct NewAcknowledgment { pub code: String, pub bytes: Bytes }
pub enum Appended { New { seq: Seq, /// same MSH-3/4/10 inside the window, other bytes
        control_id_reused: bool }, /// same sender, control id and bytes inside 7 days: answer with the stored acknowledgment
    Duplicate { of: JournalId, acknowledgment: Option<Bytes> } }
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum AckOutcome { Owed, Sent, Undelivered, NotOwed }
#[derive(Clone)] pub struct Entry { pub id: JournalId, pub seq: Seq, pub channel: String, pub peer: String, pub received_us: Micros, pub bytes: Bytes, pub refused: Option<String>, pub control_id_reused: bool, pub acknowledgment: Option<StoredAcknowledgment> }
#[derive(Clone)] pub struct StoredAcknowledgment { pub code: String, pub bytes: Bytes, pub outcome: AckOutcome }
#[async_trait] pub trait Journal: Send + Sync {
    /// Returns after the fsync that made the row durable (group commit).
    async fn append(&self, arrival: Arrival) -> Result<Appended>;
    /// Outcome of the acknowledgment; joins a later commit, never costs an fsync of its own.
    async fn settle(&self, id: JournalId, outcome: AckOutcome) -> Result<()>;
    async fn read(&self, id: JournalId) -> Result<Option<Entry>>;
    async fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Entry>>;
    async fn window(&self, from_us: Micros, until_us: Micros, after: Seq, limit: usize) -> Result<Vec<Entry>>;
    /// Highest durable seq; wakes the pipeline.
    fn appended(&self) -> tokio::sync::watch::Receiver<Seq>;
}

// ---- apply (clinical) -------------------------------------------------------------------------
/// All that one message changes; one transaction, all or nothing.
pub struct WriteSet { pub cause: Cause, pub message: MessageRow, pub versions: Vec<ResourceVersion>, pub keys: Vec<Key>, pub aliases: Vec<PatientAlias>, pub deliveries: Vec<NewDelivery>, pub pseudonyms: Vec<NewPseudonym>, pub records: Vec<audit::Record> }
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum Cause { /// in seq order, once
    Applied(Seq), /// an operator's reprocess; the row exists
    Reprocessed(Seq) }
/// One row of the message list. No content: business keys are separate rows.
#[derive(Debug, Clone, PartialEq, Eq)] pub struct MessageRow { pub id: JournalId, pub seq: Seq, pub channel: String, pub received_us: Micros, pub processed_us: Micros, pub state: MessageState, /// `ADT^A01`, checked against the v2 alphabet
    pub message_type: String, pub sender: String, pub reason: Option<String>, /// issues as codes and v2 paths, JSON array
    pub issues: String, pub package_hash: String, pub flags: u32, pub leaves_mapped: u32, pub leaves_total: u32, /// made by an edit or reprocess of
    pub parent: Option<JournalId> }
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)] pub enum MessageState { Received, Translated, Stored, Routed, Filtered, Quarantined, Error }
#[derive(Clone)] pub struct ResourceVersion { pub key: ResourceKey, pub version: u32, pub updated_us: Micros, pub patient: Option<String>, pub deleted: bool, pub body: ResourceBody, pub index: Vec<IndexEntry>, pub package_hash: String }
#[derive(Clone)] pub struct IndexEntry { pub parameter: String, pub value: IndexValue }
#[derive(Clone)] pub struct Key { pub kind: &'static str, pub value: String, pub system: Option<String> }
#[derive(Clone)] pub struct PatientAlias { pub alias: String, pub patient: String }
#[derive(Clone)] pub struct NewDelivery { pub id: Uuid, pub destination: String, /// FIFO lane: released patient id, or the resource's own for shared entities
    pub lane: String, pub resource: ResourceKey, pub released_id: String, pub version: u32, pub sealed: Sealed, /// JSON array of {location, operation}
    pub actions: String }
/// residency::Sealed as stored (the store opens nothing).
#[derive(Clone, PartialEq, Eq)] pub struct Sealed { pub destination: String, pub decision_id: Uuid, pub bytes: Vec<u8>, pub mac: [u8; 32] }
#[derive(Clone)] pub struct NewPseudonym { pub destination: String, pub resource_type: ResourceType, pub clinical_id: String, pub released_id: String, pub secret: [u8; 32] }
#[async_trait] pub trait Apply: Send + Sync {
    /// WriteSets are committed in the order of the calls, several to a transaction; returns after the fsync.
    async fn commit(&self, set: WriteSet) -> Result<()>;
    async fn applied_through(&self) -> Result<Seq>;
    async fn alias(&self, patient: &str) -> Result<Option<String>>;
    async fn pseudonyms(&self, destination: &str, subjects: &[(ResourceType, String)]) -> Result<Vec<NewPseudonym>>;
    /// Every live resource owned by a patient.
    async fn compartment(&self, patient: &str) -> Result<Vec<Stored>>;
    /// Journal seqs whose messages touched this patient, ascending (for re-derivation).
    async fn messages_of(&self, patient: &str) -> Result<Vec<Seq>>;
}

// ---- resources (both roles) -------------------------------------------------------------------
#[derive(Debug, Clone)] pub struct Stored { pub key: ResourceKey, pub version: u32, pub updated_us: Micros, pub patient: Option<String>, pub deleted: bool, pub body: ResourceBody }
#[derive(Clone)] pub struct Search { pub resource_type: ResourceType, /// AND of clauses
    pub clauses: Vec<Clause>, pub count: usize, /// keyset cursor from the previous page
    pub after: Option<i64> }
/// Values inside one clause are OR.
#[derive(Clone)] pub enum Clause { Id(Vec<String>), Token { parameter: String, values: Vec<TokenValue> }, Reference { parameter: String, values: Vec<(Option<String>, String)> } }
#[derive(Clone)] pub struct TokenValue { /// None: any system; Some(""): no system
    pub system: Option<String>, /// None: any code of the system
    pub code: Option<String> }
pub struct Page { pub matches: Vec<Stored>, pub next: Option<i64>, pub total: Option<u64> }
#[async_trait] pub trait Resources: Send + Sync {
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>>;
    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>>;
    async fn search(&self, search: &Search) -> Result<Page>;
    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>>;
}

// ---- messages, for the console (clinical) -----------------------------------------------------
#[derive(Clone, Default)] pub struct MessageFilter { pub state: Option<MessageState>, pub channel: Option<String>, pub key: Option<String> }
pub struct MessageDetail { pub row: MessageRow, pub resources: Vec<(ResourceKey, u32)>, pub deliveries: Vec<DeliveryRow>, pub records: Vec<LedgerRow> }
#[derive(Debug, Clone)] pub struct DeliveryRow { pub id: Uuid, pub destination: String, pub resource: ResourceKey, pub released_id: String, pub version: u32, pub state: DeliveryState, pub attempts: u32, pub next_us: Micros, pub last_error: Option<String>, pub delivered_us: Option<Micros>, pub body: ResourceBody, pub actions: String, pub receipt: Option<String> }
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)] pub enum DeliveryState { Pending, Delivered, Dead, Superseded }
#[async_trait] pub trait Messages: Send + Sync {
    /// Newest first, `before` exclusive.
    async fn list(&self, filter: &MessageFilter, before: Option<Seq>, limit: usize) -> Result<Vec<MessageRow>>;
    async fn detail(&self, id: JournalId) -> Result<Option<MessageDetail>>;
    async fn counts(&self) -> Result<Vec<(MessageState, u64)>>;
    /// Last processed seq; wakes the live list.
    fn processed(&self) -> tokio::sync::watch::Receiver<Seq>;
    /// Ask the pipeline to reprocess (a row it claims). `requested_by`: user id.
    async fn request_reprocess(&self, ids: &[JournalId], requested_by: &str, at_us: Micros) -> Result<u64>;
    async fn claim_reprocess(&self, limit: usize) -> Result<Vec<(i64, JournalId)>>;
    async fn settle_reprocess(&self, request: i64, outcome: &str) -> Result<()>;
}

// ---- outbox (clinical) ------------------------------------------------------------------------
#[derive(Clone)] pub struct Delivery { pub id: Uuid, pub number: i64, pub lane: String, pub resource: ResourceKey, pub released_id: String, pub version: u32, pub attempts: u32, pub sealed: Sealed }
pub enum Settlement { Delivered { receipt: String, at_us: Micros }, Retry { next_us: Micros, error: String }, Dead { error: String } }
#[async_trait] pub trait Outbox: Send + Sync {
    /// Oldest first; a lane appears only from its oldest pending row on, and not while that row waits for its time; `limit` rows.
    async fn claim(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Delivery>>;
    /// Settles several deliveries with their ledger records in one transaction.
    async fn settle(&self, settlements: Vec<(Uuid, Settlement)>, records: Vec<audit::Record>) -> Result<()>;
    /// (pending, oldest pending µs) per destination
    async fn backlog(&self, destination: &str) -> Result<(u64, Option<Micros>)>;
    fn queued(&self) -> tokio::sync::watch::Receiver<i64>;
}

// ---- intake (portal) --------------------------------------------------------------------------
/// One released resource that arrived; stored with its receipt and record in one transaction.
pub struct IntakeWrite { pub idempotency_key: Uuid, pub version: Option<ResourceVersion>, pub receipt: String, pub record: audit::Record }
pub enum Arrived { New, /// answer with this receipt; nothing written
    Duplicate { receipt: String } }
#[async_trait] pub trait Intake: Send + Sync {
    /// `version.version` is the on-prem version; an older or equal one than stored is acknowledged and not written. The portal assigns its own consecutive version numbers.
    async fn arrive(&self, writes: Vec<IntakeWrite>) -> Result<Vec<Arrived>>;
    async fn receipt(&self, idempotency_key: Uuid) -> Result<Option<String>>;
    /// A checkpoint of the peer's ledger, kept as witness.
    async fn keep_witness(&self, origin: &str, note: &str, size: u64, at_us: Micros) -> Result<()>;
    async fn witness(&self, origin: &str) -> Result<Option<String>>;
}

// ---- ledger (both roles) ----------------------------------------------------------------------
#[derive(Debug, Clone)] pub struct LedgerRow { pub leaf: Option<u64>, pub hash: Option<[u8; 32]>, pub record: Vec<u8> }
pub struct Unsealed { /// opaque: which file and row
    pub handle: (u8, i64), pub record: Vec<u8> }
pub struct SealedLeaf { pub handle: (u8, i64), pub leaf: u64, pub hash: [u8; 32] }
#[async_trait] pub trait Ledger: Send + Sync {
    /// Records not yet numbered, of node.db then access.db, oldest first.
    async fn unsealed(&self, limit: usize) -> Result<Vec<Unsealed>>;
    /// Numbers leaves, stores frontier and checkpoint note; one transaction.
    async fn seal(&self, leaves: Vec<SealedLeaf>, frontier: Vec<u8>, checkpoint: String, size: u64) -> Result<()>;
    async fn frontier(&self) -> Result<Option<Vec<u8>>>;
    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<LedgerRow>>;
    async fn checkpoints(&self) -> Result<Vec<String>>;
    async fn latest_checkpoint(&self) -> Result<Option<(u64, String)>>;
    /// Appends records that belong to no other write (node start, sign-in ...). Durable on return.
    async fn append(&self, records: Vec<audit::Record>) -> Result<()>;
    async fn unsealed_summary(&self) -> Result<(u64, Option<Micros>)>;
}
#[async_trait] pub trait Access: Send + Sync {
    /// One record of a read or search into access.db; returns after its commit (own group commit).
    async fn record(&self, record: audit::Record) -> Result<()>;
}
pub mod sqlite {
    //! `Sqlite::open(folder, Role, Options)`; implements every port of its role.
    use super::*; use std::path::Path; use std::sync::Arc;
    #[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum Role { Clinical, Portal }
    /// `synchronous_full: false` is for the power-loss test's negative control only.
    #[derive(Debug, Clone)] pub struct Options { pub synchronous_full: bool, pub read_connections: u32, pub now_us: fn() -> Micros }
    pub struct Sqlite {}
    impl Sqlite { pub async fn open(_folder: &Path, _role: Role, _options: Options) -> Result<Arc<Self>> { unimplemented!() }
        /// Checkpoints the WALs and closes; all queued writes are committed first.
        pub async fn close(&self) -> Result<()> { unimplemented!() } }
}
