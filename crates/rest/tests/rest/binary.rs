//! Binary: its content as it is, FHIR where it is asked for by name, and who sees it.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::answer::send;
use crate::desk::{Writing, writing, writing_with};
use crate::idp::Idp;

/// No text in any encoding.
const BYTES: &[u8] = &[0, 159, 146, 150, b'%', b'P', b'D', b'F', 255, 10];
const DATA: &str = "AJ+SliVQREb/Cg==";

/// A request with a body of bytes, and its answer in bytes.
async fn raw(
    node: &Writing,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path).header("authorization", "Bearer good");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_vec())).expect("a request");
    let response = node.router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.expect("a body").to_bytes().to_vec())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

#[tokio::test]
async fn content_is_written_and_read_as_it_is() {
    let node = writing().await;
    let pdf = [("content-type", "application/pdf; version=1.7")];
    let (status, headers, body) = raw(&node, ("POST", "/fhir/Binary"), &pdf, BYTES).await;
    assert_eq!(status, 201);
    let made: serde_json::Value = serde_json::from_slice(&body).expect("the resource");
    assert_eq!(made["contentType"], "application/pdf; version=1.7");
    assert_eq!(made["data"], DATA);
    assert!(fhir::validate(&made).is_empty());
    let id = made["id"].as_str().expect("an id");
    let path = format!("/fhir/Binary/{id}");
    assert_eq!(header(&headers, "location"), format!("http://node.example{path}/_history/1"));
    for (accept, own) in [
        (None, true),
        (Some("*/*"), true),
        (Some("application/pdf"), true),
        (Some("application/fhir+json"), false),
        (Some("application/json"), false),
    ] {
        for path in [path.clone(), format!("{path}/_history/1")] {
            let accept: Vec<(&str, &str)> = accept.map(|accept| ("accept", accept)).into_iter().collect();
            let (status, headers, body) = raw(&node, ("GET", &path), &accept, b"").await;
            assert_eq!((status, header(&headers, "etag")), (StatusCode::OK, "W/\"1\""), "{accept:?}");
            assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
            assert_eq!(header(&headers, "vary"), "accept");
            if own {
                assert_eq!(header(&headers, "content-type"), "application/pdf; version=1.7", "{accept:?}");
                assert_eq!(body, BYTES, "{accept:?}");
                let name = format!("attachment; filename=\"Binary-{id}\"");
                assert_eq!(header(&headers, "content-disposition"), name);
                assert!(header(&headers, "content-security-policy").starts_with("sandbox"));
            } else {
                let told: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                assert_eq!((&told["id"], &told["data"]), (&json!(id), &json!(DATA)), "{accept:?}");
            }
        }
    }
    let (status, ..) = raw(&node, ("GET", &path), &[("accept", "image/png")], b"").await;
    assert_eq!(status, 406);
    let (status, _, body) = raw(&node, ("GET", &path), &[("if-none-match", "W/\"1\"")], b"").await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    let (status, headers, body) = raw(&node, ("HEAD", &path), &[], b"").await;
    assert_eq!((status, body.len(), header(&headers, "content-length")), (StatusCode::OK, 0, "10"));
    for query in ["_format=json", "_format=application/fhir%2Bjson", "_elements=contentType", "_summary=true"]
    {
        let (status, _, body) = raw(&node, ("GET", &format!("{path}?{query}")), &[], b"").await;
        assert_eq!(status, 200, "{query}");
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{query}");
    }
    let (status, _, body) =
        raw(&node, ("GET", &format!("{path}?_format=application/pdf")), &[("accept", "text/html")], b"")
            .await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, BYTES));
    assert_eq!(raw(&node, ("GET", &format!("{path}?nosuch=1")), &[], b"").await.0, 400);
    let records = node.records.texts();
    assert!(records.iter().any(|record| record.contains(&format!("Binary/{id}|1"))), "{records:?}");
}

