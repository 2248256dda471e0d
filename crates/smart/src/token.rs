//! Signed tokens: the compact form of RFC 7515, read only after its signature holds (RFC 8725).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, KeySet};

/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Seconds by which the clocks of two machines may differ.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 60;
/// Types of tokens that are read (`typ`); a token may have none.
const KINDS: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// Why a token is not believed. It repeats nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url with JSON.
    #[error("the token has not the form of a signed token")]
    Form,
    /// Signed in a way that is not accepted, or with extensions that are not understood.
    #[error("the token is not signed by RS256, RS384, ES256 or ES384")]
    Algorithm,
    /// Not signed by a key of its issuer.
    #[error("the signature of the token does not hold")]
    Signature,
    /// Of another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// For another audience.
    #[error("the token is for another audience")]
    Audience,
    /// Not valid yet, or not any more, or without an end.
    #[error("the token is not valid at this time")]
    Time,
    /// A claim that is needed is absent or cannot be read.
    #[error("a claim of the token is absent or cannot be read")]
    Claim,
    /// It was used before.
    #[error("the token was used before")]
    Replayed,
}

/// Claims whose signature holds.
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The issuer that a token says it is of. Nothing is believed by this: it only tells whose keys to try.
    ///
    /// # Errors
    /// [`TokenError::Form`] when it cannot be read.
    pub fn claimed_issuer(token: &str) -> Result<String, TokenError> {
        let (_, payload, _) = parts(token)?;
        object(payload)?.get("iss").and_then(Value::as_str).map(str::to_owned).ok_or(TokenError::Issuer)
    }

    /// Reads a token that one of these keys signed.
    ///
    /// # Errors
    /// [`TokenError::Form`], [`TokenError::Algorithm`] and [`TokenError::Signature`].
    pub fn verify(token: &str, keys: &KeySet) -> Result<Self, TokenError> {
        let (head, payload, signature) = parts(token)?;
        let header = object(head)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(Algorithm::of_name).ok_or(TokenError::Algorithm)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(TokenError::Algorithm);
        }
        if header.contains_key("typ") && !text("typ").is_some_and(is_kind) {
            return Err(TokenError::Form);
        }
        let id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => return Err(TokenError::Form),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Form)?;
        let message = token.get(..head.len() + 1 + payload.len()).ok_or(TokenError::Form)?;
        if !keys.verify(id, algorithm, message.as_bytes(), &signature) {
            return Err(TokenError::Signature);
        }
        Ok(Self(object(payload)?))
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A claim that may be absent, and is a text when it is there.
    ///
    /// # Errors
    /// [`TokenError::Claim`] when it is something else.
    pub fn optional(&self, name: &str) -> Result<Option<&str>, TokenError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::Claim),
        }
    }

    /// `scope`: a text with spaces, or an array of texts.
    ///
    /// # Errors
    /// [`TokenError::Claim`] when it is absent or something else.
    pub fn scopes(&self) -> Result<String, TokenError> {
        match self.0.get("scope") {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Array(items)) => {
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                texts.map(|texts| texts.join(" ")).ok_or(TokenError::Claim)
            }
            _ => Err(TokenError::Claim),
        }
    }

    /// Checks who it is of and for, exactly.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] and [`TokenError::Audience`].
    pub fn expect(&self, issuer: &str, audience: &str) -> Result<(), TokenError> {
        if self.text("iss") != Some(issuer) {
            return Err(TokenError::Issuer);
        }
        let is_for_us = match self.0.get("aud") {
            Some(Value::String(only)) => only == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if is_for_us { Ok(()) } else { Err(TokenError::Audience) }
    }

    /// When it ends, in seconds since 1970, after a check that it is valid at `now_s`.
    ///
    /// # Errors
    /// [`TokenError::Time`] when it has no end, has ended, or has not begun.
    pub fn expires_s(&self, now_s: i64) -> Result<i64, TokenError> {
        let end = self.seconds("exp")?.ok_or(TokenError::Time)?;
        let begins = self.seconds("nbf")?.max(self.seconds("iat")?);
        let (earliest, latest) =
            (now_s.saturating_sub(CLOCK_SKEW_SECONDS_MAX), now_s.saturating_add(CLOCK_SKEW_SECONDS_MAX));
        if end <= earliest || begins.is_some_and(|begins| begins > latest) {
            return Err(TokenError::Time);
        }
        Ok(end)
    }

    /// A NumericDate (RFC 7519 §2), without its fraction.
    fn seconds(&self, name: &str) -> Result<Option<i64>, TokenError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let text = value.as_number().ok_or(TokenError::Time)?.to_string();
        let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
        whole.parse().map(Some).map_err(|_| TokenError::Time)
    }
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Claims({})", self.0.len())
    }
}

fn is_kind(kind: &str) -> bool {
    KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind))
}

fn parts(token: &str) -> Result<(&str, &str, &str), TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Form);
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(head), Some(payload), Some(signature), None) => Ok((head, payload, signature)),
        _ => Err(TokenError::Form),
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Form)
}
