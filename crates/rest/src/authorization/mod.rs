//! The node's own authorization server, for a site that has none: standalone launch by code with PKCE, tokens for systems by
//! signed assertion, introspection and revocation (SMART App Launch 2.2; RFC 6749, 7523, 7636, 7662, 7009).
//!
//! It is small on purpose: no refresh tokens, no dynamic registration, no implicit grant, no secrets that both sides have.
//! Tokens are random texts that are kept as hashes in memory, so they end with the process at the latest.

mod authorize;
mod issued;
mod lookup;
mod page;
mod refusal;
mod registered;
mod token;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use smart::Replays;
use store::{Access, Micros};

pub use self::issued::Issued;
pub use self::registered::{RegisteredClient, RegisteredUser, RegistrationError};
use crate::auth::TokenSet;
use crate::edge;
use crate::interaction::smart_configuration::Authorization;
use crate::metrics::Metrics;

/// Where the endpoints lie.
const PREFIX: &str = "/auth";
/// Bytes of a form.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Failed sign-ins within [`WINDOW_US`], of all together; after as many nobody signs in until it is over.
const FAILURES_MAX: u32 = 30;
const WINDOW_US: Micros = 60 * 1_000_000;
const SECOND_US: Micros = 1_000_000;

/// What the authorization server of a node is made of.
#[derive(Clone)]
pub struct AuthorizationServer {
    /// Clients of the site.
    pub clients: Vec<RegisteredClient>,
    /// Who may sign in.
    pub users: Vec<RegisteredUser>,
    /// Where tokens are kept; the FHIR surface looks there.
    pub issued: Issued,
    /// Tokens of the node's own: who has one may introspect.
    pub tokens: TokenSet,
    /// Where sign-ins are recorded.
    pub access: Arc<dyn Access>,
    /// Address of the node as clients see it, without a slash at its end.
    pub origin: String,
    /// This node's name in records.
    pub node: String,
    /// Whether clients reach it by TLS alone, so that its cookie is for TLS alone.
    pub secure: bool,
    /// The clock: µs since the epoch, UTC.
    pub now_us: fn() -> Micros,
    /// Fills with random bytes.
    pub fill_random: fn(&mut [u8]),
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
}

impl std::fmt::Debug for AuthorizationServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AuthorizationServer({} clients)", self.clients.len())
    }
}

impl AuthorizationServer {
    /// What the FHIR surface tells clients of it.
    pub fn told(&self) -> Authorization {
        let at = |name: &str| format!("{}{PREFIX}/{name}", self.origin);
        Authorization {
            issuer: self.origin.clone(),
            authorization_endpoint: Some(at("authorize")),
            token_endpoint: self.token_endpoint(),
            introspection_endpoint: Some(at("introspect")),
            revocation_endpoint: Some(at("revoke")),
            jwks_uri: None,
            backend: true,
        }
    }

    fn token_endpoint(&self) -> String {
        format!("{}{PREFIX}/token", self.origin)
    }

    /// The FHIR surface that tokens are for.
    fn audience(&self) -> String {
        format!("{}/fhir", self.origin)
    }
}

/// Handlers' state.
struct Server {
    own: AuthorizationServer,
    replays: Mutex<Replays>,
    failures: Mutex<(Micros, u32)>,
}

impl Server {
    fn now_us(&self) -> Micros {
        (self.own.now_us)()
    }

    fn now_s(&self) -> i64 {
        self.now_us().div_euclid(SECOND_US)
    }

    fn client(&self, id: &str) -> Option<&RegisteredClient> {
        self.own.clients.iter().find(|client| client.id == id)
    }

    /// Whether too many sign-ins failed of late.
    fn is_closed(&self) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        self.now_us().saturating_sub(failures.0) < WINDOW_US && failures.1 >= FAILURES_MAX
    }

    fn count_failure(&self) {
        let now_us = self.now_us();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if now_us.saturating_sub(failures.0) >= WINDOW_US {
            *failures = (now_us, 0);
        }
        failures.1 = failures.1.saturating_add(1);
    }
}

/// The endpoints under `/auth`.
pub fn authorization(own: AuthorizationServer) -> Router {
    let metrics = own.metrics.clone();
    let server = Arc::new(Server { own, replays: Mutex::default(), failures: Mutex::default() });
    let routes = Router::new()
        .route("/authorize", get(authorize::ask).post(authorize::answer))
        .route("/token", post(token::token))
        .route("/introspect", post(lookup::introspect))
        .route("/revoke", post(lookup::revoke))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(server);
    Router::new().nest(PREFIX, edge::around(routes, metrics))
}
