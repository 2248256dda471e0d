//! Health, metrics, unknown routes.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::answer::send;
use crate::fake::node;
use axum::extract::ConnectInfo;
use rest::{Health, Metrics, Readiness, TokenSet, token_hash};

fn health() -> (axum::Router, Readiness, Arc<Metrics>) {
    let (readiness, metrics) = (Readiness::default(), Arc::new(Metrics::new("portal")));
    let tokens = TokenSet::new([("prometheus".to_owned(), token_hash("good"))]);
    (
        rest::health(Health { readiness: readiness.clone(), metrics: metrics.clone(), tokens }),
        readiness,
        metrics,
    )
}

#[tokio::test]
async fn a_node_is_ready_when_every_gate_is_open() {
    let (router, readiness, _) = health();
    let (store, listeners) = (readiness.gate("store"), readiness.gate("listeners"));
    assert_eq!(send(&router, "GET", "/livez", &[], "").await.status.as_u16(), 200);
    store.set(true);
    let waiting = send(&router, "GET", "/readyz", &[], "").await;
    assert_eq!(waiting.status.as_u16(), 503);
    assert!(waiting.body.contains("listeners") && !waiting.body.contains("\"store\""), "{}", waiting.body);
    listeners.set(true);
    assert_eq!(send(&router, "GET", "/readyz", &[], "").await.status.as_u16(), 200);
    store.set(false);
    assert_eq!(send(&router, "GET", "/readyz", &[], "").await.status.as_u16(), 503);
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_a_token() {
    type Row = (Option<&'static str>, &'static [(&'static str, &'static str)], u16);
    let rows: [Row; 8] = [
        (Some("127.0.0.1:5"), &[], 200),
        (Some("[::1]:5"), &[], 200),
        (Some("[::ffff:127.0.0.1]:5"), &[], 200),
        (Some("127.0.0.1:5"), &[("x-forwarded-for", "203.0.113.9")], 401),
        (Some("192.0.2.7:5"), &[], 401),
        (Some("192.0.2.7:5"), &[("authorization", "Bearer bad")], 401),
        (Some("192.0.2.7:5"), &[("authorization", "Bearer good")], 200),
        (None, &[], 401),
    ];
    for (peer, headers, status) in rows {
        let (router, _, _) = health();
        let router = match peer {
            Some(peer) => {
                let peer: SocketAddr = peer.parse().expect("an address");
                router.layer(axum::Extension(ConnectInfo(peer)))
            }
            None => router,
        };
        let answer = send(&router, "GET", "/metrics", headers, "").await;
        assert_eq!(answer.status.as_u16(), status, "{peer:?} {headers:?}");
        assert_eq!(status == 200, answer.body.ends_with("# EOF\n"), "{}", answer.body);
    }
}

#[tokio::test]
async fn labels_are_templates() {
    let node = node();
    let metrics = node.fhir.metrics.clone();
    let router = rest::portal(node.fhir);
    for path in [
        "/fhir/Patient/p1",
        "/fhir/Patient/secret",
        "/fhir/Patient?_id=secret",
        "/fhir/secret/secret/secret/x/y",
    ] {
        crate::answer::get(&router, path, &[]).await;
    }
    send(&router, "SECRET", "/fhir/Patient/p1", &[], "").await;
    metrics.register(|registry| {
        registry.register(
            "example",
            "A metric of another part",
            prometheus_client::metrics::gauge::Gauge::<i64>::default(),
        );
    });
    let page = metrics.encode().expect("encodes");
    assert!(page.contains("tidegate_example 0"), "{page}");
    let line = "tidegate_http_requests_total{route=\"/fhir/{type}/{id}\",method=\"GET\",status=\"200\",role=\"clinical\"} 1";
    assert!(page.contains(line), "{page}");
    assert!(page.contains("route=\"/fhir/{type}\"") && page.contains("route=\"none\""), "{page}");
    assert!(!page.to_lowercase().contains("secret"), "{page}");
}

#[tokio::test]
async fn the_surfaces_share_one_listener_and_its_fallback() {
    let (health, _, _) = health();
    let router = rest::portal(node().fhir).merge(health).fallback(rest::unknown_route);
    for (path, status) in
        [("/livez", 200), ("/fhir/metadata", 200), ("/fhir/x/y/z/v", 404), ("/nowhere", 404), ("/", 404)]
    {
        let answer = send(&router, "GET", path, &[], "").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(status == 200 || answer.issue() == "not-supported", "{path}: {}", answer.body);
    }
}
