//! Bearer tokens (RFC 6750): a set of hashes, one set for each role, so that a token of the other role is simply unknown.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fhir::{IssueCode, ResourceType};
use smart::{Granted, Permissions};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::audit::Access;
use crate::edge::RequestId;
use crate::outcome::Failure;
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

/// Lets a request through whose token is known, and leaves its [`Client`] in the extensions. What is forbidden to it is
/// recorded before it is told.
pub(crate) async fn require(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let mut client = match authenticate(&server, request.headers()) {
        Ok(client) => client,
        Err(failure) => return failure.into_response(),
    };
    match server.denied(&client).await {
        Ok(denied) => client.denied = denied,
        Err(failure) => return failure.into_response(),
    }
    let id = request.extensions().get::<RequestId>().copied();
    let named = asked_type(request.method(), request.uri().path());
    request.extensions_mut().insert(client.clone());
    let response = next.run(request).await;
    let (StatusCode::FORBIDDEN, Some(request), Some(resource_type)) = (response.status(), id, named) else {
        return response;
    };
    let access = Access { client: &client, request, resource_type };
    match access.read(&server, "forbidden", None).await {
        Ok(()) => response,
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

/// The type that a request reads, `Bundle` where its address names none; `None` of a change, which records its own refusal.
fn asked_type(method: &Method, path: &str) -> Option<ResourceType> {
    if !matches!(*method, Method::GET | Method::HEAD) && !path.ends_with("/_search") {
        return None;
    }
    let first =
        path.trim_start_matches("/fhir").trim_start_matches('/').split('/').next().unwrap_or_default();
    ResourceType::parse(first).or_else(|| ResourceType::parse("Bundle"))
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
