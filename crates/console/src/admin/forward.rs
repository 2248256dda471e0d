//! A stored window of messages once more to one destination that takes messages as they are, in the journal's order;
//! others get nothing of it.

use std::sync::Arc;

use async_trait::async_trait;
use audit::Kind;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Micros, Seq};

use crate::admin::FORWARD_MESSAGES_MAX;
use crate::admin::body::Body;
use crate::admin::refusal::Refusal;
use crate::admin::search::filter;
use crate::admin::token::Client;
use crate::clinical::{names, of};
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};

/// Queues messages of the journal for one destination once more. The pipeline decides; it is lent to the console.
#[async_trait]
pub trait Refeed: Send + Sync {
    /// Queues those of the next messages of the window that the policy in force lets go to the destination.
    ///
    /// # Errors
    /// When the store cannot be read or written; nothing of this page is queued then.
    async fn refeed(&self, window: Window, destination: &str) -> store::Result<Option<Refed>>;
}

/// Messages of the journal, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Received at or after.
    pub from_us: Micros,
    /// Received before.
    pub until_us: Micros,
    /// Beyond this position.
    pub after: Seq,
    /// At most so many.
    pub limit: usize,
}

/// What became of a page; `None` in its place: the policy lets nothing at all go to the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refed {
    /// Messages that were queued.
    pub queued: u64,
    /// Messages that the policy does not let go there, or that were refused when they came.
    pub kept: u64,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Seq>,
}

/// Which messages, and where to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    query: String,
    to: String,
    #[serde(default)]
    after: i64,
}

/// `POST /admin/forward`: a page of the window, oldest message first. Who asked is in the ledger before.
pub(crate) async fn forward(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Body(Asked { query, to, after }): Body<Asked>,
) -> Result<Json<Value>, Refusal> {
    let filter = filter(&server, &query)?;
    let is_window = names(&filter).into_iter().all(|name| ["since", "until"].contains(&name));
    let Some(from_us) = filter.since_us.filter(|_| is_window) else {
        let cause = "messages are sent again by a window of time".to_owned();
        let fix = "write since: and, if you like, until:; the policy says which of them may go there";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "query", cause, fix));
    };
    let now_us = (server.console.now_us)();
    let until_us = filter.until_us.unwrap_or(now_us);
    let mut record = by_client(&server.console, Kind::DeliveryRevived, &client.0, peer).outcome("requested");
    if audit::is_code(&to) {
        record = record.object("destination", &to).map_err(not_recorded)?;
    }
    for (name, value) in [("since", from_us), ("until", until_us), ("after", after)] {
        record = record.object(name, &value.to_string()).map_err(not_recorded)?;
    }
    server.console.ledger.append(vec![record]).await.map_err(not_recorded)?;
    let window = Window { from_us, until_us, after: Seq(after), limit: FORWARD_MESSAGES_MAX };
    let refed = of(&server)?.refeed.refeed(window, &to).await?;
    let Some(Refed { queued, kept, next }) = refed else {
        let cause = "the policy lets no message go to this destination".to_owned();
        let fix = "name a destination of `form: hl7v2` that a rule of the policy permits messages to";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "destination", cause, fix));
    };
    Ok(Json(json!({"queued": queued, "kept": kept, "next": next.map(|seq| seq.0)})))
}
