//! The edge as a whole: ids, headers, caught panics, unknown routes.

use super::*;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::routing::get;
use http_body_util::BodyExt;
use std::time::Duration;
use tower::ServiceExt;

fn router(requests_max: usize) -> (Router, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("portal"));
    let routes = Router::new()
        .route("/panic/{secret}", get(panics))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_secs(3600)).await }))
        .route("/fine", get(|| async { "fine" }));
    (around_with_limit(routes, metrics.clone(), requests_max), metrics)
}

async fn ask(router: Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("infallible");
    let status = response.status();
    assert!(response.headers().contains_key(&REQUEST_ID));
    assert_eq!(response.headers().get(header::CACHE_CONTROL).expect("set"), "no-store");
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(bytes.to_vec()).expect("UTF-8"))
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let (router, metrics) = router(4);
    let (status, body) = ask(router, "/panic/patient-7").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("OperationOutcome") && !body.contains("Eve"), "{body}");
    let page = metrics.encode().expect("encodes");
    assert!(page.contains("route=\"/panic/{secret}\"") && !page.contains("patient-7"), "{page}");
    assert!(page.contains("tidegate_http_requests_in_work 0"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_ended() {
    let (router, _) = router(4);
    let (status, body) = ask(router, "/slow").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("\"timeout\""), "{body}");
}

#[tokio::test]
async fn one_request_too_many_is_told_to_come_back() {
    let (router, _) = router(0);
    let (status, body) = ask(router, "/fine").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("\"throttled\""), "{body}");
}

async fn panics() -> &'static str {
    panic!("Eve Everywoman")
}
