//! Clauses that hold together, and what alone may come along with matches.

use std::sync::Arc;

use fhir::ResourceType;
use serde_json::{Value, json};
use store::{Along, Clause, INCLUDED_MAX, Ids, Include, SORTED_MAX, Search, TokenValue, Way};

use crate::harness::Adapter;
use crate::samples::{real, references, resource_type, search, tokens};
use crate::search::{found, put, walk};

fn observation(id: &str, patient: &str, code: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": code}]},
        "subject": {"reference": format!("Patient/{patient}")}})
}

fn code(code: &str) -> Clause {
    tokens("code", &[(None, Some(code))])
}

fn of(patient: &str) -> Clause {
    references("subject", &[(Some("Patient"), patient)])
}

pub async fn clauses_hold_together_wherever_they_stand(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let patient = |id: &str| json!({"resourceType": "Patient", "id": id, "active": true});
    let world = [
        patient("a"),
        patient("b"),
        observation("a-x", "a", "x"),
        observation("a-y", "a", "y"),
        observation("b-x", "b", "x"),
    ];
    put(&node, 1, world.iter().map(real).collect()).await;
    let both = |one, other| Clause::All(vec![one, other]);
    let own = async |clause: Clause| found(&*node.resources, "Observation", vec![clause]).await;
    assert_eq!(own(both(of("a"), code("x"))).await, ["a-x"]);
    assert_eq!(own(Clause::All(Vec::new())).await, ["a-x", "a-y", "b-x"]);
    let either = Clause::Any(vec![both(of("a"), code("y")), both(of("b"), code("x"))]);
    assert_eq!(own(either).await, ["a-y", "b-x"]);
    let values = vec![TokenValue { system: None, code: Some("y".into()) }];
    let not_y = Clause::Token { parameter: "code".into(), values, not: true };
    assert_eq!(own(both(not_y, of("a"))).await, ["a-x"]);
    // One and the same resource, where two clauses beside each other may each be of another.
    let has = |clause| Clause::Has {
        source: resource_type("Observation"),
        parameter: "subject".into(),
        clause: Box::new(clause),
    };
    let patients = async |clauses: Vec<Clause>| found(&*node.resources, "Patient", clauses).await;
    assert_eq!(patients(vec![has(code("x")), has(code("y"))]).await, ["a"]);
    assert!(patients(vec![has(both(code("x"), code("y")))]).await.is_empty());
    let chain = Clause::Chain {
        parameter: "subject".into(),
        targets: vec![(
            resource_type("Patient"),
            both(Clause::Id(vec!["a".into()]), Clause::All(Vec::new())),
        )],
    };
    assert_eq!(own(both(chain, code("x"))).await, ["a-x"]);
}

pub async fn clauses_hold_together_over_many(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let size = SORTED_MAX * 2;
    let one = |number: usize| {
        let code = if number.is_multiple_of(3) { "x" } else { "y" };
        observation(&format!("o{number:05}"), if number.is_multiple_of(2) { "a" } else { "b" }, code)
    };
    let all: Vec<Value> = (0..size).map(one).collect();
    put(&node, 1, all.iter().map(real).collect()).await;
    let both = Clause::All(vec![of("a"), code("x")]);
    let expected: Vec<String> =
        (0..size).filter(|number| number.is_multiple_of(6)).map(|number| format!("o{number:05}")).collect();
    let asked = Search { count: 300, ..search("Observation", vec![both.clone()]) };
    assert_eq!(walk(&*node.resources, asked).await, expected);
    let beside = Search { count: 300, ..search("Observation", vec![code("x"), both]) };
    assert_eq!(walk(&*node.resources, beside).await, expected);
}

