//! Coverage by sender and day, alerts on new fields, and codes that wait for a row.

use std::sync::Arc;

use audit::Kind;
use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Alert, CodeItem, CoverageDay, Gap, PathFate};

use crate::admin::body::Body;
use crate::admin::message::{Asked, known_reason};
use crate::admin::refusal::Refusal;
use crate::admin::token::Client;
use crate::clinical::{
    ALERTS_SHOWN_MAX, CODES_SHOWN_MAX, DAYS_SHOWN, GAPS_SHOWN_MAX, MASK, code_line, date, of, today,
};
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};
use crate::time::instant;

/// `GET /admin/coverage`: paths and counts, nothing of a message.
pub(crate) async fn coverage(State(server): State<Arc<Server>>) -> Result<Json<Value>, Refusal> {
    let coverage = &of(&server)?.coverage;
    let since = today((server.console.now_us)()) - DAYS_SHOWN + 1;
    let days = coverage.coverage(since).await?;
    let gaps = coverage.gaps(since, GAPS_SHOWN_MAX).await?;
    Ok(Json(json!({
        "since": date(since),
        "days": days.iter().map(day_json).collect::<Vec<_>>(),
        "gaps": gaps.iter().map(gap_json).collect::<Vec<_>>(),
    })))
}

fn word(fate: PathFate) -> &'static str {
    match fate {
        PathFate::Mapped => "mapped",
        PathFate::Lossy => "lossy",
        PathFate::Ignored => "ignored",
        PathFate::Unmapped => "unmapped",
        PathFate::Rejected => "rejected",
    }
}

fn day_json(day: &CoverageDay) -> Value {
    let leaves: serde_json::Map<String, Value> = PathFate::ALL
        .into_iter()
        .zip(day.leaves)
        .map(|(fate, leaves)| (word(fate).to_owned(), leaves.into()))
        .collect();
    json!({"day": date(day.day), "sender": day.sender, "messages": day.messages, "leaves": leaves})
}

fn gap_json(gap: &Gap) -> Value {
    json!({
        "sender": gap.sender, "type": gap.message_type, "path": gap.path, "fate": word(gap.fate),
        "leaves": gap.leaves, "first": date(gap.days.0), "last": date(gap.days.1),
    })
}

/// `GET /admin/alerts`: those that are open.
pub(crate) async fn alerts(State(server): State<Arc<Server>>) -> Result<Json<Value>, Refusal> {
    let alerts = of(&server)?.coverage.alerts(true, ALERTS_SHOWN_MAX).await?;
    Ok(Json(json!({"alerts": alerts.iter().map(alert_json).collect::<Vec<_>>()})))
}

fn alert_json(alert: &Alert) -> Value {
    json!({
        "alert": alert.alert, "kind": alert.kind.as_str(), "sender": alert.sender, "type": alert.message_type,
        "path": alert.path, "message": alert.message.0.to_string(), "day": date(alert.day),
    })
}

/// Nothing is asked beside the path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// `POST /admin/alerts/{alert}/acknowledge`.
pub(crate) async fn acknowledge(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Path(alert): Path<i64>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Value>, Refusal> {
    let record = by_client(&server.console, Kind::AlertAcknowledged, &client.0, peer)
        .outcome("ok")
        .object("alert", &alert.to_string())
        .map_err(not_recorded)?;
    let now_us = (server.console.now_us)();
    let fix = "GET /admin/alerts shows those that are open";
    match of(&server)?.coverage.acknowledge(alert, &client.0, now_us, record).await {
        Ok(()) => Ok(Json(json!({"acknowledged": alert, "at": instant(now_us).exact}))),
        Err(store::Error::NotFound) => {
            Err(Refusal::new(StatusCode::NOT_FOUND, "no-alert", "there is no alert of this number", fix))
        }
        Err(store::Error::Conflict(_)) => {
            let cause = "somebody acknowledged this alert before";
            Err(Refusal::new(StatusCode::CONFLICT, "acknowledged", cause, fix))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /admin/codes`: open items without their codes.
pub(crate) async fn codes(State(server): State<Arc<Server>>) -> Result<Json<Value>, Refusal> {
    items(&server, false).await
}

/// `POST /admin/codes/reveal`: the same with the codes and the lines that map them.
pub(crate) async fn codes_revealed(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Body(Asked { reason }): Body<Asked>,
) -> Result<Json<Value>, Refusal> {
    let record = by_client(&server.console, Kind::MessageViewed, &client.0, peer)
        .outcome("ok")
        .object("view", "codes-revealed")
        .map_err(not_recorded)?;
    let record = record.object("reason", known_reason(&reason)?).map_err(not_recorded)?;
    server.console.access.record(record).await.map_err(not_recorded)?;
    items(&server, true).await
}

async fn items(server: &Server, is_revealed: bool) -> Result<Json<Value>, Refusal> {
    let items = of(server)?.codes.code_items(true, CODES_SHOWN_MAX).await?;
    let items: Vec<Value> = items.iter().map(|item| item_json(item, is_revealed)).collect();
    Ok(Json(json!({"codes": items})))
}

fn item_json(item: &CodeItem, is_revealed: bool) -> Value {
    let code = item.code.code.as_deref().map(|code| if is_revealed { code } else { MASK });
    let examples: Vec<String> = item.examples.iter().map(|id| id.0.to_string()).collect();
    json!({
        "table": item.code.table, "system": item.code.system, "sender": item.sender, "code": code,
        "line": code.map(|code| code_line(&item.code.table, code)), "messages": item.messages,
        "first": date(item.days.0), "last": date(item.days.1), "examples": examples,
    })
}
