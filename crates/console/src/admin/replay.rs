//! Replay: the messages of a query are processed again with the package in force, or it is told what that would change.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::Kind;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{JournalId, MessageFilter, MessageRow, Seq};
use uuid::Uuid;

use crate::Error;
use crate::admin::body::Body;
use crate::admin::dry_run::{Difference, Foreseen, Outcome};
use crate::admin::refusal::Refusal;
use crate::admin::search::filter;
use crate::admin::token::Client;
use crate::admin::{DRY_RUN_MESSAGES_MAX, REPLAY_MESSAGES_MAX};
use crate::clinical::{badge, names, of, within_time};
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};

/// Which messages. The query may name a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    query: String,
    #[serde(default)]
    dry_run: bool,
    before: Option<i64>,
}

/// `POST /admin/replay`.
pub(crate) async fn replay(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Body(Asked { query, dry_run, before }): Body<Asked>,
) -> Result<Json<Value>, Refusal> {
    let filter = filter(&server, &query)?;
    match (dry_run, before) {
        (true, before) => foresee(&server, &client, peer, &filter, before.map(Seq)).await,
        (false, None) => request(&server, &client, peer, &filter).await,
        (false, Some(_)) => Err(Error::Invalid("before").into()),
    }
}

/// All messages of the query, or none: who asked is in the ledger before the requests are made.
async fn request(
    server: &Server,
    client: &Client,
    peer: Peer,
    filter: &MessageFilter,
) -> Result<Json<Value>, Refusal> {
    let messages = &of(server)?.messages;
    let mut found = within_time(messages.list(filter, None, REPLAY_MESSAGES_MAX + 1)).await?;
    if found.len() > REPLAY_MESSAGES_MAX {
        let cause =
            format!("the query matches more than {REPLAY_MESSAGES_MAX} messages; nothing was requested");
        let fix = "ask in parts: add since: and until:, a type or a sender";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "too-many", cause, fix));
    }
    found.reverse();
    let ids: Vec<JournalId> = found.iter().map(|row| row.id).collect();
    let mut requested = 0;
    if !ids.is_empty() {
        let record = record(server, client, peer, filter, &found, "requested")?;
        server.console.ledger.append(vec![record]).await.map_err(not_recorded)?;
        requested = messages.request_reprocess(&ids, &client.0, (server.console.now_us)()).await?;
    }
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
    Ok(Json(json!({"matched": ids.len(), "requested": requested, "messages": ids})))
}

/// A page of what a replay would change, newest message first.
async fn foresee(
    server: &Server,
    client: &Client,
    peer: Peer,
    filter: &MessageFilter,
    before: Option<Seq>,
) -> Result<Json<Value>, Refusal> {
    let clinical = of(server)?;
    let Ok(_permit) = server.dry_runs.try_acquire() else { return Err(Error::Busy("dry runs").into()) };
    let list = clinical.messages.list(filter, before, DRY_RUN_MESSAGES_MAX + 1);
    let found = within_time(list).await?;
    let shown = found.get(..DRY_RUN_MESSAGES_MAX).unwrap_or(&found);
    let record = record(server, client, peer, filter, shown, "dry-run")?;
    server.console.access.record(record).await.map_err(not_recorded)?;
    let mut messages = Vec::new();
    for row in shown {
        let outcome = clinical.dry_run.reprocess(row.id).await.map_err(|error| {
            tracing::error!(message = %row.id.0, %error, "a dry run failed");
            let cause = format!("the dry run of message {} failed", row.id.0);
            let fix = "nothing was written; the node's log has the cause";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "dry-run", cause, fix)
        })?;
        messages.push(foreseen(row, &outcome));
    }
    let next = shown.last().map(|row| row.seq.0).filter(|_| found.len() > DRY_RUN_MESSAGES_MAX);
    Ok(Json(json!({"dry_run": true, "messages": messages, "next": next})))
}

fn foreseen(row: &MessageRow, outcome: &Outcome) -> Value {
    let now = badge(row.state).word;
    match outcome {
        Outcome::Nothing(why) => json!({
            "id": row.id.0, "type": row.message_type, "state": now, "reason": row.reason, "then": now,
            "then_reason": row.reason, "nothing": why, "resources": [], "deliveries": 0,
        }),
        Outcome::Foreseen(Foreseen { state, reason, differences, deliveries }) => json!({
            "id": row.id.0, "type": row.message_type, "state": now, "reason": row.reason,
            "then": badge(*state).word, "then_reason": reason, "nothing": null,
            "resources": differences.iter().map(difference).collect::<Vec<_>>(), "deliveries": deliveries,
        }),
    }
}

fn difference(Difference { key, change, elements }: &Difference) -> Value {
    json!({"type": key.resource_type.as_str(), "id": key.id, "change": change, "elements": elements})
}

fn record(
    server: &Server,
    client: &Client,
    peer: Peer,
    filter: &MessageFilter,
    rows: &[MessageRow],
    outcome: &'static str,
) -> Result<audit::Record, Error> {
    let mut record = by_client(&server.console, Kind::MessageReprocessed, &client.0, peer).outcome(outcome);
    for name in names(filter) {
        record = record.object("parameters", name).map_err(not_recorded)?;
    }
    for row in rows {
        record = record.object("message", &row.id.0.to_string()).map_err(not_recorded)?;
    }
    Ok(record)
}

/// Whose requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    messages: Vec<Uuid>,
}

/// `POST /admin/replay/outcomes`: codes only, nothing of a message, so it is asked again and again without a record.
pub(crate) async fn outcomes(
    State(server): State<Arc<Server>>,
    Body(Which { messages }): Body<Which>,
) -> Result<Json<Value>, Refusal> {
    if messages.len() > REPLAY_MESSAGES_MAX {
        return Err(Error::Invalid("number of messages").into());
    }
    let ids: Vec<JournalId> = messages.into_iter().map(JournalId).collect();
    let found = of(&server)?.messages.reprocess_outcomes(&ids).await?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for code in found.iter().filter_map(|(_, outcome)| outcome.as_deref()) {
        *counts.entry(code).or_default() += 1;
    }
    let open = found.iter().filter(|(_, outcome)| outcome.is_none()).count();
    let each = found.iter().map(|(id, outcome)| json!({"id": id.0, "outcome": outcome}));
    Ok(Json(json!({"open": open, "outcomes": counts, "messages": each.collect::<Vec<_>>()})))
}
