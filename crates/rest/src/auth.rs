//! Bearer tokens (RFC 6750): a set of hashes, one set for each role, so that a token of the other role is simply unknown.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fhir::IssueCode;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::outcome::Failure;

const HASH_BYTES: usize = 32;
const SCHEME: &str = "bearer";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The name a token was given in the configuration.
    pub name: String,
    /// What the token lets it do.
    pub permission: Permission,
}

/// What a token lets its client do.
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
        let client = |(name, hash, permission)| (Client { name, permission }, hash);
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

    /// The client that a request's `Authorization` names.
    ///
    /// # Errors
    /// 401 when there is no bearer token, more than one, or one that is not in the set.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<&Client, Failure> {
        let token = bearer(headers).ok_or_else(|| unauthenticated("Bearer realm=\"tidegate\""))?;
        self.client(token)
            .ok_or_else(|| unauthenticated("Bearer realm=\"tidegate\", error=\"invalid_token\""))
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

/// Lets a request through when its token is in the set, and leaves its [`Client`] in the extensions.
pub(crate) async fn require(State(tokens): State<TokenSet>, mut request: Request, next: Next) -> Response {
    match tokens.authenticate(request.headers()) {
        Ok(client) => {
            let client = client.clone();
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
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
