//! The rows that a processed message leaves: message row, business keys, resource versions, ledger record.

use std::collections::BTreeMap;

use audit::{Kind, Record};
use mapping::{KeyKind, LeafFate, Translation};
use serde_json::{Value, json};
use store::{
    Cause, Effect, Entry, IndexEntry, Key, MessageRow, MessageState, NewDelivery, NewReview, Origin,
    ResourceVersion, WithdrawalReason,
};

use crate::derive::Write;
use crate::desk::Image;
use crate::id::new_id;
use crate::identity::{self, Conflict, Identified};
use crate::release::Outcome;
use crate::{Environment, Error, shared};

/// `MessageRow::flags`: the same control id came with other bytes inside the duplicate window.
pub const FLAG_CONTROL_ID_REUSED: u32 = 1;

/// `MessageRow::flags`: the patient is known to this feed only; the authority that names patients has not told of it.
pub const FLAG_KNOWN_HERE_ONLY: u32 = 2;

/// `MessageRow::flags`: it links or unlinks two patients of whom a person said the contrary, which stands.
pub const FLAG_SAID_OTHERWISE: u32 = 4;

/// Deliveries that one ledger record names; the records of a larger message are several.
const DELIVERIES_NAMED_MAX: usize = 512;
/// Withdrawals that one ledger record names, with their decisions.
const WITHDRAWALS_NAMED_MAX: usize = 60;

/// What heads a message row.
pub struct Heading<'a> {
    /// The journal entry.
    pub entry: &'a Entry,
    /// `ADT^A01`.
    pub message_type: String,
    /// `APP|FACILITY`.
    pub sender: String,
    /// Content hash of the mapping package.
    pub package_hash: &'a str,
}

/// The row of a message in `state`.
pub fn message_row(
    heading: &Heading<'_>,
    state: MessageState,
    reason: Option<String>,
    translation: Option<&Translation>,
    now_us: i64,
) -> MessageRow {
    let leaves = translation.map_or(&[][..], |translation| &translation.coverage.leaves);
    let mapped = leaves.iter().filter(|leaf| matches!(leaf.fate, LeafFate::Mapped | LeafFate::Lossy)).count();
    MessageRow {
        id: heading.entry.id,
        seq: heading.entry.seq,
        channel: heading.entry.channel.clone(),
        received_us: heading.entry.received_us,
        processed_us: now_us,
        state,
        message_type: heading.message_type.clone(),
        sender: heading.sender.clone(),
        reason,
        issues: issues_json(translation),
        package_hash: heading.package_hash.to_owned(),
        flags: if heading.entry.control_id_reused { FLAG_CONTROL_ID_REUSED } else { 0 },
        leaves_mapped: u32::try_from(mapped).unwrap_or(u32::MAX),
        leaves_total: u32::try_from(leaves.len()).unwrap_or(u32::MAX),
        parent: heading.entry.parent,
        resolved_by: None,
    }
}

fn issues_json(translation: Option<&Translation>) -> String {
    let issues = translation.map_or(&[][..], |translation| &translation.issues);
    let rows: Vec<Value> = issues
        .iter()
        .map(|issue| {
            json!({"severity": format!("{:?}", issue.severity), "code": format!("{:?}", issue.code),
                "path": issue.path, "rule": issue.rule.as_deref().unwrap_or(""), "text": issue.text})
        })
        .collect();
    Value::Array(rows).to_string()
}

/// Business keys of a translation, as the store names their kinds, and the patients it is about: a message that changed
/// nothing, or went to quarantine, counts among a patient's messages too when they are derived again. A message about no
/// patient has the resources that it sets instead.
pub fn keys(translation: &Translation) -> Vec<Key> {
    let business = translation.keys.iter().map(|key| Key {
        kind: key_name(key.kind),
        value: key.value.clone(),
        system: key.system.clone(),
    });
    let patients = identity::ids(&translation.change).into_iter();
    let patients = patients.map(|patient| Key { kind: store::PATIENT_KEY, value: patient, system: None });
    business.chain(patients).chain(shared::keys(&translation.change)).collect()
}

fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::PatientId => "patient-id",
        KeyKind::VisitNumber => "visit-number",
        KeyKind::PlacerOrder => "placer-order",
        KeyKind::FillerOrder => "filler-order",
        KeyKind::ControlId => "control-id",
        KeyKind::Sender => "sender",
        KeyKind::MessageType => "message-type",
        KeyKind::MessageTime => "message-time",
    }
}

/// The stored form of one write.
pub fn resource_version(write: &Write, package_hash: &str, now_us: i64) -> ResourceVersion {
    let image = write.body.as_deref().map_or_else(Image::of_deletion, Image::of);
    version_of(write, image, package_hash, now_us)
}

/// The stored form of one write of which it is known already what is stored of its content.
pub fn version_of(write: &Write, image: Image, package_hash: &str, now_us: i64) -> ResourceVersion {
    ResourceVersion {
        key: write.key.clone(),
        version: write.version,
        updated_us: now_us,
        patient: write.patient.clone(),
        deleted: write.body.is_none(),
        body: image.body,
        index: image.index,
        origin: match &write.client {
            Some((client, method)) => Origin::Client { client: client.clone(), method: *method },
            None => Origin::Package(package_hash.to_owned()),
        },
    }
}

/// Values of the clinical role's search parameters.
pub fn index_of(body: &Value) -> Vec<IndexEntry> {
    IndexEntry::all_of(body, fhir::Audience::Identified)
}

/// The ledger records of a message that was applied, with what was decided for each destination. There is one of its
/// kind; a message with more deliveries than it can name has records of the decision after it, which name the rest.
pub fn applied_records(
    environment: &Environment,
    heading: &Heading<'_>,
    cause: Cause,
    writes: &[Write],
    outcome: &Outcome,
    policy_hash: &str,
) -> Result<Vec<Record>, Error> {
    let kind = match cause {
        Cause::Applied(_) => Kind::MessageApplied,
        Cause::Reprocessed(_) => Kind::MessageReprocessed,
    };
    let code = if outcome.refused.is_some() { "release-refused" } else { "applied" };
    let mut record = Record::new(kind, new_id(environment), &environment.node, (environment.now_us)())
        .message(heading.entry.id.0)
        .outcome(code)
        .object("package", heading.package_hash)?
        .object("policy", policy_hash)?
        .object("resources", &writes.len().to_string())?;
    if let Some(patient) = writes.iter().find_map(|write| write.patient.as_deref()) {
        record = record.patient_token(&(environment.patient_token)(patient));
    }
    for (destination, decision, number) in &outcome.decisions {
        record = record.object("decision", &format!("{destination}|{decision}|{number}"))?;
    }
    let mut chunks = outcome.deliveries.chunks(DELIVERIES_NAMED_MAX);
    let mut records = vec![name_deliveries(record, chunks.next().unwrap_or_default())?];
    for chunk in chunks {
        let record =
            Record::new(Kind::Decided, new_id(environment), &environment.node, (environment.now_us)())
                .message(heading.entry.id.0)
                .outcome("permit");
        records.push(name_deliveries(record, chunk)?);
    }
    Ok(records)
}

fn name_deliveries(mut record: Record, deliveries: &[NewDelivery]) -> Result<Record, Error> {
    for delivery in deliveries {
        record = record.object("delivery", &delivery.id.to_string())?;
    }
    Ok(record)
}

/// The records of patients that became one, and of those that are two again (`alias == patient`): keyed tokens only.
pub fn identity_records(
    environment: &Environment,
    heading: &Heading<'_>,
    identified: &Identified,
) -> Vec<Record> {
    let record = |alias: &store::PatientAlias| {
        let kind = if alias.alias == alias.patient { Kind::PatientsUnlinked } else { Kind::PatientsLinked };
        Record::new(kind, new_id(environment), &environment.node, (environment.now_us)())
            .message(heading.entry.id.0)
            .outcome("ok")
            .patient_token(&(environment.patient_token)(&alias.patient))
            .patient_token(&(environment.patient_token)(&alias.alias))
    };
    identified.aliases.iter().map(record).collect()
}

