//! Who may enter, and how the way in is recorded.

use std::sync::Arc;

use audit::{Actor, Kind};
use axum::http::{Method, StatusCode};
use console::{SESSION_ABSOLUTE_US, SESSION_IDLE_US};

use crate::browser::{Browser, signed_in};
use crate::ports::{CODE, Node, advance, console};

fn fresh() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    let browser = Browser::new(console(&node, false));
    (node, browser)
}

#[tokio::test]
async fn opening_the_link_does_not_use_its_code() {
    let (_, mut browser) = fresh();
    for _ in 0..3 {
        let page = browser.get(&format!("/login?code={CODE}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("<form method=\"post\" action=\"/login\">"));
        assert!(page.headers.get("set-cookie").is_none());
    }
    assert_eq!(browser.sign_in().await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_code_works_once() {
    let (_, mut browser) = fresh();
    assert_eq!(browser.sign_in().await.status, StatusCode::SEE_OTHER);
    let again = browser.sign_in().await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(
        again.text.contains("This sign-in link is not valid") && again.headers.get("set-cookie").is_none()
    );
}

#[tokio::test]
async fn what_is_no_code_is_refused() {
    let (_, browser) = fresh();
    let long = "x".repeat(300);
    for form in ["", "code=", "code=other", &format!("code={long}")] {
        let answer = browser.post("/login", form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("How to sign in"));
    }
    assert_eq!(browser.get("/login").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get(&format!("/login?code={long}")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_code_is_inert_in_the_form() {
    let (_, browser) = fresh();
    let page = browser.get("/login?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(
        page.text.contains("alert(1)")
            && !page.text.contains("<script>")
            && !page.text.contains("</script>\"")
    );
}

#[tokio::test]
async fn the_cookie_is_for_this_site_and_no_script() {
    let (node, mut browser) = fresh();
    let cookie = browser.sign_in().await.header("set-cookie").to_owned();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"));

    let mut secure = Browser::new(console::Console { secure: true, ..console(&node, false) });
    let cookie = secure.sign_in().await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-tidegate") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(secure.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nodes_on_one_host_have_cookies_of_their_own() {
    let (node, mut one) = fresh();
    let mut other = Browser::new(console::Console { node: "node-2".to_owned(), ..console(&node, false) });
    let name = |cookie: &str| cookie.split('=').next().expect("name").to_owned();
    let first = name(one.sign_in().await.header("set-cookie"));
    assert_ne!(first, name(other.sign_in().await.header("set-cookie")));
}

#[tokio::test]
async fn a_sign_in_is_in_the_ledger_before_the_session() {
    let (node, mut browser) = fresh();
    browser.sign_in().await;
    {
        let ledger = node.ledger.lock().expect("lock");
        assert_eq!(ledger.len(), 1);
        assert_eq!(ledger[0].kind(), Kind::SignIn);
        assert_eq!(ledger[0].outcome_code(), Some("ok"));
        assert_eq!(*ledger[0].acted_by(), Actor::User("operator".to_owned()));
    }

    let (node, mut browser) = fresh();
    *node.ledger_fails.lock().expect("lock") = true;
    let answer = browser.sign_in().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn failed_sign_ins_are_recorded_up_to_a_rate() {
    let (node, browser) = fresh();
    for _ in 0..40 {
        browser.post("/login", "code=guess").await;
    }
    {
        let ledger = node.ledger.lock().expect("lock");
        assert_eq!(ledger.len(), 30);
        assert!(ledger.iter().all(|record| record.outcome_code() == Some("invalid-code")));
        assert!(!String::from_utf8_lossy(&ledger[0].to_bytes()).contains("guess"));
    }
    advance(61_000_000);
    browser.post("/login", "code=guess").await;
    assert_eq!(node.ledger.lock().expect("lock").len(), 31);
}

#[tokio::test]
async fn a_session_ends_when_idle() {
    let browser = signed_in(&Arc::new(Node::default()), false).await;
    advance(SESSION_IDLE_US - 1);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    advance(SESSION_IDLE_US);
    assert_eq!(browser.get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_when_old() {
    let browser = signed_in(&Arc::new(Node::default()), false).await;
    for _ in 0..(SESSION_ABSOLUTE_US / SESSION_IDLE_US) * 2 - 1 {
        advance(SESSION_IDLE_US / 2);
        assert_eq!(browser.get("/").await.status, StatusCode::OK);
    }
    advance(SESSION_IDLE_US / 2);
    assert_eq!(browser.get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_out_needs_the_token_and_ends_the_session() {
    let browser = signed_in(&Arc::new(Node::default()), false).await;
    for form in ["", "token=", "token=guess"] {
        assert_eq!(browser.post("/logout", form).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    let answer = browser.submit("/logout", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(browser.get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let mut browser = signed_in(&Arc::new(Node::default()), false).await;
    let token = browser.token().await;
    for site in ["cross-site", "same-site"] {
        browser.site = Some(site);
        let answer = browser.post("/logout", &format!("token={token}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(browser.post("/login", &format!("code={CODE}")).await.status, StatusCode::FORBIDDEN);
    }
    browser.site = Some("same-origin");
    assert_eq!(browser.post("/logout", &format!("token={token}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_route_but_the_sign_in_needs_a_session() {
    let node = Arc::new(Node::default());
    let mut browser = Browser::new(console(&node, cfg!(feature = "clinical")));
    let mut routes = vec![
        (Method::GET, "/"),
        (Method::GET, "/status"),
        (Method::GET, "/help"),
        (Method::GET, "/ledger"),
        (Method::POST, "/ledger/patient"),
        (Method::GET, "/ledger/found/000000000000000000000000"),
        (Method::GET, "/ledger/records/0"),
        (Method::GET, "/ledger/verify"),
        (Method::POST, "/ledger/verify"),
        (Method::POST, "/theme"),
        (Method::POST, "/keys"),
        (Method::POST, "/logout"),
    ];
    if cfg!(feature = "clinical") {
        let id = "/messages/018f0000-0000-7000-8000-000000000001";
        routes.extend([
            (Method::GET, "/live"),
            (Method::GET, "/dashboard.json"),
            (Method::POST, "/guide/break"),
            (Method::GET, "/quarantine"),
            (Method::GET, "/quarantine.json"),
            (Method::GET, "/quarantine/group"),
            (Method::POST, "/quarantine/reprocess"),
            (Method::GET, "/search"),
            (Method::POST, "/search"),
            (Method::GET, "/search/000000000000000000000000"),
            (Method::POST, "/messages/reprocess"),
            (Method::GET, "/live/events"),
            (Method::GET, id),
            (Method::POST, "/messages/018f0000-0000-7000-8000-000000000001/reveal"),
            (Method::POST, "/messages/018f0000-0000-7000-8000-000000000001/reprocess"),
        ]);
    }
    for cookie in [None, Some("tidegate-00000000=guess".to_owned())] {
        browser.cookie = cookie;
        for (method, url) in &routes {
            let form = (*method == Method::POST).then_some("token=x&reason=audit&key=x");
            let answer = browser.send(method.clone(), url, form).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {url}");
            assert!(answer.text.contains("How to sign in"));
            assert!(!answer.text.contains("ward VLAN"), "warnings are for who is signed in");
        }
    }
    assert!(node.access.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn what_a_page_asks_for_by_itself_does_not_prolong_the_session() {
    let browser = signed_in(&Arc::new(Node::default()), false).await;
    advance(SESSION_IDLE_US - 2);
    let mut request = browser.request(Method::GET, "/", None);
    request.headers_mut().insert("x-tidegate-by-itself", "1".parse().expect("value"));
    let answer = tower::ServiceExt::oneshot(browser.router.clone(), request).await.expect("infallible");
    assert_eq!(answer.status(), StatusCode::OK);
    advance(2);
    assert_eq!(browser.get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_theme_is_a_cookie_that_every_page_follows() {
    let mut browser = signed_in(&Arc::new(Node::default()), false).await;
    assert!(!browser.get("/").await.text.contains("data-theme"));
    assert_eq!(browser.post("/theme", "theme=dark").await.status, StatusCode::FORBIDDEN);
    let answer = browser.submit("/theme", "theme=dark&back=%2Fhelp").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/help"));
    let kept = answer.header("set-cookie").split(';').next().expect("cookie").to_owned();
    assert_eq!(kept, "tidegate-theme=dark");
    let session = browser.cookie.clone().expect("signed in");
    browser.cookie = Some(format!("{session}; {kept}"));
    assert!(browser.get("/status").await.text.contains("<html lang=\"en\" data-theme=\"dark\">"));
    browser.cookie = Some(format!("{session}; tidegate-theme=\"><script>"));
    assert!(browser.get("/status").await.text.contains("<html lang=\"en\">"));
    assert_eq!(browser.submit("/theme", "theme=pink").await.status, StatusCode::BAD_REQUEST);
    let elsewhere = browser.submit("/theme", "theme=light&back=%2F%2Fexample.org").await;
    assert_eq!(elsewhere.header("location"), "/");
}

#[tokio::test]
async fn single_keys_can_be_turned_off() {
    let mut browser = signed_in(&Arc::new(Node::default()), false).await;
    assert!(browser.get("/help").await.text.contains("data-keys=\"on\""));
    let answer = browser.submit("/keys", "keys=off&back=%2Fhelp").await;
    let kept = answer.header("set-cookie").split(';').next().expect("cookie").to_owned();
    browser.cookie = Some(format!("{}; {kept}", browser.cookie.clone().expect("signed in")));
    let page = browser.get("/help").await.text;
    assert!(!page.contains("data-keys") && page.contains("Turn them on"));
}

#[tokio::test]
async fn a_file_that_failed_stands_on_every_page() {
    let (node, _) = fresh();
    let (condition, watched) = tokio::sync::watch::channel(store::Condition::default());
    let mut browser = Browser::new(console::Console { condition: watched, ..console(&node, false) });
    browser.sign_in().await;
    assert!(!browser.get("/status").await.text.contains("journal:"));
    condition.send_modify(|condition| condition.journal = store::FileCondition::Failed);
    for url in ["/", "/status", "/ledger"] {
        assert!(browser.get(url).await.text.contains("journal: a write failed"), "{url}");
    }
    condition.send_modify(|condition| condition.journal = store::FileCondition::Full);
    assert!(browser.get("/").await.text.contains("journal: no space left"));
}
