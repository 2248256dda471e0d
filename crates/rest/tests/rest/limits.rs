//! Limits of clients and peers, and the record of each request that is refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use http_body_util::BodyExt;
use rest::{Allowance, Limiter, Limits, Rate};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::answer::{get, send};
use crate::fake::{Node, node};

/// A portal's surface with these limits.
fn limited(client: Allowance, peer: Rate) -> (Router, Node) {
    let mut node = node();
    node.fhir.limiter = Limiter::new(Limits { client, clients: BTreeMap::new(), peer });
    (rest::portal(node.fhir.clone()), node)
}

fn burst(burst: u32) -> Rate {
    Rate { per_second: 1, burst }
}

fn records(node: &Node) -> Vec<Value> {
    node.records.texts().iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

/// A request without a token from an address.
async fn from(router: &Router, peer: &str, path: &str) -> u16 {
    let peer: SocketAddr = format!("{peer}:4711").parse().expect("an address");
    let request = Request::get(path).extension(ConnectInfo(peer)).body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let status = response.status().as_u16();
    response.into_body().collect().await.expect("a body");
    status
}

#[tokio::test]
async fn a_client_is_told_what_is_left_and_then_to_wait() {
    let (router, node) = limited(Allowance { rate: burst(3), per_day: None }, burst(100));
    let first = get(&router, "/fhir/Patient/p1", &[]).await;
    assert_eq!(first.header("ratelimit-policy"), "\"rate\";q=3;w=3");
    assert_eq!(first.header("ratelimit"), "\"rate\";r=2;t=1");
    assert_eq!(get(&router, "/fhir/Patient/nope", &[]).await.header("ratelimit"), "\"rate\";r=1;t=2");
    assert_eq!(get(&router, "/fhir/Nonsense", &[]).await.header("ratelimit"), "\"rate\";r=0;t=3");
    for _ in 0..3 {
        let refused = get(&router, "/fhir/Patient/p1", &[]).await;
        assert_eq!((refused.status.as_u16(), refused.issue().as_str()), (429, "throttled"));
        assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("1", "\"rate\";r=0;t=1"));
        assert!(!refused.body.contains("Everywoman"));
    }
    let throttled: Vec<Value> =
        records(&node).into_iter().filter(|record| record["outcome"] == "throttled").collect();
    let counts: Vec<&Value> = throttled.iter().map(|record| &record["objects"][0]).collect();
    assert_eq!(counts, [&serde_json::json!(["count", "1"]), &serde_json::json!(["count", "2"])]);
    assert!(throttled.iter().all(|record| record["client"] == "console"), "{throttled:?}");
    let page = node.fhir.metrics.encode().expect("encodes");
    assert!(page.contains("tidegate_http_limited_total{limit=\"rate\",role=\"clinical\"} 3"), "{page}");
}

#[tokio::test]
async fn a_day_is_used_up() {
    let allowance = Allowance { rate: Rate { per_second: 1_000, burst: 1_000 }, per_day: Some(1) };
    let (router, _) = limited(allowance, burst(100));
    let first = get(&router, "/fhir/Patient/p1", &[]).await;
    // 14:13:20 and a fraction: 9:46:40 until midnight.
    assert_eq!(first.header("ratelimit"), "\"rate\";r=999;t=1, \"day\";r=0;t=35200");
    let refused = get(&router, "/fhir/Patient/p1", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "35200"));
}

#[tokio::test]
async fn a_flood_without_a_token_is_limited_by_address_and_has_few_records() {
    let (router, node) = limited(Allowance { rate: burst(3), per_day: None }, burst(70));
    let mut statuses = BTreeMap::new();
    for _ in 0..100 {
        *statuses.entry(from(&router, "192.0.2.1", "/fhir/Patient/p1").await).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(401, 70), (429, 30)]));
    assert_eq!(from(&router, "192.0.2.2", "/fhir/nowhere/at/all/there").await, 404);
    assert_eq!(from(&router, "192.0.2.1", "/fhir/metadata").await, 429);
    assert_eq!(get(&router, "/fhir/Patient/p1", &[]).await.status, 200, "a client is counted apart");
    let records = records(&node);
    let of = |outcome: &str, network: &str| {
        let is_one = |record: &&Value| record["outcome"] == outcome && record["network"] == network;
        records
            .iter()
            .filter(is_one)
            .map(|record| record["objects"][0][1].as_str().expect("a count"))
            .collect()
    };
    let unauthenticated: Vec<&str> = of("unauthenticated", "192.0.2.1");
    assert_eq!(unauthenticated, ["1", "2", "4", "8", "16", "32", "64"]);
    let throttled: Vec<&str> = of("throttled", "192.0.2.1");
    assert_eq!(throttled, ["1", "2", "4", "8", "16"]);
    let not_found: Vec<&str> = of("not-found", "192.0.2.2");
    assert_eq!(not_found, ["1"]);
    assert!(records.iter().all(|record| record["client"] == "unknown" || record["outcome"] == "ok"));
}

