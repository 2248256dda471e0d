//! The OpenAPI document: open to all, the same each time, whole, and true to what the CapabilityStatement tells.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::{get, send};
use crate::fake::{BASE, node};

fn routers() -> Vec<axum::Router> {
    #[cfg(feature = "clinical")]
    let all = vec![rest::portal(node().fhir), rest::clinical(node().fhir)];
    #[cfg(not(feature = "clinical"))]
    let all = vec![rest::portal(node().fhir)];
    all
}

#[tokio::test]
async fn the_document_is_open_cached_and_the_same_each_time() {
    for (first, second) in routers().into_iter().zip(routers()) {
        let answer = send(&first, "GET", "/fhir/openapi.json", &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
        assert_eq!(answer.body, send(&second, "GET", "/fhir/openapi.json", &[], "").await.body);
        let document = answer.json();
        assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&"3.1.0".into(), &BASE.into()));
        let tag = [("if-none-match", answer.header("etag"))];
        let again = send(&first, "GET", "/fhir/openapi.json", &tag, "").await;
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
        assert_eq!(send(&first, "GET", "/fhir/openapi.json?nosuch=1", &[], "").await.status, 400);
        assert_eq!(send(&first, "POST", "/fhir/openapi.json", &[], "").await.status, 405);
    }
}

/// Every `$ref` of a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                found.insert(to.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// What needs no token.
const OPEN: [&str; 3] = ["/metadata", "/openapi.json", "/.well-known/smart-configuration"];

#[tokio::test]
async fn what_it_refers_to_is_there_and_operations_have_names_of_their_own() {
    for router in routers() {
        let document = send(&router, "GET", "/fhir/openapi.json", &[], "").await.json();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 200, "{}", found.len());
        for to in &found {
            let pointer = to.strip_prefix('#').expect("inside");
            assert!(document.pointer(pointer).is_some(), "{to}");
        }
        let mut names = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("methods") {
                let name = operation["operationId"].as_str().expect("a name").to_owned();
                assert!(names.insert(name.clone()), "{name} twice");
                let open = OPEN.contains(&path.as_str());
                assert_eq!(operation.get("security").is_none(), open, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn it_has_the_parameters_of_the_capability_statement() {
    for router in routers() {
        let statement = get(&router, "/fhir/metadata", &[]).await.json();
        let document = send(&router, "GET", "/fhir/openapi.json", &[], "").await.json();
        for resource in statement["rest"][0]["resource"].as_array().expect("resources") {
            let of = resource["type"].as_str().expect("a type");
            let stated: BTreeSet<(String, String)> = resource["searchParam"]
                .as_array()
                .expect("parameters")
                .iter()
                .map(|parameter| {
                    let text = |name: &str| parameter[name].as_str().expect("text").to_owned();
                    (text("name"), text("type"))
                })
                .collect();
            let given = document["paths"][format!("/{of}")]["get"]["parameters"].as_array().expect("some");
            let told: BTreeSet<(String, String)> = given
                .iter()
                .map(|parameter| {
                    parameter["$ref"].as_str().expect("shared").strip_prefix('#').expect("inside")
                })
                .map(|pointer| document.pointer(pointer).expect("is there"))
                .filter(|parameter| parameter.get("x-fhir-type").is_some())
                .map(|parameter| {
                    let text = |name: &str| parameter[name].as_str().expect("text").to_owned();
                    (text("name"), text("x-fhir-type"))
                })
                .collect();
            assert_eq!(told, stated, "{of}");
        }
    }
}

#[tokio::test]
async fn the_base_is_found_with_and_without_a_slash() {
    for router in routers() {
        for path in ["/fhir", "/fhir/"] {
            assert_eq!(get(&router, path, &[]).await.status, 501, "{path}");
            assert_eq!(send(&router, "GET", path, &[], "").await.status, 401, "{path}");
        }
    }
}

/// Heads that are too long, before there is a request that a handler could answer.
#[tokio::test]
async fn what_a_connection_answers_to_a_head_that_is_too_long_is_told() {
    let document = send(&routers()[0], "GET", "/fhir/openapi.json", &[], "").await.json();
    let told = &document["paths"]["/Patient"]["get"]["responses"];
    for (path, header) in [("x".repeat(300_000), String::new()), (String::new(), "x".repeat(300_000))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(rest::serve_plain(listener, routers().remove(0), std::future::pending()));
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let head = format!("GET /fhir/Patient?_id={path} HTTP/1.1\r\nHost: node\r\nx-long: {header}\r\n\r\n");
        // What comes after its end is read by nobody.
        stream.write_all(head.as_bytes()).await.unwrap_or_default();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("a status");
        let status = std::str::from_utf8(&answer[9..]).expect("ASCII");
        assert!(["414", "431"].contains(&status) && told[status].is_object(), "{status}: {told}");
        serving.abort();
    }
}

/// A value of any characters that the document allows can be sent.
#[tokio::test]
async fn values_of_the_longest_length_are_within_the_limits() {
    for router in routers() {
        let document = send(&router, "GET", "/fhir/openapi.json", &[], "").await.json();
        let schema = |name: &str| document["components"]["parameters"][name]["schema"].clone();
        let longest = schema("_type")["maxLength"].as_u64().expect("a length");
        let types = "%F3%9D%B1%9A".repeat(usize::try_from(longest).expect("a length"));
        let answer = get(&router, &format!("/fhir/Patient/p1/$everything?_type={types}"), &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.issue().as_str()),
            (400, "not-supported"),
            "{}",
            answer.body
        );
        assert!(schema("_cursor")["pattern"].is_string(), "a cursor needs no escapes");
    }
}

/// Each preference of the document has the body that the document tells; the one without a body is told in words.
#[cfg(feature = "clinical")]
#[tokio::test]
async fn every_preference_that_is_listed_is_answered_with_a_body() {
    let node = crate::desk::writing().await;
    let document = send(&node.router, "GET", "/fhir/openapi.json", &[], "").await.json();
    let prefer = &document["components"]["parameters"]["Prefer"];
    let listed = prefer["schema"]["enum"].as_array().expect("values");
    assert_eq!(listed.len(), 2, "{listed:?}");
    for value in listed.iter().map(|value| value.as_str().expect("a text")) {
        let patient = r#"{"resourceType":"Patient","active":true}"#;
        let made = node.ask("POST", "/fhir/Patient", &[("prefer", value)], patient).await;
        assert_eq!(made.status, 201, "{value}: {}", made.body);
        assert!(made.header("content-type").contains("json") && made.json()["resourceType"].is_string());
    }
    assert!(prefer["description"].as_str().expect("words").contains("return=minimal"));
    let patient = r#"{"resourceType":"Patient","active":true}"#;
    let made = node.ask("POST", "/fhir/Patient", &[("prefer", "return=minimal")], patient).await;
    assert_eq!((made.status.as_u16(), made.body.as_str(), made.header("content-type")), (201, "", ""));
}
