//! One request to a router and its answer, read whole.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Code of the first issue of an OperationOutcome; empty for any other body.
    pub fn issue(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let code = body.pointer("/issue/0/code").and_then(Value::as_str).unwrap_or_default();
        if body["resourceType"] == "OperationOutcome" { code.to_owned() } else { String::new() }
    }

    pub fn ids(&self) -> Vec<String> {
        let bundle = self.json();
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["resource"]["id"].as_str().expect("an id").to_owned()).collect()
    }

    pub fn link(&self, relation: &str) -> Option<String> {
        let bundle = self.json();
        let links = bundle["link"].as_array().expect("links").clone();
        let link = links.iter().find(|link| link["relation"] == relation)?;
        Some(link["url"].as_str().expect("a url").to_owned())
    }
}

/// Sends a request with the token of `client` (none when empty).
pub async fn send(router: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let body = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Answer { status: parts.status, headers: parts.headers, body }
}

pub async fn get(router: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut with_token = vec![("authorization", "Bearer good")];
    with_token.extend_from_slice(headers);
    send(router, "GET", path, &with_token, "").await
}
