//! The proof of the CapabilityStatement, its interactions and operations: each that is listed works on each type, each that
//! is not is refused by name.

use std::collections::BTreeSet;

use axum::Router;
use serde_json::{Value, json};

use crate::answer::{Answer, get, send};
use crate::made::made;
use crate::stated_parameters::{resources, stated};
use crate::stored::{Stored, roles, version};

/// Interactions of a type that R4 has.
const INTERACTIONS: [&str; 9] = [
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];
/// Operations that R4 defines for some type, of one resource and of a type.
const OPERATIONS: [&str; 31] = [
    "apply",
    "care-gaps",
    "closure",
    "collect-data",
    "conforms",
    "data-requirements",
    "document",
    "evaluate-measure",
    "everything",
    "expand",
    "find",
    "find-matches",
    "graph",
    "implements",
    "lastn",
    "lookup",
    "match",
    "meta",
    "meta-add",
    "meta-delete",
    "populate",
    "preferred-id",
    "process-message",
    "snapshot",
    "stats",
    "submit",
    "submit-data",
    "subsumes",
    "transform",
    "translate",
    "validate",
];
/// One type in so many is asked for operations that it has not.
const OPERATIONS_STRIDE: usize = 24;
const FHIR: (&str, &str) = ("accept", "application/fhir+json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
#[cfg(feature = "clinical")]
const PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

async fn ask(router: &Router, method: &str, path: &str, header: &[(&str, &str)], body: &str) -> Answer {
    let mut headers = vec![("authorization", "Bearer good")];
    headers.extend_from_slice(header);
    send(router, method, path, &headers, body).await
}

fn is_refused(answer: &Answer, told: &str) {
    let named = answer.issue() == "not-supported" && matches!(answer.status.as_u16(), 400 | 404 | 405 | 501);
    assert!(named, "{told}: {} {}", answer.status, answer.body);
}

/// One read interaction on a type with the resource `a` in two versions.
async fn reads(router: &Router, of: &str, interaction: &str) -> Answer {
    match interaction {
        // A Binary would be its content.
        "read" => get(router, &format!("/fhir/{of}/a"), &[FHIR]).await,
        "vread" => get(router, &format!("/fhir/{of}/a/_history/1"), &[FHIR]).await,
        "history-instance" => get(router, &format!("/fhir/{of}/a/_history"), &[]).await,
        "history-type" => get(router, &format!("/fhir/{of}/_history"), &[]).await,
        "search-type" => {
            let posted = ask(router, "POST", &format!("/fhir/{of}/_search"), &[FORM], "_id=a").await;
            assert_eq!(
                (posted.status.as_u16(), posted.ids()),
                (200, vec!["a".to_owned()]),
                "{of}: {}",
                posted.body
            );
            get(router, &format!("/fhir/{of}?_id=a"), &[]).await
        }
        other => panic!("{other} is no read"),
    }
}

fn holds(answer: &Answer, interaction: &str) -> bool {
    let json = answer.json();
    let versions = || json["entry"].as_array().map_or(0, Vec::len);
    match interaction {
        "read" => json["id"] == "a" && json["meta"]["versionId"] == "2",
        "vread" => json["id"] == "a" && json["meta"]["versionId"] == "1",
        "history-instance" | "history-type" => json["type"] == "history" && versions() == 2,
        _ => json["type"] == "searchset" && versions() == 1,
    }
}

#[tokio::test]
pub async fn every_stated_read_works_on_every_type_and_no_other() {
    let of_each = |number: u32| {
        fhir::r4().resource_names().map(move |of| version(&made(of, "a", &[]), number)).collect::<Vec<_>>()
    };
    let stored = Stored::with([of_each(1), of_each(2)].concat()).await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        for (at, (of, resource)) in resources(&router).await.into_iter().enumerate() {
            let known: BTreeSet<String> = stated(&resource, "interaction", "code").into_iter().collect();
            let readings =
                INTERACTIONS.iter().filter(|code| !["create", "update", "patch", "delete"].contains(code));
            for code in readings {
                let answer = reads(&router, &of, code).await;
                if known.contains(*code) {
                    assert!(
                        answer.status == 200 && holds(&answer, code),
                        "{role} {of} {code}: {}",
                        answer.body
                    );
                } else {
                    is_refused(&answer, &format!("{role} {of} {code}"));
                }
            }
            for (code, method, path) in [
                ("create", "POST", format!("/fhir/{of}")),
                ("update", "PUT", format!("/fhir/{of}/a")),
                ("patch", "PATCH", format!("/fhir/{of}/a")),
                ("delete", "DELETE", format!("/fhir/{of}/a")),
            ] {
                assert!(!known.contains(code), "{role} {of} {code} is stated on a node that does not write");
                is_refused(&ask(&router, method, &path, &[], "{}").await, &format!("{role} {of} {code}"));
            }
            let told = (&resource["versioning"], &resource["readHistory"]);
            assert_eq!(told, (&json!("versioned"), &json!(true)), "{role} {of}");
            conditional_read(&router, (role, &of, &resource)).await;
            // What is stated is tried on every type that has it, what is not on some.
            if resource.get("operation").is_some() || at.is_multiple_of(OPERATIONS_STRIDE) {
                operations(&router, (role, &of, &resource)).await;
            }
        }
    }
    stored.close().await;
}

