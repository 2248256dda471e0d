//! Re-check what is about to leave. CONTRACT. Imports `fhir` only; shares no code with `residency`.
#![allow(missing_docs, clippy::all)]
use serde_json::Value;
use std::collections::BTreeMap;

/// The output grammar of one profile, read by this crate's own reader from the profile's files.
pub struct Grammar {}
#[derive(Debug, thiserror::Error)] #[error("{file}:{line}: {text}")] pub struct GrammarError { pub file: String, pub line: usize, pub text: String }
impl Grammar {
    /// `files`: name -> text of a profile folder (profile.yaml's machine part is not needed; `fhir.tsv`, `codes.tsv`, ...).
    pub fn compile(_profile_id: &str, _files: &BTreeMap<String, String>) -> Result<Self, GrammarError> { unimplemented!() }
}
/// Identifiers that must not come out: of the source message, the patient and relatives. Debug prints counts.
#[derive(Default)] pub struct KnownIdentifiers {}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)] pub enum IdentifierKind { Name, Number, Phone, Email, Street, Date, Other }
impl KnownIdentifiers {
    pub fn add(&mut self, _kind: IdentifierKind, _text: &str) { unimplemented!() }
    /// Collects names, identifiers, telecoms, addresses, birth dates from a clinical resource.
    pub fn add_resource(&mut self, _resource: &Value) { unimplemented!() }
}
/// Proof that these exact bytes passed; only this crate makes it. Binds content hash and profile.
#[derive(Debug, Clone)] pub struct Pass { _p: () }
impl Pass { pub fn content_hash(&self) -> [u8; 32] { unimplemented!() } pub fn profile_id(&self) -> &str { unimplemented!() } }
/// Element path and rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq)] pub struct Finding { pub check: &'static str, pub location: String }
/// V1 structure, V2 known identifiers, V3 patterns. `bytes` = canonical JSON about to leave.
pub fn verify(_bytes: &[u8], _grammar: &Grammar, _known: &KnownIdentifiers) -> Result<Pass, Vec<Finding>> { unimplemented!() }
/// V1 and V3, for the cloud's intake.
pub fn verify_arrival(_bytes: &[u8], _grammar: &Grammar) -> Result<Pass, Vec<Finding>> { unimplemented!() }
