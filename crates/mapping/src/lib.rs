//! Declarative HL7 v2 -> FHIR mappings. CONTRACT (signatures others build on).
#![allow(missing_docs, clippy::all)]
use std::collections::BTreeMap;
use serde_json::Value;
use uuid::Uuid;

/// The files of a mapping package: relative path (`segments/PID.Patient.yaml`) -> text. Reading the folder is the shell's work.
#[derive(Clone, Default)]
pub struct Sources(pub BTreeMap<String, String>);

/// A load-time finding: everything an editor needs. `line`/`column` 1-based.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic { pub file: String, pub line: usize, pub column: usize, pub length: usize, pub code: &'static str, pub message: String, pub help: Option<String> }

/// A compiled package: immutable, `Send + Sync`, shared by `Arc`.
pub struct Package {}
impl Package {
    pub fn compile(_sources: &Sources) -> Result<Package, Vec<Diagnostic>> { unimplemented!() }
    pub fn name(&self) -> &str { unimplemented!() }
    pub fn version(&self) -> &str { unimplemented!() }
    /// Lower-case hex SHA-256 over all files (path, length, bytes).
    pub fn hash(&self) -> &str { unimplemented!() }
    /// Pure: same bytes + package + context = same result.
    pub fn translate(&self, _message: &hl7v2::Message<'_>, _context: &Context<'_>) -> Result<Translation, Rejection> { unimplemented!() }
    /// Runs the `*.test.yaml` files of the package.
    pub fn run_tests(&self) -> Vec<TestOutcome> { unimplemented!() }
    /// Message types this package translates: (`ADT`, `A01`).
    pub fn triggers(&self) -> Vec<(String, String)> { unimplemented!() }
}
pub struct TestOutcome { pub file: String, pub line: usize, pub name: String, pub failures: Vec<String> }

pub struct Context<'a> { /// Secret UUIDv5 namespace of the site.
    pub namespace: Uuid, /// Force a site overlay; None = matched by MSH-3/4.
    pub site: Option<&'a str>, pub trace: bool }

/// Why a message as a whole could not be translated; ends in quarantine. No content in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("no mapping for message type {code}^{event}")] UnsupportedType { code: String, event: String },
    #[error("required field {path} is not valued")] MissingRequired { path: String },
    #[error("two segments lead to one {resource_type} id")] IdentityClash { resource_type: String },
}
impl Rejection { /// HL7 table 0357 code.
    pub fn error_code(&self) -> u16 { unimplemented!() } }

/// What a message says, to be applied to the current state in journal order.
pub struct Translation {
    pub change: Change,
    pub issues: Vec<Issue>,
    pub coverage: Coverage,
    pub trace: Option<Trace>,
    /// Patient id, visit, order numbers, accession, control id, sender, type, time: (kind, value). PHI.
    pub keys: Vec<BusinessKey>,
}
impl Translation { /// As a FHIR Bundle (transaction: PUT Type/id; references `Type/id` inside, fullUrl urn:uuid).
    pub fn bundle(&self) -> Value { unimplemented!() } }

#[derive(Clone)] pub struct BusinessKey { pub kind: KeyKind, pub value: String, pub system: Option<String> }
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)] pub enum KeyKind { PatientId, VisitNumber, PlacerOrder, FillerOrder, ControlId, Sender, MessageType, MessageTime }

/// Debug prints counts only.
#[derive(Clone, Default)] pub struct Change { pub sets: Vec<ResourceSet>, pub replaced: Vec<ReplacedSet>, pub merges: Vec<PatientMerge> }
#[derive(Clone)] pub struct ResourceSet {
    /// Handle of the message file (`patient`).
    pub handle: String,
    pub resource_type: fhir::ResourceType,
    /// UUID text; references to it are `Type/id`.
    pub id: String,
    /// The resource with resourceType and id; only what this message says.
    pub resource: Value,
    /// Top-level elements that HL7 null removes (`birthDate`; an extension as `extension:<url>`).
    pub removals: Vec<String>,
    pub mode: Mode,
    /// Owning patient (None: Practitioner, Organization, Location: shared).
    pub patient: Option<String>,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum Mode { /// per-element merge with current state: absent keeps, a value replaces the element, a removal removes
    Merge, /// the resource is exactly this
    Replace }
/// v2 snapshot mode: of this type within this patient (and encounter, when given) exactly `keep` remain; others become entered-in-error or are deleted by apply.
#[derive(Debug, Clone)] pub struct ReplacedSet { pub resource_type: fhir::ResourceType, pub patient: String, pub encounter: Option<String>, pub keep: Vec<String> }
/// A40: everything known under `retired` belongs to `survivor` from here on.
#[derive(Debug, Clone)] pub struct PatientMerge { pub survivor: String, pub retired: String }

/// A finding while translating: v2 path and rule, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue { pub severity: fhir::Severity, pub code: fhir::IssueCode, pub path: String, pub rule: Option<String>, pub text: String }

/// Each populated leaf is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)] pub enum LeafFate { Mapped, Lossy, Ignored, Unmapped, Rejected }
#[derive(Debug, Clone)] pub struct Coverage { pub leaves: Vec<LeafCoverage> }
#[derive(Debug, Clone)] pub struct LeafCoverage { pub path: String, pub span: hl7v2::Span, pub fate: LeafFate, pub reason: Option<String> }

/// One step per FHIR element written: where it came from. Values are PHI (Debug redacted).
#[derive(Clone, Default)] pub struct Trace { pub steps: Vec<Step> }
#[derive(Clone)] pub struct Step {
    /// `Patient.birthDate`, with resource id, as `Patient/<id>` + FHIRPath location
    pub resource: String, pub element: String,
    pub source_path: Option<String>, pub span: Option<hl7v2::Span>,
    /// `segments/PID.Patient.yaml:21:12`
    pub rule: String,
    pub conversions: Vec<String>, pub code_table: Option<(String, bool)>,
    pub input: Option<String>, pub output: Option<String> }