#[tokio::test]
async fn an_update_takes_content_and_what_is_a_binary_stays_one() {
    let node = writing().await;
    let png = [("content-type", "image/png")];
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/scan"), &png, BYTES).await.0, 201);
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/scan"), &png, b"x").await.0, 200);
    let stale = [("content-type", "image/png"), ("if-match", "W/\"1\"")];
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/scan"), &stale, b"y").await.0, 412);
    assert_eq!(raw(&node, ("GET", "/fhir/Binary/scan"), &[], b"").await.2, b"x");
    let fhir = [("content-type", "application/fhir+json")];
    let binary =
        format!(r#"{{"resourceType":"Binary","id":"scan","contentType":"text/plain","data":"{DATA}"}}"#);
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/scan"), &fhir, binary.as_bytes()).await.0, 200);
    let (_, headers, body) = raw(&node, ("GET", "/fhir/Binary/scan"), &[], b"").await;
    assert_eq!((header(&headers, "content-type"), body.as_slice()), ("text/plain", BYTES));
    // FHIR that is no Binary is content, as R4 has it; what is no JSON is refused where it says that it is.
    let patient = br#"{"resourceType":"Patient"}"#;
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/scan"), &fhir, patient).await.0, 200);
    let (_, headers, body) = raw(&node, ("GET", "/fhir/Binary/scan"), &[], b"").await;
    assert_eq!(
        (header(&headers, "content-type"), body.as_slice()),
        ("application/fhir+json", patient.as_slice())
    );
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/scan"), &fhir, b"{").await.0, 400);
    for media in ["pdf", "", "a/b/c", "text/", "/x", "text/a b"] {
        let (status, ..) = raw(&node, ("POST", "/fhir/Binary"), &[("content-type", media)], b"x").await;
        assert_eq!(status, 415, "{media}");
    }
    let too_long = vec![b'x'; rest::BODY_BYTES_MAX + 1];
    assert_eq!(raw(&node, ("POST", "/fhir/Binary"), &png, &too_long).await.0, 413);
    // Other types are JSON as ever.
    assert_eq!(raw(&node, ("POST", "/fhir/Patient"), &png, BYTES).await.0, 415);
}

#[tokio::test]
async fn a_page_of_a_client_never_runs_here() {
    let node = writing().await;
    let html = [("content-type", "text/html")];
    assert_eq!(raw(&node, ("PUT", "/fhir/Binary/page"), &html, b"<script>alert(1)</script>").await.0, 201);
    let (_, headers, _) =
        raw(&node, ("GET", "/fhir/Binary/page"), &[("accept", "text/html,*/*;q=0.8")], b"").await;
    assert_eq!(header(&headers, "content-type"), "text/html");
    assert!(header(&headers, "content-disposition").starts_with("attachment"));
    assert_eq!(header(&headers, "content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn a_security_context_decides_or_is_refused_by_name() {
    let idp = Idp::new();
    let issuer = idp.trusted();
    let node = writing_with(|fhir| fhir.issuers = rest::Issuers::new([issuer])).await;
    for id in ["a", "b"] {
        let patient = json!({"resourceType": "Patient", "id": id, "active": true});
        assert_eq!(node.put(&format!("/fhir/Patient/{id}"), &patient).await.status, 201);
        for context in [format!("Patient/{id}"), format!("http://node.example/fhir/Patient/{id}")] {
            let text = [("content-type", "text/plain"), ("x-security-context", context.as_str())];
            let (status, _, body) = raw(&node, ("PUT", &format!("/fhir/Binary/of-{id}")), &text, b"x").await;
            assert!(status.is_success(), "{}", String::from_utf8_lossy(&body));
        }
    }
    assert_eq!(
        raw(&node, ("PUT", "/fhir/Binary/free"), &[("content-type", "text/plain")], b"x").await.0,
        201
    );
    for (path, media, context) in [
        ("/fhir/Binary", "text/plain", "https://other.example/Patient/a"),
        ("/fhir/Binary", "text/plain", "a"),
        ("/fhir/Binary", "application/fhir+json", "Patient/a"),
        ("/fhir/Patient", "application/fhir+json", "Patient/a"),
    ] {
        let headers = [("content-type", media), ("x-security-context", context)];
        let body = br#"{"resourceType":"Binary","contentType":"a/b"}"#;
        let (status, _, told) = raw(&node, ("POST", path), &headers, body).await;
        let told = String::from_utf8(told).expect("UTF-8");
        assert_eq!(status, 400, "{told}");
        assert!(told.contains("X-Security-Context"), "{told}");
    }
    let nobody = [("content-type", "text/plain"), ("x-security-context", "Patient/none")];
    let (status, ..) = raw(&node, ("POST", "/fhir/Binary"), &nobody, b"x").await;
    assert!(status == 201 || status == 422, "{status}");

    let read = async |token: &str, id: &str| {
        let bearer = format!("Bearer {token}");
        let path = format!("/fhir/Binary/{id}");
        send(&node.router, "GET", &path, &[("authorization", &bearer)], "").await.status.as_u16()
    };
    let own = idp.token("patient/*.rs", "a", "");
    let only = idp.token("patient/Binary.r", "a", "");
    let other = idp.token("patient/Observation.rs", "a", "");
    let backend = idp.token("system/*.rs", "", "");
    let narrow = idp.token("system/Binary.rs", "", "");
    for (token, expected) in [
        (&own, [200, 404, 404]),
        (&only, [200, 404, 404]),
        (&other, [403, 403, 403]),
        (&backend, [200, 200, 200]),
        // It sees no patient, and so nothing that a patient decides.
        (&narrow, [404, 404, 200]),
    ] {
        let told = [read(token, "of-a").await, read(token, "of-b").await, read(token, "free").await];
        assert_eq!(told, expected);
    }
    let bearer = format!("Bearer {backend}");
    let found = send(&node.router, "GET", "/fhir/Binary", &[("authorization", &bearer)], "").await;
    assert_eq!((found.status.as_u16(), found.ids().len()), (200, 0), "by scopes none is searched");
    // What decides is deleted or hidden: what it decided is hidden from the next request on.
    let label = json!({"resourceType": "Patient", "id": "b", "active": true,
        "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}});
    assert_eq!(node.put("/fhir/Patient/b", &label).await.status, 200);
    assert_eq!(read(&backend, "of-b").await, 404);
}
