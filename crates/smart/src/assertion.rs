//! Clients that prove who they are by a signed assertion (`private_key_jwt`, RFC 7523; SMART Backend Services).

use crate::keys::KeySet;
use crate::token::{CLOCK_SKEW_SECONDS_MAX, Claims, TokenError};

/// `client_assertion_type` of a signed assertion.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest time from now to the end of an assertion, in seconds.
pub const LIFE_SECONDS_MAX: i64 = 300;
/// Characters of a `jti`.
pub const ID_CHARS_MAX: usize = 256;

/// An assertion that holds, once: its id must not have been used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// `jti`.
    pub id: String,
    /// When it ends, in seconds since 1970.
    pub expires_s: i64,
}

impl Assertion {
    /// Reads the assertion of a client. `audience`: the address of the token endpoint.
    ///
    /// # Errors
    /// [`TokenError`] with what is wrong first.
    pub fn verify(
        token: &str,
        client: &str,
        keys: &KeySet,
        audience: &str,
        now_s: i64,
    ) -> Result<Self, TokenError> {
        let claims = Claims::verify(token, keys)?;
        claims.expect(client, audience)?;
        if claims.text("sub") != Some(client) {
            return Err(TokenError::Claim);
        }
        let expires_s = claims.expires_s(now_s)?;
        if expires_s > now_s.saturating_add(LIFE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX) {
            return Err(TokenError::Time);
        }
        let id = claims.text("jti").filter(|id| (1..=ID_CHARS_MAX).contains(&id.len()));
        Ok(Self { id: id.ok_or(TokenError::Claim)?.to_owned(), expires_s })
    }
}
