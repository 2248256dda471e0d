//! A record as an IHE BALP 1.1.4 AuditEvent (FHIR R4).
//!
//! A profile is claimed in `meta.profile` only where the record carries everything the profile requires. Searches claim
//! none: BALP wants the query itself, and the ledger does not hold search text.

use serde_json::{Map, Value, json};

use crate::time::instant;
use crate::{Actor, Kind, Record};

/// System of patient tokens in `entity.what.identifier`.
pub const PATIENT_TOKEN_SYSTEM: &str = "urn:tidegate:patient-token";
/// System of record ids where an event names its record.
pub const RECORD_ID_SYSTEM: &str = "urn:ietf:rfc:3986";
const NODE_SYSTEM: &str = "urn:tidegate:node";
const ACTOR_SYSTEM: &str = "urn:tidegate:actor";
const OBJECT_SYSTEM: &str = "urn:tidegate:object";

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const BALP_ENTITY_TYPE: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const BALP_PROFILE: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";

/// Objects with a place of their own in the event.
const REQUEST_OBJECT: &str = "request";
const CLIENT_OBJECT: &str = "client";
const COUNTERPARTS: [&str; 2] = ["destination", "source"];

/// Which way what the act moved went, as seen from this node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
    Within,
}

/// How one kind is told in an AuditEvent.
struct Shape {
    event: Value,
    subtype: Value,
    action: &'static str,
    direction: Direction,
}

impl Record {
    /// The AuditEvent (R4 JSON). A record of several patients names all of them; [`Record::to_audit_events`] splits it.
    pub fn to_audit_event(&self) -> Value {
        self.event_of(&self.id().to_string(), self.patient_tokens())
    }

    /// One AuditEvent for each patient, as BALP wants it, or one in all when no patient is named.
    pub fn to_audit_events(&self) -> Vec<Value> {
        if self.patient_tokens().len() < 2 {
            return vec![self.to_audit_event()];
        }
        let numbered = self.patient_tokens().iter().enumerate();
        numbered
            .map(|(number, token)| {
                self.event_of(&format!("{}.{number}", self.id()), std::slice::from_ref(token))
            })
            .collect()
    }

    fn event_of(&self, id: &str, patients: &[String]) -> Value {
        let shape = shape(self.kind());
        let outcome = outcome(self.outcome_code());
        let agents = self.agents(shape.direction);
        let mut entities: Vec<Value> = patients.iter().map(|token| patient_entity(token)).collect();
        entities.extend(self.data_entity());
        entities.extend(self.transaction_entity());

        let mut event = Map::new();
        event.insert("resourceType".into(), json!("AuditEvent"));
        event.insert("id".into(), json!(id));
        if let Some(profile) = self.profile(outcome, patients.len(), agents.len()) {
            event.insert("meta".into(), json!({"profile": [format!("{BALP_PROFILE}{profile}")]}));
        }
        event.insert("type".into(), shape.event);
        event.insert("subtype".into(), json!([shape.subtype]));
        event.insert("action".into(), json!(shape.action));
        event.insert("recorded".into(), json!(instant(self.at_us())));
        event.insert("outcome".into(), json!(outcome));
        if let Some(code) = self.outcome_code().filter(|code| !code.is_empty()) {
            event.insert("outcomeDesc".into(), json!(code));
        }
        event.insert("agent".into(), Value::Array(agents));
        let source_type = coding(SOURCE_TYPE, "4", "Application Server");
        let source = json!({"site": self.node_name(), "observer": self.node_who(), "type": [source_type]});
        event.insert("source".into(), source);
        if !entities.is_empty() {
            event.insert("entity".into(), Value::Array(entities));
        }
        Value::Object(event)
    }

