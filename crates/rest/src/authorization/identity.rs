//! Who signed in, told to a client (OpenID Connect Core 1.0 §2; SMART App Launch 2.2, scopes for identity): ID tokens, the
//! key that they are checked by, and the document that says where everything is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::issued::Allowed;
use super::refusal::{Refusal, answer};
use super::{SECOND_US, Server};
use crate::auth::token_hash;

/// An ID token is good for this time, in seconds: a client looks at it when it gets it.
const LIFE_SECONDS: i64 = 300;

/// An RSA key (RS256, RFC 7518 §3.3) by which ID tokens are signed. It never leaves whoever made it.
pub trait IdentityKey: Send + Sync {
    /// Modulus and exponent, unsigned and without leading zeros (RFC 7518 §6.3.1); `None` when there is no key.
    fn public(&self) -> Option<(Vec<u8>, Vec<u8>)>;
    /// RSASSA-PKCS1-v1_5 with SHA-256 over a message; `None` when there is no key.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// Who signed in, as their client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// `sub`: the same for the same person, and nothing that says who that is.
    pub(super) subject: String,
    /// `fhirUser`: address of their resource.
    pub(super) resource: Option<String>,
    /// What the client wants to find in the token again.
    pub(super) nonce: Option<String>,
}

/// The subject of a user's name at an issuer.
pub(super) fn subject(issuer: &str, name: &str) -> String {
    URL_SAFE_NO_PAD.encode(token_hash(&format!("{issuer} {name}")))
}

/// The ID token of what was allowed; `None` where it is not asked for.
///
/// # Errors
/// [`Refusal::FULL`] when the key cannot sign.
pub(super) async fn id_token(server: &Server, allowed: &Allowed) -> Result<Option<String>, Refusal> {
    let Some(identity) = allowed.identity.clone().filter(|_| allowed.beside.tells_who()) else {
        return Ok(None);
    };
    let now_s = server.now_us() / SECOND_US;
    let mut claims = json!({
        "iss": server.own.origin,
        "sub": identity.subject,
        "aud": allowed.client,
        "iat": now_s,
        "exp": now_s + LIFE_SECONDS,
    });
    for (name, value) in [("fhirUser", identity.resource), ("nonce", identity.nonce)] {
        if let Some(value) = value {
            claims[name] = json!(value);
        }
    }
    let key = server.own.identity.clone();
    // The first use makes the key, which takes a while.
    let signing = tokio::task::spawn_blocking(move || signed(&*key, &claims)).await;
    match signing {
        Ok(Some(token)) => Ok(Some(token)),
        Ok(None) | Err(_) => {
            tracing::error!("an ID token cannot be signed");
            Err(Refusal::FULL)
        }
    }
}

fn signed(key: &dyn IdentityKey, claims: &Value) -> Option<String> {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id(&key.public()?.0)});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(claims));
    let signature = key.sign(message.as_bytes())?;
    Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn key_id(modulus: &[u8]) -> String {
    let encoded = URL_SAFE_NO_PAD.encode(modulus);
    URL_SAFE_NO_PAD.encode(token_hash(&encoded))
}

/// `/auth/jwks`: the key by which ID tokens are checked (RFC 7517).
pub(super) async fn keys(State(server): State<Arc<Server>>) -> Response {
    let key = server.own.identity.clone();
    let public = tokio::task::spawn_blocking(move || key.public()).await;
    let Ok(Some((modulus, exponent))) = public else { return Refusal::FULL.into_response() };
    let key = json!({
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": key_id(&modulus),
        "n": URL_SAFE_NO_PAD.encode(modulus),
        "e": URL_SAFE_NO_PAD.encode(exponent),
    });
    answer(StatusCode::OK, &json!({"keys": [key]}))
}

/// `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 §3).
pub(super) async fn configuration(State(server): State<Arc<Server>>) -> Response {
    let told = server.own.told();
    let document = json!({
        "issuer": told.issuer,
        "authorization_endpoint": told.authorization_endpoint,
        "token_endpoint": told.token_endpoint,
        "jwks_uri": told.jwks_uri,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "fhirUser", "online_access", "offline_access"],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "nonce", "fhirUser"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
    });
    answer(StatusCode::OK, &document)
}
