//! The admin API: who may enter, what is masked, what is recorded, and what a replay does.

use std::sync::Arc;

use audit::{Actor, Kind};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use store::MessageState;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::lent::FAULTS;
use crate::ports::{Node, console};
use crate::sample::{ADMIN_TOKEN, PACKAGE, PATIENT_TOKEN, VALUES, ids, row};

const SEARCH: &str = "/admin/messages/search";
const REPLAY: &str = "/admin/replay";

struct Api {
    node: Arc<Node>,
    router: Router,
}

impl Api {
    fn new() -> Self {
        let node = Arc::new(Node::default());
        node.clinical.fill(&node);
        let router = console::router(console(&node, true));
        Self { node, router }
    }

    async fn raw(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let bytes = response.into_body().collect().await.expect("body").to_bytes();
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        self.raw(request(method, path, ADMIN_TOKEN, body)).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, Some(&body)).await
    }
}

fn request(method: Method, path: &str, token: &str, body: Option<&Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("request"),
        None => request.body(Body::empty()).expect("request"),
    }
}

fn is_refusal(answer: &Value, code: &str) {
    assert_eq!(answer["code"], code, "{answer}");
    for part in ["cause", "fix"] {
        assert!(answer[part].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    }
    for value in VALUES {
        assert!(!answer.to_string().contains(value), "{answer}");
    }
}

#[tokio::test]
async fn only_a_token_of_this_api_opens_it() {
    let api = Api::new();
    for path in ["/admin", SEARCH, "/admin/unknown", REPLAY] {
        let bare = Request::builder().uri(path).body(Body::empty()).expect("request");
        let (status, answer) = api.raw(bare).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        is_refusal(&answer, "no-token");
        let (status, answer) = api.raw(request(Method::GET, path, "a-fhir-token", None)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        is_refusal(&answer, "unknown-token");
    }
    let failed: Vec<_> = api.node.ledger.lock().expect("lock").clone();
    assert_eq!(failed.len(), 4, "each unknown token is in the ledger");
    assert!(failed.iter().all(|record| record.outcome_code() == Some("invalid-token")));
    let (status, index) = api.get("/admin").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(index["routes"].as_array().map(Vec::len), Some(18));
}

#[tokio::test]
async fn a_portal_node_has_no_admin_api() {
    let router = console::router(console(&Arc::new(Node::default()), false));
    let answer = router.oneshot(request(Method::GET, "/admin", ADMIN_TOKEN, None)).await.expect("infallible");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_search_is_recorded_without_its_text_and_pages() {
    let api = Api::new();
    let (status, page) = api.post(SEARCH, json!({"query": "mrn:MRN-4711", "limit": 1})).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert_eq!(page["messages"][0]["id"], json!(ids()[1]));
    assert_eq!((&page["messages"][0]["state"], &page["next"]), (&json!("quarantined"), &json!(2)));
    let (_, rest) = api.post(SEARCH, json!({"query": "mrn:MRN-4711", "limit": 1, "before": 2})).await;
    assert_eq!((&rest["messages"][0]["id"], &rest["next"]), (&json!(ids()[0]), &Value::Null));
    let records = api.node.recorded(Kind::ResourceSearched);
    assert_eq!(records.len(), 2);
    assert_eq!(*records[0].acted_by(), Actor::Client("operator".to_owned()));
    let objects = records[0].objects();
    assert_eq!(objects[0], ("parameters".to_owned(), "patient-id".to_owned()));
    assert_eq!(objects[1], ("message".to_owned(), ids()[1].to_string()));
    let text = String::from_utf8_lossy(&records[0].to_bytes()).into_owned() + &page.to_string();
    assert!(VALUES.iter().all(|value| !text.contains(value)));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_without_repeating_it() {
    let api = Api::new();
    for (body, status, code) in [
        (json!({"query": "nrm:Fairweather"}), 422, "query"),
        (json!({"query": "   "}), 422, "query"),
        (json!({"query": "type:ADT", "limit": 0}), 400, "invalid"),
        (json!({"query": "type:ADT", "limit": 501}), 400, "invalid"),
        (json!({"query": "type:ADT", "name": "Fairweather"}), 400, "body"),
        (json!(["Fairweather"]), 400, "body"),
        (json!({"query": "x".repeat(70_000)}), 413, "too-large"),
    ] {
        let (answered, answer) = api.post(SEARCH, body).await;
        assert_eq!(answered.as_u16(), status, "{answer}");
        is_refusal(&answer, code);
    }
    let untyped = Request::builder().method(Method::POST).uri(SEARCH);
    let untyped = untyped.header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"));
    let untyped = untyped.body(Body::from(r#"{"query": "type:ADT"}"#)).expect("request");
    let (status, answer) = api.raw(untyped).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    is_refusal(&answer, "content-type");
    let (status, answer) = api.ask(Method::DELETE, SEARCH, None).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    is_refusal(&answer, "method");
    let (status, answer) = api.get("/admin/people").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    is_refusal(&answer, "unknown-route");
    assert!(api.node.access.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn a_message_is_masked_until_a_reason_is_given() {
    let api = Api::new();
    let path = format!("/admin/messages/{}", ids()[0]);
    let (status, masked) = api.get(&path).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(masked["message"]["state"], "routed");
    assert_eq!(masked["trace"].as_array().map(Vec::len), Some(3));
    assert_eq!(masked["leaves"].as_array().map(|leaves| leaves.len() > 5), Some(true));
    assert_eq!(masked["deliveries"][0]["actions"][1]["operation"], "year");
    for value in VALUES {
        assert!(!masked.to_string().contains(value), "{value}");
    }
    assert!(masked.get("er7").is_none() && masked["resources"][0].get("resource").is_none());

    let reveal = format!("{path}/reveal");
    let (status, answer) = api.post(&reveal, json!({"reason": "curiosity about Fairweather"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    is_refusal(&answer, "reason");
    let (status, shown) = api.post(&reveal, json!({"reason": "audit"})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(shown["er7"].as_str().is_some_and(|text| text.contains("PID|1||MRN-4711^^^H||Fairweather")));
    assert_eq!(shown["resources"][0]["resource"]["name"][0]["family"], "Fairweather");
    assert_eq!(shown["trace"][0]["output"], "Fairweather");

    let records = api.node.recorded(Kind::MessageViewed);
    let objects: Vec<_> = records.iter().map(|record| record.objects()).collect();
    let is_in = |number: usize, name: &str, value: &str| {
        objects[number].contains(&(name.to_owned(), value.to_owned()))
    };
    assert_eq!(records.len(), 2);
    assert!(is_in(0, "view", "masked") && is_in(1, "view", "revealed") && is_in(1, "reason", "audit"));
    assert!(records.iter().all(|record| record.patient_tokens() == [PATIENT_TOKEN]));
    assert!(records.iter().all(|record| record.message_id() == Some(ids()[0])));
    for unknown in [Uuid::nil().to_string(), "Fairweather".to_owned()] {
        let (status, answer) = api.get(&format!("/admin/messages/{unknown}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        is_refusal(&answer, "not-found");
    }
}

#[tokio::test]
async fn nothing_is_answered_that_cannot_be_recorded() {
    let api = Api::new();
    *api.node.access_fails.lock().expect("lock") = true;
    *api.node.ledger_fails.lock().expect("lock") = true;
    let id = ids()[0];
    let query = json!({"query": "type:ADT"});
    for (path, body) in [
        (SEARCH.to_owned(), query.clone()),
        (format!("/admin/messages/{id}/reveal"), json!({"reason": "audit"})),
        (REPLAY.to_owned(), query.clone()),
        (REPLAY.to_owned(), json!({"query": "type:ADT", "dry_run": true})),
    ] {
        let (status, answer) = api.post(&path, body).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {answer}");
        is_refusal(&answer, "not-recorded");
    }
    let (status, answer) = api.get(&format!("/admin/messages/{id}")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    is_refusal(&answer, "not-recorded");
    assert!(api.node.clinical.asked.lock().expect("lock").is_empty(), "and nothing is requested");
}

#[tokio::test]
async fn a_dry_run_names_elements_and_requests_nothing() {
    let api = Api::new();
    let (status, answer) = api.post(REPLAY, json!({"query": "status:quarantined", "dry_run": true})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let one = &answer["messages"][0];
    assert_eq!(
        (&one["id"], &one["state"], &one["then"]),
        (&json!(ids()[1]), &json!("quarantined"), &json!("routed"))
    );
    assert_eq!(one["resources"][0]["elements"], json!(["birthDate", "name"]));
    assert_eq!((&one["resources"][0]["change"], &one["deliveries"]), (&json!("added"), &json!(1)));
    let (_, routed) = api.post(REPLAY, json!({"query": "status:routed", "dry_run": true})).await;
    assert_eq!(routed["messages"][0]["nothing"], "not-found");
    assert!(api.node.clinical.asked.lock().expect("lock").is_empty());
    let records = api.node.recorded(Kind::MessageReprocessed);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].outcome_code(), Some("dry-run"));
    assert!(api.node.ledger.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn a_replay_takes_all_messages_of_a_query_or_none() {
    let api = Api::new();
    let (status, answer) = api.post(REPLAY, json!({"query": "mrn:MRN-4711"})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer, json!({"matched": 2, "requested": 2, "messages": [ids()[0], ids()[1]]}));
    let ledger = api.node.ledger.lock().expect("lock").clone();
    assert_eq!((ledger.len(), ledger[0].outcome_code()), (1, Some("requested")));
    assert_eq!(*ledger[0].acted_by(), Actor::Client("operator".to_owned()));
    assert!(!String::from_utf8_lossy(&ledger[0].to_bytes()).contains("4711"));

    let poll = json!({"messages": [ids()[0], ids()[1], ids()[2]]});
    let (status, open) = api.post("/admin/replay/outcomes", poll.clone()).await;
    assert_eq!((status, &open["open"]), (StatusCode::OK, &json!(2)));
    api.node.clinical.settled.lock().expect("lock").insert(ids()[0], "done".to_owned());
    let (_, half) = api.post("/admin/replay/outcomes", poll).await;
    assert_eq!((&half["open"], &half["outcomes"]), (&json!(1), &json!({"done": 1})));

    let (_, nothing) = api.post(REPLAY, json!({"query": "status:error"})).await;
    assert_eq!(nothing, json!({"matched": 0, "requested": 0, "messages": []}));
    let many = (10..1_100).map(|number| {
        row(number, Uuid::from_u128(u128::try_from(number).expect("positive")), MessageState::Routed)
    });
    api.node.clinical.rows.lock().expect("lock").extend(many);
    let (status, answer) = api.post(REPLAY, json!({"query": "type:ADT"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    is_refusal(&answer, "too-many");
    assert_eq!(api.node.clinical.asked.lock().expect("lock").len(), 2, "none of them");
    let (_, page) = api.post(REPLAY, json!({"query": "type:ADT", "dry_run": true})).await;
    assert_eq!((page["messages"].as_array().map(Vec::len), &page["next"]), (Some(50), &json!(1_050)));
}

#[tokio::test]
async fn a_window_is_sent_again_page_by_page_and_who_asked_is_recorded() {
    let api = Api::new();
    let asked = |query: &str, to: &str, after: i64| json!({"query": query, "to": to, "after": after});
    let (status, page) = api.post("/admin/forward", asked("since:2h", "archive", 0)).await;
    assert_eq!((status, page), (StatusCode::OK, json!({"queued": 2, "kept": 1, "next": 9})));
    let (_, last) = api.post("/admin/forward", asked("since:2h until:1h", "archive", 9)).await;
    assert_eq!(last["next"], Value::Null);
    let recorded = api.node.ledger.lock().expect("lock").clone();
    let kinds: Vec<Kind> = recorded.iter().map(audit::Record::kind).collect();
    assert_eq!(kinds, [Kind::DeliveryRevived; 2]);
    assert!(recorded[1].objects().contains(&("destination".to_owned(), "archive".to_owned())));
    for (query, to, code) in [
        ("since:2h", "elsewhere", "destination"),
        ("until:1h", "archive", "query"),
        ("since:2h mrn:MRN-4711", "archive", "query"),
    ] {
        let (status, refusal) = api.post("/admin/forward", asked(query, to, 0)).await;
        assert_eq!(
            (status, refusal["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some(code)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_package_is_exchanged_by_a_named_client_or_its_faults_are_told() {
    let api = Api::new();
    let reload = || api.post("/admin/mappings/reload", json!({}));
    let (status, refusal) = reload().await;
    assert_eq!(status, StatusCode::CONFLICT);
    is_refusal(&refusal, "package");
    assert!(
        refusal["cause"].as_str().is_some_and(|cause| cause.starts_with(&FAULTS.to_string())),
        "{refusal}"
    );
    let faults = refusal["faults"].as_array().expect("a list");
    assert_eq!(faults.len(), 100, "an answer has an end");
    assert_eq!(faults[2]["place"], "mappings/segments/PID.Patient.yaml:3:1");
    let (status, answer) = reload().await;
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({"outcome": "in-force", "package": "b2", "before": PACKAGE}))
    );
    let (status, answer) = reload().await;
    assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("unchanged")));
    let (status, refusal) = reload().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    is_refusal(&refusal, "not-recorded");
    assert_eq!(reload().await.1["code"], "busy");
    let (status, _) = api.post("/admin/mappings/reload", json!({"folder": "/etc"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "which folder is the configuration's to say");
    let asked = api.node.clinical.exchanges.lock().expect("lock").clone();
    assert_eq!(asked.len(), 5);
    for by in &asked {
        assert_eq!(
            (by.kind(), by.acted_by()),
            (Kind::ConfigurationChanged, &Actor::Client("operator".to_owned()))
        );
    }
}

#[tokio::test]
async fn coverage_and_alerts_are_told_and_an_alert_is_acknowledged_once() {
    let api = Api::new();
    let (status, coverage) = api.get("/admin/coverage").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(coverage["days"][0]["leaves"]["rejected"], 5, "{coverage}");
    assert_eq!(coverage["gaps"][0]["path"], "PV1-52");
    let (_, alerts) = api.get("/admin/alerts").await;
    assert_eq!(
        (&alerts["alerts"][0]["kind"], &alerts["alerts"][0]["alert"]),
        (&json!("new-unmapped-field"), &json!(7))
    );
    let (status, answer) = api.post("/admin/alerts/8/acknowledge", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    is_refusal(&answer, "no-alert");
    assert_eq!(api.post("/admin/alerts/7/acknowledge", json!({})).await.0, StatusCode::OK);
    let records = api.node.clinical.acknowledged.lock().expect("lock").clone();
    assert_eq!(records[0].kind(), Kind::AlertAcknowledged);
    let (status, answer) = api.post("/admin/alerts/7/acknowledge", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    is_refusal(&answer, "acknowledged");
}

#[tokio::test]
async fn codes_are_told_with_a_reason_only() {
    let api = Api::new();
    let (_, masked) = api.get("/admin/codes").await;
    let item = &masked["codes"][0];
    assert!(!masked.to_string().contains("Q'"), "{masked}");
    assert_eq!((&item["table"], &item["messages"]), (&json!("marital-status"), &json!(12)));
    assert_eq!(masked["codes"][1]["code"], Value::Null, "what is no code has no line");
    let (status, answer) = api.post("/admin/codes/reveal", json!({"reason": "curious"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    is_refusal(&answer, "reason");
    assert!(api.node.recorded(Kind::MessageViewed).is_empty());
    let (_, shown) = api.post("/admin/codes/reveal", json!({"reason": "mapping-problem"})).await;
    assert_eq!(shown["codes"][0]["code"], "Q'<b>", "{shown}");
    assert_eq!(api.node.recorded(Kind::MessageViewed).len(), 1);
}
