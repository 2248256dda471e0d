//! The node's own authorization server, from the first request of an app to the resource it gets, and what it refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rest::{AuthorizationServer, Issued, Metrics, RegisteredClient, RegisteredUser, token_hash};
use serde_json::{Value, json};
use smart::{ASSERTION_TYPE, User};
use tokio::sync::Mutex;

use crate::answer::{Answer, send};
use crate::fake::{AT, BASE, Node, PATIENT_TOKEN, node};
use crate::identity::Signer;
use crate::idp::Idp;

pub const ORIGIN: &str = "http://node.example";
pub const ORIGIN_OF_APP: &str = "https://app.example";
pub const REDIRECT: &str = "https://app.example/callback?from=node";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Microseconds by which the clock of a test goes ahead; one test at a time moves it.
pub static AHEAD_US: AtomicI64 = AtomicI64::new(0);
pub static CLOCK: Mutex<()> = Mutex::const_new(());

fn now() -> i64 {
    AT + AHEAD_US.load(Ordering::Relaxed)
}

fn counted(bytes: &mut [u8]) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    bytes.iter_mut().zip(next.iter().cycle()).for_each(|(byte, value)| *byte = *value);
}

pub struct Site {
    pub node: Node,
    pub router: Router,
    backend: Idp,
}

pub fn site() -> Site {
    let mut node = node();
    node.fhir.origins = rest::Origins::new([ORIGIN_OF_APP]).expect("an origin");
    let (backend, signer) = (Idp::new(), Arc::new(Signer::default()));
    let client = |id: &str, redirects: &[&str], keys, scopes: &str| {
        let redirects = redirects.iter().map(|text| (*text).to_owned()).collect();
        RegisteredClient::new(id.to_owned(), format!("The <{id}>"), redirects, keys, scopes)
            .expect("a client")
    };
    let server = AuthorizationServer {
        clients: vec![
            client("chart", &[REDIRECT], None, "patient/Patient.rs patient/Observation.rs"),
            client("other", &["https://other.example/"], None, "patient/*.rs"),
            client("lasting", &[REDIRECT], None, "openid fhirUser offline_access online_access patient/*.rs"),
            client("backend", &[], Some(backend.trusted().keys), "system/Observation.rs"),
        ],
        users: vec![
            RegisteredUser {
                name: "eve".to_owned(),
                secret: token_hash("secret"),
                user: User::parse("Patient/p1", BASE).expect("a user"),
                resource: format!("{BASE}/Patient/p1"),
            },
            RegisteredUser {
                name: "dr".to_owned(),
                secret: token_hash("doctor"),
                user: User::Practitioner,
                resource: format!("{BASE}/Practitioner/d1"),
            },
        ],
        issued: Issued::default(),
        tokens: node.fhir.tokens.clone(),
        access: node.records.clone(),
        origin: ORIGIN.to_owned(),
        node: "node-1".to_owned(),
        secure: true,
        now_us: now,
        fill_random: counted,
        metrics: Arc::new(Metrics::new("clinical")),
        limiter: node.fhir.limiter.clone(),
        identity: signer,
        sign_in: rest::SignInLimits::default(),
        origins: node.fhir.origins.clone(),
    };
    node.fhir.issued = server.issued.clone();
    node.fhir.authorization = Some(server.told());
    node.fhir.now_us = now;
    let router = rest::portal(node.fhir.clone()).merge(rest::authorization(server));
    Site { node, router, backend }
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        text.bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect::<String>()
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

pub fn right() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", "chart"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs"),
        ("state", "xyz & more"),
        ("aud", BASE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    right().into_iter().map(|pair| if pair.0 == name { (name, value) } else { pair }).collect()
}

impl Site {
    pub async fn authorize(&self, pairs: &[(&str, &str)]) -> Answer {
        send(&self.router, "GET", &format!("/auth/authorize?{}", encode(pairs)), &[], "").await
    }

    /// The form of the page, filled in.
    pub async fn answered(&self, asked: &[(&str, &str)], more: &[(&str, &str)]) -> Answer {
        let page = self.authorize(asked).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let cookie = page.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        let proof = cookie.split_once('=').expect("a value").1.to_owned();
        let mut form = asked.to_vec();
        form.push(("proof", &proof));
        form.extend_from_slice(more);
        send(&self.router, "POST", "/auth/authorize", &[("cookie", &cookie)], &encode(&form)).await
    }

