//! A client that is told who signed in, and that goes on after its token has ended.

use std::sync::atomic::Ordering;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};
use smart::{Claims, KeySet};

use crate::answer::{Answer, send};
use crate::authorization::{
    AHEAD_US, CLOCK, EVE, ORIGIN, ORIGIN_OF_APP, REDIRECT, Site, VERIFIER, encode, right, site,
};
use crate::fake::{AT, BASE};

/// Signs as a node does.
pub struct Signer(KeyPair);

impl Default for Signer {
    fn default() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }
}

impl rest::IdentityKey for Signer {
    /// Out of the DER of a key of 2048 bits.
    fn public(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let der = self.0.public_key().as_ref();
        Some((der[9..265].to_vec(), der[267..].to_vec()))
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

/// What a client asks for beside `patient/Observation.rs`.
fn asking(scopes: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut asked = right();
    asked.retain(|(name, _)| !["client_id", "scope"].contains(name));
    asked.extend([("client_id", "lasting"), ("scope", scopes), ("nonce", "n-7")]);
    asked
}

async fn launched(site: &Site, scopes: &'static str) -> Value {
    let answer = site.answered(&asking(scopes), &EVE).await;
    let location = answer.header("location").to_owned();
    let code = location.strip_prefix(&format!("{REDIRECT}&code=")).expect("a code");
    let code = code.split('&').next().expect("a code").to_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("client_id", "lasting"),
        ("code_verifier", VERIFIER),
    ];
    site.post("/auth/token", &form).await.json()
}

async fn refreshed(site: &Site, refresh: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let client = if more.iter().any(|(name, _)| *name == "client_id") {
        &[][..]
    } else {
        &[("client_id", "lasting")][..]
    };
    site.post("/auth/token", &[&form, client, more].concat()).await
}

fn text<'a>(given: &'a Value, name: &str) -> &'a str {
    given[name].as_str().unwrap_or_else(|| panic!("{name} is absent: {given}"))
}

#[tokio::test]
async fn a_client_is_told_who_signed_in_by_a_token_that_holds() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let given = launched(&site, "openid fhirUser patient/Observation.rs").await;
    assert_eq!(text(&given, "scope"), "launch/patient patient/Observation.rs openid fhirUser");
    assert!(given.get("refresh_token").is_none(), "it did not ask to go on");
    let discovery = send(&site.router, "GET", "/.well-known/openid-configuration", &[], "").await.json();
    assert_eq!(discovery["issuer"], ORIGIN);
    let jwks = text(&discovery, "jwks_uri").strip_prefix(ORIGIN).expect("an address here").to_owned();
    let keys = send(&site.router, "GET", &jwks, &[], "").await;
    let keys = KeySet::parse(keys.body.as_bytes()).expect("a key set");
    let claims = Claims::verify(text(&given, "id_token"), &keys).expect("the signature holds");
    claims.expect(ORIGIN, "lasting").expect("of this node, for this client");
    assert_eq!(claims.expires_s(AT / 1_000_000), Ok(AT / 1_000_000 + 300));
    let patient = format!("{BASE}/Patient/p1");
    assert_eq!((claims.text("fhirUser"), claims.text("nonce")), (Some(patient.as_str()), Some("n-7")));
    let subject = claims.text("sub").expect("a subject");
    assert!(!subject.contains("eve") && !subject.contains("p1"), "{subject}");
    let again = launched(&site, "openid patient/Observation.rs").await;
    let again = Claims::verify(text(&again, "id_token"), &keys).expect("the signature holds");
    assert_eq!((again.text("sub"), again.text("fhirUser")), (Some(subject), None));
    let plain = launched(&site, "patient/Observation.rs").await;
    assert!(plain.get("id_token").is_none());
    let other = rest_of_a_client_without(&site).await;
    assert!(other.get("id_token").is_none() && !text(&other, "scope").contains("openid"), "{other}");
}

/// A client that is not registered for it.
async fn rest_of_a_client_without(site: &Site) -> Value {
    let answer = site.answered(&right(), &EVE).await;
    let location = answer.header("location").to_owned();
    let code = location.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    site.redeem(code).await.json()
}

