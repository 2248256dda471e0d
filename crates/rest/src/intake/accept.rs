//! `POST /link/v1/deliveries`: verify, store, receipt.

use audit::{Actor, Kind, Record};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use fhir::{IndexValue, ResourceType};
use serde::Serialize;
use serde_json::Value;
use store::{Arrived, IndexEntry, IntakeWrite, Micros, Origin, ResourceBody, ResourceKey, ResourceVersion};
use uuid::Uuid;

use super::IntakeState;
use super::delivery::{Answer, Delivery, Refusal, Sent, read};
use super::receipt::{ReceiptText, hex};
use crate::outcome::Failure;
use crate::serve::PeerCertificate;
use crate::server::PORTAL;
use crate::time::year_start;

/// Actor of a peer that showed no certificate (a listener without TLS, in tests).
const PEER_UNNAMED: &str = "link";
/// Bytes of a certificate's fingerprint in a record.
const FINGERPRINT_BYTES: usize = 16;

#[derive(Serialize)]
struct Answers {
    results: Vec<Answer>,
}

/// One delivery after its check.
enum Checked {
    Kept(Box<IntakeWrite>),
    Refused(Uuid, Refusal, Box<Record>),
}

pub(super) async fn deliveries(
    State(state): State<IntakeState>,
    certificate: Option<Extension<PeerCertificate>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let sent = read(&headers, body).await?;
    let sent: Vec<_> = sent.into_iter().map(Sent::parse).collect::<Result<_, _>>()?;
    let actor = Actor::Client(certificate.map_or_else(|| PEER_UNNAMED.to_owned(), |found| named(found.0)));
    let checking = state.clone();
    let checked = tokio::task::spawn_blocking(move || {
        sent.into_iter()
            .map(|(key, delivery)| check(&checking, &actor, key, delivery))
            .collect::<Result<Vec<_>, _>>()
    });
    let checked = checked.await.map_err(|_| Failure::internal())?.map_err(|error| {
        tracing::error!(error = %error, "an intake record cannot be built");
        Failure::internal()
    })?;
    let results = keep(&state, checked).await?;
    Ok(Json(Answers { results }).into_response())
}

fn named(PeerCertificate(hash): PeerCertificate) -> String {
    format!("cert:{}", hash.get(..FINGERPRINT_BYTES).map(hex).unwrap_or_default())
}

/// Records what is refused, stores what is not, and answers in the order sent.
async fn keep(state: &IntakeState, checked: Vec<Checked>) -> Result<Vec<Answer>, Failure> {
    let (mut answers, mut places, mut writes, mut refusals) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (place, checked) in checked.into_iter().enumerate() {
        match checked {
            Checked::Kept(write) => {
                let (idempotency_key, receipt) =
                    (write.idempotency_key.to_string(), Some(write.receipt.clone()));
                answers.push(Answer { idempotency_key, receipt, refused: None });
                places.push(place);
                writes.push(*write);
            }
            Checked::Refused(key, refusal, record) => {
                tracing::warn!(
                    code = refusal.code,
                    findings = refusal.findings.len(),
                    "a delivery is refused"
                );
                answers.push(Answer {
                    idempotency_key: key.to_string(),
                    receipt: None,
                    refused: Some(refusal),
                });
                refusals.push(*record);
            }
        }
    }
    if !refusals.is_empty() {
        state.ledger.append(refusals).await?;
    }
    if writes.is_empty() {
        return Ok(answers);
    }
    let arrived = state.intake.arrive(writes).await?;
    if arrived.len() != places.len() {
        tracing::error!("the store answered for another number of deliveries");
        return Err(Failure::internal());
    }
    for (place, arrived) in places.into_iter().zip(arrived) {
        if let (Arrived::Duplicate { receipt }, Some(answer)) = (arrived, answers.get_mut(place)) {
            answer.receipt = Some(receipt);
        }
    }
    Ok(answers)
}

