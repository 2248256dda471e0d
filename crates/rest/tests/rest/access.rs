//! Tokens, and the audit record that an answer waits for.

use crate::answer::{get, send};
use crate::fake::{PATIENT_TOKEN, node};
use std::sync::atomic::Ordering;

#[tokio::test]
pub async fn without_a_token_of_this_node_there_is_nothing() {
    let node = node();
    let router = rest::portal(node.fhir);
    let rows: [&[(&str, &str)]; 8] = [
        &[],
        &[("authorization", "")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic good")],
        &[("authorization", "Bearer of the other role")],
        &[("authorization", "Bearer good"), ("authorization", "Bearer good")],
        &[("authorization", "Bearer goo")],
    ];
    for path in [
        "/fhir/Patient/p1",
        "/fhir/Patient/p1/_history/1",
        "/fhir/Patient",
        "/fhir/Nonsense",
        "/fhir/Patient/no",
    ] {
        for headers in rows {
            let answer = send(&router, "GET", path, headers, "").await;
            let row = format!("{path} {headers:?}");
            assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (401, "login"), "{row}");
            assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"tidegate\""), "{row}");
        }
    }
    let posted = send(&router, "POST", "/fhir/Patient/_search", &[], "").await;
    assert_eq!(posted.status.as_u16(), 401);
    let in_query = send(&router, "GET", "/fhir/Patient?access_token=good", &[], "").await;
    assert_eq!(in_query.status.as_u16(), 401, "a token in a URL ends in logs");
    let refused = node.records.texts();
    assert!(refused.iter().all(|record| record.contains("\"outcome\":\"unauthenticated\"")), "{refused:?}");
    // 42 requests of one address: the first, second, fourth … thirty-second.
    assert_eq!(refused.len(), 6);
    assert_eq!(
        send(&router, "GET", "/fhir/Patient/p1", &[("authorization", "bearer good")], "")
            .await
            .status
            .as_u16(),
        200
    );
}

/// path, outcome or count in the record, further text in it
const RECORDED: &[(&str, &[&str])] = &[
    ("/fhir/Patient/p1", &["\"outcome\":\"ok\"", "Patient/p1|2", PATIENT_TOKEN]),
    ("/fhir/Patient/p1/_history/1", &["\"outcome\":\"ok\"", "Patient/p1|1"]),
    ("/fhir/Patient/nope", &["\"outcome\":\"not-found\"", "\"Patient\""]),
    ("/fhir/Patient/gone", &["\"outcome\":\"deleted\"", "Patient/gone|2"]),
    (
        "/fhir/Observation?patient=p1&code=8480-6",
        &["code", "patient", "Observation/o1|1", "Observation/o3|1", PATIENT_TOKEN],
    ),
    ("/fhir/Observation?patient=p1&_count=0", &["patient", "\"0\""]),
    ("/fhir/Patient?_id=nope", &["_id", "\"0\""]),
];

#[tokio::test]
pub async fn every_read_and_search_is_recorded() {
    for (path, texts) in RECORDED {
        let node = node();
        let router = rest::portal(node.fhir);
        let answer = get(&router, path, &[]).await;
        let records = node.records.texts();
        let [record] = records.as_slice() else { panic!("{path}: {records:?}") };
        for text in texts.iter().chain(&["console", "node-1", answer.header("x-request-id")]) {
            assert!(record.contains(text), "{path}: {text} in {record}");
        }
        for text in ["nope", "Everywoman", "8480"] {
            assert!(!record.contains(text), "{path}: {text} in {record}");
        }
    }
    let node = node();
    let router = rest::portal(node.fhir);
    get(&router, "/fhir/Patient/p1", &[("if-none-match", "W/\"2\"")]).await;
    assert!(node.records.texts()[0].contains("not-modified"));
}

#[tokio::test]
pub async fn without_a_committed_record_there_is_no_data() {
    let node = node();
    let router = rest::portal(node.fhir);
    node.records.broken.store(true, Ordering::Relaxed);
    for path in [
        "/fhir/Patient/p1",
        "/fhir/Patient/p1/_history/1",
        "/fhir/Patient",
        "/fhir/Patient/nope",
        "/fhir/Patient/gone",
    ] {
        let answer = get(&router, path, &[("if-none-match", "W/\"2\"")]).await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (503, "exception"), "{path}");
        assert!(!answer.body.contains("Everywoman") && answer.header("etag").is_empty(), "{path}");
    }
}

#[tokio::test]
pub async fn an_answer_waits_for_its_record() {
    let node = node();
    let router = rest::portal(node.fhir);
    node.records.commit.forget_permits(usize::MAX >> 4);
    for path in ["/fhir/Patient/p1", "/fhir/Patient", "/fhir/Patient/nope"] {
        let router = router.clone();
        let answering = tokio::spawn(async move { get(&router, path, &[]).await });
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert!(!answering.is_finished(), "{path} is answered before its record is committed");
        node.records.commit.add_permits(1);
        let answer = answering.await.expect("answers");
        assert!(matches!(answer.status.as_u16(), 200 | 404), "{path}");
    }
}