    /// The BALP profile that this event satisfies, if any.
    fn profile(&self, outcome: &str, patients: usize, agents: usize) -> Option<&'static str> {
        let (has_data, has_two_agents) = (self.has_data(), agents >= 2);
        match self.kind() {
            Kind::ResourceRead | Kind::MessageViewed if outcome == "0" && has_data && has_two_agents => {
                match patients {
                    0 => Some("Read"),
                    1 => Some("PatientRead"),
                    _ => None,
                }
            }
            Kind::Delivered if patients == 1 && has_data && has_two_agents => {
                Some("PrivacyDisclosure.Source")
            }
            Kind::Arrived if patients == 1 && has_data && has_two_agents => {
                Some("PrivacyDisclosure.Recipient")
            }
            _ => None,
        }
    }

    /// The node, the system at the other end, and the person, in the roles of the event.
    fn agents(&self, direction: Direction) -> Vec<Value> {
        let node_network = json!({"address": self.node_name(), "type": "1"});
        let (node_role, other_role) = match direction {
            Direction::In => (destination_role(), source_role()),
            Direction::Out => (source_role(), destination_role()),
            Direction::Within => (application_role(), source_role()),
        };
        let mut agents = vec![agent(node_role, self.node_who(), false, Some(node_network))];
        let is_user = matches!(self.acted_by(), Actor::User(_));
        if let Some(name) = self.counterpart() {
            let network = match self.network_address() {
                Some(address) => json!({"address": address.to_string(), "type": "2"}),
                None => json!({"address": name, "type": "1"}),
            };
            agents.push(agent(other_role, actor_who(name), !is_user, Some(network)));
        }
        if let Actor::User(user) = self.acted_by() {
            let role = coding(PARTICIPATION, "IRCP", "information recipient");
            agents.push(agent(role, actor_who(named(user)), true, None));
        }
        if agents.len() == 1
            && let Some(Value::Object(node)) = agents.first_mut()
        {
            node.insert("requestor".into(), json!(true));
        }
        agents
    }

    /// The system at the other end: the client, a destination or source named as an object, or for a person the
    /// console of this node.
    fn counterpart(&self) -> Option<&str> {
        let object =
            |name: &str| self.objects().iter().find(|(known, _)| known == name).map(|(_, id)| id.as_str());
        match self.acted_by() {
            Actor::Client(id) => Some(named(id)),
            Actor::User(_) => Some(named(object(CLIENT_OBJECT).unwrap_or(self.node_name()))),
            Actor::Node => COUNTERPARTS.into_iter().find_map(object).map(named),
        }
    }

    fn has_data(&self) -> bool {
        self.message_id().is_some() || self.objects().iter().any(|(name, _)| name != REQUEST_OBJECT)
    }

    /// One entity for everything that is no person: BALP allows exactly one System Object, so the objects stand in
    /// its details, and the first FHIR reference or the message is what it is about.
    fn data_entity(&self) -> Option<Value> {
        if !self.has_data() {
            return None;
        }
        let objects = || self.objects().iter().filter(|(name, _)| name != REQUEST_OBJECT);
        let reference = objects().map(|(_, id)| id.as_str()).find(|id| is_reference(id));
        let what = match (reference, self.message_id(), objects().find(|(_, id)| !id.is_empty())) {
            (Some(reference), _, _) => json!({"reference": reference}),
            (None, Some(message), _) => identifier(RECORD_ID_SYSTEM, &format!("urn:uuid:{message}")),
            (None, None, Some((_, id))) => identifier(OBJECT_SYSTEM, id),
            (None, None, None) => identifier(RECORD_ID_SYSTEM, &format!("urn:uuid:{}", self.id())),
        };
        let role = match self.kind() {
            Kind::ResourceSearched => coding(OBJECT_ROLE, "24", "Query"),
            _ => coding(OBJECT_ROLE, "4", "Domain Resource"),
        };
        let mut entity =
            json!({"what": what, "type": coding(ENTITY_TYPE, "2", "System Object"), "role": role});
        let message = self.message_id().map(|id| ("message".to_owned(), id.to_string()));
        let details: Vec<Value> = message
            .iter()
            .chain(objects())
            .filter(|(name, id)| !name.is_empty() && !id.is_empty())
            .map(|(name, id)| json!({"type": name, "valueString": id}))
            .collect();
        if let (Value::Object(fields), false) = (&mut entity, details.is_empty()) {
            fields.insert("detail".into(), Value::Array(details));
        }
        Some(entity)
    }

    fn transaction_entity(&self) -> Option<Value> {
        let (_, id) = self.objects().iter().find(|(name, id)| name == REQUEST_OBJECT && !id.is_empty())?;
        let kind = json!({"system": BALP_ENTITY_TYPE, "code": "XrequestId"});
        Some(json!({"what": {"identifier": {"value": id}}, "type": kind}))
    }

    fn node_name(&self) -> &str {
        named(self.node())
    }

    fn node_who(&self) -> Value {
        identifier(NODE_SYSTEM, self.node_name())
    }
}

