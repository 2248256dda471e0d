//! The admin API under `/admin`: search, one message, replay, as JSON for programs.
//!
//! A client has a bearer token of its own kind; a FHIR token is unknown here, and this one there. What a client sees is
//! masked until it gives a reason, and every read, search and request is recorded with the client's name before it is
//! answered. A search text is never recorded, nor given back in an error. Whatever is refused has one shape:
//! `{"code", "cause", "fix"}`.

mod body;
mod dry_run;
mod exchange;
mod forward;
mod message;
mod refusal;
mod replay;
mod retention;
mod search;
mod token;
mod worklist;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use self::refusal::Refusal;
use crate::headers;
use crate::server::Server;

pub use self::dry_run::{Difference, DryRun, DryRunError, Foreseen, Outcome};
pub use self::exchange::{Exchange, Exchanged, Fault, NotExchanged};
pub use self::forward::{Refed, Refeed, Window};
pub use self::token::AdminTokens;

/// Longest body, in bytes: a thousand ids.
const BODY_BYTES_MAX: usize = 64 * 1_024;
/// Requests in work at once on a node; more are told to come again.
pub(crate) const REQUESTS_MAX: usize = 16;
/// Dry runs in work at once: each derives whole patients again.
pub(crate) const DRY_RUNS_MAX: usize = 1;
/// Messages that one search answers with.
const SEARCH_MESSAGES_MAX: usize = 500;
/// As many when nobody says how many.
const SEARCH_MESSAGES: usize = 50;
/// Messages that one replay takes.
pub(crate) const REPLAY_MESSAGES_MAX: usize = 1_000;
/// Messages of the journal that one request to send them again looks at; the next ones are asked for with `after`.
const FORWARD_MESSAGES_MAX: usize = 500;
/// Messages that one answer of a dry run tells of; the next ones are asked for with `before`.
const DRY_RUN_MESSAGES_MAX: usize = 50;
/// Faults of a mapping package that one answer names; a count tells of the rest.
const FAULTS_MAX: usize = 100;

/// Method, path, what it does.
const ROUTES: [(&str, &str, &str); 18] = [
    ("GET", "/admin", "this list"),
    (
        "POST",
        "/admin/messages/search",
        "messages of a query, newest first: {\"query\": \"mrn:1 type:ADT since:2h\", \"limit\": 50, \"before\": 7}",
    ),
    ("GET", "/admin/messages/{id}", "one message with what came of it, without values"),
    ("POST", "/admin/messages/{id}/reveal", "the same with its values: {\"reason\": \"mapping-problem\"}"),
    (
        "POST",
        "/admin/replay",
        "process the messages of a query again, or tell what that would change: {\"query\": \"reason:unsupported-type\", \"dry_run\": true}",
    ),
    ("POST", "/admin/replay/outcomes", "what became of requests: {\"messages\": [\"<id>\"]}"),
    ("GET", "/admin/retention", "the months of the journal: what goes, and what keeps the rest"),
    ("POST", "/admin/retention/apply", "drop what goes: {}"),
    ("GET", "/admin/holds", "legal holds that stand, with the months that each keeps"),
    (
        "POST",
        "/admin/holds",
        "keep a month, or all months of a patient's number: {\"month\": \"2026-01\", \"reason\": \"litigation\"}",
    ),
    ("POST", "/admin/holds/{hold}/release", "end a hold: {\"reason\": \"ended\"}"),
    ("GET", "/admin/coverage", "how much of what each sender sends is mapped, by day, and what is not"),
    ("GET", "/admin/alerts", "fields that a sender started to use though nobody maps them"),
    ("POST", "/admin/alerts/{alert}/acknowledge", "close an alert: {}"),
    ("GET", "/admin/codes", "codes that wait for a row in their table, masked"),
    ("POST", "/admin/codes/reveal", "the same with the codes: {\"reason\": \"mapping-problem\"}"),
    (
        "POST",
        "/admin/mappings/reload",
        "compile and test the mapping package aside, then put it into force, or say what is wrong with it: {}",
    ),
    (
        "POST",
        "/admin/forward",
        "send a page of a window once more, as it is, to one destination: {\"query\": \"since:7d\", \"to\": \"archive\", \"after\": 0}",
    ),
];

/// The API, to be merged at the root.
pub(crate) fn router(server: &Arc<Server>) -> Router<Arc<Server>> {
    let known = Router::new()
        .route("/", get(index))
        .route("/messages/search", post(search::search))
        .route("/messages/{id}", get(message::masked))
        .route("/messages/{id}/reveal", post(message::revealed))
        .route("/replay", post(replay::replay))
        .route("/replay/outcomes", post(replay::outcomes))
        .route("/retention", get(retention::plan))
        .route("/retention/apply", post(retention::apply))
        .route("/holds", get(retention::holds).post(retention::place))
        .route("/holds/{hold}/release", post(retention::release))
        .route("/coverage", get(worklist::coverage))
        .route("/alerts", get(worklist::alerts))
        .route("/alerts/{alert}/acknowledge", post(worklist::acknowledge))
        .route("/codes", get(worklist::codes))
        .route("/codes/reveal", post(worklist::codes_revealed))
        .route("/mappings/reload", post(exchange::reload))
        .route("/forward", post(forward::forward))
        .fallback(async || Refusal::unknown_route())
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(from_fn_with_state(server.clone(), token::require))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(headers::protect));
    Router::new().nest("/admin", known)
}

/// `GET /admin`.
async fn index(State(server): State<Arc<Server>>) -> (StatusCode, Json<Value>) {
    let route =
        |(method, path, does): &(&str, &str, &str)| json!({"method": method, "path": path, "does": does});
    let index = json!({
        "node": server.console.node,
        "role": server.console.role(),
        "limits": {"search": SEARCH_MESSAGES_MAX, "replay": REPLAY_MESSAGES_MAX, "dry_run": DRY_RUN_MESSAGES_MAX},
        "routes": ROUTES.iter().map(route).collect::<Vec<_>>(),
    });
    (StatusCode::OK, Json(index))
}
