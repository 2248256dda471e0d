//! Access tokens of issuers that a site trusts (RFC 9068, SMART App Launch 2.2).

use fhir::ResourceId;

use crate::granted::{Granted, Launch, User};
use crate::keys::KeySet;
use crate::token::{Claims, TokenError};

/// Characters of a client's id.
pub const CLIENT_CHARS_MAX: usize = 128;

/// An issuer, and what its tokens must say.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `iss`, exactly.
    pub issuer: String,
    /// `aud`: this server, as the issuer names it.
    pub audience: String,
    /// Its keys.
    pub keys: KeySet,
}

/// An access token that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The client (`client_id`, or `azp`).
    pub client: String,
    /// What it grants.
    pub granted: Granted,
    /// When it ends, in seconds since 1970.
    pub expires_s: i64,
}

impl Issuer {
    /// Reads an access token of this issuer. `base`: the address of the FHIR surface; `now_s`: seconds since 1970.
    ///
    /// # Errors
    /// [`TokenError`] with what is wrong first.
    pub fn access(&self, token: &str, base: &str, now_s: i64) -> Result<AccessToken, TokenError> {
        let claims = Claims::verify(token, &self.keys)?;
        claims.expect(&self.issuer, &self.audience)?;
        let expires_s = claims.expires_s(now_s)?;
        let client = match claims.optional("client_id")? {
            Some(client) => Some(client),
            None => claims.optional("azp")?,
        };
        let client = client.filter(|client| is_client_id(client)).ok_or(TokenError::Claim)?.to_owned();
        let patient = match claims.optional("patient")? {
            None => None,
            Some(id) => Some(ResourceId::parse(id).map_err(|_| TokenError::Claim)?),
        };
        let user = claims.optional("fhirUser")?.and_then(|user| User::parse(user, base));
        let granted = Granted::of(&claims.scopes()?, &Launch { patient, user });
        Ok(AccessToken { client, granted, expires_s })
    }
}

/// Whether a text can name a client: it stands in records of access, so it is printable and short.
pub fn is_client_id(text: &str) -> bool {
    (1..=CLIENT_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
