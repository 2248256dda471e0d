//! Pages of the on-prem side: the live list, search by business key, one message with linked panels.

mod badge;
mod candidate;
mod codes;
mod coverage;
mod dashboard;
mod deliveries;
mod describe;
mod difference;
mod dry_run;
mod edit;
mod forwards;
mod given;
mod json;
mod links;
mod list;
mod live;
mod merge;
mod order;
mod panels;
mod quarantine;
mod query;
mod raw;
mod reasons;
mod reviews;
mod revive;
mod route;
mod routing;
mod search;
mod spark;
mod text;
mod trail;
mod translation;
mod twin;
mod view;
mod window;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use store::{
    Accesses, Acknowledgments, CodeItems, Coverages, Forwards, Journal, Messages, Outbox, PatientIndex,
    Retention, Statistics,
};
use uuid::Uuid;

pub(crate) use crate::clinical::badge::{acknowledgment, badge, delivery};
pub(crate) use crate::clinical::codes::{CODES_SHOWN_MAX, line as code_line};
pub(crate) use crate::clinical::coverage::{ALERTS_SHOWN_MAX, DAYS_SHOWN, GAPS_SHOWN_MAX, date, today};
pub(crate) use crate::clinical::dashboard::Cache;
pub(crate) use crate::clinical::forwards::badge as forward_badge;
pub(crate) use crate::clinical::given::acknowledgments_json;
pub(crate) use crate::clinical::list::of;
pub(crate) use crate::clinical::query::parse;
pub(crate) use crate::clinical::raw::fate_word;
pub use crate::clinical::routing::{Route, Routing, RuleTried};
pub(crate) use crate::clinical::search::{names, within_time};
pub(crate) use crate::clinical::translation::{Again, again};
pub use crate::clinical::translation::{InForce, Translate};
pub(crate) use crate::clinical::view::{REASONS, journal_id, read_resources};
use crate::server::Server;

/// Live lists open at once on a node.
pub(crate) const STREAMS_MAX: usize = 32;
/// Stands in the place of a value until a reason was given; of one length, so that it tells none.
pub(crate) const MASK: &str = "\u{2022}\u{2022}\u{2022}";

/// Turns a patient id into its audit token (an HMAC under a key of the node).
pub type PatientToken = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What the console of an on-prem node reads besides.
#[derive(Clone)]
pub struct Clinical {
    /// The list, the details, requests to reprocess.
    pub messages: Arc<dyn Messages>,
    /// Numbers of the dashboard and the quarantine.
    pub statistics: Arc<dyn Statistics>,
    /// Open questions about who is who.
    pub reviews: Arc<dyn PatientIndex>,
    /// Coverage by sender and day, and alerts on new fields.
    pub coverage: Arc<dyn Coverages>,
    /// Codes that wait for a row in their table.
    pub codes: Arc<dyn CodeItems>,
    /// The bytes as received, and the acknowledgments given with them.
    pub journal: Arc<dyn Journal>,
    /// Acknowledgments given later.
    pub acknowledgments: Arc<dyn Acknowledgments>,
    /// Months of the journal, and holds on them.
    pub retention: Arc<dyn Retention>,
    /// How many whole months of the journal stay; `None`: all.
    pub journal_months: Option<u32>,
    /// The package in force, for the trace.
    pub package: InForce,
    /// Why a resource may go where.
    pub route: Arc<dyn Route>,
    /// Who looked at a message.
    pub accesses: Arc<dyn Accesses>,
    /// Makes a delivery that was given up pending again.
    pub outbox: Arc<dyn Outbox>,
    /// The same of messages that go on as they are.
    pub forwards: Arc<dyn Forwards>,
    /// Sends a stored window of messages again.
    pub refeed: Arc<dyn crate::Refeed>,
    /// Exchanges the mapping package.
    pub exchange: Arc<dyn crate::Exchange>,
    /// The secret UUIDv5 namespace of the site.
    pub namespace: Uuid,
    /// Who may use the admin API.
    pub admin: crate::AdminTokens,
    /// Tells what a reprocess, or an edited message, would change.
    pub dry_run: Arc<dyn crate::DryRun>,
    /// Audit token of a patient.
    pub patient_token: PatientToken,
}

impl std::fmt::Debug for Clinical {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Clinical").field("package", &(self.package)().hash()).finish_non_exhaustive()
    }
}

/// Routes that need a session.
pub(crate) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/", get(dashboard::page))
        .route("/dashboard.json", get(dashboard::json))
        .route("/guide/break", post(dashboard::break_something))
        .route("/quarantine", get(quarantine::page))
        .route("/quarantine.json", get(quarantine::json))
        .route("/quarantine/group", get(quarantine::one))
        .route("/quarantine/reprocess", post(quarantine::reprocess))
        .route("/live", get(list::page))
        .route("/live/events", get(live::stream))
        .route("/search", get(search::form).post(search::search))
        .route("/search/{id}", get(search::found))
        .route("/messages/reprocess", post(window::reprocess))
        .route("/messages/{id}", get(view::masked))
        .route("/messages/{id}/reveal", get(view::again).post(view::revealed))
        .route("/messages/{id}/revive/{delivery}", post(revive::revive))
        .route("/messages/{id}/reprocess", post(view::reprocess))
        .route("/messages/{id}/merge", post(merge::merge))
        .route("/coverage", get(coverage::page))
        .route("/coverage/alerts/{alert}/acknowledge", post(coverage::acknowledge))
        .route("/codes", get(codes::masked))
        .route("/codes/reveal", get(codes::masked).post(codes::revealed))
        .route("/reviews", get(reviews::list))
        .route("/reviews/{id}", get(reviews::masked))
        .route("/reviews/{id}/reveal", post(reviews::revealed))
        .route("/reviews/{id}/answer", post(reviews::answer))
        .merge(texts())
}

/// Routes whose forms carry a whole message.
fn texts() -> Router<Arc<Server>> {
    Router::new()
        .route("/messages/{id}/edit", get(edit::ask).post(edit::edit))
        .route("/messages/{id}/dry-run", post(edit::rehearse))
        .route("/messages/{id}/resend", post(edit::resend))
        .layer(DefaultBodyLimit::max(edit::EDIT_FORM_BYTES_MAX))
}
