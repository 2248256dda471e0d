//! The cloud's intake: what it keeps, refuses, signs and witnesses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use audit::{Checkpoint, SigningKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rest::Metrics;
use rest::intake::{IntakeState, router, witness_router};
use serde_json::{Value, json};

use crate::answer::{Answer, send};
use crate::fake::{AT, Cloud, now};

const PATIENT: &str = "00112233445566778899aabbccddeeff";
const OBSERVATION: &str = "ffeeddccbbaa99887766554433221100";
const KEY: &str = "0192f0c4-7a5e-7c3a-9d0e-4f5a6b7c8d9e";
const DECISION: &str = "0192f0c4-7a5e-7c3a-9d0e-4f5a6b7c8d9f";
const ORIGIN: &str = "hospital.example/ledger";

fn profile() -> BTreeMap<String, String> {
    let rows = "resource\tpath\ttype\toperation\n\
        Patient\tPatient.id\tid\trekey\nPatient\tPatient.meta\tMeta\tmeta\nPatient\tPatient.active\tboolean\tkeep\n\
        Patient\tPatient.name\tHumanName\tdrop\n\
        Observation\tObservation.id\tid\trekey\nObservation\tObservation.meta\tMeta\tmeta\n\
        Observation\tObservation.status\tcode\tenum\nObservation\tObservation.code\tCodeableConcept\tcode\n\
        Observation\tObservation.subject\tReference\tref\n\
        CodeableConcept\tCodeableConcept.coding\tCoding\tcoded\nCoding\tCoding.system\turi\tcoded\n\
        Coding\tCoding.code\tcode\tcoded\nReference\tReference.reference\tstring\tref\n";
    BTreeMap::from([
        ("fhir.tsv".to_owned(), rows.to_owned()),
        (
            "codes.tsv".to_owned(),
            "system\tmatch\tshape\nhttp://loinc.org\texact\t^[0-9]{1,6}-[0-9]$\n".to_owned(),
        ),
        ("extensions.tsv".to_owned(), "url\tresource\tpart\ttype\toperation\n".to_owned()),
    ])
}