fn check(
    state: &IntakeState,
    actor: &Actor,
    key: Uuid,
    delivery: Result<Delivery, Refusal>,
) -> Result<Checked, audit::Error> {
    let at_us = (state.now_us)();
    let record = |kind, outcome: &'static str| {
        let record =
            Record::new(kind, Uuid::new_v4(), &state.node, at_us).outcome(outcome).actor(actor.clone());
        record.object("delivery", &key.to_string())
    };
    let delivery = match delivery {
        Ok(delivery) => delivery,
        Err(refusal) => {
            let record = record(Kind::ArrivalRefused, refusal.code)?;
            return Ok(Checked::Refused(key, refusal, Box::new(record)));
        }
    };
    let content_hash = sha256(&delivery.body);
    let describe = |record: Record| {
        let content = format!("sha256:{}", hex(&content_hash));
        let decision = delivery.decision_id.to_string();
        record
            .object("content", &content)?
            .object("decision", &decision)?
            .object("destination", &delivery.destination)?
            .object("profile", &delivery.profile)?
            .object("policy", &delivery.policy_hash)
    };
    match verified(state, &delivery) {
        Err(refusal) => {
            let record = describe(record(Kind::ArrivalRefused, refusal.code)?)?;
            Ok(Checked::Refused(key, refusal, Box::new(record)))
        }
        Ok(resource) => {
            let named = format!("{}/{}|{}", delivery.resource_type, delivery.released_id, delivery.version);
            let record = describe(record(Kind::Arrived, "ok")?.object("resource", &named)?)?;
            let receipt = receipt(state, key, &delivery, content_hash, at_us);
            let version = Some(version(delivery, resource.as_ref(), at_us));
            Ok(Checked::Kept(Box::new(IntakeWrite { idempotency_key: key, version, receipt, record })))
        }
    }
}

/// The resource of a delivery that may be kept; none when it is a deletion.
fn verified(state: &IntakeState, delivery: &Delivery) -> Result<Option<Value>, Refusal> {
    if delivery.destination != state.destination {
        return Err(Refusal::new("destination-unknown"));
    }
    let grammar = state.grammars.get(&delivery.profile).ok_or_else(|| Refusal::new("profile-unknown"))?;
    if delivery.deleted {
        return Ok(None);
    }
    verifier::verify_arrival(&delivery.body, grammar).map_err(Refusal::verification)?;
    let resource: Value = serde_json::from_slice(&delivery.body).map_err(|_| Refusal::new("identity"))?;
    let id = resource.get("id").and_then(Value::as_str);
    if ResourceType::of(&resource) != Some(delivery.resource_type) || id != Some(&delivery.released_id) {
        return Err(Refusal::new("identity"));
    }
    Ok(Some(resource))
}

fn receipt(
    state: &IntakeState,
    key: Uuid,
    delivery: &Delivery,
    content_hash: [u8; 32],
    at_us: Micros,
) -> String {
    let text = ReceiptText {
        node: &state.node,
        region: &state.region,
        destination: &delivery.destination,
        resource_type: delivery.resource_type.as_str(),
        released_id: &delivery.released_id,
        version: delivery.version,
        content_hash,
        idempotency_key: key,
        decision_id: delivery.decision_id,
        at_us,
    };
    text.sign(&state.receipt_key)
}

/// The version to store. Its instant is the year's first: the day of arrival would be the day of care.
fn version(delivery: Delivery, resource: Option<&Value>, at_us: Micros) -> ResourceVersion {
    let of = delivery.resource_type;
    let patient = match of.as_str() {
        "Patient" => Some(delivery.released_id.clone()),
        _ => resource.and_then(|resource| owner(of, resource)),
    };
    ResourceVersion {
        key: ResourceKey { resource_type: of, id: delivery.released_id },
        version: delivery.version,
        updated_us: year_start(at_us),
        patient,
        deleted: delivery.deleted,
        body: ResourceBody::new(delivery.body),
        // Values of the portal's search parameters alone: nothing else can be asked for.
        index: resource.map(|resource| IndexEntry::all_of(resource, PORTAL.audience)).unwrap_or_default(),
        origin: Origin::Package(delivery.policy_hash),
    }
}

/// The patient whose compartment the resource is in.
fn owner(of: ResourceType, resource: &Value) -> Option<String> {
    let r4 = fhir::r4();
    let parameters = r4.patient_compartment(of.as_str()).iter();
    let mut values = parameters
        .filter_map(|code| r4.search_parameter(of.as_str(), code))
        .flat_map(|parameter| fhir::extract(resource, parameter));
    values.find_map(|value| match value {
        IndexValue::Reference { resource_type: Some(target), id } if target == "Patient" => Some(id),
        _ => None,
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    // SHA-256 is 32 bytes, so the lengths are equal.
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}
