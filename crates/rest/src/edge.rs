//! What surrounds every request: its id and span, the limits, the caught panic, the outcome, the metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tracing::Instrument;
use uuid::Uuid;

use crate::capacity::{CONCURRENT_REQUESTS_MAX, REQUEST_TIMEOUT};
use crate::headers::{REQUEST_ID, protect};
use crate::metrics::Metrics;
use crate::outcome::{Failure, render};

/// Route label of a request that no route matched.
const NO_ROUTE: &str = "none";

/// The id that a request has in logs, answers and audit records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) Uuid);

struct Edge {
    metrics: Arc<Metrics>,
    in_work: Semaphore,
}

/// Surrounds all routes of a router.
pub(crate) fn around(router: Router, metrics: Arc<Metrics>) -> Router {
    around_with_limit(router, metrics, CONCURRENT_REQUESTS_MAX)
}

fn around_with_limit(router: Router, metrics: Arc<Metrics>, requests_max: usize) -> Router {
    let edge = Edge { metrics, in_work: Semaphore::new(requests_max) };
    router.layer(from_fn_with_state(Arc::new(edge), surround))
}

async fn surround(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = Uuid::new_v4();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    request.extensions_mut().insert(RequestId(id));
    let span = tracing::info_span!("request", %id, %route, method = method_label(&method), role = edge.metrics.role());
    let _in_work = edge.metrics.begin();
    let answer = answer(&edge, request, next).instrument(span.clone()).await;
    let mut response = render(answer, &method, id);
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    protect(response.headers_mut());
    let status = response.status().as_u16();
    edge.metrics.answered(&route, method_label(&method), status, started.elapsed());
    span.in_scope(|| tracing::debug!(status, "answered"));
    response
}

async fn answer(edge: &Edge, request: Request, next: Next) -> Response {
    let Ok(_permit) = edge.in_work.try_acquire() else {
        return Failure::throttled().into_response();
    };
    // Nothing of the handler outlives the panic: each request owns its state, and what is shared sits behind ports.
    let caught = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(REQUEST_TIMEOUT, caught).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            tracing::error!("a handler panicked");
            Failure::internal().into_response()
        }
        Err(_elapsed) => Failure::timeout().into_response(),
    }
}

/// The method as a label: only those HTTP defines, so that a client cannot make series.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The fallback of a whole listener: 404 with an OperationOutcome.
pub async fn unknown_route(request: Request) -> Response {
    let id = request.extensions().get::<RequestId>().map_or_else(Uuid::new_v4, |id| id.0);
    let mut response = render(Failure::unknown_route().into_response(), request.method(), id);
    protect(response.headers_mut());
    response
}

/// The request's id where a handler needs it.
pub(crate) type Id = Extension<RequestId>;

#[cfg(test)]
mod tests;
