//! Tokens that stand for a patient in the ledger.

use std::fmt;

use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use crate::Error;
use crate::merkle::{hash_from_hex, to_hex};

/// Hexadecimal digits of a token: 128 bits of the HMAC.
const TOKEN_LENGTH: usize = 32;
const FILE_PREFIX: &str = "tidegate-token-key-v1:";

/// The audit key: without it a token can neither be made nor guessed from a record number. `Debug` is redacted.
pub struct TokenKey {
    secret: Zeroizing<[u8; 32]>,
}

/// A patient's token: 32 lowercase hexadecimal digits, the same for the same patient and key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatientToken(String);

impl PatientToken {
    /// The token as it stands in a record.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TokenKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Key`] when the random source fails.
    pub fn generate() -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rand::fill(secret.as_mut_slice()).map_err(|_| Error::Key)?;
        Ok(Self { secret })
    }

    /// Reads what [`TokenKey::to_file_text`] wrote.
    ///
    /// # Errors
    /// [`Error::Key`] when it is malformed.
    pub fn from_file_text(text: &str) -> Result<Self, Error> {
        let hex = text.trim().strip_prefix(FILE_PREFIX).ok_or(Error::Key)?;
        Ok(Self { secret: Zeroizing::new(hash_from_hex(hex).ok_or(Error::Key)?) })
    }

    /// The file form, secret.
    pub fn to_file_text(&self) -> String {
        format!("{FILE_PREFIX}{}\n", to_hex(self.secret.as_slice()))
    }

    /// HMAC-SHA-256 over the identifier's system and value, each preceded by its length so that no two pairs meet.
    pub fn token(&self, system: &str, value: &str) -> PatientToken {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_slice());
        let mut context = hmac::Context::with_key(&key);
        for part in ["tidegate-patient-token-v1", system, value] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut token = to_hex(context.sign().as_ref());
        token.truncate(TOKEN_LENGTH);
        PatientToken(token)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey { .. }")
    }
}

/// True for the form that [`TokenKey::token`] makes.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_stable_per_key_and_separate_system_from_value() {
        let key = TokenKey::generate().expect("key");
        let again = TokenKey::from_file_text(&key.to_file_text()).expect("reads");
        assert_eq!(key.token("urn:a", "1"), again.token("urn:a", "1"));
        assert_ne!(key.token("urn:a", "1"), key.token("urn:", "a1"));
        assert_ne!(key.token("urn:a", "1"), TokenKey::generate().expect("key").token("urn:a", "1"));
        assert!(is_token(key.token("urn:a", "1").as_str()));
        assert_eq!(format!("{key:?}"), "TokenKey { .. }");
    }
}
