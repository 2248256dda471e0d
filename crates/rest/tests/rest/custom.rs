//! Search parameters that packages define: refused with their progress until all is indexed, stated when they can be asked
//! for, and within the limits of all others.

use std::collections::BTreeMap;

use axum::Router;
use fhir::CustomParameters;
use fhir::profile::PackageFiles;
use serde_json::{Value, json};
use store::Indexing as _;

use crate::answer::get;
use crate::desk::{Writing, defining};
use crate::idp::Idp;
use crate::stated_parameters::resources;

const BASE: &str = "http://example.org/fhir/SearchParameter/";

fn parameters() -> CustomParameters {
    let definition = |of: &str, code: &str, kind: &str, expression: &str| {
        json!({"resourceType": "SearchParameter", "url": format!("{BASE}{code}"), "name": "x", "status": "active",
            "description": "x", "code": code, "base": [of], "type": kind, "expression": expression})
    };
    let mut pair = definition("Observation", "tag-and-times", "composite", "Observation");
    pair["component"] = json!([
        {"definition": format!("{BASE}tag"), "expression": "extension('urn:tag').value.ofType(code)"},
        {"definition": format!("{BASE}times"), "expression": "extension('urn:times').value.ofType(integer)"}]);
    let of = |code, kind, value| {
        let text = format!("Observation.extension('urn:{code}').value.ofType({value})");
        definition("Observation", code, kind, &text)
    };
    let all = [
        definition("Patient", "colour", "token", "Patient.extension('urn:colour').value.ofType(code)"),
        definition(
            "Patient",
            "keeper",
            "reference",
            "Patient.extension('urn:keeper').value.ofType(Reference)",
        ),
        of("tag", "token", "code"),
        of("words", "string", "string"),
        of("told", "date", "dateTime"),
        of("times", "number", "integer"),
        of("weight", "quantity", "Quantity"),
        of("aide", "reference", "Reference"),
        of("place", "uri", "url"),
        pair,
    ];
    let about = json!({"name": "farm", "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    let mut files = BTreeMap::from([("package.json".to_owned(), about.to_string().into_bytes())]);
    for (number, definition) in all.iter().enumerate() {
        files.insert(format!("SearchParameter-{number}.json"), definition.to_string().into_bytes());
    }
    let package = PackageFiles { origin: "farm".into(), files };
    CustomParameters::compile(&[package], &[]).expect("compiles")
}

/// Two people and what was seen of them.
fn world() -> Vec<Value> {
    let person = |id: &str, colour: &str| {
        json!({"resourceType": "Patient", "id": id, "active": true, "extension": [
            {"url": "urn:colour", "valueCode": colour},
            {"url": "urn:keeper", "valueReference": {"reference": format!("Practitioner/{id}-keeper")}}]})
    };
    let seen = |id: &str, of: &str, times: i64| {
        json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": "x"}]},
            "subject": {"reference": format!("Patient/{of}")}, "extension": [
            {"url": "urn:tag", "valueCode": format!("t{times}")},
            {"url": "urn:words", "valueString": format!("Wörds {times}")},
            {"url": "urn:told", "valueDateTime": format!("202{times}-05-11")},
            {"url": "urn:times", "valueInteger": times},
            {"url": "urn:weight", "valueQuantity": {"value": times, "unit": "kg"}},
            {"url": "urn:aide", "valueReference": {"reference": format!("Practitioner/{of}-keeper")}},
            {"url": "urn:place", "valueUrl": format!("http://example.org/{times}")}]})
    };
    let keeper = |id: &str| json!({"resourceType": "Practitioner", "id": id, "active": true});
    vec![
        keeper("a-keeper"),
        keeper("b-keeper"),
        person("a", "red"),
        person("b", "blue"),
        seen("o1", "a", 1),
        seen("o2", "b", 2),
    ]
}