    async fn code(&self, more: &[(&str, &str)]) -> String {
        let answer = self.answered(&right(), more).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let rest =
            answer.header("location").strip_prefix(&format!("{REDIRECT}&code=")).expect("a code").to_owned();
        let (code, rest) = rest.split_once('&').expect("more");
        assert_eq!(rest, "state=xyz%20%26%20more&iss=http%3A%2F%2Fnode.example");
        code.to_owned()
    }

    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        send(&self.router, "POST", path, &[], &encode(pairs)).await
    }

    pub async fn redeem(&self, code: &str) -> Answer {
        self.post("/auth/token", &redeeming(code)).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        send(&self.router, "GET", path, &[("authorization", &format!("Bearer {token}"))], "").await
    }

    /// An assertion of the backend, with claims changed.
    fn assertion(&self, id: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "backend", "sub": "backend", "aud": format!("{ORIGIN}/auth/token"), "jti": id,
            "exp": now() / 1_000_000 + 120,
        });
        change(&mut claims);
        self.backend.sign(&claims)
    }

    async fn backend_token(&self, assertion: &str, scope: &str) -> Answer {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
            ("scope", scope),
        ];
        self.post("/auth/token", &pairs).await
    }
}

fn redeeming(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("client_id", "chart"),
        ("code_verifier", VERIFIER),
    ]
}

pub const EVE: [(&str, &str); 3] = [("user", "eve"), ("secret", "secret"), ("decision", "allow")];

#[tokio::test]
async fn an_app_is_launched_and_reads_what_its_patient_allowed() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let page = site.authorize(&right()).await;
    assert!(
        page.body.contains("The &lt;chart&gt;") && page.body.contains("patient/Observation.rs"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<code>patient/Condition"), "it is not registered for conditions");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let cookie = page.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("; Secure"),
        "{cookie}"
    );
    let answer = site.redeem(&site.code(&EVE).await).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("cache-control")),
        (200, "no-store"),
        "{}",
        answer.body
    );
    let given = answer.json();
    assert_eq!(given["patient"], "p1");
    assert_eq!(given["scope"], "launch/patient patient/Patient.rs patient/Observation.rs");
    assert_eq!((given["token_type"].as_str(), given["expires_in"].as_i64()), (Some("Bearer"), Some(3_600)));
    let token = given["access_token"].as_str().expect("a token");
    assert_eq!(site.get(token, "/fhir/Patient/p1").await.status, 200);
    assert_eq!(site.get(token, "/fhir/Patient/p2").await.status, 404);
    assert_eq!(site.get(token, "/fhir/Observation").await.ids(), ["o1", "o2", "o3"]);
    assert_eq!(site.get(token, "/fhir/Condition").await.status, 403);
    let records = site.node.records.texts().join("\n");
    assert!(
        records.contains("user.signed-in") && records.contains("eve") && !records.contains("secret"),
        "{records}"
    );
    assert!(records.contains(PATIENT_TOKEN));
    AHEAD_US.store(3_600 * 1_000_000, Ordering::Relaxed);
    assert_eq!(site.get(token, "/fhir/Patient/p1").await.status, 401, "an hour later");
    AHEAD_US.store(0, Ordering::Relaxed);
}

#[tokio::test]
async fn a_practitioner_names_the_patient() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let doctor = |patient: &'static str| {
        [("user", "dr"), ("secret", "doctor"), ("decision", "allow"), ("patient", patient)]
    };
    for wrong in ["", "a/b"] {
        assert_eq!(site.answered(&right(), &doctor(wrong)).await.status, 400);
    }
    let given = site.redeem(&site.code(&doctor("p2")).await).await.json();
    assert_eq!(given["patient"], "p2");
    let token = given["access_token"].as_str().expect("a token");
    assert_eq!(site.get(token, "/fhir/Observation").await.ids(), ["o4", "o5"]);
    // A patient is themselves, whatever the form says.
    let eve = [EVE.as_slice(), &[("patient", "p2")]].concat();
    assert_eq!(site.redeem(&site.code(&eve).await).await.json()["patient"], "p1");
}