/// The tag that outputs of the profile carry: SHA-256 over its files, each name and text with its length before it.
fn tag() -> String {
    let mut joined = Vec::new();
    for (name, text) in profile() {
        for part in [name, text] {
            joined.extend_from_slice(&u64::try_from(part.len()).expect("short").to_be_bytes());
            joined.extend_from_slice(part.as_bytes());
        }
    }
    hex(&digest(&SHA256, &joined).as_ref()[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn released(mut resource: Value) -> String {
    resource["meta"] = json!({
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "ANONYED"}],
        "tag": [{"system": "urn:tidegate:deidentification-profile", "code": tag()}],
    });
    String::from_utf8(fhir::canonical_json(&resource)).expect("UTF-8")
}

fn patient() -> String {
    released(json!({"resourceType": "Patient", "id": PATIENT, "active": true}))
}

fn observation() -> String {
    released(json!({"resourceType": "Observation", "id": OBSERVATION, "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
        "subject": {"reference": format!("Patient/{PATIENT}")}}))
}

fn delivery(body: &str) -> Value {
    json!({"idempotency_key": KEY, "decision_id": DECISION, "destination": "portal", "profile": "test",
        "policy_hash": "ab".repeat(32), "resource_type": "Patient", "released_id": PATIENT, "version": 3, "body": body})
}

struct Node {
    cloud: Arc<Cloud>,
    router: axum::Router,
    receipt_key: Arc<SigningKey>,
    ledger_key: SigningKey,
    state: IntakeState,
}

fn node() -> Node {
    let cloud = Arc::new(Cloud::default());
    let receipt_key = Arc::new(SigningKey::generate("cloud/receipt").expect("a key"));
    let ledger_key = SigningKey::generate(ORIGIN).expect("a key");
    let grammar = verifier::Grammar::compile("test", &profile()).expect("the tables are well-formed");
    let state = IntakeState {
        intake: cloud.clone(),
        ledger: cloud.clone(),
        grammars: Arc::new(BTreeMap::from([("test".to_owned(), grammar)])),
        receipt_key: receipt_key.clone(),
        node: "cloud".to_owned(),
        region: "eu-central".to_owned(),
        destination: "portal".to_owned(),
        peers: Arc::new(BTreeMap::from([(ORIGIN.to_owned(), ledger_key.public())])),
        now_us: now,
        metrics: Arc::new(Metrics::new("portal")),
    };
    Node { cloud, router: router(state.clone()), receipt_key, ledger_key, state }
}

async fn deliver(node: &Node, deliveries: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    send(&node.router, "POST", "/link/v1/deliveries", &headers, &deliveries.to_string()).await
}

#[tokio::test]
async fn a_delivery_is_kept_as_sent_and_receipted() {
    let node = node();
    let body = patient();
    let answer = deliver(&node, &json!([delivery(&body)])).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let result = answer.json()["results"][0].clone();
    assert_eq!((&result["idempotency_key"], result.get("refused")), (&json!(KEY), None), "{result}");
    let receipt = result["receipt"].as_str().expect("a receipt");
    let sha256 = hex(digest(&SHA256, body.as_bytes()).as_ref());
    let text = format!(
        "tidegate-receipt/v1\nnode cloud\nregion eu-central\ndestination portal\nresource Patient/{PATIENT}\nversion 3\n\
         sha256 {sha256}\nkey {KEY}\ndecision {DECISION}\nat {AT}\n"
    );
    let signature = receipt.strip_prefix(&format!("{text}\nsig ")).unwrap_or_else(|| panic!("{receipt}"));
    let signature = STANDARD.decode(signature.trim_end()).expect("base64");
    node.receipt_key.public().verify(text.as_bytes(), &signature).expect("the receipt key signed it");

    let writes = node.cloud.writes.lock().expect("not poisoned");
    let [write] = writes.as_slice() else { panic!("one write") };
    let version = write.version.as_ref().expect("a version");
    assert_eq!(version.body.expose(), body.as_bytes());
    assert_eq!((version.version, version.deleted, version.patient.as_deref()), (3, false, Some(PATIENT)));
    assert_eq!(
        version.updated_us, 1_767_225_600_000_000,
        "2026-01-01: the day of arrival is not kept with it"
    );
    let record = String::from_utf8(write.record.to_bytes()).expect("UTF-8");
    for text in [&sha256, DECISION, KEY, "portal", &format!("Patient/{PATIENT}|3")] {
        assert!(record.contains(text), "{text} in {record}");
    }
}

#[tokio::test]
async fn what_the_portal_can_search_is_indexed_and_nothing_else() {
    let node = node();
    let mut sent = delivery(&observation());
    sent["resource_type"] = json!("Observation");
    sent["released_id"] = json!(OBSERVATION);
    let answer = deliver(&node, &json!([sent])).await;
    assert!(answer.body.contains("receipt"), "{}", answer.body);
    let writes = node.cloud.writes.lock().expect("not poisoned");
    let version = writes[0].version.as_ref().expect("a version");
    assert_eq!(version.patient.as_deref(), Some(PATIENT));
    let names: Vec<&str> = version.index.iter().map(|entry| entry.parameter.as_str()).collect();
    assert_eq!(names, ["_security", "code", "patient", "status", "subject"]);
}

#[tokio::test]
async fn the_same_key_is_kept_once_and_answered_alike() {
    let node = node();
    let first = deliver(&node, &json!([delivery(&patient())])).await.json();
    let again = deliver(&node, &json!([delivery(&patient()), delivery(&patient())])).await.json();
    assert_eq!(again["results"], json!([first["results"][0], first["results"][0]]));
    assert_eq!(node.cloud.writes.lock().expect("not poisoned").len(), 1);
    let path = format!("/link/v1/receipts/{KEY}");
    let lost = send(&node.router, "GET", &path, &[], "").await;
    assert_eq!(
        (lost.status.as_u16(), lost.body.as_str()),
        (200, first["results"][0]["receipt"].as_str().expect("text"))
    );
    for unknown in [DECISION, "nope"] {
        let answer = send(&node.router, "GET", &format!("/link/v1/receipts/{unknown}"), &[], "").await;
        assert_eq!(answer.status.as_u16(), 404);
    }
}

#[tokio::test]
async fn a_deletion_needs_no_body() {
    let node = node();
    let mut sent = delivery("");
    sent["deleted"] = json!(true);
    let answer = deliver(&node, &json!([sent])).await;
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(answer.body.contains(&format!("sha256 {nothing}")), "{}", answer.body);
    let writes = node.cloud.writes.lock().expect("not poisoned");
    let version = writes[0].version.as_ref().expect("a version");
    assert!(version.deleted && version.index.is_empty() && version.body.expose().is_empty());
}

#[tokio::test]
async fn what_must_not_be_here_is_refused_and_not_stored() {
    let named =
        released(json!({"resourceType": "Patient", "id": PATIENT, "name": [{"family": "Everywoman"}]}));
    let spaced = patient().replacen(":", ": ", 1);
    let large = format!("{}{}", patient(), " ".repeat(rest::intake::DELIVERY_BODY_BYTES_MAX));
    let rows: [(&str, Value, &str, &str); 17] = [
        ("body", json!(named), "verification", "Patient.name"),
        ("body", json!(spaced), "verification", ""),
        ("body", json!("{}"), "verification", ""),
        ("body", json!("Everywoman"), "verification", ""),
        ("body", json!(observation()), "identity", ""),
        ("body", json!(large), "too-large", ""),
        ("body", json!(""), "malformed", "body"),
        ("deleted", json!(true), "malformed", "body"),
        ("released_id", json!(OBSERVATION), "identity", ""),
        ("released_id", json!("bad id"), "malformed", "released_id"),
        ("resource_type", json!("Nonsense"), "malformed", "resource_type"),
        ("decision_id", json!("x"), "malformed", "decision_id"),
        ("policy_hash", json!("AB".repeat(32)), "malformed", "policy_hash"),
        ("version", json!(0), "malformed", "version"),
        ("destination", json!("a\nb"), "malformed", "destination"),
        ("destination", json!("elsewhere"), "destination-unknown", ""),
        ("profile", json!("other"), "profile-unknown", ""),
    ];
    for (member, value, code, location) in rows {
        let node = node();
        let mut sent = delivery(&patient());
        sent[member] = value;
        let answer = deliver(&node, &json!([sent])).await;
        let result = answer.json()["results"][0].clone();
        let row = format!("{member} {code}: {result}");
        assert_eq!((answer.status.as_u16(), &result["refused"]["code"]), (200, &json!(code)), "{row}");
        assert_eq!(result["refused"]["transient"], json!(code == "profile-unknown"), "{row}");
        assert!(result.get("receipt").is_none(), "{row}");
        if !location.is_empty() {
            let found = result["refused"]["findings"][0]["location"].as_str().expect("a location");
            assert!(found.starts_with(location), "{row}");
        }
        assert!(node.cloud.writes.lock().expect("not poisoned").is_empty(), "{row}");
        let refusals = node.cloud.refusals.lock().expect("not poisoned").clone();
        let [record] = refusals.as_slice() else { panic!("{row}: one record") };
        let record = String::from_utf8(record.to_bytes()).expect("UTF-8");
        assert!(record.contains(code) && !record.contains("Everywoman"), "{record}");
        let hashed = record.contains("sha256:");
        assert_eq!(hashed, !matches!(code, "malformed" | "too-large"), "{row}: {record}");
        // The refusal does not use up the key.
        assert!(deliver(&node, &json!([delivery(&patient())])).await.body.contains("receipt"), "{row}");
    }
}

#[tokio::test]
async fn one_refusal_does_not_hold_up_the_rest() {
    let node = node();
    let mut refused = delivery("{}");
    refused["idempotency_key"] = json!(DECISION);
    let answer = deliver(&node, &json!([refused, delivery(&patient())])).await.json();
    assert_eq!(answer["results"][0]["idempotency_key"], DECISION);
    assert!(
        answer["results"][0]["refused"].is_object() && answer["results"][1]["receipt"].is_string(),
        "{answer}"
    );
}

#[tokio::test]
async fn lines_are_read_like_an_array() {
    let node = node();
    let mut other = delivery(&patient());
    other["idempotency_key"] = json!(DECISION);
    let lines = format!("{}\n\n{}\r\n", delivery(&patient()), other);
    let answer = send(
        &node.router,
        "POST",
        "/link/v1/deliveries",
        &[("content-type", "application/x-ndjson")],
        &lines,
    )
    .await;
    assert_eq!(answer.json()["results"].as_array().map(Vec::len), Some(2), "{}", answer.body);
}

#[tokio::test]
async fn a_request_that_cannot_be_read_stores_nothing() {
    let node = node();
    let good = delivery(&patient());
    let with = |member: &str, value: Value| {
        let mut sent = good.clone();
        sent[member] = value;
        json!([good, sent]).to_string()
    };
    let many = Value::Array(vec![good.clone(); rest::intake::DELIVERIES_MAX + 1]).to_string();
    let rows: [(&str, String, u16); 10] = [
        ("application/json", "[".to_owned(), 400),
        ("application/json", good.to_string(), 400),
        ("application/json", with("surprise", json!(1)), 400),
        ("application/json", with("version", json!("3")), 400),
        ("application/json", with("version", json!(4_294_967_296_u64)), 400),
        ("application/json", with("idempotency_key", json!("x")), 400),
        ("application/x-ndjson", "{}\n".to_owned(), 400),
        ("text/plain", json!([good]).to_string(), 415),
        ("application/json", many, 413),
        ("application/json", " ".repeat(rest::intake::DELIVERIES_BYTES_MAX + 1), 413),
    ];
    for (content_type, body, status) in rows {
        let answer =
            send(&node.router, "POST", "/link/v1/deliveries", &[("content-type", content_type)], &body).await;
        assert_eq!(answer.status.as_u16(), status, "{content_type}: {}", answer.body);
        assert!(!answer.issue().is_empty(), "{}", answer.body);
        assert!(node.cloud.writes.lock().expect("not poisoned").is_empty());
    }
    node.cloud.broken.store(true, Ordering::Relaxed);
    let answer = deliver(&node, &json!([good])).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
}

fn note(node: &Node, size: u64, root: u8) -> String {
    Checkpoint { origin: ORIGIN.to_owned(), size, root: [root; 32], at_us: AT }.to_note(&node.ledger_key)
}

async fn witness(node: &Node, note: &str) -> Answer {
    send(&node.router, "POST", "/link/v1/checkpoints", &[("content-type", "text/plain; charset=utf-8")], note)
        .await
}

#[tokio::test]
async fn a_witnessed_ledger_may_only_grow() {
    let node = node();
    let path = "/link/v1/checkpoints/hospital.example%2Fledger";
    assert_eq!(send(&node.router, "GET", path, &[], "").await.status.as_u16(), 404);
    let forged = Checkpoint { origin: ORIGIN.to_owned(), size: 9, root: [1; 32], at_us: AT };
    let forged = forged.to_note(&SigningKey::generate(ORIGIN).expect("a key"));
    let stranger = note(&node, 5, 1).replacen(ORIGIN, "other.example", 1);
    let rows: [(String, u16, u64); 9] = [
        (note(&node, 5, 1), 200, 5),
        (note(&node, 5, 1), 200, 5),
        (note(&node, 8, 2), 200, 8),
        (note(&node, 5, 1), 409, 8),
        (note(&node, 8, 3), 409, 8),
        (forged, 403, 8),
        (stranger, 403, 8),
        (format!("{ORIGIN}\n"), 400, 8),
        (String::new(), 400, 8),
    ];
    for (text, status, size) in rows {
        let answer = witness(&node, &text).await;
        assert_eq!(answer.status.as_u16(), status, "{text}: {}", answer.body);
        let kept = send(&node.router, "GET", path, &[], "").await;
        let kept = Checkpoint::from_note(&kept.body, &node.ledger_key.public()).expect("a note");
        assert_eq!((kept.size, kept.root), (size, [if size == 5 { 1 } else { 2 }; 32]), "{text}");
    }
    let open = witness_router(node.state.clone());
    let public = send(&open, "GET", "/witness/hospital.example%2Fledger", &[], "").await;
    assert_eq!((public.status.as_u16(), public.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert_eq!(send(&open, "GET", "/witness/other", &[], "").await.status.as_u16(), 404);
    assert_eq!(witness(&node, &"x".repeat(9 * 1024)).await.status.as_u16(), 413);
}

#[tokio::test]
async fn the_link_has_nothing_else() {
    let node = node();
    for (method, path, status) in [
        ("GET", "/link/v1/deliveries", 405),
        ("GET", "/link/v2/deliveries", 404),
        ("GET", "/link", 404),
        ("DELETE", "/link/v1/checkpoints/x", 405),
    ] {
        let answer = send(&node.router, method, path, &[], "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.issue().as_str()),
            (status, "not-supported"),
            "{method} {path}"
        );
    }
}
