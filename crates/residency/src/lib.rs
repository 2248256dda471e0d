//! Label, decide, de-identify, release. CONTRACT.
#![allow(missing_docs, clippy::all)]
use serde_json::Value;
use std::collections::BTreeMap;

/// PHI in memory: no Serialize, Display or AsRef; Debug prints `[phi]`.
pub struct Clinical<T>(T);
impl<T> Clinical<T> { pub fn new(t: T) -> Self { Self(t) } pub fn expose(&self, _permit: &Permit<OnPrem>) -> &T { &self.0 } pub fn into_exposed(self, _permit: &Permit<OnPrem>) -> T { self.0 } }
pub enum OnPrem {} pub enum Cloud {}
/// Leave to look at PHI inside one zone.
pub struct Permit<Zone> { _z: std::marker::PhantomData<Zone> }
#[derive(Debug, Clone, Copy)] pub enum Purpose { Store, Translate, Deidentify, ClinicalRest, Console }
impl Permit<OnPrem> { pub fn on_prem(_purpose: Purpose) -> Self { Self { _z: std::marker::PhantomData } } }

/// Load-time finding in policy or profile: as in mapping (file, 1-based line/column, code, message, help).
#[derive(Debug, Clone, PartialEq, Eq)] pub struct Diagnostic { pub file: String, pub line: usize, pub column: usize, pub length: usize, pub code: &'static str, pub message: String, pub help: Option<String> }

/// Destinations, zones and rules (profiles/residency/*.yaml); default deny; pinned by content hash.
pub struct Policy {}
impl Policy {
    /// files: relative path -> text. `profiles`: ids of profiles that exist.
    pub fn compile(_files: &BTreeMap<String, String>, _profiles: &[&str]) -> Result<Self, Vec<Diagnostic>> { unimplemented!() }
    pub fn hash(&self) -> &str { unimplemented!() }
    pub fn destinations(&self) -> Vec<&Destination> { unimplemented!() }
    /// Total function: every input has an answer; unknown -> Deny.
    pub fn decide(&self, _destination: &str, _resource_type: fhir::ResourceType, _labels: &Labels) -> Decision { unimplemented!() }
}
#[derive(Debug, Clone)] pub struct Destination { pub id: String, pub zone: String, pub cloud: bool, pub profile: Option<String> }
#[derive(Debug, Clone, PartialEq, Eq)] pub enum Decision { Permit { profile: String, rules: Vec<String> }, Deny { reason: &'static str, rules: Vec<String> } }
/// Security labels by code rules (profiles/residency/labels.yaml); unlabelled counts as restricted where the policy says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)] pub struct Labels(pub Vec<String>);
pub fn label(_policy: &Policy, _resource: &Value) -> Labels { unimplemented!() }

/// A de-identification profile, compiled from profiles/deidentification/<id>/; refuses to load when an element has no decision.
pub struct Profile {}
impl Profile {
    pub fn compile(_id: &str, _files: &BTreeMap<String, String>) -> Result<Self, Vec<Diagnostic>> { unimplemented!() }
    pub fn id(&self) -> &str { unimplemented!() }
    pub fn hash(&self) -> &str { unimplemented!() }
    pub fn covers(&self, _t: fhir::ResourceType) -> bool { unimplemented!() }
    /// Pseudonyms this resource needs before `deidentify` can run. `owner`: clinical Patient id that owns it, None for shared entities.
    pub fn needs(&self, _resource: &Value, _owner: Option<&str>) -> Vec<Subject> { unimplemented!() }
    /// Pure. `year_now`: for ages over 89.
    pub fn deidentify(&self, _resource: &Value, _owner: Option<&str>, _map: &Pseudonyms, _year_now: i32) -> Result<Deidentified, Refusal> { unimplemented!() }
}
/// Who has a random pseudonym and secret of its own: a patient or a shared entity (Practitioner, Organization, Location ...).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)] pub struct Subject { pub resource_type: fhir::ResourceType, pub clinical_id: String }
/// Released id (32 hex, random) and secret (32 bytes, zeroized, Debug redacted).
#[derive(Clone)] pub struct Pseudonym { pub released_id: String, pub secret: [u8; 32] }
impl Pseudonym { /// from 48 random bytes the shell supplies
    pub fn from_random(_random: &[u8; 48]) -> Self { unimplemented!() } }
/// Of one destination.
#[derive(Default, Clone)] pub struct Pseudonyms(pub std::collections::HashMap<Subject, Pseudonym>);
/// The candidate plus what was done to each element (for the console's twin).
pub struct Deidentified { pub released_id: String, pub resource: Value, pub actions: Vec<ElementAction> }
#[derive(Debug, Clone, PartialEq, Eq)] pub struct ElementAction { pub location: String, pub operation: String }
/// Fail closed: path and code, no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)] #[error("{code} at {location}")] pub struct Refusal { pub code: &'static str, pub location: String }

/// HMAC-SHA-256 key sealing stored deliveries; Debug redacted.
pub struct SealingKey {}
impl SealingKey { pub fn from_bytes(_b: &[u8; 32]) -> Self { unimplemented!() } }
/// Bytes that may go to a zone. Made only by `release` (needs verifier::Pass over the same bytes) and `reopen`.
pub struct Released<Zone> { _z: std::marker::PhantomData<Zone> }
impl<Z> Released<Z> { pub fn bytes(&self) -> &[u8] { unimplemented!() } pub fn destination(&self) -> &str { unimplemented!() } pub fn decision_id(&self) -> uuid::Uuid { unimplemented!() } pub fn seal(&self, _key: &SealingKey) -> Sealed { unimplemented!() } }
/// `bytes` = canonical JSON of the de-identified resource. Fails when the pass is for other bytes or another profile than the decision's.
pub fn release(_bytes: Vec<u8>, _pass: &verifier::Pass, _decision: &Decision, _decision_id: uuid::Uuid, _destination: &Destination) -> Result<Released<Cloud>, Refusal> { unimplemented!() }
/// A signed deletion: no body, the released id only.
#[derive(Clone, PartialEq, Eq)] pub struct Sealed { pub destination: String, pub decision_id: uuid::Uuid, pub bytes: Vec<u8>, pub mac: [u8; 32] }
pub fn reopen(_sealed: Sealed, _key: &SealingKey) -> Result<Released<Cloud>, Refusal> { unimplemented!() }
