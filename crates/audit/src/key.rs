//! Ed25519 keys in the C2SP note forms.

use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Error;
use crate::merkle::{digest, to_hex};

/// C2SP signature type: Ed25519.
const ALGORITHM: u8 = 1;
/// Bytes of an Ed25519 seed and public key, RFC 8032 §5.1.5.
const KEY_LENGTH: usize = 32;
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";
/// Longest key name.
const NAME_LENGTH_MAX: usize = 128;

/// An Ed25519 signing key with its name. `Debug` is redacted.
pub struct SigningKey {
    seed: Zeroizing<[u8; KEY_LENGTH]>,
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// A new key. `name` has no space and no plus sign; by custom it is a host and path without scheme.
    ///
    /// # Errors
    /// [`Error::Key`] for such a name, or when the random source fails.
    pub fn generate(name: &str) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; KEY_LENGTH]);
        rand::fill(seed.as_mut_slice()).map_err(|_| Error::Key)?;
        Self::from_seed(name, seed)
    }

    /// Reads what [`SigningKey::to_file_text`] wrote; white space around it is tolerated.
    ///
    /// # Errors
    /// [`Error::Key`] when it is malformed or its id does not fit name and key.
    pub fn from_file_text(text: &str) -> Result<Self, Error> {
        let rest = text.trim().strip_prefix(PRIVATE_PREFIX).ok_or(Error::Key)?;
        let (name, id, bytes) = fields(rest)?;
        let key = Self::from_seed(name, bytes)?;
        if to_hex(&key.public.id()) == id { Ok(key) } else { Err(Error::Key) }
    }

    /// The file form, secret: `PRIVATE+KEY+name+id+base64(0x01 ‖ seed)` and a newline.
    pub fn to_file_text(&self) -> String {
        let mut bytes = Zeroizing::new(vec![ALGORITHM]);
        bytes.extend_from_slice(self.seed.as_slice());
        let id = to_hex(&self.public.id());
        format!("{PRIVATE_PREFIX}{}+{id}+{}\n", self.public.name, STANDARD.encode(&*bytes))
    }

    /// The public half.
    pub fn public(&self) -> VerifyingKey {
        self.public.clone()
    }

    /// The Ed25519 signature over `message`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    fn from_seed(name: &str, seed: Zeroizing<[u8; KEY_LENGTH]>) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| Error::Key)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| Error::Key)?;
        Ok(Self { public: VerifyingKey::new(name, bytes)?, seed, pair })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("name", &self.public.name).finish_non_exhaustive()
    }
}

/// The public half of a [`SigningKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    bytes: [u8; KEY_LENGTH],
}

impl VerifyingKey {
    /// Reads what [`VerifyingKey::to_text`] wrote; white space around it is tolerated.
    ///
    /// # Errors
    /// [`Error::Key`] when it is malformed or its id does not fit name and key.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let (name, id, bytes) = fields(text.trim())?;
        let key = Self::new(name, *bytes)?;
        if to_hex(&key.id()) == id { Ok(key) } else { Err(Error::Key) }
    }

    /// `name+id+base64(0x01 ‖ key)`, one line without newline.
    pub fn to_text(&self) -> String {
        let mut bytes = vec![ALGORITHM];
        bytes.extend(self.bytes);
        format!("{}+{}+{}", self.name, to_hex(&self.id()), STANDARD.encode(bytes))
    }

    /// Checks an Ed25519 signature.
    ///
    /// # Errors
    /// [`Error::Signature`] when it is not by this key over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, self.bytes).verify(message, signature).map_err(|_| Error::Signature)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The C2SP key id: the first four bytes of SHA-256(name ‖ newline ‖ 0x01 ‖ key).
    pub fn id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = digest(&[self.name.as_bytes(), b"\n", &[ALGORITHM], &self.bytes]);
        [a, b, c, d]
    }

    fn new(name: &str, bytes: [u8; KEY_LENGTH]) -> Result<Self, Error> {
        let fits = (1..=NAME_LENGTH_MAX).contains(&name.len());
        if !fits || name.contains('+') || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Error::Key);
        }
        Ok(Self { name: name.to_owned(), bytes })
    }
}

/// Splits `name+id+base64(0x01 ‖ 32 bytes)`. The encoding itself may hold plus signs.
fn fields(text: &str) -> Result<(&str, &str, Zeroizing<[u8; KEY_LENGTH]>), Error> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Key);
    };
    let decoded = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| Error::Key)?);
    let Some((&ALGORITHM, bytes)) = decoded.split_first() else { return Err(Error::Key) };
    let bytes: [u8; KEY_LENGTH] = bytes.try_into().map_err(|_| Error::Key)?;
    Ok((name, id, Zeroizing::new(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_texts() {
        let key = SigningKey::generate("node-1/ledger").expect("key");
        let again = SigningKey::from_file_text(&key.to_file_text()).expect("reads");
        assert_eq!(again.public(), key.public());
        assert_eq!(VerifyingKey::from_text(&key.public().to_text()).expect("reads"), key.public());
        key.public().verify(b"text", &again.sign(b"text")).expect("verifies");
        assert!(key.public().verify(b"other", &key.sign(b"text")).is_err());
    }

    /// The example key of the Go note package, golang.org/x/mod/sumdb/note.
    #[test]
    fn the_id_is_that_of_other_implementations() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = VerifyingKey::from_text(text).expect("reads");
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.to_text(), text);
        assert!(VerifyingKey::from_text(&text.replace("c74f20a3", "c74f20a4")).is_err());
    }

    #[test]
    fn debug_shows_no_secret_and_bad_names_are_refused() {
        let key = SigningKey::generate("node-1").expect("key");
        assert_eq!(format!("{key:?}"), "SigningKey { name: \"node-1\", .. }");
        for name in ["", "a b", "a+b", "a\nb", &"x".repeat(129)] {
            assert!(SigningKey::generate(name).is_err());
        }
        assert!(SigningKey::from_file_text("PRIVATE+KEY+a+00000000+AQ==").is_err());
    }
}
