//! SMART: scopes, key sets and tokens that a stranger wrote.

use smart::{Challenge, Claims, Granted, KeySet, Launch, Scope, User};

use super::{Target, Verdict, holds, texts};

/// Scopes, and who a token is for.
pub const SCOPES: Target = Target {
    name: "scopes",
    covers: &["smart/src/scope.rs", "smart/src/granted.rs", "smart/src/challenge.rs"],
    seeds: || {
        texts(&[
            "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            "user/*.cruds system/Encounter.write launch/patient openid",
            "patient/*.r?_security=R&_tag=a%7Cb,c",
            "https://node.example/fhir/Patient/p1",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ])
    },
    words: &[
        b"patient/",
        b"user/",
        b"system/",
        b"*",
        b".rs",
        b".cruds",
        b"?",
        b"&",
        b"=",
        b"%7C",
        b"%",
        b"|",
        b"Patient/",
    ],
    short: 6_000,
    prepare: || Box::new(scopes),
};

/// Key sets and tokens.
pub const TOKENS: Target = Target {
    name: "tokens",
    covers: &["smart/src/keys.rs", "smart/src/token.rs"],
    seeds: || {
        texts(&[
            r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","y":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#,
            r#"{"keys":[{"kty":"RSA","use":"sig","alg":"RS384","n":"AQAB","e":"AQAB"}]}"#,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0.AAAA",
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIn0.",
        ])
    },
    words: &[
        b"{",
        b"}",
        b"\"alg\":\"none\"",
        b"\"kty\":\"oct\"",
        b".",
        b"eyJ",
        b"\"d\":\"AA\"",
        b"null",
        b"[",
        b"]",
    ],
    short: 6_000,
    prepare: || Box::new(tokens()),
};

fn scopes(input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    for word in text.split(' ') {
        if let Ok(scope) = Scope::parse(word) {
            holds(
                Scope::parse(&scope.to_string()) == Ok(scope.clone()),
                "a scope that is written says something else",
            )?;
            holds(scope.covers(&scope), "a scope does not cover itself")?;
        }
    }
    let granted = Granted::of(&text, &Launch::default());
    let Granted::Scoped(grants) = granted else { return Err("scopes grant everything".to_owned()) };
    let has_system = text.split(' ').any(|word| word.starts_with("system/"));
    holds(grants.is_empty() || has_system, "a scope grants without its patient or user")?;
    if let Some(challenge) = Challenge::parse(&text) {
        holds(!challenge.is_met_by(&text), "a challenge is its own verifier")?;
    }
    User::parse(&text, "https://node.example/fhir");
    Ok(())
}

/// No input is a token that a key which signed nothing made.
fn tokens() -> impl Fn(&[u8]) -> Verdict {
    let point = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{point}","y":"{point}"}}]}}"#);
    let keys = KeySet::parse(set.as_bytes());
    move |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(keys) = &keys else { return Err("the key of the target is none".to_owned()) };
        holds(Claims::verify(&text, keys).is_err(), "a token that nobody signed is believed")?;
        if let Ok(own) = KeySet::parse(input) {
            holds(Claims::verify(&text, &own).is_err(), "a key set is a token")?;
        }
        if let Ok(issuer) = Claims::claimed_issuer(&text) {
            holds(issuer.len() <= text.len(), "an issuer is longer than its token")?;
        }
        Ok(())
    }
}
