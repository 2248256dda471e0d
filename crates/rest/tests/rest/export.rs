//! Exports: kick-off, status, files, end; who may, what is told, and what takes effect while it goes on.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::answer::{Answer, send};
use crate::fake::{AT, BASE, Node};
use crate::stored::{Stored, roles, version};

const ASYNC: (&str, &str) = ("prefer", "respond-async");
/// More than are read at once.
const MANY: usize = 450;

fn observation(id: &str, patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": "x"}]},
        "subject": {"reference": format!("Patient/{patient}")}})
}

/// Three patients, two of them in a group, a doctor, an appointment of two, many values of one.
fn world() -> Vec<Value> {
    let actor =
        |of: &str, id: &str| json!({"actor": {"reference": format!("{of}/{id}")}, "status": "accepted"});
    let member = |id: &str| json!({"entity": {"reference": format!("Patient/{id}")}});
    let mut all = vec![
        json!({"resourceType": "Practitioner", "id": "dr", "active": true}),
        json!({"resourceType": "Appointment", "id": "both", "status": "proposed",
            "participant": [actor("Patient", "a"), actor("Patient", "c"), actor("Practitioner", "dr")]}),
        json!({"resourceType": "Appointment", "id": "staff", "status": "proposed", "participant": [actor("Practitioner", "dr")]}),
        json!({"resourceType": "Group", "id": "g", "type": "person", "actual": true,
            "member": [member("a"), member("c"), {"entity": {"reference": "Patient/b"}, "inactive": true}]}),
    ];
    for id in ["a", "b", "c"] {
        all.push(json!({"resourceType": "Patient", "id": id, "active": true}));
    }
    all.push(observation("of-a", "a"));
    all.push(observation("of-c", "c"));
    all.extend((0..MANY).map(|number| observation(&format!("b{number:03}"), "b")));
    all
}

async fn stored() -> Stored {
    Stored::with(world().iter().map(|resource| version(resource, 1)).collect()).await
}

/// A node whose clock has gone on since its resources were made.
fn later(stored: &Stored) -> Node {
    let mut node = stored.node();
    node.fhir.now_us = || AT + 1_000_000;
    node.fhir.tokens = rest::TokenSet::new([
        ("console".to_owned(), rest::token_hash("good")),
        ("other".to_owned(), rest::token_hash("other")),
    ]);
    node
}

async fn ask(router: &Router, token: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let authorization = format!("Bearer {token}");
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend_from_slice(headers);
    send(router, method, path, &all, "").await
}

/// An address of ours as a path.
fn path(url: &str) -> String {
    format!("/fhir{}", url.strip_prefix(BASE).expect("ours"))
}

/// Begins an export: where to ask.
async fn begin(router: &Router, token: &str, asked: &str) -> String {
    let begun = ask(router, token, "GET", &format!("/fhir/{asked}"), &[ASYNC]).await;
    assert_eq!((begun.status.as_u16(), begun.body.as_str()), (202, ""), "{asked}: {}", begun.body);
    path(begun.header("content-location"))
}

/// Asks until it is there.
async fn manifest(router: &Router, token: &str, status: &str) -> Value {
    for _ in 0..10_000 {
        let answer = ask(router, token, "GET", status, &[]).await;
        match answer.status.as_u16() {
            202 => {
                assert!(answer.header("x-progress").contains(" types, "), "{:?}", answer.headers);
                assert!(answer.header("retry-after").parse::<u32>().is_ok());
                tokio::task::yield_now().await;
            }
            200 => {
                assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
                assert!(answer.header("expires").ends_with("GMT"));
                return answer.json();
            }
            other => panic!("{other}: {}", answer.body),
        }
    }
    panic!("the export does not end");
}

/// `Type/id` of every line of every file.
async fn told(router: &Router, token: &str, manifest: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for file in manifest["output"].as_array().expect("files") {
        let url = path(file["url"].as_str().expect("a url"));
        let answer = ask(router, token, "GET", &url, &[("accept", "application/fhir+ndjson")]).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/fhir+ndjson");
        for line in answer.body.lines() {
            let resource: Value = serde_json::from_str(line).expect("a resource a line");
            assert_eq!(resource["resourceType"], file["type"]);
            assert!(resource["meta"]["versionId"].is_string());
            all.push(format!(
                "{}/{}",
                file["type"].as_str().expect("a type"),
                resource["id"].as_str().expect("an id")
            ));
        }
    }
    all
}

