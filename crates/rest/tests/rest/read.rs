//! read, vread, negotiation, validators, errors.

use crate::answer::{get, send};
use crate::fake::node;
use std::sync::atomic::Ordering;

const FHIR: &str = "application/fhir+json; charset=utf-8";
const PLAIN: &str = "application/json; charset=utf-8";
const MODIFIED: &str = "Mon, 21 Sep 2026 14:13:20 GMT";

type Row = (&'static str, &'static [(&'static str, &'static str)], u16, &'static str, &'static str);

/// path, headers, status, Content-Type, issue code
const READS: &[Row] = &[
    ("/fhir/Patient/p1", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("accept", "*/*")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("accept", "application/json")], 200, PLAIN, ""),
    ("/fhir/Patient/p1", &[("accept", "application/fhir+json;fhirVersion=4.0")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("accept", "application/fhir+json; fhirVersion=5.0")], 406, FHIR, "not-supported"),
    ("/fhir/Patient/p1", &[("accept", "application/fhir+xml;q=0.9, application/json;q=0.1")], 200, PLAIN, ""),
    ("/fhir/Patient/p1", &[("accept", "application/json;q=0.2,application/fhir+json;q=0.8")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("accept", "text/html,application/xml;q=0.9,*/*;q=0.8")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("accept", "application/json;q=0")], 406, FHIR, "not-supported"),
    ("/fhir/Patient/p1", &[("accept", "application/fhir+xml")], 406, FHIR, "not-supported"),
    ("/fhir/Patient/p1", &[("accept", "application/fhir+turtle")], 406, FHIR, "not-supported"),
    ("/fhir/Patient/p1?_format=json", &[("accept", "text/html")], 200, FHIR, ""),
    ("/fhir/Patient/p1?_format=application/fhir+json", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1?_format=application%2Ffhir%2Bjson", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1?_format=application/json", &[], 200, PLAIN, ""),
    ("/fhir/Patient/p1?_format=xml", &[], 406, FHIR, "not-supported"),
    ("/fhir/Patient/p1?_format=json&_format=json", &[], 400, FHIR, "invalid"),
    ("/fhir/Patient/p1?_pretty=true", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1?_pretty=yes", &[], 400, FHIR, "value"),
    ("/fhir/Patient/p1?_summary=false", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1?_summary=true", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1?_elements=name", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1?_format=%zz", &[], 400, FHIR, "invalid"),
    ("/fhir/Patient/p1?_format=%ff", &[], 400, FHIR, "invalid"),
    ("/fhir/Patient/nope", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/P1", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/bad_id!", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/gone", &[], 410, FHIR, "deleted"),
    ("/fhir/Nonsense/1", &[], 404, FHIR, "not-supported"),
    ("/fhir/patient/p1", &[], 404, FHIR, "not-supported"),
    ("/fhir/DomainResource/p1", &[], 404, FHIR, "not-supported"),
    ("/fhir/Patient/p1/_history/1", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1/_history/2", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1/_history/3", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/p1/_history/01", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/p1/_history/+1", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/p1/_history/x", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/p1/_history/99999999999999999999", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/gone/_history/1", &[], 200, FHIR, ""),
    ("/fhir/Patient/gone/_history/2", &[], 410, FHIR, "deleted"),
    ("/fhir/Patient/p1/_history", &[], 200, FHIR, ""),
    ("/fhir/Patient/gone/_history", &[], 200, FHIR, ""),
    ("/fhir/Patient/nope/_history", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/bad_id!/_history", &[], 404, FHIR, "not-found"),
    ("/fhir/Patient/p1/_history?_since=2020", &[], 400, FHIR, "value"),
    ("/fhir/Patient/p1/_history?_since=2020-01-01T00:00:00+01:00", &[], 400, FHIR, "value"),
    ("/fhir/Patient/p1/_history?_since=2020-01-01T00:00:00%2B01:00", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1/_history?_at=2020-01", &[], 200, FHIR, ""),
    ("/fhir/Patient/p1/_history?_at=gt2020", &[], 400, FHIR, "value"),
    ("/fhir/Patient/p1/_history?_list=x", &[], 400, FHIR, "not-supported"),
    ("/fhir/_history", &[], 200, FHIR, ""),
    ("/fhir/_history?_since=2020-01-01T00:00:00Z&_count=1", &[], 200, FHIR, ""),
    ("/fhir/Patient/_history", &[], 200, FHIR, ""),
    ("/fhir", &[], 501, FHIR, "not-supported"),
    ("/fhir/a/b/c/d/e/f", &[], 404, FHIR, "not-supported"),
    ("/fhir/Patient/p1", &[("if-none-match", "W/\"2\"")], 304, "", ""),
    ("/fhir/Patient/p1", &[("if-none-match", "\"7\", W/\"2\"")], 304, "", ""),
    ("/fhir/Patient/p1", &[("if-none-match", "*")], 304, "", ""),
    ("/fhir/Patient/p1", &[("if-none-match", "W/\"1\"")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("if-modified-since", MODIFIED)], 304, "", ""),
    ("/fhir/Patient/p1", &[("if-modified-since", "Mon, 21 Sep 2026 14:13:19 GMT")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("if-modified-since", "yesterday")], 200, FHIR, ""),
    ("/fhir/Patient/p1", &[("if-modified-since", MODIFIED), ("if-none-match", "W/\"1\"")], 200, FHIR, ""),
    ("/fhir/Patient/gone", &[("if-none-match", "W/\"2\"")], 410, FHIR, "deleted"),
];

#[tokio::test]
async fn reads_answer_as_the_table_says() {
    let router = rest::clinical(node().fhir);
    for (path, headers, status, content_type, issue) in READS {
        let answer = get(&router, path, headers).await;
        let row = format!("{path} {headers:?}: {}", answer.body);
        assert_eq!(answer.status.as_u16(), *status, "{row}");
        assert_eq!(answer.header("content-type"), *content_type, "{row}");
        assert_eq!(answer.issue(), *issue, "{row}");
        assert!(!answer.header("x-request-id").is_empty(), "{row}");
        if *status == 304 {
            assert_eq!((answer.body.as_str(), answer.header("etag")), ("", "W/\"2\""), "{row}");
        } else {
            assert!(fhir::validate(&answer.json()).is_empty(), "{row}");
        }
    }
}

/// method, path, Content-Type, status, issue code
const OTHER_METHODS: &[(&str, &str, &str, u16, &str)] = &[
    ("POST", "/fhir/Patient", "application/fhir+json", 405, "not-supported"),
    ("PUT", "/fhir/Patient/p1", "application/fhir+json", 405, "not-supported"),
    ("PATCH", "/fhir/Patient/p1", "application/json-patch+json", 405, "not-supported"),
    ("DELETE", "/fhir/Patient/p1", "", 405, "not-supported"),
    ("DELETE", "/fhir/Patient", "", 405, "not-supported"),
    ("GET", "/fhir/Patient/_search", "", 405, "not-supported"),
    ("POST", "/fhir/metadata", "", 405, "not-supported"),
    ("POST", "/fhir", "application/fhir+json", 405, "not-supported"),
    ("POST", "/fhir/Patient/_search", "text/plain", 415, "not-supported"),
    ("POST", "/fhir/Patient/_search", "application/fhir+json", 415, "not-supported"),
];

#[tokio::test]
async fn what_is_not_served_is_told_as_an_outcome() {
    let router = rest::clinical(node().fhir);
    for (method, path, content_type, status, issue) in OTHER_METHODS {
        let headers = [("authorization", "Bearer good"), ("content-type", *content_type)];
        let answer = send(&router, method, path, &headers, "{\"a\":\"Everywoman\"}").await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (*status, *issue), "{method} {path}");
        assert!(!answer.body.contains("Everywoman"));
        assert_eq!(*status == 405, answer.headers.contains_key("allow"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_resource_goes_out_with_its_version_and_instant() {
    let router = rest::clinical(node().fhir);
    let answer = get(&router, "/fhir/Patient/p1", &[]).await;
    let start = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"meta\":{\"versionId\":\"2\",\
                 \"lastUpdated\":\"2026-09-21T14:13:20.123456Z\",\"profile\":";
    assert!(answer.body.starts_with(start), "{}", answer.body);
    assert_eq!(answer.header("etag"), "W/\"2\"");
    assert_eq!(answer.header("last-modified"), MODIFIED);
    assert_eq!(answer.header("cache-control"), "no-store");
    let observation = get(&router, "/fhir/Observation/o1", &[]).await;
    assert!(observation.body.contains("\"value\":1.0"), "digits are kept: {}", observation.body);
    assert_eq!(observation.json()["meta"]["versionId"], "1", "meta is made where there was none");
    let pretty = get(&router, "/fhir/Patient/p1?_pretty=true", &[]).await;
    assert!(
        pretty.body.starts_with("{\n  \"resourceType\": \"Patient\",\n  \"id\": \"p1\",\n"),
        "{}",
        pretty.body
    );
    assert_eq!(pretty.json(), answer.json());
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let router = rest::clinical(node().fhir);
    for path in ["/fhir/Patient/p1", "/fhir/Patient/nope", "/fhir/Patient"] {
        let whole = get(&router, path, &[]).await;
        let head = send(&router, "HEAD", path, &[("authorization", "Bearer good")], "").await;
        assert_eq!((head.status, head.body.as_str()), (whole.status, ""), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"), "{path}");
        assert_eq!(head.header("etag"), whole.header("etag"), "{path}");
        assert_eq!(head.header("content-length"), whole.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn a_type_that_is_not_served_is_not_there() {
    let mut fhir = node().fhir;
    fhir.types.retain(|of| of.as_str() == "Patient");
    let router = rest::clinical(fhir);
    assert_eq!(get(&router, "/fhir/Observation/o1", &[]).await.status.as_u16(), 404);
    assert_eq!(get(&router, "/fhir/Patient/p1", &[]).await.status.as_u16(), 200);
}

#[tokio::test]
async fn failures_inside_tell_nothing() {
    let node = node();
    let router = rest::clinical(node.fhir);
    node.memory.broken.store(true, Ordering::Relaxed);
    let broken = get(&router, "/fhir/Patient/p1", &[]).await;
    assert_eq!((broken.status.as_u16(), broken.header("retry-after")), (503, "1"));
    node.memory.panics.store(true, Ordering::Relaxed);
    let panicked = get(&router, "/fhir/Patient/p1", &[]).await;
    assert_eq!((panicked.status.as_u16(), panicked.issue().as_str()), (500, "exception"));
    for answer in [broken, panicked] {
        assert!(!answer.body.contains("Everywoman"), "{}", answer.body);
        assert!(answer.body.contains(answer.header("x-request-id")), "the outcome names its request");
    }
}