/// A name for where FHIR wants one and the record has the empty code.
fn named(code: &str) -> &str {
    if code.is_empty() { "unnamed" } else { code }
}

fn shape(kind: Kind) -> Shape {
    let import = || coding(DICOM, "110107", "Import");
    let export = || coding(DICOM, "110106", "Export");
    let alert = || coding(DICOM, "110113", "Security Alert");
    let application = |code: &str, display: &str| {
        let event = coding(DICOM, "110100", "Application Activity");
        (event, coding(DICOM, code, display), "E", Direction::Within)
    };
    let lifecycle = |code: &str, display: &str| coding(LIFECYCLE, code, display);
    let attest = || identity("attest", "Attest", Direction::In);
    let disclose = || lifecycle("disclose", "Disclose Record Lifecycle Event");
    let (event, subtype, action, direction) = match kind {
        Kind::MessageReceived | Kind::ArrivalRefused => {
            (import(), lifecycle("receive", "Receive/Retain Record Lifecycle Event"), "C", Direction::In)
        }
        Kind::MessageApplied | Kind::MessageReprocessed => {
            let transform = || lifecycle("transform", "Transform/Translate Record Lifecycle Event");
            (
                transform(),
                transform(),
                if kind == Kind::MessageApplied { "C" } else { "U" },
                Direction::Within,
            )
        }
        Kind::MessageQuarantined => {
            (alert(), lifecycle("hold", "Add Legal Hold Record Lifecycle Event"), "U", Direction::Within)
        }
        Kind::ReleasedFromQuarantine => {
            (alert(), lifecycle("unhold", "Remove Legal Hold Record Lifecycle Event"), "U", Direction::Within)
        }
        Kind::Decided => {
            (alert(), lifecycle("verify", "Verify Record Lifecycle Event"), "E", Direction::Within)
        }
        Kind::Delivered => (export(), disclose(), "R", Direction::Out),
        Kind::DeliveryRefused => {
            (export(), lifecycle("transmit", "Transmit Record Lifecycle Event"), "R", Direction::Out)
        }
        Kind::ReceiptEntered => {
            (import(), lifecycle("attest", "Attest Record Lifecycle Event"), "C", Direction::In)
        }
        Kind::ResourceRead | Kind::MessageViewed => interaction("read", "R", Direction::Out),
        Kind::ResourceSearched => interaction("search-type", "E", Direction::In),
        Kind::ResourceCreated => interaction("create", "C", Direction::In),
        Kind::ResourceUpdated | Kind::ChangeRefused => interaction("update", "U", Direction::In),
        Kind::ResourceDeleted => interaction("delete", "D", Direction::In),
        Kind::AccessRefused => turned_away(),
        Kind::SignIn => {
            let authentication = coding(DICOM, "110114", "User Authentication");
            (authentication, coding(DICOM, "110122", "Login"), "E", Direction::In)
        }
        Kind::NodeStarted => application("110120", "Application Start"),
        Kind::NodeStopped => application("110121", "Application Stop"),
        Kind::ConfigurationChanged => {
            (alert(), coding(DICOM, "110131", "Security Configuration"), "U", Direction::Within)
        }
        Kind::Arrived => (import(), disclose(), "C", Direction::In),
        Kind::PatientsLinked => identity("link", "Link", Direction::Within),
        Kind::PatientsUnlinked => identity("unlink", "Unlink", Direction::Within),
        Kind::ReviewRaised | Kind::HoldPlaced => identity("hold", "Add Legal Hold", Direction::Within),
        Kind::ReviewAnswered | Kind::ConsentRecorded | Kind::AlertAcknowledged => attest(),
        Kind::Withdrawn | Kind::JournalDropped => identity("destroy", "Destroy/Delete", Direction::Out),
        Kind::Swept | Kind::CodeMapped => identity("transform", "Transform/Translate", Direction::Within),
        Kind::MessageResent => identity("amend", "Amend (Update)", Direction::In),
        Kind::DeliveryRevived | Kind::HoldReleased => {
            identity("reactivate", "Re-activate", Direction::Within)
        }
    };
    Shape { event, subtype, action, direction }
}

