//! Chains, `_has`, includes that repeat, searches of several types.

use serde_json::{Value, json};
use store::{Clause, Error, Include, SORTED_MAX, Search, TextMatch, Total, Way};

use crate::harness::Adapter;
use crate::samples::{real, references, resource_type, search, tokens};
use crate::search::{found, put, walk};

/// Two hospitals, their patients, what was seen of them and who saw it.
fn world() -> Vec<Value> {
    let hospital = |id: &str, name: &str, part_of: Value| json!({"resourceType": "Organization", "id": id, "name": name, "partOf": part_of});
    let person = |id: &str, family: &str, of: &str| {
        json!({"resourceType": "Patient", "id": id, "name": [{"family": family}],
        "identifier": [{"system": "urn:mrn", "value": format!("M-{id}")}],
        "managingOrganization": {"reference": format!("Organization/{of}")}})
    };
    let seen = |id: &str, of: &str, code: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": [{"code": code}]}, "subject": {"reference": of},
        "performer": [{"reference": "Practitioner/dr"}]})
    };
    let mut linked = seen("o4", "Patient/b", "y");
    linked["hasMember"] = json!([{"reference": "Observation/o3"}]);
    let mut ring = seen("o3", "Patient/b", "x");
    ring["hasMember"] = json!([{"reference": "Observation/o4"}]);
    vec![
        hospital("h", "Harbor", json!({"reference": "Organization/net"})),
        hospital("i", "Inland", Value::Null),
        hospital("net", "Network", Value::Null),
        person("a", "Fairweather", "h"),
        person("b", "Thistlewood", "i"),
        json!({"resourceType": "Group", "id": "a", "type": "person", "actual": true, "identifier": [{"value": "M-a"}]}),
        json!({"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Fairweather"}]}),
        seen("o1", "Patient/a", "x"),
        seen("o2", "Group/a", "x"),
        ring,
        linked,
        seen("o5", "Patient/not-stored", "x"),
        json!({"resourceType": "Provenance", "id": "v", "target": [{"reference": "Observation/o1"}], "recorded": "2020-01-01T00:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/dr"}}]}),
    ]
}

fn chain(parameter: &str, targets: Vec<(&str, Clause)>) -> Clause {
    let targets = targets.into_iter().map(|(name, clause)| (resource_type(name), clause)).collect();
    Clause::Chain { parameter: parameter.into(), targets }
}

fn has(source: &str, parameter: &str, clause: Clause) -> Clause {
    Clause::Has { source: resource_type(source), parameter: parameter.into(), clause: Box::new(clause) }
}

fn named(parameter: &str, names: &[&str]) -> Clause {
    let values = names.iter().map(|name| (*name).to_owned()).collect();
    Clause::Text { parameter: parameter.into(), values, how: TextMatch::Start }
}

fn code(parameter: &str, code: &str) -> Clause {
    tokens(parameter, &[(None, Some(code))])
}

pub async fn chains_lead_over_several_hops(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, world().iter().map(real).collect()).await;
    let identified = |name| (name, code("identifier", "M-a"));
    let organization = |clause| chain("organization", vec![("Organization", clause)]);
    let cases: [(Clause, &[&str]); 9] = [
        (chain("patient", vec![identified("Patient")]), &["o1"]),
        (chain("subject", vec![identified("Patient"), identified("Group")]), &["o1", "o2"]),
        (chain("subject", vec![("Patient", named("name", &["fair", "thistle"]))]), &["o1", "o3", "o4"]),
        (chain("subject", vec![("Patient", organization(named("name", &["harbor"])))]), &["o1"]),
        (
            chain(
                "subject",
                vec![(
                    "Patient",
                    organization(chain("partof", vec![("Organization", named("name", &["net"]))])),
                )],
            ),
            &["o1"],
        ),
        (chain("subject", vec![("Patient", named("name", &["nobody"]))]), &[]),
        (
            chain("subject", vec![("Patient", Clause::Missing { parameter: "name".into(), missing: false })]),
            &["o1", "o3", "o4"],
        ),
        (chain("device", vec![("Device", code("type", "x"))]), &[]),
        (
            Clause::Any(vec![
                chain("patient", vec![identified("Patient")]),
                chain("has-member", vec![("Observation", code("code", "y"))]),
            ]),
            &["o1", "o3"],
        ),
    ];
    for (number, (clause, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found(&*node.resources, "Observation", vec![clause]).await, expected, "case {number}");
    }
}

pub async fn what_refers_here_is_asked_nested(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, world().iter().map(real).collect()).await;
    let cases: [(&str, Clause, &[&str]); 7] = [
        ("Patient", has("Observation", "patient", code("code", "x")), &["a", "b"]),
        ("Patient", has("Observation", "subject", code("code", "y")), &["b"]),
        ("Patient", has("Observation", "patient", has("Provenance", "target", code("nothing", "x"))), &[]),
        (
            "Patient",
            has(
                "Observation",
                "patient",
                has("Provenance", "target", references("agent", &[(Some("Practitioner"), "dr")])),
            ),
            &["a"],
        ),
        (
            "Organization",
            has("Patient", "organization", has("Observation", "patient", code("code", "y"))),
            &["i"],
        ),
        (
            "Practitioner",
            has(
                "Observation",
                "performer",
                chain("patient", vec![("Patient", named("family", &["thistle"]))]),
            ),
            &["dr"],
        ),
        ("Group", has("Observation", "patient", code("code", "x")), &[]),
    ];
    for (number, (of, clause, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found(&*node.resources, of, vec![clause]).await, expected, "case {number}");
    }
}

