//! The cloud's intake: released resources arrive over the link, are verified again on their exact bytes, stored and
//! receipted; the peers' ledger checkpoints are kept as witness.
//!
//! Mounted on the link listener alone, where TLS has checked the client's certificate.
//!
#![doc = include_str!("wire.md")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use store::{Intake, Ledger, Micros};

use crate::edge;
use crate::metrics::Metrics;
use crate::outcome::Failure;

mod accept;
mod checkpoints;
mod delivery;
mod receipt;

pub use delivery::{DELIVERIES_BYTES_MAX, DELIVERIES_MAX, DELIVERY_BODY_BYTES_MAX};

/// What the intake of one cloud node is made of.
#[derive(Clone)]
pub struct IntakeState {
    /// Where released resources, receipts and checkpoints are kept.
    pub intake: Arc<dyn Intake>,
    /// Where refusals are recorded.
    pub ledger: Arc<dyn Ledger>,
    /// What this node accepts, by profile id; a profile that is not here is refused.
    pub grammars: Arc<BTreeMap<String, verifier::Grammar>>,
    /// Signs receipts.
    pub receipt_key: Arc<audit::SigningKey>,
    /// This node's name.
    pub node: String,
    /// The region it stores in.
    pub region: String,
    /// The destination it is.
    pub destination: String,
    /// Ledgers it witnesses: origin of the checkpoints and the pinned key.
    pub peers: Arc<BTreeMap<String, audit::VerifyingKey>>,
    /// The clock: µs since the epoch, UTC.
    pub now_us: fn() -> Micros,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
}

impl std::fmt::Debug for IntakeState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("IntakeState").field("node", &self.node).finish_non_exhaustive()
    }
}

/// `/link/v1/…`, for the link listener.
pub fn router(state: IntakeState) -> Router {
    let metrics = state.metrics.clone();
    let routes = Router::new()
        .route("/v1/deliveries", post(accept::deliveries))
        .route("/v1/receipts/{key}", get(receipt::stored))
        .route("/v1/checkpoints", post(checkpoints::keep))
        .route("/v1/checkpoints/{origin}", get(checkpoints::kept))
        .fallback(|| async { Failure::unknown_route() })
        .with_state(state);
    Router::new().nest("/link", edge::around(routes, metrics))
}

/// `/witness/{origin}`: the last checkpoint kept of a peer's ledger, for auditors. A checkpoint is public by design, so
/// this may be mounted on the cloud node's open listener.
pub fn witness_router(state: IntakeState) -> Router {
    let metrics = state.metrics.clone();
    let routes = Router::new().route("/witness/{origin}", get(checkpoints::kept)).with_state(state);
    edge::around(routes, metrics)
}
