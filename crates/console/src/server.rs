//! The console's parts, its routes, and who may enter.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use store::{Access, Condition, FileCondition, Ledger, Micros, Resources};

use crate::frame::Frame;
use crate::hex::{hex, sha256};
use crate::login::{Attempts, LoginCodes};
use crate::preferences::{self, View};
use crate::session::{Session, Sessions};
use crate::{Error, asset, headers, login, status};

/// Longest form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1_024;
/// Header of a request that a page made by itself; it does not keep the session open.
const BY_ITSELF: &str = "x-tidegate-by-itself";
/// Digest bytes in the name of the cookie.
const COOKIE_TAG_BYTES: usize = 4;

/// Sentences that stand on every page, asked for each.
pub type Warnings = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the console of one node is made of.
#[derive(Clone)]
pub struct Console {
    /// Counts on the status page, versions on the message page.
    pub resources: Arc<dyn Resources>,
    /// Where records of views and searches go; an answer waits for their commit.
    pub access: Arc<dyn Access>,
    /// Where sign-ins are recorded, and whose latest checkpoint the status page shows.
    pub ledger: Arc<dyn Ledger>,
    /// This node's name, a code.
    pub node: String,
    /// The clock: µs since the epoch, UTC.
    pub now_us: fn() -> Micros,
    /// Fills with cryptographic random bytes.
    pub fill_random: fn(&mut [u8]),
    /// The one-time codes.
    pub login: Arc<dyn LoginCodes>,
    /// Whether the cookie is `Secure`: true wherever the console is served over TLS.
    pub secure: bool,
    /// Stand on every page, such as listeners without TLS and the reason given for them.
    pub warnings: Warnings,
    /// Whether the store's files take what they are given; what does not stands on every page too.
    pub condition: tokio::sync::watch::Receiver<Condition>,
    /// Shows a newcomer around; `None` wherever real messages flow.
    pub guide: Option<Arc<dyn crate::Guide>>,
    /// Checks the signatures of this node's checkpoints; without it the ledger page cannot verify.
    pub ledger_key: Option<audit::VerifyingKey>,
    /// Who keeps copies of this node's checkpoints.
    pub witnesses: Vec<Arc<dyn crate::Witness>>,
    /// The on-prem side; `None` on a portal node, which then has the status page alone.
    #[cfg(feature = "clinical")]
    pub clinical: Option<crate::Clinical>,
}

impl Console {
    /// Whether this node has messages to show.
    pub(crate) fn is_clinical(&self) -> bool {
        #[cfg(feature = "clinical")]
        return self.clinical.is_some();
        #[cfg(not(feature = "clinical"))]
        false
    }

    /// What stands on every page of a signed-in person.
    pub(crate) fn all_warnings(&self) -> Vec<String> {
        let condition = *self.condition.borrow();
        let of = |(file, state): (&str, FileCondition)| match state {
            FileCondition::Sound => None,
            FileCondition::Full => Some(format!(
                "{file}: no space left on its disk; senders are asked to send again until there is"
            )),
            FileCondition::Away => Some(format!(
                "{file}: its database cannot be reached; senders are asked to send again until it can"
            )),
            FileCondition::Failed => Some(format!(
                "{file}: a write failed and nothing more is acknowledged; check its disk, then restart the node"
            )),
        };
        condition.each().into_iter().filter_map(of).chain((self.warnings)()).collect()
    }

    pub(crate) fn role(&self) -> &'static str {
        if self.is_clinical() { "clinical" } else { "portal" }
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Console")
            .field("node", &self.node)
            .field("role", &self.role())
            .finish_non_exhaustive()
    }
}

/// State of the handlers.
pub(crate) struct Server {
    pub(crate) console: Console,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
    pub(crate) verifier: crate::ledger::Verifier,
    /// Name of the cookie: two nodes on one host share its cookies, whatever their ports.
    pub(crate) cookie: String,
    #[cfg(feature = "clinical")]
    pub(crate) streams: Arc<tokio::sync::Semaphore>,
    #[cfg(feature = "clinical")]
    pub(crate) admin_requests: tokio::sync::Semaphore,
    #[cfg(feature = "clinical")]
    pub(crate) dry_runs: tokio::sync::Semaphore,
    #[cfg(feature = "clinical")]
    pub(crate) numbers: crate::clinical::Cache,
}