/// Method, path, status, kind and outcome of the record of a client that is known.
const REFUSED: &[(&str, &str, u16, &str, &str)] = &[
    ("GET", "/fhir/Nonsense/1", 404, "resource.read", "not-found"),
    ("GET", "/fhir/Patient?nonsense=1", 400, "resource.searched", "invalid"),
    ("GET", "/fhir/Patient/p1?_format=xml", 406, "resource.read", "not-supported"),
    ("GET", "/fhir/Patient/$nonsense", 501, "resource.read", "not-supported"),
    ("GET", "/fhir/Patient/_history", 404, "resource.read", "not-found"),
    ("POST", "/fhir/Patient/_search", 415, "resource.searched", "unsupported-media-type"),
    ("POST", "/fhir/Patient", 405, "resource.refused", "not-supported"),
    ("DELETE", "/fhir/Patient/p1", 405, "resource.refused", "not-supported"),
    ("PUT", "/fhir/metadata", 405, "access.refused", "not-supported"),
    ("GET", "/fhir/a/b/c/d/e", 404, "access.refused", "not-found"),
];

#[tokio::test]
async fn every_request_that_is_refused_has_one_record() {
    for (method, path, status, kind, outcome) in REFUSED {
        let node = node();
        let router = rest::portal(node.fhir.clone());
        let token = [("authorization", "Bearer good"), ("content-type", "text/plain")];
        let answer = send(&router, method, path, &token, "x").await;
        let row = format!("{method} {path}: {}", answer.body);
        assert_eq!(answer.status.as_u16(), *status, "{row}");
        let records = records(&node);
        let [record] = records.as_slice() else { panic!("{row}: {records:?}") };
        assert_eq!((&record["kind"], &record["outcome"]), (&(*kind).into(), &(*outcome).into()), "{row}");
        assert_eq!(record["id"], answer.header("x-request-id"), "{row}");
        node.records.broken.store(true, Ordering::Relaxed);
        let router = rest::portal(node.fhir.clone());
        let answer = send(&router, method, path, &token, "x").await;
        assert_eq!(answer.status.as_u16(), 503, "without its record it is not told: {row}");
        let stranger = send(&router, method, path, &[], "x").await;
        assert_eq!(stranger.status.as_u16(), 503, "nor to who has no token: {row}");
    }
}

/// A request over a real connection, with this address and these header fields; the whole answer as it came.
async fn over_the_wire(router: &Router, address: &str, fields: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let here = listener.local_addr().expect("an address");
    let serving = tokio::spawn(rest::serve_plain(listener, router.clone(), std::future::pending()));
    let mut stream = TcpStream::connect(here).await.expect("connects");
    let head = format!("GET {address} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{fields}\r\n");
    // What comes after its end may be read by nobody.
    stream.write_all(head.as_bytes()).await.unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap_or_default();
    serving.abort();
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_head_that_is_too_long_is_answered_with_an_outcome_and_recorded() {
    let long = |bytes: usize| "x".repeat(bytes);
    let many: String = (0..150).map(|number| format!("x-{number}: y\r\n")).collect();
    for (address, fields, status) in [
        (format!("/fhir/Patient?_id={}", long(41_000)), String::new(), "414 URI Too Long"),
        (format!("/fhir/Patient?_id={}", long(65_000)), String::new(), "414 URI Too Long"),
        (format!("/fhir/metadata?{}", long(41_000)), String::new(), "414 URI Too Long"),
        (format!("/fhir/a/b/c/d/e/{}", long(41_000)), String::new(), "414 URI Too Long"),
        ("/fhir/Patient".to_owned(), format!("x-long: {}\r\n", long(33_000)), "431 Request Header Fields"),
        ("/fhir/Patient".to_owned(), format!("x-long: {}\r\n", long(120_000)), "431 Request Header Fields"),
        ("/fhir/Patient".to_owned(), many, "431 Request Header Fields"),
    ] {
        let node = node();
        let router = rest::portal(node.fhir.clone());
        let answer = over_the_wire(&router, &address, &fields).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}", &answer[..answer.len().min(300)]);
        assert!(answer.contains("\"OperationOutcome\"") && answer.contains("too-long"), "{answer}");
        assert!(!answer.contains("xxx"), "nothing of it is told back");
        let records = records(&node);
        let [record] = records.as_slice() else { panic!("{status}: {records:?}") };
        assert_eq!((&record["outcome"], &record["network"]), (&"too-long".into(), &"127.0.0.1".into()));
        node.records.broken.store(true, Ordering::Relaxed);
        let answer = over_the_wire(&rest::portal(node.fhir.clone()), &address, &fields).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "without its record it is not told: {answer}");
    }
    let router = rest::portal(node().fhir);
    let token = "Authorization: Bearer good\r\n";
    let (longest, most) =
        (format!("/fhir/Patient?_id={}", long(40_000)), format!("x-long: {}\r\n", long(32_000)));
    let within = over_the_wire(&router, &longest, token).await;
    assert!(within.starts_with("HTTP/1.1 400"), "it is read and looked at: {within}");
    let within = over_the_wire(&router, "/fhir/Patient/p1", &format!("{token}{most}")).await;
    assert!(within.starts_with("HTTP/1.1 200"), "{within}");
}