/// The question that a message raised.
pub fn review(environment: &Environment, heading: &Heading<'_>, conflict: &Conflict) -> NewReview {
    NewReview {
        id: conflict.id(environment.namespace),
        message: heading.entry.id,
        at_us: (environment.now_us)(),
        patients: conflict.patients.clone(),
        contradictions: conflict.contradictions.iter().map(|code| (*code).to_owned()).collect(),
    }
}

/// The ledger record of a question.
pub fn review_record(
    environment: &Environment,
    heading: &Heading<'_>,
    review: &NewReview,
) -> Result<Record, Error> {
    let mut record =
        Record::new(Kind::ReviewRaised, new_id(environment), &environment.node, (environment.now_us)())
            .message(heading.entry.id.0)
            .outcome("ok")
            .object("review", &review.id.to_string())?;
    for code in &review.contradictions {
        record = record.object("contradiction", code)?;
    }
    Ok(record)
}

/// The ledger records of what is withdrawn: one for each destination and reason, with each delivery and its decision.
pub fn withdrawn_records(
    environment: &Environment,
    message: Option<uuid::Uuid>,
    deliveries: &[NewDelivery],
) -> Result<Vec<Record>, Error> {
    let mut groups: BTreeMap<(&str, WithdrawalReason), Vec<&NewDelivery>> = BTreeMap::new();
    for delivery in deliveries {
        if let Effect::Withdrawn(reason) = delivery.effect {
            groups.entry((&delivery.destination, reason)).or_default().push(delivery);
        }
    }
    let mut records = Vec::new();
    for ((destination, reason), withdrawn) in groups {
        for chunk in withdrawn.chunks(WITHDRAWALS_NAMED_MAX) {
            let mut record =
                Record::new(Kind::Withdrawn, new_id(environment), &environment.node, (environment.now_us)())
                    .outcome(reason.as_str())
                    .object("destination", destination)?;
            if let Some(message) = message {
                record = record.message(message);
            }
            for delivery in chunk {
                if let Some(patient) = &delivery.patient {
                    record = record.patient_token(&(environment.patient_token)(patient));
                }
                record = record
                    .object("delivery", &delivery.id.to_string())?
                    .object("decision", &delivery.sealed.decision_id.to_string())?;
            }
            records.push(record);
        }
    }
    Ok(records)
}

/// The ledger records of what is released without a message.
pub fn released_records(environment: &Environment, deliveries: &[NewDelivery]) -> Result<Vec<Record>, Error> {
    let is_content = |delivery: &&NewDelivery| matches!(delivery.effect, Effect::Stands(_));
    let released: Vec<NewDelivery> = deliveries.iter().filter(is_content).cloned().collect();
    let mut records = Vec::new();
    for chunk in released.chunks(DELIVERIES_NAMED_MAX) {
        let record =
            Record::new(Kind::Decided, new_id(environment), &environment.node, (environment.now_us)())
                .outcome("permit");
        records.push(name_deliveries(record, chunk)?);
    }
    Ok(records)
}

/// The ledger record of a part that waits for its continuation.
pub fn waiting_record(environment: &Environment, heading: &Heading<'_>, cause: Cause) -> Record {
    let kind = match cause {
        Cause::Applied(_) => Kind::MessageApplied,
        Cause::Reprocessed(_) => Kind::MessageReprocessed,
    };
    Record::new(kind, new_id(environment), &environment.node, (environment.now_us)())
        .message(heading.entry.id.0)
        .outcome("waiting")
}

/// The ledger record of a message that went to quarantine.
pub fn quarantined_record(environment: &Environment, heading: &Heading<'_>) -> Record {
    Record::new(Kind::MessageQuarantined, new_id(environment), &environment.node, (environment.now_us)())
        .message(heading.entry.id.0)
        .outcome("quarantined")
}