async fn exported(router: &Router, token: &str, asked: &str) -> BTreeSet<String> {
    let status = begin(router, token, asked).await;
    let all = told(router, token, &manifest(router, token, &status).await).await;
    assert_eq!(ask(router, token, "DELETE", &status, &[]).await.status, 202);
    let each: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(each.len(), all.len(), "each once");
    each
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn an_export_has_all_that_there_is_and_ends() {
    let stored = stored().await;
    for (role, router) in roles() {
        let node = later(&stored);
        let router = router(node.fhir);
        let status = begin(&router, "good", "$export?_outputFormat=ndjson").await;
        let manifest = manifest(&router, "good", &status).await;
        assert_eq!(manifest["transactionTime"], "2026-09-21T14:13:21.123456Z", "{role}");
        assert_eq!(manifest["request"], format!("{BASE}/$export?_outputFormat=ndjson"));
        assert_eq!((&manifest["requiresAccessToken"], &manifest["error"]), (&json!(true), &json!([])));
        let all: BTreeSet<String> = told(&router, "good", &manifest).await.into_iter().collect();
        let expected: BTreeSet<String> = world()
            .iter()
            .map(|one| {
                format!(
                    "{}/{}",
                    one["resourceType"].as_str().expect("a type"),
                    one["id"].as_str().expect("an id")
                )
            })
            .collect();
        assert_eq!(all, expected, "{role}");
        let records = node.records.texts();
        for name in ["Observation/b000|1", "Observation/b449|1", "\"export\""] {
            assert!(records.iter().any(|record| record.contains(name)), "{role}: {name}");
        }
        // It is its client's, and over when it says so.
        let first = path(manifest["output"][0]["url"].as_str().expect("a url"));
        for (token, status_code) in [("other", 404), ("none", 401)] {
            for path in [&status, &first] {
                assert_eq!(
                    ask(&router, token, "GET", path, &[]).await.status.as_u16(),
                    status_code,
                    "{token} {path}"
                );
            }
        }
        assert_eq!(ask(&router, "other", "DELETE", &status, &[]).await.status, 404);
        for wrong in ["0", "99", "x", "-1"] {
            assert_eq!(
                ask(&router, "good", "GET", &format!("{status}/{wrong}"), &[]).await.status,
                404,
                "{wrong}"
            );
        }
        let refused = ask(&router, "good", "GET", &first, &[("accept", "application/fhir+xml")]).await;
        assert_eq!(refused.status, 406);
        assert_eq!(ask(&router, "good", "DELETE", &status, &[]).await.status, 202);
        for (method, path) in [("GET", &status), ("GET", &first), ("DELETE", &status)] {
            let gone = ask(&router, "good", method, path, &[]).await;
            assert_eq!((gone.status.as_u16(), gone.issue().as_str()), (404, "not-found"), "{method} {path}");
            assert!(gone.body.contains("begin it again"), "{}", gone.body);
        }
    }
    stored.close().await;
}

#[tokio::test]
async fn an_export_of_patients_has_what_belongs_to_them_each_once() {
    let stored = stored().await;
    for (role, router) in roles() {
        let router = router(later(&stored).fhir);
        // The portal has no parameter by which an appointment or a group belongs to a patient.
        let shared: &[&str] = if role == "portal" { &[] } else { &["Appointment/both", "Group/g"] };
        let of_all = exported(&router, "good", "Patient/$export").await;
        assert_eq!(of_all.len(), 3 + 2 + MANY + shared.len(), "{role}");
        assert!(shared.iter().all(|name| of_all.contains(*name)), "{role}");
        assert!(!of_all.contains("Practitioner/dr") && !of_all.contains("Appointment/staff"));
        let group = exported(&router, "good", "Group/g/$export").await;
        let own = ["Patient/a", "Patient/c", "Observation/of-a", "Observation/of-c"];
        assert_eq!(group, names(&[&own, shared].concat()), "{role}: an inactive member is none");
        let typed = exported(&router, "good", "Group/g/$export?_type=Patient").await;
        assert_eq!(typed, names(&["Patient/a", "Patient/c"]), "{role}");
        assert_eq!(ask(&router, "good", "GET", "/fhir/Group/none/$export", &[ASYNC]).await.status, 404);
    }
    stored.close().await;
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let stored = stored().await;
    for (role, router) in roles() {
        let router = router(later(&stored).fhir);
        for (asked, named) in [
            ("$export?patient=Patient/a", "valid: _type, _since, _outputFormat, _typeFilter"),
            ("$export?includeAssociatedData=LatestProvenanceResources", "valid: _type"),
            ("$export?_typeFilter=Patient", "takes searches: type?parameter=value"),
            ("$export?_typeFilter=Patience%3F_id=a", "did you mean `Patient`"),
            ("$export?_typeFilter=Patient%3Fnonsense=a", "parameter 1 is not supported for Patient here"),
            ("$export?_typeFilter=Patient%3F_id=a%26_sort=_id", "not `_sort`"),
            ("$export?_typeFilter=Patient%3F_id=bad_id!", "`_id` takes resource ids"),
            ("$export?_type=Group&_typeFilter=Patient%3F_id=a", "names Patient, which is not exported here"),
            ("$export?_elements=id", "valid: _type"),
            ("$export?_outputFormat=application/parquet", "application/fhir+ndjson"),
            ("$export?_type=Patience", "did you mean `Patient`"),
            ("$export?_since=2020", if role == "portal" { "to the year" } else { "an instant" }),
            ("Patient/$export?_type=Practitioner", "Practitioner belongs to no patient"),
        ] {
            let refused = ask(&router, "good", "GET", &format!("/fhir/{asked}"), &[ASYNC]).await;
            assert_eq!(refused.status, 400, "{role} {asked}: {}", refused.body);
            assert!(refused.body.contains(named), "{role} {asked}: {}", refused.body);
        }
        for prefer in [&[][..], &[("prefer", "return=minimal")]] {
            let refused = ask(&router, "good", "GET", "/fhir/$export", prefer).await;
            assert_eq!((refused.status.as_u16(), refused.issue().as_str()), (400, "required"));
            assert!(refused.body.contains("respond-async"));
        }
        let both = [("prefer", "handling=strict, respond-async")];
        assert_eq!(ask(&router, "good", "GET", "/fhir/$export", &both).await.status, 202);
    }
    stored.close().await;
}

#[tokio::test]
async fn a_type_filter_narrows_its_type_alone_and_several_are_alternatives() {
    let stored = stored().await;
    for (_, router) in roles() {
        let router = router(later(&stored).fhir);
        for (asked, expected) in [
            (
                "$export?_type=Patient,Group&_typeFilter=Patient%3F_id=a,c",
                &["Group/g", "Patient/a", "Patient/c"][..],
            ),
            (
                "$export?_type=Patient&_typeFilter=Patient%3F_id=a&_typeFilter=Patient%3F_id=b",
                &["Patient/a", "Patient/b"],
            ),
            (
                "$export?_type=Patient,Observation&_typeFilter=Patient%3F_id=a,Observation%3Fsubject=Patient/c",
                &["Observation/of-c", "Patient/a"],
            ),
            (
                "$export?_type=Observation&_typeFilter=Observation%3Fcode=x%26subject=Patient/a",
                &["Observation/of-a"],
            ),
            ("$export?_type=Observation&_typeFilter=Observation%3Fcode=y", &[]),
            ("Group/g/$export?_type=Patient&_typeFilter=Patient%3F_id=a,b", &["Patient/a"]),
        ] {
            assert_eq!(exported(&router, "good", asked).await, names(expected), "{asked}");
        }
    }
    stored.close().await;
}

/// What is posted begins an export: where to ask.
async fn posted(router: &Router, asked: &str, parameters: &Value) -> Answer {
    let sent = json!({"resourceType": "Parameters", "parameter": parameters}).to_string();
    let headers = [ASYNC, ("authorization", "Bearer good"), ("content-type", "application/fhir+json")];
    send(router, "POST", &format!("/fhir/{asked}"), &headers, &sent).await
}

#[tokio::test]
async fn a_kick_off_by_post_has_its_parameters_in_its_body() {
    let stored = stored().await;
    let text = |name: &str, value: &str| json!({"name": name, "valueString": value});
    let patient =
        |id: &str| json!({"name": "patient", "valueReference": {"reference": format!("Patient/{id}")}});
    for (_, router) in roles() {
        let router = router(later(&stored).fhir);
        for (asked, parameters, expected) in [
            ("$export", json!([text("_type", "Patient")]), &["Patient/a", "Patient/b", "Patient/c"][..]),
            (
                "$export",
                json!([text("_type", "Patient,Group"), text("_typeFilter", "Patient?_id=a")]),
                &["Group/g", "Patient/a"],
            ),
            (
                "Patient/$export",
                json!([text("_type", "Patient,Observation"), patient("a"), patient("c")]),
                &["Observation/of-a", "Observation/of-c", "Patient/a", "Patient/c"],
            ),
            (
                "Group/g/$export",
                json!([text("_type", "Patient,Observation"), patient("c")]),
                &["Observation/of-c", "Patient/c"],
            ),
        ] {
            let begun = posted(&router, asked, &parameters).await;
            assert_eq!(begun.status, 202, "{asked}: {}", begun.body);
            let manifest = manifest(&router, "good", &path(begun.header("content-location"))).await;
            assert_eq!(manifest["request"], format!("{BASE}/{asked}"), "the parameters are not told");
            let all: BTreeSet<String> = told(&router, "good", &manifest).await.into_iter().collect();
            assert_eq!(all, names(expected), "{asked}");
        }
        for (asked, parameters, said) in [
            ("$export", json!([patient("a")]), "for exports of patients and of a group"),
            ("Group/g/$export", json!([patient("b")]), "no active member"),
            (
                "Patient/$export",
                json!([{"name": "patient", "valueReference": {"reference": "Group/g"}}]),
                "Patient/id",
            ),
            ("$export", json!([{"name": "_type", "valueCode": "Patient"}]), "`_type` takes valueString"),
            ("$export", json!([text("_elements", "id")]), "valid: _type, _since"),
            ("$export", json!([{"valueString": "x"}]), "no name"),
            ("$export", json!("x"), "a list"),
            ("$export?_type=Patient", json!([]), "in its body"),
            ("Encounter/$export", json!([]), "not supported"),
        ] {
            let refused = posted(&router, asked, &parameters).await;
            assert!(matches!(refused.status.as_u16(), 400 | 501), "{asked} {parameters}: {}", refused.body);
            assert!(refused.body.contains(said), "{asked} {parameters}: {}", refused.body);
        }
        let headers = [ASYNC, ("authorization", "Bearer good"), ("content-type", "text/plain")];
        assert_eq!(send(&router, "POST", "/fhir/$export", &headers, "x").await.status, 415);
    }
    stored.close().await;
}

#[tokio::test]
async fn no_client_has_more_exports_than_it_may() {
    let stored = stored().await;
    let router = rest::portal(later(&stored).fhir);
    let mut begun = Vec::new();
    for _ in 0..8 {
        let status = begin(&router, "good", "$export?_type=Patient").await;
        manifest(&router, "good", &status).await;
        begun.push(status);
    }
    let refused = ask(&router, "good", "GET", "/fhir/$export", &[ASYNC]).await;
    assert_eq!((refused.status.as_u16(), refused.issue().as_str()), (429, "throttled"));
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    let other = begin(&router, "other", "$export?_type=Patient").await;
    manifest(&router, "other", &other).await;
    assert_eq!(ask(&router, "good", "DELETE", &begun[0], &[]).await.status, 202);
    begin(&router, "good", "$export?_type=Patient").await;
    stored.close().await;
}

#[tokio::test]
async fn a_file_breaks_off_when_its_export_ends_and_is_no_data_without_its_record() {
    let stored = stored().await;
    let node = later(&stored);
    let router = rest::portal(node.fhir);
    let status = begin(&router, "good", "$export?_type=Observation").await;
    let manifest = manifest(&router, "good", &status).await;
    let url = path(manifest["output"][0]["url"].as_str().expect("a url"));
    node.records.broken.store(true, Ordering::Relaxed);
    let refused = ask(&router, "good", "GET", &url, &[]).await;
    assert_eq!((refused.status.as_u16(), refused.issue().as_str()), (503, "exception"));
    node.records.broken.store(false, Ordering::Relaxed);
    let request = Request::builder().uri(&url).header("authorization", "Bearer good").body(Body::empty());
    let response = router.clone().oneshot(request.expect("a request")).await.expect("infallible");
    let mut body = response.into_body();
    let first = body.frame().await.expect("a page").expect("is whole").into_data().expect("lines");
    let lines = first.iter().filter(|byte| **byte == b'\n').count();
    assert!((1..MANY).contains(&lines), "{lines}: a page at a time");
    assert_eq!(ask(&router, "good", "DELETE", &status, &[]).await.status, 202);
    assert!(body.frame().await.expect("an end").is_err(), "it breaks off, and does not look whole");
    stored.close().await;
}

#[cfg(feature = "clinical")]
mod scoped {
    use super::*;
    use crate::desk::{Writing, writing_with};
    use crate::idp::Idp;

    /// A node that writes; its store says one µs a version.
    async fn writing(idp: &Idp) -> Writing {
        let issuer = idp.trusted();
        let node = writing_with(|fhir| {
            fhir.issuers = rest::Issuers::new([issuer]);
            // As late as a third version.
            fhir.now_us = || AT + 3;
        })
        .await;
        for resource in world() {
            let text = |name: &str| resource[name].as_str().expect("text").to_owned();
            let (of, id) = (text("resourceType"), text("id"));
            // The many are not needed.
            if of != "Observation" || id.starts_with("of-") {
                assert_eq!(node.put(&format!("/fhir/{of}/{id}"), &resource).await.status, 201, "{of} {id}");
            }
        }
        node
    }

    #[tokio::test]
    async fn scopes_of_the_system_alone_export_what_they_cover() {
        let idp = Idp::new();
        let node = writing(&idp).await;
        for scopes in ["patient/*.rs", "user/*.rs", "system/*.r", "system/*.cud", "openid"] {
            let token = idp.token(scopes, "a", "Practitioner/dr");
            for asked in ["$export", "Patient/$export", "Group/g/$export"] {
                let refused = ask(&node.router, &token, "GET", &format!("/fhir/{asked}"), &[ASYNC]).await;
                assert_eq!(
                    (refused.status.as_u16(), refused.issue().as_str()),
                    (403, "forbidden"),
                    "{scopes} {asked}"
                );
            }
        }
        let backend = idp.token("system/Observation.rs system/Patient.rs user/*.rs", "", "Practitioner/dr");
        let told = exported(&node.router, &backend, "$export").await;
        assert_eq!(
            told,
            names(&["Patient/a", "Patient/b", "Patient/c", "Observation/of-a", "Observation/of-c"])
        );
        for (asked, status) in [("$export?_type=Encounter", 403), ("Group/g/$export", 403)] {
            let refused = ask(&node.router, &backend, "GET", &format!("/fhir/{asked}"), &[ASYNC]).await;
            assert_eq!(refused.status.as_u16(), status, "{asked}: {}", refused.body);
        }
        let narrow = idp.token("system/Observation.rs?patient=Patient/c", "", "");
        assert_eq!(exported(&node.router, &narrow, "$export").await, names(&["Observation/of-c"]));
        let group = idp.token("system/Group.rs system/Observation.rs", "", "");
        let told = exported(&node.router, &group, "Group/g/$export").await;
        assert_eq!(told, names(&["Group/g", "Observation/of-a", "Observation/of-c"]));
    }

    #[tokio::test]
    async fn what_changes_meanwhile_is_told_as_it_was_and_what_is_hidden_is_not() {
        let idp = Idp::new();
        let node = writing(&idp).await;
        let token = idp.token("system/*.rs", "", "");
        let status = begin(&node.router, &token, "$export").await;
        let manifest = manifest(&node.router, &token, &status).await;
        // The last of these are later than the export began.
        for value in ["amended", "corrected", "final", "entered-in-error"] {
            let mut changed = observation("of-a", "a");
            changed["status"] = json!(value);
            assert_eq!(node.put("/fhir/Observation/of-a", &changed).await.status, 200);
        }
        let mut hidden = observation("of-c", "c");
        hidden["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
        assert_eq!(node.put("/fhir/Observation/of-c", &hidden).await.status, 200);
        assert_eq!(node.ask("DELETE", "/fhir/Appointment/staff", &[], "").await.status, 204);
        let told = told(&node.router, &token, &manifest).await;
        assert!(told.contains(&"Observation/of-a".to_owned()), "{told:?}");
        for hidden in ["Observation/of-c", "Appointment/staff"] {
            assert!(!told.contains(&hidden.to_owned()), "{hidden}");
        }
        let files = manifest["output"].as_array().expect("files");
        let of = files.iter().find(|file| file["type"] == "Observation").expect("a file");
        let url = path(of["url"].as_str().expect("a url"));
        let lines = ask(&node.router, &token, "GET", &url, &[]).await.body;
        let version: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
        assert_eq!((&version["meta"]["versionId"], &version["status"]), (&json!("3"), &json!("corrected")));
    }

    #[tokio::test]
    async fn an_export_since_has_what_changed_since() {
        let idp = Idp::new();
        let node = writing(&idp).await;
        let mut changed = observation("of-a", "a");
        changed["status"] = json!("amended");
        assert_eq!(node.put("/fhir/Observation/of-a", &changed).await.status, 200);
        let since = "$export?_since=2026-09-21T14:13:20.123458Z&_type=Observation,Patient";
        assert_eq!(exported(&node.router, "good", since).await, names(&["Observation/of-a"]));
        let all = "$export?_since=2026-09-21T14:13:20.123457Z&_type=Patient";
        assert_eq!(exported(&node.router, "good", all).await.len(), 3);
    }

    /// Addresses of what a manifest says is deleted.
    async fn deleted(node: &Writing, token: &str, asked: &str) -> BTreeSet<String> {
        let status = begin(&node.router, token, asked).await;
        let manifest = manifest(&node.router, token, &status).await;
        let mut all = BTreeSet::new();
        for file in manifest["deleted"].as_array().expect("files") {
            assert_eq!(file["type"], "Bundle");
            let url = path(file["url"].as_str().expect("a url"));
            let lines = ask(&node.router, token, "GET", &url, &[]).await.body;
            for line in lines.lines() {
                let bundle: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(fhir::validate(&bundle), [], "{line}");
                for entry in bundle["entry"].as_array().expect("entries") {
                    assert_eq!(entry["request"]["method"], "DELETE");
                    all.insert(entry["request"]["url"].as_str().expect("a url").to_owned());
                }
            }
        }
        all
    }

    #[tokio::test]
    async fn an_export_since_says_what_was_deleted() {
        let idp = Idp::new();
        let node = writing(&idp).await;
        for path in ["Observation/of-a", "Observation/of-c", "Appointment/staff", "Appointment/both"] {
            assert_eq!(node.ask("DELETE", &format!("/fhir/{path}"), &[], "").await.status, 204);
        }
        assert_eq!(node.put("/fhir/Appointment/staff", &world()[2]).await.status, 201, "it is revived");
        let since = "_since=2026-09-21T14:13:20.123457Z";
        let of_all = ["Appointment/both", "Observation/of-a", "Observation/of-c"];
        assert_eq!(deleted(&node, "good", &format!("$export?{since}")).await, names(&of_all));
        assert_eq!(deleted(&node, "good", &format!("Patient/$export?{since}")).await, names(&of_all));
        let narrow = idp.token("system/Observation.rs?patient=Patient/c", "", "");
        assert_eq!(deleted(&node, &narrow, &format!("$export?{since}")).await, names(&["Observation/of-c"]));
        let later = "$export?_since=2026-09-21T14:13:20.123459Z";
        assert_eq!(deleted(&node, "good", later).await, BTreeSet::new());
        assert_eq!(
            deleted(&node, "good", "$export").await,
            BTreeSet::new(),
            "who has nothing yet need delete nothing"
        );
    }
}

#[tokio::test]
async fn an_export_that_cannot_be_planned_says_so_and_so_does_the_record_of_asking() {
    let node = crate::fake::node();
    node.memory.broken.store(true, Ordering::Relaxed);
    let router = rest::portal(node.fhir.clone());
    let status = begin(&router, "good", "$export?_type=Patient").await;
    let mut told = ask(&router, "good", "GET", &status, &[]).await;
    while told.status == 202 {
        tokio::task::yield_now().await;
        told = ask(&router, "good", "GET", &status, &[]).await;
    }
    assert_eq!((told.status.as_u16(), told.issue().as_str()), (503, "exception"), "{}", told.body);
    let texts = node.records.texts();
    let last: Value = serde_json::from_str(texts.last().expect("a record")).expect("JSON");
    assert_eq!((&last["outcome"], &last["id"]), (&json!("failed"), &json!(told.header("x-request-id"))));
}
