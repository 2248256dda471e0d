//! Synthetic rows.

use audit::{Kind, Record};
use bytes::Bytes;
use fhir::{IndexValue, ResourceType};
use store::{
    Arrival, Cause, Clause, Disposition, IndexEntry, JournalId, Key, MessageRow, MessageState,
    NewAcknowledgment, NewDelivery, NewPseudonym, Origin, ResourceBody, ResourceKey, ResourceVersion, Sealed,
    Search, SenderKey, Seq, TokenValue, WriteSet,
};
use uuid::Uuid;

/// 2026-11-23T00:00:00Z
pub const NOW_US: i64 = 1_795_392_000_000_000;
pub const DAY_US: i64 = 86_400_000_000;

pub fn arrival(control_id: &str, bytes: &str, received_us: i64) -> Arrival {
    Arrival {
        id: JournalId(Uuid::now_v7()),
        channel: "adt".into(),
        peer: "127.0.0.1:40000".into(),
        received_us,
        bytes: Bytes::copy_from_slice(bytes.as_bytes()),
        sender: Some(SenderKey {
            application: b"EMR".to_vec(),
            facility: b"HOSP".to_vec(),
            control_id: control_id.as_bytes().to_vec(),
        }),
        disposition: Disposition::Accepted,
        acknowledgment: Some(NewAcknowledgment {
            code: "AA".into(),
            bytes: Bytes::from(format!("MSA|AA|{control_id}|{bytes}")),
            is_owed: true,
        }),
        promise: None,
        parent: None,
        charset: None,
    }
}

pub fn record(kind: Kind) -> Record {
    Record::new(kind, Uuid::new_v4(), "node-1", NOW_US)
}

pub fn message(seq: i64) -> MessageRow {
    MessageRow {
        id: JournalId(Uuid::from_u128(0x7000 + u128::try_from(seq).expect("positive"))),
        seq: Seq(seq),
        channel: "adt".into(),
        received_us: NOW_US + seq,
        processed_us: NOW_US + 10 * seq,
        state: MessageState::Routed,
        message_type: "ADT^A01".into(),
        sender: "EMR".into(),
        reason: None,
        issues: "[]".into(),
        package_hash: "p1".into(),
        flags: 5,
        leaves_mapped: 40,
        leaves_total: 42,
        parent: None,
        resolved_by: None,
    }
}

pub fn set(seq: i64) -> WriteSet {
    WriteSet::of(Cause::Applied(Seq(seq)), message(seq), Vec::new())
}

pub fn resource_type(name: &str) -> ResourceType {
    ResourceType::parse(name).expect("a type of R4")
}

pub fn key(name: &str, id: &str) -> ResourceKey {
    ResourceKey { resource_type: resource_type(name), id: id.into() }
}

pub fn version(name: &str, id: &str, version: u32) -> ResourceVersion {
    ResourceVersion {
        key: key(name, id),
        version,
        updated_us: NOW_US + i64::from(version),
        patient: None,
        deleted: false,
        body: ResourceBody::new(
            format!("{{\"resourceType\":\"{name}\",\"id\":\"{id}\",\"v\":{version}}}").into_bytes(),
        ),
        index: Vec::new(),
        origin: Origin::Package("p1".into()),
    }
}

/// A resource as it is, with its index.
pub fn real(resource: &serde_json::Value) -> ResourceVersion {
    let text = |name: &str| resource[name].as_str().expect("a text");
    ResourceVersion {
        body: ResourceBody::new(fhir::canonical_json(resource)),
        index: IndexEntry::all_of(resource, fhir::Audience::Identified),
        ..version(text("resourceType"), text("id"), 1)
    }
}

pub fn of_patient(mut version: ResourceVersion, patient: &str) -> ResourceVersion {
    version.patient = Some(patient.into());
    with(
        version,
        "subject",
        IndexValue::Reference { resource_type: Some("Patient".into()), id: patient.into() },
    )
}

pub fn with(mut version: ResourceVersion, parameter: &str, value: IndexValue) -> ResourceVersion {
    version.index.push(IndexEntry { parameter: parameter.into(), value });
    version
}

pub fn token(version: ResourceVersion, parameter: &str, system: Option<&str>, code: &str) -> ResourceVersion {
    with(version, parameter, IndexValue::Token { system: system.map(Into::into), code: code.into() })
}

pub fn search(name: &str, clauses: Vec<Clause>) -> Search {
    Search { clauses, ..Search::of(resource_type(name), 100) }
}

pub fn tokens(parameter: &str, values: &[(Option<&str>, Option<&str>)]) -> Clause {
    let value = |(system, code): &(Option<&str>, Option<&str>)| TokenValue {
        system: system.map(Into::into),
        code: code.map(Into::into),
    };
    Clause::Token { parameter: parameter.into(), values: values.iter().map(value).collect(), not: false }
}

pub fn references(parameter: &str, values: &[(Option<&str>, &str)]) -> Clause {
    let value = |(name, id): &(Option<&str>, &str)| (name.map(Into::into), (*id).into());
    Clause::Reference { parameter: parameter.into(), values: values.iter().map(value).collect() }
}

pub fn business_key(kind: &'static str, value: &str) -> Key {
    Key { kind, value: value.into(), system: Some("urn:hosp".into()) }
}

pub fn delivery(number: u128, lane: &str) -> NewDelivery {
    NewDelivery {
        id: Uuid::from_u128(number),
        destination: "portal".into(),
        lane: lane.into(),
        resource: key("Patient", "p1"),
        released_id: "r1".into(),
        version: 1,
        patient: Some("p1".into()),
        revision: u32::try_from(number).expect("small"),
        effect: store::Effect::Stands([1; 32]),
        basis: "b1".into(),
        sealed: Sealed {
            destination: "portal".into(),
            decision_id: Uuid::from_u128(99),
            bytes: format!("released {number}").into_bytes(),
            mac: [7; 32],
        },
        actions: "[]".into(),
    }
}

pub fn pseudonym(destination: &str, clinical_id: &str, released_id: &str) -> NewPseudonym {
    NewPseudonym {
        destination: destination.into(),
        resource_type: resource_type("Patient"),
        clinical_id: clinical_id.into(),
        released_id: released_id.into(),
        secret: [9; 32],
    }
}