#[tokio::test]
async fn who_asks_wrongly_is_told_where_that_is_safe() {
    let _clock = CLOCK.lock().await;
    let site = site();
    for wrong in [
        with("client_id", "nobody"),
        with("client_id", "backend"),
        with("redirect_uri", "https://app.example/callback"),
        with("redirect_uri", "https://app.example/callback?from=node#x"),
        with("redirect_uri", "https://evil.example/"),
        with("redirect_uri", ""),
        [right(), vec![("redirect_uri", "https://evil.example/")]].concat(),
    ] {
        let answer = site.authorize(&wrong).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{wrong:?}");
        assert!(!answer.body.contains("evil"));
    }
    for (wrong, error) in [
        (with("state", ""), "invalid_request"),
        (with("response_type", "token"), "unsupported_response_type"),
        (with("aud", "https://other.example/fhir"), "invalid_request"),
        (with("code_challenge", ""), "invalid_request"),
        (with("code_challenge_method", "plain"), "invalid_request"),
        (with("scope", "openid"), "invalid_scope"),
        (with("scope", "patient/Observation.x"), "invalid_scope"),
        (with("scope", "system/Observation.rs"), "invalid_scope"),
        (with("scope", "patient/*.cruds"), "invalid_scope"),
    ] {
        let answer = site.authorize(&wrong).await;
        let location = answer.header("location");
        assert!(location.starts_with(&format!("{REDIRECT}&error={error}")), "{wrong:?}: {location}");
        assert!(answer.status == 303 && !location.contains("code="));
    }
}

#[tokio::test]
async fn a_form_is_taken_from_its_own_page_alone() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let form = encode(&[right().as_slice(), &EVE, &[("proof", "guess")]].concat());
    for headers in
        [vec![], vec![("cookie", "tidegate-authorize=other")], vec![("cookie", "tidegate-authorize=")]]
    {
        let answer = send(&site.router, "POST", "/auth/authorize", &headers, &form).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (403, ""));
    }
    for (more, status) in [
        ([("user", "eve"), ("secret", "wrong"), ("decision", "allow")], 403),
        ([("user", "nobody"), ("secret", "secret"), ("decision", "allow")], 403),
        ([("user", ""), ("secret", ""), ("decision", "allow")], 403),
    ] {
        assert_eq!(site.answered(&right(), &more).await.status.as_u16(), status);
    }
    let refused =
        site.answered(&right(), &[("user", "eve"), ("secret", "secret"), ("decision", "refuse")]).await;
    assert!(refused.header("location").contains("error=access_denied"));
    for _ in 0..5 {
        site.answered(&right(), &[("user", "eve"), ("secret", "wrong"), ("decision", "allow")]).await;
    }
    assert_eq!(site.answered(&right(), &EVE).await.status, 429, "nobody goes on guessing");
    let doctor = [("user", "dr"), ("secret", "doctor"), ("decision", "allow"), ("patient", "p2")];
    assert_eq!(site.answered(&right(), &doctor).await.status, 303, "others sign in meanwhile");
    assert!(site.node.records.texts().iter().any(|record| record.contains("sign-in-closed")));
    AHEAD_US.store(61 * 1_000_000, Ordering::Relaxed);
    assert_eq!(site.answered(&right(), &EVE).await.status, 303);
    AHEAD_US.store(0, Ordering::Relaxed);
}