/// What is asked, and the ids that it finds, in order.
const ASKED: &[(&str, &[&str])] = &[
    ("Patient?colour=red", &["a"]),
    ("Patient?colour:not=red", &["b"]),
    ("Patient?colour:missing=false&_sort=_id", &["a", "b"]),
    ("Patient?_sort=colour", &["b", "a"]),
    ("Patient?_sort=-colour", &["a", "b"]),
    ("Patient?keeper=Practitioner/b-keeper", &["b"]),
    ("Patient?keeper.active=true&_sort=_id", &["a", "b"]),
    ("Observation?patient.colour=blue", &["o2"]),
    ("Observation?subject.colour=blue", &["o2"]),
    ("Observation?subject:Patient.colour=red", &["o1"]),
    ("Observation?patient.keeper.active=true&_sort=_id", &["o1", "o2"]),
    ("Practitioner?_has:Patient:keeper:colour=red", &["a-keeper"]),
    ("Practitioner?_has:Patient:keeper:_id=a", &["a-keeper"]),
    ("Patient?_id=a&_include=Patient:keeper", &["a", "a-keeper"]),
    ("Practitioner?_id=a-keeper&_revinclude=Patient:keeper", &["a-keeper", "a"]),
    ("Observation?tag=t2", &["o2"]),
    ("Observation?tag-and-times=t2$2", &["o2"]),
    ("Observation?tag-and-times=t1$gt1", &[]),
    ("Observation?words=words&_sort=-words", &["o2", "o1"]),
    ("Observation?words:exact=W%C3%B6rds%201", &["o1"]),
    ("Observation?told=ge2022", &["o2"]),
    ("Observation?times=lt2", &["o1"]),
    ("Observation?weight=2%7C%7Ckg", &["o2"]),
    ("Observation?aide:Practitioner=a-keeper", &["o1"]),
    ("Observation?place:below=http://example.org&_sort=place", &["o1", "o2"]),
];

async fn indexed(node: &Writing) {
    while node.store.index_more().await.expect("indexes") {}
}

#[tokio::test]
pub async fn nothing_is_found_by_a_part_of_an_index_and_progress_is_told() {
    let node = defining(&world(), &parameters(), |_| {}).await;
    for lenient in [&[][..], &[("prefer", "handling=lenient")]] {
        for (query, _) in ASKED {
            let answer = node.ask("GET", &format!("/fhir/{query}"), lenient, "").await;
            assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (400, "incomplete"), "{query}");
            assert!(answer.body.contains("is not yet indexed: 0 % done"), "{query}: {}", answer.body);
        }
    }
    let created = json!({"resourceType": "Patient", "active": true});
    let condition = [("if-none-exist", "colour=red")];
    let refused = node.ask("POST", "/fhir/Patient", &condition, &created.to_string()).await;
    assert_eq!((refused.status.as_u16(), node.count("Patient").await), (400, 2), "{}", refused.body);
    let refused = node.ask("DELETE", "/fhir/Patient?colour=red", &[], "").await;
    assert_eq!((refused.status.as_u16(), node.count("Patient").await), (400, 2), "{}", refused.body);
    // Whoever asks by else is answered.
    assert_eq!(node.get("/fhir/Patient?active=true&_sort=_id").await.ids(), ["a", "b"]);
    indexed(&node).await;
    for (query, expected) in ASKED {
        let answer = node.get(&format!("/fhir/{query}")).await;
        assert_eq!(answer.ids(), *expected, "{query}: {}", answer.body);
    }
    let there = node.ask("POST", "/fhir/Patient", &condition, &created.to_string()).await;
    assert_eq!((there.status.as_u16(), node.count("Patient").await), (200, 2), "{}", there.body);
}

/// Definition of each parameter that is stated for a type and that a package defines.
async fn stated(router: &Router, of: &str) -> Vec<(String, String, String)> {
    let all = resources(router).await;
    let (_, resource) = all.into_iter().find(|(name, _)| name == of).expect("a type");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let items = resource["searchParam"].as_array().expect("parameters").iter();
    items
        .filter(|item| item.get("definition").is_some())
        .map(|item| (text(item, "name"), text(item, "type"), text(item, "definition")))
        .collect()
}