/// The address a request came from, where the listener tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

/// The console, to be merged at `/`. It sets no fallback.
pub fn router(console: Console) -> Router {
    let name = format!("{}/{}", console.node, console.role());
    let tag = sha256(name.as_bytes());
    let prefix = if console.secure { "__Host-tidegate" } else { "tidegate" };
    let cookie = format!("{prefix}-{}", hex(tag.get(..COOKIE_TAG_BYTES).unwrap_or(&tag)));
    let is_clinical = console.is_clinical();
    let server = Arc::new(Server {
        console,
        sessions: Sessions::default(),
        attempts: Attempts::default(),
        verifier: crate::ledger::Verifier::default(),
        cookie,
        #[cfg(feature = "clinical")]
        streams: Arc::new(tokio::sync::Semaphore::new(crate::clinical::STREAMS_MAX)),
        #[cfg(feature = "clinical")]
        admin_requests: tokio::sync::Semaphore::new(crate::admin::REQUESTS_MAX),
        #[cfg(feature = "clinical")]
        dry_runs: tokio::sync::Semaphore::new(crate::admin::DRY_RUNS_MAX),
        #[cfg(feature = "clinical")]
        numbers: crate::clinical::Cache::default(),
    });
    let guarded = Router::new()
        .route("/status", get(status::page))
        .merge(crate::ledger::routes())
        .route("/help", get(preferences::help))
        .route("/theme", post(preferences::set_theme))
        .route("/keys", post(preferences::set_keys))
        .route("/logout", post(login::sign_out));
    #[cfg(feature = "clinical")]
    let guarded = match is_clinical {
        true => guarded.merge(crate::clinical::routes()),
        false => guarded.route("/", get(status::page)),
    };
    #[cfg(not(feature = "clinical"))]
    let guarded = guarded.route("/", get(status::page));
    #[cfg(not(feature = "clinical"))]
    let _ = is_clinical;
    let router = guarded
        .route_layer(from_fn_with_state(server.clone(), require_session))
        .route("/login", get(login::form).post(login::sign_in))
        .route("/assets/{name}", get(asset::serve))
        .route_layer(from_fn_with_state(server.clone(), page_of_error))
        .route_layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .route_layer(map_response(headers::protect));
    #[cfg(feature = "clinical")]
    let router = match is_clinical {
        true => router.merge(crate::admin::router(&server)),
        false => router,
    };
    router.with_state(server)
}

/// Refuses what another site sent, and what has no session; leaves [`Session`] and [`Peer`] in the extensions.
async fn require_session(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let id = cookie(request.headers(), &server.cookie).ok_or(Error::SignedOut)?;
    let now_us = (server.console.now_us)();
    let session = match request.headers().contains_key(BY_ITSELF) {
        true => server.sessions.look(id, now_us),
        false => server.sessions.resume(id, now_us),
    };
    let mut session = session.ok_or(Error::SignedOut)?;
    session.view = View::of(&request);
    request.extensions_mut().insert(session);
    Ok(next.run(request).await)
}

/// Notes the peer, refuses forms sent by another site, and gives errors their page.
async fn page_of_error(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = Peer(connection.map(|ConnectInfo(peer)| peer.ip().to_canonical()));
    request.extensions_mut().insert(peer);
    let is_form = request.method() == Method::POST;
    let response = match is_form && is_cross_site(request.headers()) {
        true => Error::Forged.into_response(),
        false => next.run(request).await,
    };
    match response.extensions().get::<Arc<Error>>() {
        Some(error) => crate::frame::failure(Frame::signed_out(&server, error.words().0), error),
        None => response,
    }
}

/// Browsers say where a form comes from (Fetch Metadata); other clients send nothing.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// The value of one cookie (RFC 6265, 4.2).
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The token of a form must be that of the session.
///
/// # Errors
/// [`Error::Forged`] when it is not.
pub(crate) fn check_form(session: &Session, form_token: &str) -> Result<(), Error> {
    if session.holds(form_token) { Ok(()) } else { Err(Error::Forged) }
}

impl IntoResponse for Error {
    /// Status only; [`page_of_error`] writes the page, which needs the node.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
