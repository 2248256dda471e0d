//! Messages of a query.

use std::sync::Arc;

use audit::Kind;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{MessageFilter, MessageRow, Seq};

use crate::Error;
use crate::admin::body::Body;
use crate::admin::refusal::Refusal;
use crate::admin::token::Client;
use crate::admin::{SEARCH_MESSAGES, SEARCH_MESSAGES_MAX};
use crate::clinical::{badge, names, of, parse, within_time};
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};
use crate::time::instant;

/// What is asked for. The query may name a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    query: String,
    limit: Option<usize>,
    before: Option<i64>,
}

/// `POST /admin/messages/search`: a page, newest first, and where the next begins.
pub(crate) async fn search(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Body(Asked { query, limit, before }): Body<Asked>,
) -> Result<Json<Value>, Refusal> {
    let limit = limit.unwrap_or(SEARCH_MESSAGES);
    if !(1..=SEARCH_MESSAGES_MAX).contains(&limit) {
        return Err(Error::Invalid("limit").into());
    }
    let filter = filter(&server, &query)?;
    let list = of(&server)?.messages.list(&filter, before.map(Seq), limit + 1);
    let found = within_time(list).await?;
    let shown = found.get(..limit).unwrap_or(&found);
    record(&server, &client, peer, &filter, shown).await?;
    let next = shown.last().map(|row| row.seq.0).filter(|_| found.len() > limit);
    Ok(Json(json!({"messages": shown.iter().map(row).collect::<Vec<_>>(), "next": next})))
}

/// A query as the store takes it.
pub(crate) fn filter(server: &Server, query: &str) -> Result<MessageFilter, Refusal> {
    parse(query, (server.console.now_us)()).map_err(|error| {
        let fix = "write terms such as mrn:4711 type:ADT status:quarantined since:2h; values with blanks in quotation marks";
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "query", error.to_string(), fix)
    })
}

async fn record(
    server: &Server,
    client: &Client,
    peer: Peer,
    filter: &MessageFilter,
    shown: &[MessageRow],
) -> Result<(), Error> {
    let mut record = by_client(&server.console, Kind::ResourceSearched, &client.0, peer).outcome("ok");
    for name in names(filter) {
        record = record.object("parameters", name).map_err(not_recorded)?;
    }
    for row in shown {
        record = record.object("message", &row.id.0.to_string()).map_err(not_recorded)?;
    }
    server.console.access.record(record).await.map_err(not_recorded)
}

/// A row without content.
pub(crate) fn row(row: &MessageRow) -> Value {
    json!({
        "id": row.id.0, "position": row.seq.0, "channel": row.channel, "type": row.message_type,
        "sender": row.sender, "received": instant(row.received_us).exact,
        "processed": instant(row.processed_us).exact, "state": badge(row.state).word, "reason": row.reason,
        "mapped": row.leaves_mapped, "leaves": row.leaves_total, "package": row.package_hash,
        "parent": row.parent.map(|parent| parent.0),
    })
}
