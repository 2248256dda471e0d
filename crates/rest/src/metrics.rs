//! Metrics in the OpenMetrics text form. Labels are route templates, methods, statuses and the role, never anything of a
//! request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Content type of [`Metrics::encode`].
pub(crate) const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The metrics of one node; other parts add theirs by [`Metrics::register`].
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_work: Gauge,
    limited: Family<LimitLabels, Counter>,
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
    role: &'static str,
}

impl Metrics {
    /// `role`: `clinical` or `portal`.
    pub fn new(role: &'static str) -> Self {
        let mut registry = Registry::with_prefix("tidegate");
        let requests = Family::default();
        let durations: Family<RouteLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let in_work = Gauge::default();
        let limited = Family::default();
        registry.register("http_requests", "HTTP requests answered", requests.clone());
        registry.register("http_request_seconds", "Time to the response head", durations.clone());
        registry.register("http_requests_in_work", "HTTP requests being answered", in_work.clone());
        registry.register("http_limited", "HTTP requests over a limit of their client", limited.clone());
        Self { registry: Mutex::new(registry), requests, durations, in_work, limited, role }
    }

    /// Adds metrics of another part to the same page.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The page as OpenMetrics text.
    ///
    /// # Errors
    /// When a metric cannot be written.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }

    pub(crate) fn begin(&self) -> InWork {
        self.in_work.inc();
        InWork(self.in_work.clone())
    }

    /// Counts an answered request: its route template, how it was answered, and the time to the response head.
    pub fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let role = self.role;
        let route = route.to_owned();
        self.requests.get_or_create(&RequestLabels { route: route.clone(), method, status, role }).inc();
        self.durations.get_or_create(&RouteLabels { route, method, role }).observe(took.as_secs_f64());
    }

    /// Counts a request that is over a limit, by what the limit is of: `rate`, `day` or `peer`.
    pub fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&LimitLabels { limit, role: self.role }).inc();
    }

    pub(crate) fn role(&self) -> &'static str {
        self.role
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Metrics({})", self.role)
    }
}

/// Counts a request as in work until dropped, whatever becomes of it.
pub(crate) struct InWork(Gauge);

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}
