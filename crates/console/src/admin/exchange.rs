//! The mapping package of a running node, exchanged when a client asks: compiled and tested beside the one in force, and
//! put into its place as a whole or not at all.

use std::sync::Arc;

use async_trait::async_trait;
use audit::{Kind, Record};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Error;
use crate::admin::FAULTS_MAX;
use crate::admin::body::Body;
use crate::admin::refusal::Refusal;
use crate::admin::token::Client;
use crate::admin::worklist::Nothing;
use crate::clinical::of;
use crate::record::by_client;
use crate::server::{Peer, Server};

/// Exchanges the mapping package of a node. The node knows how; it is lent to the console by this trait.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Reads the folder of the package again, compiles it aside, runs its tests and puts it into force. `by` says who
    /// asked; with its outcome it is in the ledger before the package is in force, and before this returns.
    ///
    /// # Errors
    /// Whatever keeps the package from being in force; the one before stays.
    async fn exchange(&self, by: Record) -> Result<Exchanged, NotExchanged>;
}

/// What is in force now, and was before: hashes of packages. They are equal where nothing had changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// The package in force from here on.
    pub package: String,
    /// The one before.
    pub before: String,
}

/// Why the package in force stays.
#[derive(Debug)]
pub enum NotExchanged {
    /// What is wrong with what lies in the folder.
    Wrong(Vec<Fault>),
    /// Exchanges are under way already, or the node stops.
    Busy,
    /// The ledger could not be written.
    NotRecorded(Box<dyn std::error::Error + Send + Sync>),
}

/// Something wrong in a package. No text of a file or a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `folder/file:line:column`, as far as it is known.
    pub place: String,
    /// What is wrong, with the code of a finding.
    pub cause: String,
    /// What would be right.
    pub fix: String,
}

/// `POST /admin/mappings/reload`.
pub(crate) async fn reload(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Value>, Refusal> {
    let by = by_client(&server.console, Kind::ConfigurationChanged, &client.0, peer);
    match of(&server)?.exchange.exchange(by).await {
        Ok(Exchanged { package, before }) => {
            let outcome = if package == before { "unchanged" } else { "in-force" };
            Ok(Json(json!({"outcome": outcome, "package": package, "before": before})))
        }
        Err(NotExchanged::Wrong(faults)) => Err(wrong(&faults)),
        Err(NotExchanged::Busy) => Err(Error::Busy("exchanges of the package").into()),
        Err(NotExchanged::NotRecorded(error)) => Err(Error::NotRecorded(error).into()),
    }
}

fn wrong(faults: &[Fault]) -> Refusal {
    let count = faults.len();
    let things = if count == 1 { "thing is" } else { "things are" };
    let cause = format!("{count} {things} wrong in the package; the one in force stays");
    let fix = "mend each place that `faults` names, then ask again; tidegate test says the same";
    let shown = faults
        .iter()
        .take(FAULTS_MAX)
        .map(|Fault { place, cause, fix }| json!({"place": place, "cause": cause, "fix": fix}));
    Refusal::new(StatusCode::CONFLICT, "package", cause, fix).with_faults(shown.collect())
}