#[tokio::test]
async fn a_code_is_used_once_by_its_client_in_its_time() {
    let _clock = CLOCK.lock().await;
    let site = site();
    for (name, value, error) in [
        ("client_id", "other", "invalid_grant"),
        ("client_id", "nobody", "invalid_client"),
        ("client_id", "backend", "invalid_client"),
        ("redirect_uri", "https://app.example/callback", "invalid_grant"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", "invalid_grant"),
        ("code_verifier", CHALLENGE, "invalid_grant"),
        ("code", "guess", "invalid_grant"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("grant_type", "refresh_token", "invalid_request"),
    ] {
        let code = site.code(&EVE).await;
        let wrong: Vec<(&str, &str)> = redeeming(&code)
            .into_iter()
            .map(|pair| if pair.0 == name { (name, value) } else { pair })
            .collect();
        let answer = site.post("/auth/token", &wrong).await;
        assert_eq!(answer.json()["error"], error, "{name}: {value}");
        assert!(answer.status.is_client_error());
        if error == "invalid_grant" && name != "code" {
            assert_eq!(
                site.redeem(&code).await.json()["error"],
                "invalid_grant",
                "a guess uses it up: {name}"
            );
        }
    }
    let code = site.code(&EVE).await;
    AHEAD_US.store(60 * 1_000_000, Ordering::Relaxed);
    assert_eq!(site.redeem(&code).await.json()["error"], "invalid_grant", "a minute later");
    AHEAD_US.store(0, Ordering::Relaxed);
    let code = site.code(&EVE).await;
    let given = site.redeem(&code).await.json();
    let token = given["access_token"].as_str().expect("a token");
    assert_eq!(site.get(token, "/fhir/Patient/p1").await.status, 200);
    assert_eq!(site.redeem(&code).await.json()["error"], "invalid_grant");
    assert_eq!(
        site.get(token, "/fhir/Patient/p1").await.status,
        401,
        "a code that is used twice ends its token"
    );
}

#[tokio::test]
async fn a_system_proves_itself_by_an_assertion_that_is_used_once() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let once = site.assertion("1", |_| {});
    let given = site.backend_token(&once, "system/Observation.rs system/Patient.rs").await.json();
    assert_eq!(
        (given["scope"].as_str(), given["expires_in"].as_i64()),
        (Some("system/Observation.rs"), Some(300))
    );
    let token = given["access_token"].as_str().expect("a token");
    assert_eq!(site.get(token, "/fhir/Observation").await.ids().len(), 5);
    assert_eq!(site.get(token, "/fhir/Patient/p1").await.status, 403);
    let wrong = [
        once.clone(),
        site.assertion("2", |claims| claims["aud"] = json!(BASE)),
        site.assertion("3", |claims| claims["exp"] = json!(now() / 1_000_000 + 400)),
        site.assertion("4", |claims| claims["sub"] = json!("chart")),
        site.assertion("5", |claims| claims["iss"] = json!("chart")),
        site.assertion("6", |claims| drop(claims.as_object_mut().expect("an object").remove("jti"))),
        Idp::new().sign(&json!({"iss": "backend", "sub": "backend", "aud": format!("{ORIGIN}/auth/token"), "jti": "7", "exp": now() / 1_000_000 + 60})),
        format!("{}.{}.", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode(r#"{"iss":"backend"}"#)),
    ];
    for assertion in wrong {
        let answer = site.backend_token(&assertion, "system/Observation.rs").await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (401, Some("invalid_client")));
    }
    for scope in ["", "patient/Observation.rs", "system/Patient.rs", "system/Observation.cruds"] {
        let answer = site.backend_token(&site.assertion(&format!("s{scope}"), |_| {}), scope).await;
        assert_eq!(answer.json()["error"], "invalid_scope", "{scope}");
    }
    let by_name =
        [("grant_type", "client_credentials"), ("client_id", "chart"), ("scope", "system/Observation.rs")];
    assert_eq!(site.post("/auth/token", &by_name).await.json()["error"], "unauthorized_client");
}

#[tokio::test]
async fn tokens_are_looked_up_by_the_node_and_ended_by_their_client() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let given = site.redeem(&site.code(&EVE).await).await.json();
    let token = given["access_token"].as_str().expect("a token").to_owned();
    let introspect = async |bearer: &str, token: &str| {
        let authorization = format!("Bearer {bearer}");
        send(
            &site.router,
            "POST",
            "/auth/introspect",
            &[("authorization", &authorization)],
            &encode(&[("token", token)]),
        )
        .await
    };
    let told = introspect("good", &token).await.json();
    assert_eq!(
        (told["active"].as_bool(), told["client_id"].as_str(), told["patient"].as_str()),
        (Some(true), Some("chart"), Some("p1"))
    );
    assert_eq!(told["exp"], AT / 1_000_000 + 3_600);
    assert_eq!(introspect("good", "guess").await.json(), json!({"active": false}));
    assert_eq!(introspect("bad", &token).await.status, 401);
    assert_eq!(introspect(&token, &token).await.status, 401, "an app does not look up tokens");
    let revoke =
        async |client: &str| site.post("/auth/revoke", &[("token", &token), ("client_id", client)]).await;
    assert_eq!(revoke("other").await.status, 200, "what is another's is not told apart");
    assert_eq!(introspect("good", &token).await.json()["active"], true);
    assert_eq!(revoke("nobody").await.status, 401);
    assert_eq!(revoke("chart").await.status, 200);
    assert_eq!(introspect("good", &token).await.json()["active"], false);
    assert_eq!(site.get(&token, "/fhir/Patient/p1").await.status, 401);
}

#[tokio::test]
async fn no_token_without_its_record() {
    let _clock = CLOCK.lock().await;
    let site = site();
    let code = site.code(&EVE).await;
    site.node.records.broken.store(true, Ordering::Relaxed);
    assert_eq!(site.redeem(&code).await.status, 503);
    assert!(site.answered(&right(), &EVE).await.header("location").contains("error=temporarily_unavailable"));
    assert_eq!(site.backend_token(&site.assertion("1", |_| {}), "system/Observation.rs").await.status, 503);
}