/// Patients of which more than are read at once share a name, each with an observation.
fn crowd(size: usize) -> Vec<Value> {
    let mut resources = Vec::with_capacity(size * 2);
    for number in 0..size {
        let name = if number.is_multiple_of(3) { "Rare" } else { "Common" };
        resources.push(
            json!({"resourceType": "Patient", "id": format!("p{number:05}"), "name": [{"family": name}]}),
        );
        let code = if number.is_multiple_of(2) { "even" } else { "odd" };
        resources.push(json!({"resourceType": "Observation", "id": format!("o{number:05}"), "status": "final",
            "code": {"coding": [{"code": code}]}, "subject": {"reference": format!("Patient/p{number:05}")}}));
    }
    resources
}

pub async fn chains_over_many_are_never_cut(adapter: &dyn Adapter) {
    let size = SORTED_MAX * 2 + 300;
    let node = adapter.clinical().await;
    put(&node, 1, crowd(size).iter().map(real).collect()).await;
    let common = chain("patient", vec![("Patient", named("family", &["common"]))]);
    let expected = (0..size).filter(|number| !number.is_multiple_of(3)).count();
    let ids =
        walk(&*node.resources, Search { count: 500, ..search("Observation", vec![common.clone()]) }).await;
    assert_eq!(ids.len(), expected);
    let counted = Search { count: 0, total: Total::Accurate, ..search("Observation", vec![common]) };
    let total = node.resources.search(&counted).await.expect("counts").total;
    assert_eq!(total, u64::try_from(expected).ok());
    let odd = has("Observation", "patient", code("code", "odd"));
    let expected: Vec<String> =
        (0..size).filter(|number| !number.is_multiple_of(2)).map(|number| format!("p{number:05}")).collect();
    let ids = walk(&*node.resources, Search { count: 500, ..search("Patient", vec![odd]) }).await;
    assert_eq!(ids, expected);
    let both =
        has("Observation", "patient", chain("patient", vec![("Patient", named("family", &["common"]))]));
    let even = vec![has("Observation", "patient", code("code", "even")), both];
    let expected = (0..size).filter(|number| number.is_multiple_of(2) && !number.is_multiple_of(3)).count();
    assert_eq!(
        walk(&*node.resources, Search { count: 500, ..search("Patient", even) }).await.len(),
        expected
    );
}

pub async fn includes_repeat_until_nothing_is_new(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, world().iter().map(real).collect()).await;
    let include = |way, source: &str, parameter: &str, iterate| Include {
        way,
        source: resource_type(source),
        parameters: vec![parameter.into()],
        targets: Vec::new(),
        iterate,
    };
    let member = |iterate| include(Way::Forward, "Observation", "has-member", iterate);
    let subject = |iterate| include(Way::Forward, "Observation", "subject", iterate);
    let organization = |iterate| include(Way::Forward, "Patient", "organization", iterate);
    let part_of = include(Way::Forward, "Organization", "partof", true);
    let cases: [(&str, Vec<Include>, &[&str]); 7] = [
        ("o3", vec![member(false)], &["o4"]),
        ("o3", vec![member(true)], &["o4"]),
        ("o1", vec![subject(false), organization(false)], &["a"]),
        ("o1", vec![subject(false), organization(true)], &["a", "h"]),
        ("o1", vec![part_of.clone(), organization(true), subject(false)], &["a", "h", "net"]),
        (
            "o1",
            vec![
                include(Way::Reverse, "Provenance", "target", false),
                include(Way::Forward, "Provenance", "agent", true),
            ],
            &["dr", "v"],
        ),
        (
            "o3",
            vec![member(true), include(Way::Reverse, "Observation", "has-member", true), subject(true)],
            &["b", "o4"],
        ),
    ];
    for (number, (id, includes, expected)) in cases.into_iter().enumerate() {
        let asked = Search { includes, ..search("Observation", vec![Clause::Id(vec![id.into()])]) };
        let page = node.resources.search(&asked).await.expect("searches");
        let mut ids: Vec<String> = page.included.into_iter().map(|stored| stored.key.id).collect();
        ids.sort();
        assert_eq!(
            (ids, page.included_cut),
            (expected.iter().map(|id| (*id).to_owned()).collect(), false),
            "case {number}"
        );
    }
}

pub async fn searches_of_several_types_page_by_number(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, world().iter().map(real).collect()).await;
    let of_b = |parameter: &str| references(parameter, &[(Some("Patient"), "b")]);
    let asked = Search {
        beside: vec![
            (resource_type("Observation"), vec![of_b("subject"), code("status", "final")]),
            (resource_type("Encounter"), vec![of_b("subject")]),
            (resource_type("Device"), vec![of_b("patient")]),
        ],
        ..search("Patient", vec![Clause::Id(vec!["b".into()])])
    };
    for count in [1, 2, 10] {
        let mut ids = walk(&*node.resources, Search { count, ..asked.clone() }).await;
        ids.sort();
        assert_eq!(ids, ["b", "o3", "o4"], "by {count}");
    }
    let page = node.resources.search(&asked).await.expect("searches");
    assert_eq!((page.total, page.next), (Some(3), None));
    let undriven = Search {
        beside: vec![(
            resource_type("Observation"),
            vec![Clause::Missing { parameter: "date".into(), missing: true }],
        )],
        ..search("Patient", vec![Clause::Id(vec!["b".into()])])
    };
    assert!(matches!(node.resources.search(&undriven).await, Err(Error::TooCostly(_))));
}
