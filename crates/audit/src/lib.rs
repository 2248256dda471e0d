//! Audit records, Merkle ledger, checkpoints. CONTRACT.
#![allow(missing_docs, clippy::all)]
use uuid::Uuid;

/// One act. No PHI: ids, codes, hashes and tokens only; the schema has no free text. Serialized as canonical JSON = the leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record { _p: () }
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind { MessageReceived, MessageApplied, MessageQuarantined, MessageReprocessed, Decided, Delivered, DeliveryRefused, ReceiptEntered, ResourceRead, ResourceSearched, MessageViewed, SignIn, NodeStarted, NodeStopped, ConfigurationChanged, ReleasedFromQuarantine, Arrived, ArrivalRefused }
impl Record {
    /// `at_us`: µs since the epoch, UTC. `node`: this node's name.
    pub fn new(_kind: Kind, _id: Uuid, _node: &str, _at_us: i64) -> Self { unimplemented!() }
    pub fn outcome(self, _code: &'static str) -> Self { unimplemented!() }
    pub fn actor(self, _actor: Actor) -> Self { unimplemented!() }
    /// message (journal) id
    pub fn message(self, _journal_id: Uuid) -> Self { unimplemented!() }
    /// HMAC token of the patient, never the id itself
    pub fn patient_token(self, _token: &str) -> Self { unimplemented!() }
    /// (`stage` or object kind, id or hash or code) pairs; both checked against `[A-Za-z0-9._:/|-]{0,128}`
    pub fn object(self, _name: &'static str, _id: &str) -> Result<Self, Error> { unimplemented!() }
    pub fn to_bytes(&self) -> Vec<u8> { unimplemented!() }
    pub fn from_bytes(_b: &[u8]) -> Result<Self, Error> { unimplemented!() }
    pub fn kind(&self) -> Kind { unimplemented!() }
    pub fn id(&self) -> Uuid { unimplemented!() }
    pub fn at_us(&self) -> i64 { unimplemented!() }
    /// IHE BALP AuditEvent (R4 JSON).
    pub fn to_audit_event(&self) -> serde_json::Value { unimplemented!() }
}
#[derive(Debug, Clone, PartialEq, Eq)] pub enum Actor { Node, Client(String), User(String) }
#[derive(Debug, thiserror::Error)] pub enum Error { #[error("value is not an audit code")] NotACode, #[error("record cannot be read")] Unreadable, #[error("signature does not verify")] Signature, #[error("checkpoint cannot be read")] Checkpoint, #[error("key cannot be read")] Key }

pub type Hash = [u8; 32];
/// RFC 6962 §2.1.
pub fn leaf_hash(_leaf: &[u8]) -> Hash { unimplemented!() }
/// Append-only tree kept as its frontier (O(log n)); restorable.
#[derive(Debug, Clone, Default, PartialEq, Eq)] pub struct Frontier {}
impl Frontier { pub fn append(&mut self, _leaf: Hash) { unimplemented!() } pub fn size(&self) -> u64 { unimplemented!() } pub fn root(&self) -> Hash { unimplemented!() } pub fn to_bytes(&self) -> Vec<u8> { unimplemented!() } pub fn from_bytes(_b: &[u8]) -> Result<Self, Error> { unimplemented!() } }
pub fn inclusion_proof(_leaves: &[Hash], _index: u64) -> Vec<Hash> { unimplemented!() }
pub fn verify_inclusion(_leaf: Hash, _index: u64, _size: u64, _proof: &[Hash], _root: Hash) -> bool { unimplemented!() }
pub fn consistency_proof(_leaves: &[Hash], _old: u64) -> Vec<Hash> { unimplemented!() }
pub fn verify_consistency(_old: u64, _new: u64, _old_root: Hash, _new_root: Hash, _proof: &[Hash]) -> bool { unimplemented!() }

/// C2SP signed note: origin, size, root, extension line `time <µs>`.
#[derive(Debug, Clone, PartialEq, Eq)] pub struct Checkpoint { pub origin: String, pub size: u64, pub root: Hash, pub at_us: i64 }
/// Ed25519 key; Debug redacted; file form PKCS#8 PEM or C2SP text.
pub struct SigningKey {}
impl SigningKey { pub fn generate(_name: &str) -> Result<Self, Error> { unimplemented!() } pub fn from_file_text(_t: &str) -> Result<Self, Error> { unimplemented!() } pub fn to_file_text(&self) -> String { unimplemented!() } pub fn public(&self) -> VerifyingKey { unimplemented!() } pub fn sign(&self, _message: &[u8]) -> Vec<u8> { unimplemented!() } }
#[derive(Debug, Clone, PartialEq, Eq)] pub struct VerifyingKey {}
impl VerifyingKey { pub fn from_text(_t: &str) -> Result<Self, Error> { unimplemented!() } pub fn to_text(&self) -> String { unimplemented!() } pub fn verify(&self, _message: &[u8], _signature: &[u8]) -> Result<(), Error> { unimplemented!() } }
impl Checkpoint { pub fn to_note(&self, _key: &SigningKey) -> String { unimplemented!() } pub fn from_note(_note: &str, _key: &VerifyingKey) -> Result<Self, Error> { unimplemented!() } }

/// Verifies a whole ledger. `records` in leaf order (leaf number, bytes). Checks leaf bytes parse, numbering has no gap, every checkpoint's root, growth only, clock monotone, unsealed tail, witness.
pub struct Verification {}
impl Verification {
    pub fn new(_key: VerifyingKey) -> Self { unimplemented!() }
    pub fn record(&mut self, _leaf: u64, _bytes: &[u8]) { unimplemented!() }
    pub fn unsealed(&mut self, _count: u64, _oldest_at_us: Option<i64>, _now_us: i64) { unimplemented!() }
    /// checkpoints of this node's own log, then those a witness kept
    pub fn checkpoint(&mut self, _note: &str) { unimplemented!() }
    pub fn witness(&mut self, _note: &str) { unimplemented!() }
    pub fn finish(self) -> Verdict { unimplemented!() }
}
#[derive(Debug, Clone, PartialEq, Eq)] pub struct Verdict { pub size: u64, pub root: Hash, pub witnessed_size: Option<u64>, pub findings: Vec<Finding> }
/// First bad record first.
#[derive(Debug, Clone, PartialEq, Eq)] pub struct Finding { pub leaf: Option<u64>, pub text: String }
