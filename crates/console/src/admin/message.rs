//! One message: what came of it, and with a reason its values.

use std::sync::Arc;

use audit::{Kind, Record};
use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hl7v2::{Charset, Message};
use mapping::{LeafCoverage, Step};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{DeliveryRow, Entry, ForwardRow, Later, MessageDetail, Stored};

use crate::Error;
use crate::admin::body::Body;
use crate::admin::refusal::Refusal;
use crate::admin::search;
use crate::admin::token::Client;
use crate::clinical::{
    Again, Clinical, REASONS, acknowledgment, acknowledgments_json, again, delivery, fate_word,
    forward_badge, journal_id, of, read_resources,
};
use crate::hex::hex;
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};
use crate::time::instant;

/// Why values are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) reason: String,
}

/// One of the codes of [`REASONS`].
pub(crate) fn known_reason(reason: &str) -> Result<&'static str, Refusal> {
    let known = REASONS.into_iter().find(|(code, _)| *code == reason);
    known.map(|(code, _)| code).ok_or_else(|| {
        let codes = REASONS.map(|(code, _)| code).join(", ");
        let cause = format!("the reason is not one of {codes}");
        let fix = "give the reason as one of these codes";
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "reason", cause, fix)
    })
}

/// `GET /admin/messages/{id}`.
pub(crate) async fn masked(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    show(&server, &client, peer, &id, None).await
}

/// `POST /admin/messages/{id}/reveal`.
pub(crate) async fn revealed(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Body(Asked { reason }): Body<Asked>,
) -> Result<Json<Value>, Refusal> {
    show(&server, &client, peer, &id, Some(known_reason(&reason)?)).await
}

/// What was read of a message.
struct Found {
    entry: Entry,
    /// Acknowledgments given later.
    later: Vec<Later>,
    detail: Option<MessageDetail>,
    resources: Vec<Stored>,
    reveal: bool,
}

async fn show(
    server: &Server,
    client: &Client,
    peer: Peer,
    id: &str,
    reason: Option<&'static str>,
) -> Result<Json<Value>, Refusal> {
    let id = journal_id(id)?;
    let clinical = of(server)?;
    let detail = clinical.messages.detail(id).await?;
    let Some(entry) = clinical.journal.read(id).await? else {
        let known = detail.as_ref().map(|detail| &detail.row);
        let Some(row) = known else { return Err(Error::NotFound("message").into()) };
        return match clinical.retention.is_dropped(row.received_us).await? {
            true => Err(Refusal::dropped()),
            false => Err(Error::NotFound("message").into()),
        };
    };
    let later = clinical.acknowledgments.given(id).await?;
    let resources = read_resources(server, detail.as_ref()).await?;
    record(server, clinical, client, peer, &entry, &resources, reason).await?;
    let parts = clinical.clone();
    let found = Found { entry, later, detail, resources, reveal: reason.is_some() };
    // Pure work that grows with the message; a panic in it ends this answer alone.
    let answer =
        tokio::task::spawn_blocking(move || answer(&parts, &found)).await.map_err(|_| Error::Task)?;
    Ok(Json(answer))
}

/// Commits the record of the view: who, which message, which patients, and why when values are shown.
async fn record(
    server: &Server,
    clinical: &Clinical,
    client: &Client,
    peer: Peer,
    entry: &Entry,
    resources: &[Stored],
    reason: Option<&str>,
) -> Result<(), Error> {
    let view = if reason.is_some() { "revealed" } else { "masked" };
    let mut record = by_client(&server.console, Kind::MessageViewed, &client.0, peer)
        .outcome("ok")
        .message(entry.id.0)
        .object("view", view)
        .map_err(not_recorded)?;
    if let Some(reason) = reason {
        record = record.object("reason", reason).map_err(not_recorded)?;
    }
    for stored in resources {
        if let Some(patient) = &stored.patient {
            record = record.patient_token(&(clinical.patient_token)(patient));
        }
        let name = format!("{}/{}|{}", stored.key.resource_type, stored.key.id, stored.version);
        record = record.object("resource", &name).map_err(not_recorded)?;
    }
    server.console.access.record(record).await.map_err(not_recorded)
}

