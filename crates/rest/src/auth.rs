//! Bearer tokens (RFC 6750): a set of hashes, one set for each role, so that a token of the other role is simply unknown.

use std::net::IpAddr;
use std::sync::Arc;

use audit::Kind;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fhir::{IssueCode, ResourceType};
use smart::{Granted, Permissions};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::audit::{Access, noted, outcome_of};
use crate::edge::RequestId;
use crate::limits::{Refused, peer_of, tell};
use crate::outcome::Failure;
use crate::refusals::Source;
use crate::server::Server;
use crate::sight::Denied;

const HASH_BYTES: usize = 32;
const SCHEME: &str = "bearer";
/// Challenges (RFC 6750 §3): nobody is named, or somebody who is not known.
const UNKNOWN: &str = "Bearer realm=\"tidegate\"";
const INVALID: &str = "Bearer realm=\"tidegate\", error=\"invalid_token\"";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The name a token was given in the configuration, or the id under which an issuer knows the client.
    pub name: String,
    /// What the token lets it do.
    pub(crate) granted: Granted,
    /// What patients deny to it.
    pub(crate) denied: Denied,
}

/// What a token of the node's own lets its client do, with every resource whatever its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Read and search.
    Read,
    /// And create, change and delete.
    Write,
}

/// The tokens a surface accepts, as SHA-256 hashes. Debug prints how many.
#[derive(Clone, Default)]
pub struct TokenSet {
    tokens: Arc<Vec<(Client, [u8; HASH_BYTES])>>,
}

impl TokenSet {
    /// Tokens that read. `tokens`: client name and [`token_hash`] of its token.
    pub fn new(tokens: impl IntoIterator<Item = (String, [u8; 32])>) -> Self {
        Self::with(tokens.into_iter().map(|(name, hash)| (name, hash, Permission::Read)))
    }

    /// `tokens`: client name, [`token_hash`] of its token, and what it may do.
    pub fn with(tokens: impl IntoIterator<Item = (String, [u8; 32], Permission)>) -> Self {
        let tokens = tokens.into_iter();
        let client = |(name, hash, permission)| {
            let granted = Granted::Everything(match permission {
                Permission::Read => Permissions::READ,
                Permission::Write => Permissions::EVERY,
            });
            (Client { name, granted, denied: Denied::default() }, hash)
        };
        Self { tokens: Arc::new(tokens.map(client).collect()) }
    }

    /// The client of a token; compares with every hash, whatever matches, in constant time.
    pub fn client(&self, token: &str) -> Option<&Client> {
        let asked = token_hash(token);
        let mut found = u32::MAX;
        for (position, (_, hash)) in (0_u32..).zip(self.tokens.iter()) {
            let equal: Choice = hash.ct_eq(&asked);
            found = u32::conditional_select(&found, &position, equal);
        }
        self.tokens.get(usize::try_from(found).ok()?).map(|(client, _)| client)
    }

    /// The client that a request's `Authorization` names by a token of this set.
    ///
    /// # Errors
    /// 401 when there is no bearer token, more than one, or one that is not in the set.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<&Client, Failure> {
        let token = bearer(headers).ok_or_else(|| unauthenticated(UNKNOWN))?;
        self.client(token).ok_or_else(|| unauthenticated(INVALID))
    }
}

impl std::fmt::Debug for TokenSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TokenSet({} tokens)", self.tokens.len())
    }
}

