//! Signed tokens: those that are believed, and each way in which one is not.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use smart::{AccessToken, Assertion, Granted, Issuer, KeySet, Permission, TokenError};

const BASE: &str = "https://node.example/fhir";
const ISSUER: &str = "https://idp.example";
const NOW_S: i64 = 1_790_000_000;

/// Signs as one algorithm does.
enum Signer {
    Ec(EcdsaKeyPair, &'static str),
    Rsa(RsaPair),
}

impl Signer {
    fn p256() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"), "P-256")
    }

    fn p384() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"), "P-384")
    }

    fn rsa() -> Self {
        Self::Rsa(RsaPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    fn key(&self, id: &str) -> Value {
        match self {
            Self::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "kid": id, "x": BASE64.encode(x), "y": BASE64.encode(y)})
            }
            Self::Rsa(pair) => {
                // RSAPublicKey of 2048 bits in DER: a head of 9 bytes, the modulus, a head of 2 bytes, the exponent.
                let der = pair.public_key().as_ref();
                let (modulus, exponent) = (&der[9..265], &der[267..]);
                json!({"kty": "RSA", "kid": id, "n": BASE64.encode(modulus), "e": BASE64.encode(exponent)})
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ec(pair, _) => pair.sign(&random, message.as_bytes()).expect("signs").as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding = if header["alg"] == "RS384" { &RSA_PKCS1_SHA384 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message.as_bytes(), &mut signature).expect("signs");
                signature
            }
        };
        format!("{message}.{}", BASE64.encode(signature))
    }
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).expect("a key set")
}