#[tokio::test]
async fn a_client_goes_on_with_one_refresh_token_after_the_other() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let given = launched(&site, "offline_access patient/Observation.rs patient/Patient.r").await;
    let first = text(&given, "refresh_token").to_owned();
    AHEAD_US.store(3_600 * 1_000_000, Ordering::Relaxed);
    assert_eq!(site.get(text(&given, "access_token"), "/fhir/Patient/p1").await.status, 401);
    let next = refreshed(&site, &first, &[]).await.json();
    assert_eq!(text(&next, "patient"), "p1");
    assert_eq!(site.get(text(&next, "access_token"), "/fhir/Patient/p1").await.status, 200);
    let second = text(&next, "refresh_token").to_owned();
    assert_ne!(first, second);
    let narrow = refreshed(&site, &second, &[("scope", "patient/Observation.r")]).await.json();
    let token = text(&narrow, "access_token");
    assert_eq!(site.get(token, "/fhir/Patient/p1").await.status, 403);
    assert_eq!(site.get(token, "/fhir/Observation/o1").await.status, 200);
    let third = text(&narrow, "refresh_token").to_owned();
    for (more, error) in [
        (&[("scope", "patient/Encounter.r")][..], "invalid_scope"),
        (&[("scope", "nonsense")], "invalid_scope"),
        (&[("client_id", "chart")], "invalid_grant"),
        (&[("client_id", "nobody")], "invalid_client"),
    ] {
        assert_eq!(refreshed(&site, &third, more).await.json()["error"], error, "{more:?}");
    }
    let whole = refreshed(&site, &third, &[]).await.json();
    assert!(text(&whole, "scope").contains("patient/Patient.r"), "a narrow token narrows nothing after it");
    AHEAD_US.store(0, Ordering::Relaxed);
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_ends_what_came_of_it() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let given = launched(&site, "online_access patient/Observation.rs").await;
    let stolen = text(&given, "refresh_token").to_owned();
    let next = refreshed(&site, &stolen, &[]).await.json();
    let token = text(&next, "access_token").to_owned();
    assert_eq!(site.get(&token, "/fhir/Observation/o1").await.status, 200);
    assert_eq!(refreshed(&site, &stolen, &[]).await.json()["error"], "invalid_grant");
    assert_eq!(site.get(&token, "/fhir/Observation/o1").await.status, 401);
    let second = text(&next, "refresh_token");
    assert_eq!(refreshed(&site, second, &[]).await.json()["error"], "invalid_grant");
    for guess in ["", ".", "guess", "AAAAAAAAAAAAAAAAAAAAAA.guess", "=.="] {
        assert_eq!(refreshed(&site, guess, &[]).await.json()["error"], "invalid_grant", "{guess}");
    }
}

#[tokio::test]
async fn going_on_ends_by_time_by_its_client_and_without_a_record() {
    let _clock = CLOCK.lock().await;
    let site = site();
    for (scopes, hours) in
        [("online_access patient/Observation.rs", 12), ("offline_access patient/Observation.rs", 90 * 24)]
    {
        let refresh = text(&launched(&site, scopes).await, "refresh_token").to_owned();
        AHEAD_US.store(hours * 3_600 * 1_000_000, Ordering::Relaxed);
        assert_eq!(refreshed(&site, &refresh, &[]).await.json()["error"], "invalid_grant", "{scopes}");
        AHEAD_US.store(0, Ordering::Relaxed);
    }
    let given = launched(&site, "offline_access patient/Observation.rs").await;
    let (refresh, token) = (text(&given, "refresh_token"), text(&given, "access_token"));
    let revoke =
        async |client: &str| site.post("/auth/revoke", &[("token", refresh), ("client_id", client)]).await;
    assert_eq!(revoke("chart").await.status, 200);
    assert_eq!(site.get(token, "/fhir/Observation/o1").await.status, 200, "another's is not ended");
    assert_eq!(revoke("lasting").await.status, 200);
    assert_eq!(site.get(token, "/fhir/Observation/o1").await.status, 401);
    assert_eq!(refreshed(&site, refresh, &[]).await.json()["error"], "invalid_grant");
    let given = launched(&site, "offline_access patient/Observation.rs").await;
    site.node.records.broken.store(true, Ordering::Relaxed);
    let refresh = text(&given, "refresh_token");
    assert_eq!(refreshed(&site, refresh, &[]).await.status, 503);
    site.node.records.broken.store(false, Ordering::Relaxed);
    assert_eq!(refreshed(&site, refresh, &[]).await.status, 200, "what was not recorded was not used");
}