/// An interaction of the RESTful API.
fn interaction(
    code: &str,
    action: &'static str,
    direction: Direction,
) -> (Value, Value, &'static str, Direction) {
    (coding(EVENT_TYPE, "rest", "Restful Operation"), coding(INTERACTION, code, code), action, direction)
}

/// Requests of somebody who may not ask, or not so often.
fn turned_away() -> (Value, Value, &'static str, Direction) {
    let alert = coding(DICOM, "110113", "Security Alert");
    (alert, coding(DICOM, "110127", "Use of Restricted Function"), "E", Direction::In)
}

/// A step in the life of what is recorded (ISO 21089).
fn identity(code: &str, display: &str, direction: Direction) -> (Value, Value, &'static str, Direction) {
    let display = format!("{display} Record Lifecycle Event");
    let event = || coding(LIFECYCLE, code, &display);
    (event(), event(), "U", direction)
}

/// AuditEvent.outcome: 0 success, 4 minor failure (refused), 8 serious failure (`error…`, `failed…`).
fn outcome(code: Option<&str>) -> &'static str {
    match code {
        None | Some("" | "ok" | "success" | "accepted" | "allowed" | "permit" | "AA" | "CA") => "0",
        Some(code) if code.starts_with("error") || code.starts_with("failed") => "8",
        Some(_) => "4",
    }
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

fn source_role() -> Value {
    coding(DICOM, "110153", "Source Role ID")
}

fn destination_role() -> Value {
    coding(DICOM, "110152", "Destination Role ID")
}

fn application_role() -> Value {
    coding(DICOM, "110150", "Application")
}

fn agent(role: Value, who: Value, requestor: bool, network: Option<Value>) -> Value {
    let mut agent = json!({"type": {"coding": [role]}, "who": who, "requestor": requestor});
    if let (Value::Object(fields), Some(network)) = (&mut agent, network) {
        fields.insert("network".into(), network);
    }
    agent
}

fn identifier(system: &str, value: &str) -> Value {
    json!({"identifier": {"system": system, "value": value}})
}

fn actor_who(id: &str) -> Value {
    identifier(ACTOR_SYSTEM, id)
}

fn patient_entity(token: &str) -> Value {
    json!({
        "what": {"type": "Patient", "identifier": {"system": PATIENT_TOKEN_SYSTEM, "value": token}},
        "type": coding(ENTITY_TYPE, "1", "Person"),
        "role": coding(OBJECT_ROLE, "1", "Patient"),
    })
}

/// `Type/id`, with a version or without, as in R4 §2.3.0.1 (relative literal references).
fn is_reference(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is_id = |id: &str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    };
    let is_type = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().all(|b| b.is_ascii_alphabetic())
    };
    match parts[..] {
        [name, id] => is_type(name) && is_id(id),
        [name, id, "_history", version] => is_type(name) && is_id(id) && is_id(version),
        _ => false,
    }
}