fn issuer(keys: KeySet) -> Issuer {
    Issuer { issuer: ISSUER.to_owned(), audience: BASE.to_owned(), keys }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": BASE, "exp": NOW_S + 300, "iat": NOW_S, "client_id": "growth-chart",
        "scope": "launch/patient patient/Observation.rs", "patient": "p1",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

#[test]
fn every_algorithm_is_believed_by_its_own_key_alone() {
    let signers = [
        ("ES256", Signer::p256()),
        ("ES384", Signer::p384()),
        ("RS256", Signer::rsa()),
        ("RS384", Signer::rsa()),
    ];
    let keys: Vec<Value> = signers.iter().map(|(name, signer)| signer.key(name)).collect();
    let issuer = issuer(set(&keys));
    for (name, signer) in &signers {
        let token = signer.sign(&json!({"alg": name, "kid": name, "typ": "at+jwt"}), &claims());
        let AccessToken { client, granted, expires_s } = issuer.access(&token, BASE, NOW_S).expect(name);
        assert_eq!((client.as_str(), expires_s), ("growth-chart", NOW_S + 300));
        assert!(granted.may(Permission::Read, fhir::ResourceType::parse("Observation").expect("a type")));
        let unnamed = signer.sign(&json!({"alg": name}), &claims());
        assert!(issuer.access(&unnamed, BASE, NOW_S).is_ok(), "{name} without a key id");
        for (other, _) in signers.iter().filter(|(other, _)| other != name) {
            let named = signer.sign(&json!({"alg": name, "kid": other}), &claims());
            let found = issuer.access(&named, BASE, NOW_S);
            assert_eq!(found, Err(TokenError::Signature), "{name} under the key id of {other}");
        }
    }
}

#[test]
fn no_other_algorithm_is_taken_whatever_the_header_says() {
    let signer = Signer::p256();
    let issuer = issuer(set(&[signer.key("a")]));
    for algorithm in ["none", "None", "HS256", "HS384", "PS256", "ES512", "EdDSA", "RS512", "", "es256"] {
        let token = signer.sign(&json!({"alg": algorithm, "kid": "a"}), &claims());
        assert_eq!(issuer.access(&token, BASE, NOW_S), Err(TokenError::Algorithm), "{algorithm}");
        let unsigned = format!("{}.", token.rsplit_once('.').expect("parts").0);
        assert_eq!(issuer.access(&unsigned, BASE, NOW_S), Err(TokenError::Algorithm), "{algorithm}");
    }
    for algorithm in ["RS256", "RS384", "ES384"] {
        let token = signer.sign(&json!({"alg": algorithm, "kid": "a"}), &claims());
        assert_eq!(issuer.access(&token, BASE, NOW_S), Err(TokenError::Signature), "{algorithm}");
    }
    for header in [
        json!({"kid": "a"}),
        json!({"alg": ["ES256"]}),
        json!({"alg": "ES256", "crit": ["exp"]}),
        json!({"alg": "ES256", "b64": false}),
    ] {
        let token = signer.sign(&header, &claims());
        assert_eq!(issuer.access(&token, BASE, NOW_S), Err(TokenError::Algorithm), "{header}");
    }
    for header in [json!({"alg": "ES256", "typ": "dpop+jwt"}), json!({"alg": "ES256", "kid": 1})] {
        let token = signer.sign(&header, &claims());
        assert_eq!(issuer.access(&token, BASE, NOW_S), Err(TokenError::Form), "{header}");
    }
}

#[test]
fn a_key_is_for_its_algorithm_alone() {
    let signer = Signer::rsa();
    let mut key = signer.key("a");
    key["alg"] = json!("RS384");
    let issuer = issuer(set(&[key]));
    let token = |algorithm: &str| signer.sign(&json!({"alg": algorithm}), &claims());
    assert!(issuer.access(&token("RS384"), BASE, NOW_S).is_ok());
    assert_eq!(issuer.access(&token("RS256"), BASE, NOW_S), Err(TokenError::Signature));
}

#[test]
fn claims_are_checked_one_by_one() {
    let signer = Signer::p384();
    let issuer = issuer(set(&[signer.key("a")]));
    let of = |claims: &Value| issuer.access(&signer.sign(&json!({"alg": "ES384"}), claims), BASE, NOW_S);
    for right in [
        with("aud", json!(["https://other.example", BASE])),
        with("exp", json!(NOW_S - 59)),
        with("nbf", json!(NOW_S + 60)),
        with("scope", json!(["openid", "patient/Observation.rs"])),
        serde_json::from_str(
            &claims().to_string().replace(&format!("{}", NOW_S + 300), &format!("{}.75", NOW_S + 300)),
        )
        .expect("JSON"),
    ] {
        assert!(of(&right).is_ok(), "{right}");
    }
    for (wrong, error) in [
        (with("iss", json!("https://idp.example/")), TokenError::Issuer),
        (without("iss"), TokenError::Issuer),
        (with("aud", json!("https://node.example/fhir/")), TokenError::Audience),
        (with("aud", json!(["https://node.example"])), TokenError::Audience),
        (without("aud"), TokenError::Audience),
        (with("exp", json!(NOW_S - 60)), TokenError::Time),
        (with("exp", json!((NOW_S + 300).to_string())), TokenError::Time),
        (with("exp", json!(1e300)), TokenError::Time),
        (without("exp"), TokenError::Time),
        (with("nbf", json!(NOW_S + 61)), TokenError::Time),
        (with("iat", json!(NOW_S + 61)), TokenError::Time),
        (without("client_id"), TokenError::Claim),
        (with("client_id", json!("")), TokenError::Claim),
        (with("client_id", json!("a b")), TokenError::Claim),
        (without("scope"), TokenError::Claim),
        (with("scope", json!([1])), TokenError::Claim),
        (with("patient", json!("a/b")), TokenError::Claim),
        (with("patient", json!(["p1"])), TokenError::Claim),
        (with("fhirUser", json!(1)), TokenError::Claim),
    ] {
        assert_eq!(of(&wrong), Err(error), "{wrong}");
    }
    assert_eq!(of(&without("patient")).map(|token| token.granted), Ok(Granted::Scoped(Vec::new())));
}

#[test]
fn every_changed_character_breaks_a_token() {
    let signer = Signer::p256();
    let issuer = issuer(set(&[signer.key("a")]));
    let token = signer.sign(&json!({"alg": "ES256"}), &claims());
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert!(issuer.access(&changed, BASE, NOW_S).is_err(), "character {at}");
    }
    for wrong in
        ["", ".", "..", "a.b", "a.b.c.d", &format!("{token}.x"), &format!("{token}="), &"A".repeat(20_000)]
    {
        assert!(issuer.access(wrong, BASE, NOW_S).is_err());
    }
}

#[test]
fn an_assertion_is_of_its_client_for_this_endpoint_and_short() {
    const TOKEN_URL: &str = "https://node.example/auth/token";
    let signer = Signer::p384();
    let keys = set(&[signer.key("a")]);
    let right = json!({"iss": "backend", "sub": "backend", "aud": TOKEN_URL, "exp": NOW_S + 300, "jti": "1"});
    let of = |claims: &Value| {
        let token = signer.sign(&json!({"alg": "ES384", "kid": "a"}), claims);
        Assertion::verify(&token, "backend", &keys, TOKEN_URL, NOW_S)
    };
    let change = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        claims
    };
    assert_eq!(of(&right), Ok(Assertion { id: "1".to_owned(), expires_s: NOW_S + 300 }));
    for (wrong, error) in [
        (change("iss", json!("other")), TokenError::Issuer),
        (change("sub", json!("other")), TokenError::Claim),
        (change("aud", json!(BASE)), TokenError::Audience),
        (change("exp", json!(NOW_S + 361)), TokenError::Time),
        (change("exp", json!(NOW_S - 60)), TokenError::Time),
        (change("jti", json!("")), TokenError::Claim),
        (change("jti", json!(null)), TokenError::Claim),
    ] {
        assert_eq!(of(&wrong), Err(error), "{wrong}");
    }
}
