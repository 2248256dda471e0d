//! The node's own authorization server, for a site that has none: standalone launch and EHR launch by code with PKCE, tokens
//! for systems by signed assertion, refresh tokens, who signed in, introspection and revocation (SMART App Launch 2.2; OpenID
//! Connect Core; RFC 6749, 7523, 7636, 7662, 7009).
//!
//! It is small on purpose: no dynamic registration, no implicit grant, no secrets that both sides have. Tokens are random
//! texts that are kept as hashes in memory, so they end with the process at the latest; so do refresh tokens.

mod authorize;
mod beside;
mod failures;
mod identity;
mod issued;
mod launches;
mod lookup;
mod page;
mod refreshes;
mod refusal;
mod registered;
mod token;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use smart::Replays;
use store::{Access, Micros};

use self::failures::Failures;
pub use self::failures::SignInLimits;
pub use self::identity::IdentityKey;
pub use self::issued::Issued;
pub use self::registered::{RegisteredClient, RegisteredUser, RegistrationError};
use crate::audit::outcome_of;
use crate::auth::TokenSet;
use crate::cors::Origins;
use crate::edge::{self, RequestId};
use crate::interaction::smart_configuration::Authorization;
use crate::limits::{Limiter, peer_of};
use crate::metrics::Metrics;
use crate::outcome::Failure;
use crate::refusals::{Refusals, Source};

/// Where the endpoints lie.
const PREFIX: &str = "/auth";
/// Where the document of OpenID Connect lies.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Bytes of a form.
const FORM_BYTES_MAX: usize = 64 * 1024;
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
    /// How much each address may ask for; the FHIR surface's own.
    pub limiter: Limiter,
    /// Signs who signed in.
    pub identity: Arc<dyn IdentityKey>,
    /// How many sign-ins may fail.
    pub sign_in: SignInLimits,
    /// From which origins browsers may ask for tokens.
    pub origins: Origins,
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
            jwks_uri: Some(at("jwks")),
            backend: true,
            own: true,
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
    failures: Failures,
    refusals: Refusals,
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
}

/// Records what is refused to a client before it is told; a person's sign-in has a record of its own.
async fn recorded(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let peer = peer_of(&request);
    let Some(id) = request.extensions().get::<RequestId>().copied() else {
        return Failure::internal().into_response();
    };
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    match server.refusals.record(id, (Source::Peer(peer), peer), outcome_of(status)).await {
        Ok(()) => response,
        Err(failure) => failure.into_response(),
    }
}

/// Lets an address ask that does not ask too often; what is one too many is recorded before it is told.
async fn limited(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let peer = peer_of(&request);
    let Err(refused) = server.own.limiter.peer(peer, server.now_us()) else {
        return next.run(request).await;
    };
    server.own.metrics.limited(refused.limit.as_str());
    let Some(id) = request.extensions().get::<RequestId>().copied() else {
        return Failure::internal().into_response();
    };
    match server.refusals.record(id, (Source::Peer(peer), peer), "throttled").await {
        Ok(()) => refused.failure().into_response(),
        Err(failure) => failure.into_response(),
    }
}

/// The endpoints under `/auth`.
pub fn authorization(own: AuthorizationServer) -> Router {
    let (metrics, origins) = (own.metrics.clone(), own.origins.clone());
    let refusals = Refusals::new(own.access.clone(), own.node.clone(), own.now_us);
    let (replays, failures) = (Mutex::default(), Failures::default());
    let server = Arc::new(Server { own, replays, failures, refusals });
    // What a browser goes to itself is no matter of origins.
    let pages = Router::new().route("/authorize", get(authorize::ask).post(authorize::answer));
    let shared = Router::new()
        .route("/token", post(token::token))
        .route("/jwks", get(identity::keys))
        .route("/introspect", post(lookup::introspect))
        .route("/launch", post(launches::launch))
        .route("/revoke", post(lookup::revoke));
    let around = |routes: Router<Arc<Server>>| {
        routes
            .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
            .layer(from_fn_with_state(server.clone(), limited))
            .with_state(server.clone())
    };
    let shared = shared.layer(from_fn_with_state(server.clone(), recorded));
    let routes = around(pages).merge(origins.around(around(shared)));
    let discovery = Router::new().route(DISCOVERY, get(identity::configuration));
    let discovery = origins.around(around(discovery));
    Router::new().nest(PREFIX, edge::around(routes, metrics.clone())).merge(edge::around(discovery, metrics))
}
