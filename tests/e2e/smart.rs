//! The authorization server of a demo, from the sign-in of its clinician to an app that goes on: what an app needs, `init`
//! makes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{NodeProcess, Surface, TempFolder, ports};
use serde_json::Value;
use tidegate::init::{Addresses, CLINICIAN, Purpose, init};

const REDIRECT: &str = "http://127.0.0.1:8765/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let separator = if text.is_empty() { "" } else { "&" };
        let value: String = value
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        write!(text, "{separator}{name}={value}").expect("a text takes text");
    }
    text
}

/// Tokens for what a form asks.
async fn tokens(here: &Surface, form: &[(&str, &str)]) -> Value {
    let page = here.send("POST", "/auth/token", &[FORM], &encoded(form)).await.expect("an answer");
    assert_eq!(page.status, 200, "{}", page.text);
    serde_json::from_str(&page.text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_of_the_demo_signs_in_a_clinician_and_goes_on() {
    let folder = TempFolder::new("smart");
    let addresses = Addresses {
        http: ports::free(),
        cloud_http: ports::free(),
        mllp: ports::free(),
        pharmacy_mllp: ports::free(),
        payer_mllp: ports::free(),
        link: ports::free(),
    };
    let (mappings, profiles) = (harness::root().join("mappings"), harness::root().join("profiles"));
    let shown = init(folder.path(), &addresses, &mappings, &profiles, Purpose::Demo).expect("a demo is made");
    let here = Surface::new(addresses.http, "").with_token(None);
    let node = NodeProcess::start(&folder.join("onprem.yaml"), &folder.join("node.log"), &here).await;
    let base = format!("http://{}/fhir", addresses.http);
    let secret = shown.clinician_secret.expect("of a demo");
    let asked = [
        ("response_type", "code"),
        ("client_id", "demo-app"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid fhirUser offline_access user/Patient.rs"),
        ("state", "s"),
        ("aud", &base),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("nonce", "n"),
    ];
    let page =
        here.send("GET", &format!("/auth/authorize?{}", encoded(&asked)), &[], "").await.expect("a page");
    assert_eq!(page.status, 200, "{}", page.text);
    let cookie = page.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let proof = cookie.split_once('=').expect("a value").1;
    let answer = [("user", CLINICIAN), ("secret", &secret), ("decision", "allow"), ("proof", proof)];
    let form = encoded(&[asked.as_slice(), &answer].concat());
    let signed_in = here.send("POST", "/auth/authorize", &[FORM, ("Cookie", &cookie)], &form).await;
    let signed_in = signed_in.expect("an answer");
    let code = signed_in.header("location").split("code=").nth(1).and_then(|rest| rest.split('&').next());
    let redeemed = [
        ("grant_type", "authorization_code"),
        ("code", code.expect("a code")),
        ("redirect_uri", REDIRECT),
        ("client_id", "demo-app"),
        ("code_verifier", VERIFIER),
    ];
    let given = tokens(&here, &redeemed).await;
    let identity = given["id_token"].as_str().and_then(|token| token.split('.').nth(1)).expect("an ID token");
    let claims = URL_SAFE_NO_PAD.decode(identity).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(
        (&claims["fhirUser"], &claims["nonce"]),
        (&format!("{base}/Practitioner/demo").into(), &"n".into())
    );
    let refresh = given["refresh_token"].as_str().expect("a refresh token");
    let refreshing = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "demo-app")];
    let next = tokens(&here, &refreshing).await;
    for given in [&given, &next] {
        let token = given["access_token"].as_str();
        let (status, bundle) = here.with_token(token).answer("/fhir/Patient").await.expect("an answer");
        assert_eq!((status, &bundle["resourceType"]), (200, &"Bundle".into()), "{bundle}");
        assert_eq!(here.with_token(token).answer("/fhir/Observation").await.expect("an answer").0, 403);
    }
    let asked = [("Origin", "http://127.0.0.1:8765"), ("Access-Control-Request-Method", "POST")];
    let preflight = here.send("OPTIONS", "/auth/token", &asked, "").await.expect("an answer");
    assert_eq!(preflight.status, 204);
    node.stop();
}
