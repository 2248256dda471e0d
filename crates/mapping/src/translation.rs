//! What a translation gives: the change, findings, coverage, trace, business keys.

use crate::{Coverage, MissedCode, Trace};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a message says, to be applied to the current state in journal order. Debug prints counts only.
pub struct Translation {
    /// The resources and what becomes of earlier ones.
    pub change: Change,
    /// Resources that are of the message and not of the current state (`mode: transient`): a query's Parameters, the
    /// OperationOutcome of an acknowledgment. Nothing stores or releases them.
    pub transient: Vec<ResourceSet>,
    /// Findings, in the order met.
    pub issues: Vec<Issue>,
    /// The fate of every populated leaf.
    pub coverage: Coverage,
    /// Codes that wait for a row in their table, each once. PHI.
    pub missed_codes: Vec<MissedCode>,
    /// Steps, when the context asked for them.
    pub trace: Option<Trace>,
    /// Patient id, visit, order numbers, control id, sender, type, time. PHI.
    pub keys: Vec<BusinessKey>,
    /// Name of the overlay it was translated by; `None`: the base package alone.
    pub site: Option<String>,
}

impl Translation {
    /// Everything that was made: what is transient first, then what the change sets.
    pub fn made(&self) -> impl Iterator<Item = &ResourceSet> {
        self.transient.iter().chain(&self.change.sets)
    }

    /// As a FHIR transaction Bundle: `PUT Type/id` for each resource in the order of [`Translation::made`]. References
    /// between resources are `Type/id`; `fullUrl` is `urn:uuid:<id>`.
    pub fn bundle(&self) -> Value {
        let entries: Vec<Value> = self
            .made()
            .map(|set| {
                let url = format!("{}/{}", set.resource_type.as_str(), set.id);
                json!({ "fullUrl": format!("urn:uuid:{}", set.id), "resource": set.resource, "request": { "method": "PUT", "url": url } })
            })
            .collect();
        let mut bundle = json!({ "resourceType": "Bundle", "type": "transaction" });
        if let (Some(object), false) = (bundle.as_object_mut(), entries.is_empty()) {
            object.insert("entry".into(), Value::Array(entries));
        }
        bundle
    }
}

impl std::fmt::Debug for Translation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translation")
            .field("change", &self.change)
            .field("transient", &self.transient.len())
            .field("issues", &self.issues.len())
            .field("leaves", &self.coverage.leaves.len())
            .field("missed_codes", &self.missed_codes.len())
            .field("steps", &self.trace.as_ref().map(|trace| trace.steps().len()))
            .field("keys", &self.keys.len())
            .finish()
    }
}

/// One business key of a message. PHI; Debug prints the kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct BusinessKey {
    /// What it is.
    pub kind: KeyKind,
    /// Its value as sent.
    pub value: String,
    /// URI of the system that gave it.
    pub system: Option<String>,
}

impl std::fmt::Debug for BusinessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusinessKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What a business key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// PID-3, MRG-1.
    PatientId,
    /// PV1-19, MRG-5.
    VisitNumber,
    /// ORC-2, OBR-2.
    PlacerOrder,
    /// ORC-3, OBR-3.
    FillerOrder,
    /// MSH-10.
    ControlId,
    /// MSH-3|MSH-4.
    Sender,
    /// MSH-9, `ADT^A01`.
    MessageType,
    /// MSH-7 as sent.
    MessageTime,
}

/// What a message changes. Debug prints counts only.
#[derive(Clone, Default)]
pub struct Change {
    /// Resources to set.
    pub sets: Vec<ResourceSet>,
    /// Sets of resources of which only these remain.
    pub replaced: Vec<ReplacedSet>,
    /// Patients that are one from here on.
    pub merges: Vec<PatientMerge>,
    /// Accounts and visits that go into another, or to another patient.
    pub moves: Vec<RecordMove>,
    /// Pairs of patients that it says are one person, or two.
    pub links: Vec<PatientLink>,
    /// Who its patients are, as far as authorities that the site trusts name them.
    pub persons: Vec<Person>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("sets", &self.sets.len())
            .field("replaced", &self.replaced.len())
            .field("merges", &self.merges.len())
            .field("moves", &self.moves.len())
            .field("links", &self.links.len())
            .finish()
    }
}

/// One resource that a message sets.
#[derive(Clone)]
pub struct ResourceSet {
    /// Handle of the message file (`patient`); of a resource made on the way its type in lower camel case.
    pub handle: String,
    /// Its type.
    pub resource_type: fhir::ResourceType,
    /// UUID text; references to it are `Type/id`.
    pub id: String,
    /// The resource with resourceType and id; only what this message says.
    pub resource: Value,
    /// Top-level elements that HL7 null removes (`birthDate`; an extension as `extension:<url>`; of a choice every property name). An event's
    /// `clear` may name a path (`period.end`), its `undo` a list (`location:active`: places that stand as present and are not said never were), and a change of numbers names the former
    /// ones (`identifier:<system>|<value>`).
    pub removals: Vec<String>,
    /// Top-level elements that only fill: where one stands already, what stands wins; `identifier:<system>` speaks of
    /// the identifiers of one authority. Only in [`Mode::Merge`].
    pub fills: Vec<String>,
    /// How it meets the current state.
    pub mode: Mode,
    /// Owning patient (None: Practitioner, Organization, Location: shared).
    pub patient: Option<String>,
}