fn answer(clinical: &Clinical, found: &Found) -> Value {
    let Found { entry, detail, reveal, .. } = found;
    let (read, package) = (Message::read_as(&entry.bytes, entry.charset.as_deref()), (clinical.package)());
    let translated = match &read {
        Ok(message) if entry.refused.is_none() => again(&package, clinical.namespace, message),
        Ok(_) => Again::Unreadable("it was refused, so it is not translated".to_owned()),
        Err(unreadable) => Again::Unreadable(format!("it cannot be read: {unreadable}")),
    };
    let (steps, coverage, untranslated) = match translated {
        Again::Traced(trace, coverage, _) => (trace.steps().collect(), coverage.leaves, None),
        Again::Rejected(why) | Again::Unreadable(why) => (Vec::new(), Vec::new(), Some(why)),
    };
    let row = detail.as_ref().map(|detail| search::row(&detail.row));
    let issues = detail.as_ref().map(|detail| array(&detail.row.issues));
    let deliveries = detail.iter().flat_map(|detail| &detail.deliveries).map(delivery_json);
    let forwards = detail.iter().flat_map(|detail| &detail.forwards).map(forward_json);
    let records = detail.iter().flat_map(|detail| &detail.records).map(|row| {
        json!({"leaf": row.leaf, "hash": row.hash.map(|hash| hex(&hash)), "record": record_json(&row.record)})
    });
    let given = entry.acknowledgment.as_ref();
    let mut answer = json!({
        "id": entry.id.0, "position": entry.seq.0, "channel": entry.channel, "peer": entry.peer,
        "received": instant(entry.received_us).exact, "bytes": entry.bytes.len(), "refused": entry.refused,
        "message": row, "issues": issues, "package": package.hash(),
        "acknowledgment":
            given.map(|given| json!({"code": given.code, "outcome": acknowledgment(given.outcome).word})),
        "acknowledgments": acknowledgments_json(entry, &found.later),
        "untranslated": untranslated, "leaves": coverage.iter().map(leaf_json).collect::<Vec<_>>(),
        "trace": steps.iter().map(|step| step_json(step, *reveal)).collect::<Vec<_>>(),
        "resources": found.resources.iter().map(|stored| resource_json(stored, *reveal)).collect::<Vec<_>>(),
        "resources_total": detail.as_ref().map_or(0, |detail| detail.resources.len()),
        "deliveries": deliveries.collect::<Vec<_>>(), "forwards": forwards.collect::<Vec<_>>(), "records": records.collect::<Vec<_>>(),
    });
    if *reveal && let Value::Object(members) = &mut answer {
        let charset = read.as_ref().map(Message::charset).ok();
        members.insert("er7".to_owned(), json!(text(charset, &entry.bytes)));
        members.insert("er7_base64".to_owned(), json!(STANDARD.encode(&entry.bytes)));
    }
    answer
}

/// The bytes as text; what has no place in its character set is a mark.
fn text(charset: Option<Charset>, bytes: &[u8]) -> String {
    match charset {
        Some(charset) => charset.decode(bytes).0.into_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn leaf_json(leaf: &LeafCoverage) -> Value {
    json!({"path": leaf.path.to_string(), "fate": fate_word(leaf.fate), "reason": leaf.reason.as_deref()})
}

fn step_json(step: &Step, reveal: bool) -> Value {
    let mut shown = json!({
        "resource": step.resource, "element": step.element, "source": step.source_path, "rule": step.rule,
        "bytes": step.span.map(|span| [span.start, span.end]), "conversions": step.conversions,
        "code_table": step.code_table.as_ref().map(|(name, hit)| json!({"name": name, "hit": hit})),
    });
    if reveal && let Value::Object(members) = &mut shown {
        members.insert("input".to_owned(), json!(step.input));
        members.insert("output".to_owned(), json!(step.output));
    }
    shown
}

fn resource_json(stored: &Stored, reveal: bool) -> Value {
    let mut shown = json!({
        "type": stored.key.resource_type.as_str(), "id": stored.key.id, "version": stored.version,
        "deleted": stored.deleted,
    });
    if reveal && let Value::Object(members) = &mut shown {
        // A deletion has no content.
        let body = serde_json::from_slice::<Value>(stored.body.expose()).ok();
        members.insert("resource".to_owned(), json!(body));
    }
    shown
}

fn forward_json(row: &ForwardRow) -> Value {
    json!({
        "id": row.id, "destination": row.destination, "state": forward_badge(row).word, "attempts": row.attempts,
        "queued": instant(row.queued_us).exact, "settled": row.settled_us.map(|at| instant(at).exact),
        "error": row.last_error, "acknowledgment": row.ack_code, "error_code": row.error_code,
    })
}

fn delivery_json(row: &DeliveryRow) -> Value {
    json!({
        "id": row.id, "destination": row.destination, "version": row.version, "released_id": row.released_id,
        "resource": format!("{}/{}", row.resource.resource_type, row.resource.id),
        "state": delivery(row.state).word, "attempts": row.attempts, "error": row.last_error,
        "delivered": row.delivered_us.map(|at| instant(at).exact), "receipt": row.receipt.is_some(),
        "actions": array(&row.actions),
    })
}

/// A stored JSON array of codes and places; null when it cannot be read.
fn array(text: &str) -> Value {
    serde_json::from_str::<Value>(text).ok().filter(Value::is_array).unwrap_or_default()
}

/// A record of the ledger, which is JSON without free text; null when it cannot be read.
fn record_json(bytes: &[u8]) -> Value {
    let record = Record::from_bytes(bytes).ok().map(|record| record.to_bytes());
    record.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
