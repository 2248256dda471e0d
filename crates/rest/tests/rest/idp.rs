//! An issuer of access tokens, whose tokens are right but for what a test makes wrong.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use smart::{Issuer, KeySet};

use crate::fake::BASE;

pub const ISSUER: &str = "https://idp.example";

/// Issues access tokens.
pub struct Idp(EcdsaKeyPair);

impl Idp {
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"))
    }

    /// The issuer as a surface trusts it.
    pub fn trusted(&self) -> Issuer {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let key = json!({"kty": "EC", "crv": "P-384", "x": BASE64.encode(x), "y": BASE64.encode(y)});
        let keys = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).expect("a key set");
        Issuer { issuer: ISSUER.to_owned(), audience: BASE.to_owned(), keys }
    }

    /// A token of these scopes, for a patient and a user where they are named.
    #[cfg(feature = "clinical")]
    pub fn token(&self, scopes: &str, patient: &str, user: &str) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": BASE, "client_id": "app", "scope": scopes, "exp": crate::fake::AT / 1_000_000 + 300,
        });
        for (name, value) in [("patient", patient), ("fhirUser", user)] {
            if !value.is_empty() {
                claims[name] = json!(value);
            }
        }
        self.sign(&claims)
    }

    /// Any claims, signed.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES384", "typ": "at+jwt"});
        let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).expect("signs");
        format!("{message}.{}", BASE64.encode(signature.as_ref()))
    }
}