pub async fn only_what_may_comes_along_and_the_rest_leaves_no_trace(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut world = vec![
        json!({"resourceType": "Patient", "id": "a", "managingOrganization": {"reference": "Organization/h"}}),
    ];
    world.push(json!({"resourceType": "Organization", "id": "h", "name": "Harbor"}));
    for number in 0..INCLUDED_MAX + 50 {
        world.push(observation(&format!("h{number:04}"), "a", "hidden"));
    }
    for number in 0..3 {
        world.push(observation(&format!("v{number}"), "a", "seen"));
    }
    put(&node, 1, world.iter().map(real).collect()).await;
    let include = |way, source: &str, parameter: &str| Include {
        way,
        source: resource_type(source),
        parameters: vec![parameter.into()],
        targets: Vec::new(),
        iterate: false,
    };
    let includes = vec![
        include(Way::Reverse, "Observation", "subject"),
        include(Way::Forward, "Patient", "organization"),
    ];
    let came = async |along: Option<Along>| {
        let matched = search("Patient", vec![Clause::Id(vec!["a".into()])]);
        let page = node.resources.search(&Search { includes: includes.clone(), along, ..matched }).await;
        let page = page.expect("searches");
        let mut ids: Vec<String> = page.included.into_iter().map(|stored| stored.key.id).collect();
        ids.sort();
        (ids, page.included_cut)
    };
    let (all, cut) = came(None).await;
    assert_eq!((all.len(), cut), (INCLUDED_MAX, true));
    let types = |names: &[(&str, Clause)]| -> Vec<(ResourceType, Clause)> {
        names.iter().map(|(name, clause)| (resource_type(name), clause.clone())).collect()
    };
    let seen = types(&[("Observation", code("seen"))]);
    let open = types(&[("Organization", Clause::All(Vec::new()))]);
    let along = Along { forward: open.clone(), reverse: seen.clone() };
    let text = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(came(Some(along)).await, (text(&["h", "v0", "v1", "v2"]), false));
    let wrong_way = Along { forward: seen.clone(), reverse: open };
    assert_eq!(came(Some(wrong_way)).await, (Vec::new(), false));
    let nothing = Along { forward: Vec::new(), reverse: types(&[("Observation", Clause::Any(Vec::new()))]) };
    assert_eq!(came(Some(nothing)).await, (Vec::new(), false));
}

pub async fn none_of_many_is_tested_and_never_looked_for(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let patient = |id: String| json!({"resourceType": "Patient", "id": id, "active": true});
    let mut world: Vec<Value> = (0..3).map(|number| patient(format!("p{number}"))).collect();
    for number in 0..SORTED_MAX + 50 {
        world.push(observation(&format!("o{number:04}"), &format!("p{}", number % 4), "x"));
    }
    world.push(
        json!({"resourceType": "Observation", "id": "nobody", "status": "final", "code": {"text": "x"}}),
    );
    put(&node, 1, world.iter().map(real).collect()).await;
    let ids = |ids: &[&str]| Ids(Arc::new(ids.iter().map(|id| (*id).to_owned()).collect()));
    let among = |parameter: Option<&str>, all: &[&str]| Clause::Among {
        parameter: parameter.map(str::to_owned),
        of: resource_type("Patient"),
        ids: ids(all),
    };
    let patients = async |clause: Clause| found(&*node.resources, "Patient", vec![clause]).await;
    assert_eq!(patients(among(None, &["p1", "none"])).await, ["p1"]);
    assert_eq!(patients(Clause::None(vec![among(None, &["p1"])])).await, ["p0", "p2"]);
    assert_eq!(patients(Clause::None(Vec::new())).await, ["p0", "p1", "p2"]);
    // p3 is only referred to, and hides what refers to it all the same.
    let kept = Clause::None(vec![among(Some("subject"), &["p1", "p3"]), among(Some("performer"), &["p0"])]);
    for clauses in [vec![kept.clone()], vec![code("x"), kept.clone()], vec![kept.clone(), of("p0")]] {
        let of_one = clauses.len() == 2 && matches!(clauses[1], Clause::Reference { .. });
        let asked = Search { clauses: clauses.clone(), ..Search::of(resource_type("Observation"), 100) };
        let seen = walk(&*node.resources, asked).await;
        let mut expected: Vec<String> = (0..SORTED_MAX + 50)
            .filter(|number| matches!(number % 4, 0 | 2) && !(of_one && number % 4 == 2))
            .map(|number| format!("o{number:04}"))
            .collect();
        if clauses.len() == 1 {
            expected.push("nobody".to_owned());
        }
        assert_eq!(seen, expected, "{} clauses", clauses.len());
    }
    let chain = Clause::Chain {
        parameter: "subject".into(),
        targets: vec![(resource_type("Patient"), Clause::Id(vec!["p0".into()]))],
    };
    let not_led = found(&*node.resources, "Observation", vec![Clause::None(vec![chain]), of("p0")]).await;
    assert!(not_led.is_empty(), "what follows references is turned round too");
    let unknown = Clause::None(vec![among(Some("nosuch"), &["p0"])]);
    assert_eq!(found(&*node.resources, "Observation", vec![unknown, code("y")]).await.len(), 0);
}
