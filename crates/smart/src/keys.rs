//! Public keys of those who sign tokens: JSON Web Key Sets (RFC 7517, RFC 7518 §6).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Keys of one set.
pub const KEYS_MAX: usize = 64;
/// Bytes of a set.
pub const SET_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the modulus of an RSA key: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Bytes of the exponent of an RSA key.
const EXPONENT_BYTES_MAX: usize = 4;

/// How a token is signed (RFC 7518 §3.1). There is no way to say `none` or a secret that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// All with their names.
    pub const ALL: [(Self, &str); 4] =
        [(Self::Rs256, "RS256"), (Self::Rs384, "RS384"), (Self::Es256, "ES256"), (Self::Es384, "ES384")];

    /// The algorithm of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(algorithm, _)| *algorithm)
    }
}

/// Why a set cannot be used. It repeats nothing of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not JSON with `keys`.
    #[error("a key set is a JSON object with an array `keys` of at most 64, in at most 256 kB")]
    Set,
    /// A private or shared key.
    #[error("a key set holds public keys alone; this one has a private or shared key")]
    Private,
    /// Not a key of its kind.
    #[error("a key has not the members of its kind, or is weaker than 2048 bits of RSA")]
    Key,
    /// Nothing that signs as is understood here.
    #[error("a key set has no key for RS256, RS384, ES256 or ES384")]
    Empty,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
}

#[derive(Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    /// The only algorithm it is for, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

/// The keys of one issuer or client. Debug prints how many.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeySet({} keys)", self.0.len())
    }
}

impl KeySet {
    /// Reads a set. Keys for encryption, and kinds that are not known here, are passed over.
    ///
    /// # Errors
    /// [`KeyError`] when it is none, has a key that must not be shown, a broken key, or none of use.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        if text.len() > SET_BYTES_MAX {
            return Err(KeyError::Set);
        }
        let set: Value = serde_json::from_slice(text).map_err(|_| KeyError::Set)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(KeyError::Set)?;
        if listed.len() > KEYS_MAX {
            return Err(KeyError::Set);
        }
        let mut keys = Vec::new();
        for one in listed {
            keys.extend(Key::of(one)?);
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// Whether one of the keys made this signature: the one of this id, or any where the token names none.
    pub(crate) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let fits = |key: &&Key| id.is_none_or(|id| key.id.as_deref() == Some(id));
        self.0.iter().filter(fits).any(|key| key.verify(algorithm, message, signature))
    }
}

impl Key {
    /// `None` for a key of no use here.
    fn of(value: &Value) -> Result<Option<Self>, KeyError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let bytes = |name: &str| {
            let decoded = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            decoded.filter(|bytes| !bytes.is_empty()).ok_or(KeyError::Key)
        };
        if ["d", "k", "p", "q"].iter().any(|secret| value.get(secret).is_some()) || text("kty") == Some("oct")
        {
            return Err(KeyError::Private);
        }
        let verifies = value.get("key_ops").is_none_or(|operations| {
            operations.as_array().into_iter().flatten().any(|operation| operation == "verify")
        });
        if text("use").is_some_and(|purpose| purpose != "sig") || !verifies {
            return Ok(None);
        }
        let algorithm = match text("alg").map(Algorithm::of_name) {
            None => None,
            Some(Some(algorithm)) => Some(algorithm),
            Some(None) => return Ok(None),
        };
        let material = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let modulus: Vec<u8> = bytes("n")?.into_iter().skip_while(|byte| *byte == 0).collect();
                let exponent = bytes("e")?;
                if !RSA_BYTES.contains(&modulus.len()) || exponent.len() > EXPONENT_BYTES_MAX {
                    return Err(KeyError::Key);
                }
                Material::Rsa { modulus, exponent }
            }
            (Some("EC"), Some("P-256")) => Material::P256(point(&bytes("x")?, &bytes("y")?, 32)?),
            (Some("EC"), Some("P-384")) => Material::P384(point(&bytes("x")?, &bytes("y")?, 48)?),
            _ => return Ok(None),
        };
        Ok(Some(Self { id: text("kid").map(str::to_owned), algorithm, material }))
    }

    /// The key decides what it can verify; what the token says must be the same.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if self.algorithm.is_some_and(|own| own != algorithm) {
            return false;
        }
        match (&self.material, algorithm) {
            (Material::Rsa { modulus: n, exponent: e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Material::Rsa { modulus: n, exponent: e }, Algorithm::Rs384) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA384, message, signature)
                .is_ok(),
            (Material::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Material::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// An uncompressed point of coordinates of a fixed length (RFC 7518 §6.2.1.2).
fn point(x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, KeyError> {
    if x.len() != length || y.len() != length {
        return Err(KeyError::Key);
    }
    Ok([&[4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_must_not_be_shown_or_is_broken_is_refused() {
        let point = URL_SAFE_NO_PAD.encode([1; 32]);
        let set = |key: &str| format!("{{\"keys\":[{key}]}}");
        for (text, wrong) in [
            ("[]".to_owned(), KeyError::Set),
            ("{}".to_owned(), KeyError::Set),
            ("{\"keys\":{}}".to_owned(), KeyError::Set),
            (set(""), KeyError::Empty),
            (set(r#"{"kty":"oct","k":"AAAA"}"#), KeyError::Private),
            (set(r#"{"kty":"RSA","n":"AAAA","e":"AQAB","d":"AA"}"#), KeyError::Private),
            (set(r#"{"kty":"RSA","n":"AAAA","e":"AQAB"}"#), KeyError::Key),
            (set(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), KeyError::Key),
            (set(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{point}"}}"#)), KeyError::Key),
            (set(r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#), KeyError::Empty),
            (
                set(&format!(r#"{{"kty":"EC","crv":"P-256","use":"enc","x":"{point}","y":"{point}"}}"#)),
                KeyError::Empty,
            ),
            (
                set(&format!(r#"{{"kty":"EC","crv":"P-256","alg":"HS256","x":"{point}","y":"{point}"}}"#)),
                KeyError::Empty,
            ),
        ] {
            assert_eq!(KeySet::parse(text.as_bytes()), Err(wrong), "{text}");
        }
        let right = set(&format!(r#"{{"kty":"EC","crv":"P-256","kid":"a","x":"{point}","y":"{point}"}}"#));
        assert_eq!(format!("{:?}", KeySet::parse(right.as_bytes())), "Ok(KeySet(1 keys))");
    }
}