#[tokio::test]
async fn an_app_is_launched_from_within_a_system_of_the_site() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let open = async |bearer: &str, client: &str, patient: &str| {
        let authorization = format!("Bearer {bearer}");
        let form = encode(&[("client_id", client), ("patient", patient)]);
        send(&site.router, "POST", "/auth/launch", &[("authorization", &authorization)], &form).await
    };
    for (bearer, client, patient, status) in [
        ("bad", "lasting", "p1", 401),
        ("good", "nobody", "p1", 400),
        ("good", "backend", "p1", 400),
        ("good", "lasting", "a/b", 400),
        ("good", "lasting", "", 400),
    ] {
        assert_eq!(open(bearer, client, patient).await.status.as_u16(), status, "{client} {patient}");
    }
    let records = site.node.records.texts();
    let of = |outcome: &str| {
        let refused = records.iter().filter(|record| record.contains("\"kind\":\"access.refused\""));
        refused.filter(|record| record.contains(&format!("\"outcome\":\"{outcome}\""))).count()
    };
    assert_eq!(
        (of("unauthenticated"), of("invalid")),
        (1, 3),
        "of four the first, second and fourth: {records:?}"
    );
    let handle =
        async |patient: &str| text(&open("good", "lasting", patient).await.json(), "launch").to_owned();
    let asking = |handle: &str| -> Vec<(&'static str, String)> {
        let asked = asking("launch patient/Observation.rs").into_iter();
        asked.map(|(name, value)| (name, value.to_owned())).chain([("launch", handle.to_owned())]).collect()
    };
    let doctor = [("user", "dr"), ("secret", "doctor"), ("decision", "allow"), ("patient", "p1")];
    let sign_in = async |handle: &str, who: &[(&str, &str)]| {
        let asked = asking(handle);
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        site.answered(&asked, who).await
    };
    let launch = handle("p2").await;
    let answer = sign_in(&launch, &doctor).await;
    let code = answer.header("location").split("code=").nth(1).and_then(|rest| rest.split('&').next());
    let mut form = vec![("grant_type", "authorization_code"), ("code", code.expect("a code"))];
    form.extend([("redirect_uri", REDIRECT), ("client_id", "lasting"), ("code_verifier", VERIFIER)]);
    let given = site.post("/auth/token", &form).await.json();
    assert_eq!(given["patient"], "p2", "that of the launch, whatever the form says");
    assert_eq!(site.get(text(&given, "access_token"), "/fhir/Observation").await.ids(), ["o4", "o5"]);
    let refused = async |handle: &str| {
        let asked = asking(handle);
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        site.authorize(&asked).await.header("location").contains("error=invalid_request")
    };
    assert!(refused(&launch).await, "it was used");
    assert!(refused("guess").await);
    let other = handle("p2").await;
    let elsewhere = [right().as_slice(), &[("launch", other.as_str())]].concat();
    assert!(
        site.authorize(&elsewhere).await.header("location").contains("error=invalid_request"),
        "another's"
    );
    assert_eq!(sign_in(&other, &EVE).await.status, 400, "a patient is launched for themselves");
    AHEAD_US.store(300 * 1_000_000, Ordering::Relaxed);
    assert!(refused(&other).await, "five minutes later");
    AHEAD_US.store(0, Ordering::Relaxed);
}

#[tokio::test]
async fn a_browser_gets_tokens_and_resources_from_its_own_origin_alone() {
    let site = site();
    let ask = async |method: &str, path: &str, origin: &str| {
        let asked = [("origin", origin), ("access-control-request-method", "POST")];
        send(&site.router, method, path, &asked, "").await
    };
    for path in ["/fhir/Patient/p1", "/fhir/Patient", "/auth/token", "/auth/revoke"] {
        let answer = ask("OPTIONS", path, ORIGIN_OF_APP).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN_OF_APP);
        assert!(answer.header("access-control-allow-headers").contains("authorization"));
        assert!(answer.header("access-control-allow-methods").contains("PATCH"));
        assert!(answer.header("access-control-allow-credentials").is_empty());
        let foreign = ask("OPTIONS", path, "https://evil.example").await;
        assert!(foreign.status.is_client_error(), "{path}");
        assert!(
            foreign.header("access-control-allow-origin").is_empty() && foreign.header("vary") == "origin"
        );
    }
    let read = [("origin", ORIGIN_OF_APP), ("authorization", "Bearer good")];
    let read = send(&site.router, "GET", "/fhir/Patient/p1", &read, "").await;
    assert_eq!((read.status.as_u16(), read.header("access-control-allow-origin")), (200, ORIGIN_OF_APP));
    assert!(read.header("access-control-expose-headers").contains("etag"));
    let refused = ask("GET", "/fhir/Patient/p1", ORIGIN_OF_APP).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("access-control-allow-origin")),
        (401, ORIGIN_OF_APP)
    );
    for path in [
        "/fhir/metadata",
        "/fhir/.well-known/smart-configuration",
        "/.well-known/openid-configuration",
        "/auth/jwks",
    ] {
        let answer = ask("GET", path, "https://anywhere.example").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("access-control-allow-origin")),
            (200, "*"),
            "{path}"
        );
    }
    let page = ask("OPTIONS", "/auth/authorize", ORIGIN_OF_APP).await;
    assert!(page.header("access-control-allow-origin").is_empty(), "a page is gone to, not asked for");
    let discovery = send(&site.router, "GET", "/fhir/.well-known/smart-configuration", &[], "").await.json();
    for capability in ["sso-openid-connect", "permission-offline", "permission-online"] {
        assert!(
            discovery["capabilities"].as_array().expect("some").contains(&json!(capability)),
            "{capability}"
        );
    }
    let form = encode(&[("grant_type", "refresh_token")]);
    assert!(form.starts_with("grant_type="), "the form of a test is a form");
}
