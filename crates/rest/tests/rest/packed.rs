//! Answers in gzip.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::desk::{Writing, writing};

async fn asked(node: &Writing, path: &str, encodings: &str) -> (HeaderMap, Vec<u8>) {
    let request = Request::builder()
        .uri(path)
        .header("authorization", "Bearer good")
        .header("accept-encoding", encodings)
        .body(Body::empty())
        .expect("a request");
    let response = node.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 200, "{path}");
    let (parts, body) = response.into_parts();
    (parts.headers, body.collect().await.expect("a body").to_bytes().to_vec())
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut whole).expect("gzip");
    whole
}

#[tokio::test]
async fn a_long_answer_is_packed_where_that_is_asked_for() {
    let node = writing().await;
    for number in 0..20 {
        let id = format!("p{number}");
        let patient =
            json!({"resourceType": "Patient", "id": id, "name": [{"family": "Müller", "given": ["Zoë"]}]});
        assert_eq!(node.put(&format!("/fhir/Patient/{id}"), &patient).await.status, 201);
    }
    for path in [
        "/fhir/Patient?_sort=_id",
        "/fhir/Patient/p1/_history?_count=5",
        "/fhir/metadata",
        "/fhir/openapi.json",
    ] {
        let (plain_headers, plain) = asked(&node, path, "identity").await;
        let (headers, packed) = asked(&node, path, "br;q=1.0, gzip;q=0.8").await;
        if plain.len() < 1_400 {
            assert_eq!((headers.get("content-encoding"), &packed), (None, &plain), "{path}");
            continue;
        }
        assert_eq!(headers["content-encoding"], "gzip", "{path}");
        assert_eq!(unpacked(&packed), plain, "{path}");
        assert!(packed.len() * 2 < plain.len(), "{path}: {} of {}", packed.len(), plain.len());
        assert_eq!(plain_headers.get("content-encoding"), None);
        for headers in [&plain_headers, &headers] {
            let vary: Vec<_> = headers.get_all("vary").iter().collect();
            assert!(vary.iter().any(|name| *name == "accept-encoding"), "{path}: {vary:?}");
        }
        for same in ["content-type", "etag", "last-modified"] {
            assert_eq!(headers.get(same), plain_headers.get(same), "{path}");
        }
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        assert_eq!(length, Some(packed.len()), "{path}");
        assert_eq!(asked(&node, path, "gzip;q=0").await.1, plain, "{path}");
    }
}