async fn conditional_read(router: &Router, (role, of, resource): (&str, &str, &Value)) {
    let path = format!("/fhir/{of}/a");
    let by_tag = get(router, &path, &[("if-none-match", "W/\"2\"")]).await;
    let since = get(router, &path, &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]).await;
    let expected = match resource["conditionalRead"].as_str() {
        Some("full-support") => (304, 304),
        Some("not-match") => (304, 200),
        other => panic!("{role} {of}: {other:?}"),
    };
    assert_eq!((by_tag.status.as_u16(), since.status.as_u16()), expected, "{role} {of}");
}

/// Operations of one resource and of its type, by GET and by POST.
async fn operations(router: &Router, (role, of, resource): (&str, &str, &Value)) {
    let known: BTreeSet<String> = stated(resource, "operation", "name").into_iter().collect();
    for name in OPERATIONS {
        let path = format!("/fhir/{of}/a/${name}");
        if known.contains(name) {
            assert_eq!(name, "everything", "{role} {of}: others are of a node that writes");
            let answer = get(router, &format!("{path}?_type={of}"), &[]).await;
            assert_eq!((answer.status.as_u16(), answer.ids()), (200, vec!["a".to_owned()]), "{role} {path}");
            continue;
        }
        for path in [path, format!("/fhir/{of}/${name}")] {
            for method in ["GET", "POST"] {
                let answer = ask(router, method, &path, &[], "{}").await;
                is_refused(&answer, &format!("{role} {method} {path}"));
                let named = answer.body.contains(&format!("`${name}`"));
                assert!(named || name == "everything", "{role} {method} {path}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
pub async fn operations_and_searches_of_the_whole_server_are_refused_by_name() {
    for (role, router) in roles() {
        let router = router(crate::fake::node().fhir);
        for (method, path, named) in [
            ("GET", "/fhir/Observation/$export", "`$export`"),
            ("GET", "/fhir/Patient/p1/$export", "`$export`"),
            ("POST", "/fhir/$process-message", "`$process-message`"),
            ("POST", "/fhir/$nosuch", "an operation"),
            ("GET", "/fhir/Patient/$nosuch", "an operation"),
            ("GET", "/fhir?_type=Patient", "a search over all types"),
            ("POST", "/fhir/_search", "a search over all types"),
            ("GET", "/fhir/$graphql", "GraphQL"),
        ] {
            let answer = ask(&router, method, path, &[], "").await;
            is_refused(&answer, &format!("{role} {path}"));
            assert!(answer.body.contains(named), "{role} {path}: {}", answer.body);
        }
    }
}

#[tokio::test]
pub async fn a_history_of_all_is_stated_where_it_is_given() {
    let stored =
        Stored::with(vec![version(&made("Patient", "a", &[]), 1), version(&made("Device", "b", &[]), 1)]);
    let stored = stored.await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        let statement = get(&router, "/fhir/metadata", &[]).await.json();
        let is_stated =
            stated(&statement["rest"][0], "interaction", "code").contains(&"history-system".to_owned());
        assert_eq!(is_stated, role == "clinical", "{role}");
        let answer = get(&router, "/fhir/_history", &[]).await;
        if is_stated {
            assert_eq!((answer.status.as_u16(), answer.ids()), (200, vec!["b".to_owned(), "a".to_owned()]));
            assert_eq!(fhir::validate(&answer.json()), [], "{}", answer.body);
        } else {
            is_refused(&answer, role);
            assert!(answer.body.contains("a history of all types"), "{}", answer.body);
        }
    }
    stored.close().await;
}

#[cfg(feature = "clinical")]
#[tokio::test]
pub async fn every_stated_write_works_on_every_type() {
    let node = crate::desk::writing().await;
    for (of, resource) in resources(&node.router).await {
        let known: BTreeSet<String> = stated(&resource, "interaction", "code").into_iter().collect();
        assert!(INTERACTIONS.iter().all(|code| known.contains(*code)), "{of}: {known:?}");
        let (all, one) = (format!("/fhir/{of}"), format!("/fhir/{of}/a"));
        let sent = made(&of, "a", &[]);
        let text = sent.to_string();
        let status = |answer: &Answer, expected: u16, told: &str| {
            assert_eq!(answer.status.as_u16(), expected, "{of} {told}: {}", answer.body);
        };
        status(&node.post(&all, &sent).await, 201, "create");
        assert_eq!(resource["updateCreate"], true);
        status(&node.put(&one, &sent).await, 201, "update that creates");
        let tag = json!([{"op": "add", "path": "/meta", "value": {"tag": [{"code": "one"}]}}]).to_string();
        status(&node.ask("PATCH", &one, &[PATCH], &tag).await, 200, "patch");
        let mut other = sent.clone();
        other["meta"] = json!({"tag": [{"code": "two"}]});
        status(&node.put(&one, &other).await, 200, "update");
        assert_eq!(resource["conditionalCreate"], true);
        status(
            &node.ask("POST", &all, &[("if-none-exist", "_id=a")], &text).await,
            200,
            "conditional create",
        );
        assert_eq!(resource["conditionalUpdate"], true);
        status(&node.put(&format!("{all}?_tag=two"), &sent).await, 200, "conditional update");
        let meta = node.get(&format!("{one}/$meta")).await;
        status(&meta, 200, "$meta");
        assert_eq!(meta.json()["parameter"][0]["name"], "return", "{of}");
        for path in [format!("{all}/$validate"), format!("{one}/$validate")] {
            // Parameters are read as those of the operation.
            let parameter = json!({"name": "resource", "resource": sent});
            let wrapped = json!({"resourceType": "Parameters", "parameter": [parameter]});
            let told = node.post(&path, if of == "Parameters" { &wrapped } else { &sent }).await;
            status(&told, 200, "$validate");
            assert_ne!(told.json()["issue"][0]["severity"], "error", "{of}: {}", told.body);
        }
        assert_eq!(resource["conditionalDelete"], "single");
        status(&node.ask("DELETE", &format!("{all}?_id=a"), &[], "").await, 204, "conditional delete");
        status(&node.get(&one).await, 410, "read of what is deleted");
        status(&node.put(&one, &sent).await, 201, "update that revives");
        status(&node.ask("DELETE", &one, &[], "").await, 204, "delete");
        let operations: BTreeSet<String> = stated(&resource, "operation", "name").into_iter().collect();
        assert!(["validate", "meta"].iter().all(|name| operations.contains(*name)), "{of}");
        for name in OPERATIONS.iter().filter(|name| !operations.contains(**name)).take(3) {
            for path in [format!("{one}/${name}"), format!("{all}/${name}")] {
                is_refused(&node.post(&path, &sent).await, &path);
            }
        }
    }
}