/// SHA-256 of a token, as a configuration keeps it.
pub fn token_hash(token: &str) -> [u8; 32] {
    let mut hash = [0; HASH_BYTES];
    // SHA-256 is 32 bytes, so the lengths are equal.
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// Lets a request through whose token is known and whose client does not ask too often, and leaves its [`Client`] in the
/// extensions. What its handler refuses without a record of its own is recorded before it is told.
pub(crate) async fn require(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let Some(id) = request.extensions().get::<RequestId>().copied() else {
        return Failure::internal().into_response();
    };
    let peer = peer_of(&request);
    let mut client = match authenticate(&server, request.headers()) {
        Ok(client) => client,
        Err(failure) => return unknown(&server, (id, peer), failure).await,
    };
    let fields = match server.fhir.limiter.client(&client.name, (server.fhir.now_us)()) {
        Ok(fields) => fields,
        Err(refused) => return limited(&server, (id, peer), Source::Client(client.name), &refused).await,
    };
    let asked = match Asked::of(request.method(), request.uri().path()) {
        Ok(asked) => asked,
        Err(failure) => return failure.into_response(),
    };
    let (mut response, recorded) = match server.denied(&client).await {
        Ok(denied) => {
            client.denied = denied;
            request.extensions_mut().insert(client.clone());
            noted(next.run(request)).await
        }
        Err(failure) => (failure.into_response(), false),
    };
    let status = response.status();
    if !recorded && (status.is_client_error() || status.is_server_error()) {
        let access = Access { client: &client, request: id, resource_type: asked.of };
        let committed = access.unanswered(&server, asked.kind, outcome_of(status)).await;
        if let Err(failure) = committed {
            response = failure.into_response();
        }
    }
    tell(&fields, response.headers_mut());
    response
}

/// Lets everybody through who does not ask too often; what is refused is recorded before it is told.
pub(crate) async fn open_to_all(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let Some(id) = request.extensions().get::<RequestId>().copied() else {
        return Failure::internal().into_response();
    };
    let peer = peer_of(&request);
    if let Err(refused) = server.fhir.limiter.peer(peer, (server.fhir.now_us)()) {
        return limited(&server, (id, peer), Source::Peer(peer), &refused).await;
    }
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

/// Answers one who is not known, as long as they do not ask too often.
async fn unknown(server: &Server, (id, peer): (RequestId, IpAddr), failure: Failure) -> Response {
    if let Err(refused) = server.fhir.limiter.peer(peer, (server.fhir.now_us)()) {
        return limited(server, (id, peer), Source::Peer(peer), &refused).await;
    }
    match server.refusals.record(id, (Source::Peer(peer), peer), "unauthenticated").await {
        Ok(()) => failure.into_response(),
        Err(failure) => failure.into_response(),
    }
}

/// Answers a request that is one too many.
async fn limited(
    server: &Server,
    (id, peer): (RequestId, IpAddr),
    source: Source,
    refused: &Refused,
) -> Response {
    server.fhir.metrics.limited(refused.limit.as_str());
    match server.refusals.record(id, (source, peer), "throttled").await {
        Ok(()) => refused.failure().into_response(),
        Err(failure) => failure.into_response(),
    }
}

/// The client that a request's `Authorization` names: by a token of the node's own, or by one of an issuer.
///
/// # Errors
/// 401 when there is no bearer token, more than one, or one that is not believed.
fn authenticate(server: &Server, headers: &HeaderMap) -> Result<Client, Failure> {
    let token = bearer(headers).ok_or_else(|| unauthenticated(UNKNOWN))?;
    let fhir = &server.fhir;
    let now_us = (fhir.now_us)();
    let own = fhir.tokens.client(token).cloned().or_else(|| fhir.issued.client(token, now_us));
    own.or_else(|| fhir.issuers.client(token, &fhir.base_url, now_us)).ok_or_else(|| unauthenticated(INVALID))
}

/// What a request is about, as far as its address tells.
struct Asked {
    /// `Bundle` where the address names no type.
    of: ResourceType,
    /// The record of a refusal.
    kind: Kind,
}

impl Asked {
    /// # Errors
    /// 500 where R4 had no type `Bundle`.
    fn of(method: &Method, path: &str) -> Result<Self, Failure> {
        let below = path.trim_start_matches("/fhir").trim_matches('/');
        let (first, rest) = below.split_once('/').unwrap_or((below, ""));
        let kind = match (rest, matches!(*method, Method::GET | Method::HEAD)) {
            ("", true) | ("_search", _) => Kind::ResourceSearched,
            (_, true) => Kind::ResourceRead,
            (_, false) => Kind::ChangeRefused,
        };
        let of = ResourceType::parse(first).or_else(|| ResourceType::parse("Bundle"));
        Ok(Self { of: of.ok_or_else(Failure::internal)?, kind })
    }
}

/// The bearer token of a request; `None` also when there are several.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (only, more) = (values.next()?, values.next());
    if more.is_some() {
        return None;
    }
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty()).then_some(token)
}

fn unauthenticated(challenge: &'static str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, IssueCode::Login, "a bearer token of this node is needed")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_client_and_no_other() {
        let set = TokenSet::new([("a".to_owned(), token_hash("one")), ("b".to_owned(), token_hash("two"))]);
        assert_eq!(set.client("one").map(|client| client.name.as_str()), Some("a"));
        assert_eq!(set.client("two").map(|client| client.name.as_str()), Some("b"));
        assert_eq!(set.client("three"), None);
        assert_eq!(set.client(""), None);
        assert_eq!(TokenSet::default().client("one"), None);
        assert_eq!(format!("{set:?}"), "TokenSet(2 tokens)");
    }
}
