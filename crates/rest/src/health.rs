//! `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::auth::TokenSet;
use crate::edge;
use crate::metrics::{METRICS_CONTENT_TYPE, Metrics};
use crate::outcome::Failure;

/// Headers of a proxy: behind one, a loopback peer is not the client.
const PROXY_HEADERS: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// What the health routes need.
#[derive(Debug, Clone)]
pub struct Health {
    /// The gates that must be open.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Who may see `/metrics` from beyond loopback.
    pub tokens: TokenSet,
}

/// `/livez` (the process answers), `/readyz` (every gate is open) and `/metrics` (OpenMetrics; beyond loopback it needs a
/// bearer token). The first two are open and name no more than gates.
pub fn health(health: Health) -> Router {
    let metrics = health.metrics.clone();
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(page))
        .with_state(health);
    edge::around(routes, metrics)
}

/// The gates of a node; ready when all are open. No gate at all is ready.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    gates: Arc<Mutex<Vec<Gate>>>,
}

/// One condition of readiness, closed at first.
#[derive(Debug, Clone)]
pub struct Gate {
    name: &'static str,
    open: Arc<AtomicBool>,
}

impl Readiness {
    /// Adds a closed gate (`store`, `mappings`, `listeners`).
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate { name, open: Arc::new(AtomicBool::new(false)) };
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).push(gate.clone());
        gate
    }

    /// Names of the gates that are closed.
    pub fn closed(&self) -> Vec<&'static str> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().filter(|gate| !gate.open.load(Ordering::Acquire)).map(|gate| gate.name).collect()
    }
}

impl Gate {
    /// Opens or closes it.
    pub fn set(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }
}

async fn livez() -> Response {
    axum::Json(json!({"status": "live"})).into_response()
}

async fn readyz(State(health): State<Health>) -> Response {
    let closed = health.readiness.closed();
    if closed.is_empty() {
        return axum::Json(json!({"status": "ready"})).into_response();
    }
    Failure::unavailable("not ready").because(fhir::IssueCode::Incomplete, closed).into_response()
}

async fn page(State(health): State<Health>, request: Request) -> Result<Response, Failure> {
    if !is_local(&request) {
        health.tokens.authenticate(request.headers())?;
    }
    let text = health.metrics.encode().map_err(|_| Failure::internal())?;
    let content_type = HeaderValue::from_static(METRICS_CONTENT_TYPE);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, content_type)], text).into_response())
}

/// A peer on this machine that no proxy speaks for.
fn is_local(request: &Request) -> bool {
    let loopback = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    loopback && !PROXY_HEADERS.iter().any(|name| request.headers().contains_key(*name))
}