impl std::fmt::Debug for ResourceSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResourceSet")
            .field("handle", &self.handle)
            .field("resource_type", &self.resource_type.as_str())
            .field("mode", &self.mode)
            .field("removals", &self.removals.len())
            .finish_non_exhaustive()
    }
}

/// How a set meets the current state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Per element: absent keeps, a value replaces the element, a removal removes.
    Merge,
    /// The resource is exactly this.
    Replace,
}

/// v2 snapshot mode: of this type within this patient (and encounter, when given) exactly `keep` remain; others become
/// entered-in-error or are deleted by apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedSet {
    /// The type that is replaced.
    pub resource_type: fhir::ResourceType,
    /// Patient id.
    pub patient: String,
    /// Encounter id, when the set belongs to a visit.
    pub encounter: Option<String>,
    /// Ids that remain.
    pub keep: Vec<String>,
}

/// A40: everything known under `retired` belongs to `survivor` from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientMerge {
    /// Patient id that stays.
    pub survivor: String,
    /// Patient id that ends.
    pub retired: String,
    /// There is one record, whose number changed (A47): nothing stays under `retired`.
    pub is_renumbered: bool,
}

/// An account or a visit whose place another takes (A41, A42), whose number changed (A49, A50), or that belongs to another
/// patient from here on (A44, A45).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMove {
    /// Account or Encounter.
    pub resource_type: fhir::ResourceType,
    /// Id of the record so far.
    pub from: String,
    /// Id of the record from here on; the same when only its patient changes.
    pub to: String,
    /// Id of the patient so far.
    pub from_patient: String,
    /// Id of the patient from here on.
    pub to_patient: String,
    /// There is one record, whose number changed: what was told of it goes along. Else there were two.
    pub is_renumbered: bool,
}

/// A24 and A37 (HL7 v2.9, 3.3.24 and 3.3.37): two records of one person, or of two. Both records stay at the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientLink {
    /// Id of the Patient of the first PID.
    pub one: String,
    /// Id of another.
    pub other: String,
    /// They are one person (A24); else they are two (A37).
    pub is_one: bool,
}

/// A Patient made of a PID or MRG, and the numbers by which it is known across feeds. PHI; Debug prints the id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Id of the Patient that the message makes.
    pub id: String,
    /// Numbers of trusted authorities, those of the most trusted first; at least one.
    pub numbers: Vec<PersonNumber>,
    /// Id of the patient whom the sender alone means by this: that of the first number it assigns itself, else one
    /// that nobody else's number leads to.
    pub speaker: String,
    /// URIs of all trusted authorities, most trusted first.
    pub trusted: Vec<String>,
    /// URIs of those whose numbers the sender assigns.
    pub own: Vec<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("id", &self.id)
            .field("numbers", &self.numbers.len())
            .finish_non_exhaustive()
    }
}

/// A number that a trusted authority gave one person. PHI.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonNumber {
    /// URI of the authority.
    pub system: String,
    /// As sent.
    pub value: String,
    /// Id of a patient whom only this number names.
    pub patient: String,
}

impl std::fmt::Debug for PersonNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonNumber({})", self.patient)
    }
}

/// A finding while translating: v2 path and rule, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How grave.
    pub severity: fhir::Severity,
    /// Issue type for OperationOutcome.
    pub code: fhir::IssueCode,
    /// v2 path, `PID-7`; of a finding in a resource that was made its FHIR element, `Patient.name[0].family`.
    pub path: String,
    /// `segments/PID.Patient.yaml:21:12`.
    pub rule: Option<String>,
    /// What was found, without any value.
    pub text: String,
}

/// Who translates, and how much is written down.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Secret UUIDv5 namespace of the site.
    pub namespace: Uuid,
    /// Force a site overlay; None: matched by MSH.
    pub site: Option<&'a str>,
    /// Record the steps.
    pub trace: bool,
}

/// Why a message as a whole could not be translated; ends in quarantine. No content in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No message file is `for` this trigger.
    #[error("no mapping for message type {code}^{event}")]
    UnsupportedType {
        /// MSH-9.1, cut to what a code can be.
        code: String,
        /// MSH-9.2, cut likewise.
        event: String,
    },
    /// A path of the message file's `require` is not valued.
    #[error("required field {path} is not valued")]
    MissingRequired {
        /// The path.
        path: String,
    },
    /// Two segments reach one id and the map does not say `merge`.
    #[error("two segments lead to one {resource_type} id")]
    IdentityClash {
        /// The type.
        resource_type: String,
    },
}

impl Rejection {
    /// HL7 table 0357 code: 200 unsupported message type (201 event), 101 required field missing, 205 duplicate key.
    pub fn error_code(&self) -> u16 {
        match self {
            Rejection::UnsupportedType { .. } => 200,
            Rejection::MissingRequired { .. } => 101,
            Rejection::IdentityClash { .. } => 205,
        }
    }
}