#[tokio::test]
pub async fn what_is_stated_is_what_can_be_asked_for() {
    let node = defining(&world(), &parameters(), |_| {}).await;
    let before = node.get("/fhir/metadata").await;
    let described = node.get("/fhir/openapi.json").await;
    assert_eq!(stated(&node.router, "Patient").await, []);
    assert!(!before.body.contains("Patient:keeper") && !described.body.contains("Patient.colour"));
    indexed(&node).await;
    for (of, count) in [("Patient", 2), ("Observation", 8)] {
        let all = stated(&node.router, of).await;
        assert_eq!(all.len(), count, "{all:?}");
        for (name, kind, definition) in all {
            assert_eq!(definition, format!("{BASE}{name}"), "the canonical of the SearchParameter");
            let defined = parameters();
            let known = defined.of(of).iter().find(|one| one.code == name).expect("is defined");
            assert_eq!(kind, known.kind.as_str());
            let asked = ASKED.iter().filter(|(query, _)| query.starts_with(of) && query.contains(&name));
            assert!(asked.count() > 0, "{name} is stated and tried by nobody");
        }
    }
    let after = node.get("/fhir/metadata").await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert!(after.body.contains("Patient:keeper"), "as an include");
    assert!(node.get("/fhir/openapi.json").await.body.contains("Patient.colour"));
    // Without a package there is none, and a name that nobody defines is unknown.
    let other = defining(&world(), &CustomParameters::default(), |_| {}).await;
    assert_eq!(stated(&other.router, "Patient").await, []);
    let unknown = other.get("/fhir/Patient?colour=red").await;
    assert_eq!((unknown.status.as_u16(), unknown.issue().as_str()), (400, "not-supported"));
    assert!(!unknown.body.contains("not yet indexed"), "{}", unknown.body);
}

#[tokio::test]
async fn a_client_of_scopes_sees_no_more_by_them() {
    let idp = Idp::new();
    let issuer = idp.trusted();
    let change = |fhir: &mut rest::Fhir| fhir.issuers = rest::Issuers::new([issuer]);
    let node = defining(&world(), &parameters(), change).await;
    indexed(&node).await;
    let ask = async |scopes: &str, query: &str| {
        let token = format!("Bearer {}", idp.token(scopes, "a", ""));
        let headers = [("authorization", token.as_str())];
        crate::answer::send(&node.router, "GET", &format!("/fhir/{query}"), &headers, "").await
    };
    let all = "patient/Patient.rs patient/Observation.rs";
    for (query, expected) in [
        ("Observation?tag=t1", &["o1"][..]),
        ("Observation?tag=t2", &[]),
        ("Observation?tag:missing=false", &["o1"]),
        ("Patient?_sort=-colour", &["a"]),
        ("Patient?colour=blue", &[]),
        // A practitioner may be read and taken along; of the other patient's nothing is told.
        ("Patient?_include=Patient:keeper", &["a"]),
    ] {
        let answer = ask(all, query).await;
        assert_eq!(answer.ids(), expected, "{query}: {}", answer.body);
    }
    let along = ask("patient/Patient.rs patient/Practitioner.r", "Patient?_include=Patient:keeper").await;
    assert_eq!(along.ids(), ["a", "a-keeper"], "{}", along.body);
    // No scope is narrowed by what a package defines: such a scope grants nothing.
    let narrowed = ask("patient/Observation.rs?tag=t1", "Observation").await;
    assert_eq!(narrowed.status, 403, "{}", narrowed.body);
}

#[tokio::test]
async fn values_of_a_package_s_parameter_never_stand_in_a_link() {
    let node = defining(&world(), &parameters(), |_| {}).await;
    indexed(&node).await;
    let found = get(&node.router, "/fhir/Patient?colour=red", &[]).await;
    let own = found.link("self").expect("a self link");
    assert!(own.contains("_cursor=") && !own.contains("red"), "{own}");
}
