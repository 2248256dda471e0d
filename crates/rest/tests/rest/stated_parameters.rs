//! The proof of the CapabilityStatement, its search parameters: each that is listed finds what holds a value and nothing
//! else, each that is not is refused by name. Resources are made of the element table; values are those that they hold.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use fhir::{
    Audience, IndexValue, SearchKind, SearchParameter, extract, extract_composite, fold_string, r4,
    searchable,
};
use rest::every_type;
use serde_json::{Value, json};

use crate::answer::{Answer, get};
use crate::expression::{pointing, wanted};
use crate::made::{Wanted, made};
use crate::stored::{Stored, roles, version};

/// Every stated item of one kind of a type.
pub fn stated(resource: &Value, kind: &str, name: &str) -> Vec<String> {
    let items = resource[kind].as_array().into_iter().flatten();
    let text = |item: &Value| item.get(name).unwrap_or(item).as_str().expect("text").to_owned();
    items.map(text).collect()
}

pub async fn resources(router: &Router) -> Vec<(String, Value)> {
    let statement = get(router, "/fhir/metadata", &[]).await.json();
    let all = statement["rest"][0]["resource"].as_array().expect("resources").clone();
    all.into_iter()
        .map(|resource| (resource["type"].as_str().expect("a type").to_owned(), resource))
        .collect()
}

/// The id of the resource that has a value for a parameter.
pub fn id_of(code: &str) -> String {
    format!("has.{}", code.replace('_', "all."))
}

/// The paths at which a resource holds a value for a parameter; `None` when none of its expression gives it one.
pub fn paths(of: &str, parameter: &SearchParameter, target: &str) -> Option<Vec<Wanted>> {
    let has_value = |resource: &Value| match parameter.kind {
        SearchKind::Composite => !extract_composite(resource, parameter).is_empty(),
        _ => !extract(resource, parameter).is_empty(),
    };
    wanted(of, parameter, target)
        .into_iter()
        .map(|paths| pointing(of, &paths, target))
        .find(|paths| has_value(&made(of, "a", paths)))
}

/// A resource with a value for a parameter.
pub fn holding(of: &str, id: &str, parameter: &SearchParameter, target: &str) -> Option<Value> {
    Some(made(of, id, &paths(of, parameter, target)?))
}

/// The target of a parameter that can point at several types.
fn first_target(parameter: &SearchParameter) -> &'static str {
    parameter
        .targets
        .iter()
        .find(|target| **target == "Patient")
        .or(parameter.targets.first())
        .unwrap_or(&"Patient")
}

/// Of each type a bare resource, and one for each of its parameters.
fn one_for_each_parameter() -> BTreeMap<String, Vec<Value>> {
    let mut all = BTreeMap::new();
    for of in every_type() {
        let name = of.as_str();
        let mut of_type = vec![made(name, "target", &[])];
        for parameter in searchable(name, Audience::Identified) {
            let target = format!("{}/target", first_target(parameter));
            let resource = holding(name, &id_of(parameter.code), parameter, &target);
            of_type.push(resource.unwrap_or_else(|| panic!("{name} {}: no value", parameter.code)));
        }
        all.insert(name.to_owned(), of_type);
    }
    all
}

#[test]
fn what_is_made_is_r4() {
    let mut wrong = Vec::new();
    for of in every_type() {
        for parameter in searchable(of.as_str(), Audience::Identified) {
            if paths(of.as_str(), parameter, "Patient/target").is_none() {
                wrong.push(format!("{of} {} has no value", parameter.code));
            }
        }
    }
    for of in every_type() {
        let resource = made(of.as_str(), "target", &[]);
        let issues = fhir::validate(&resource).into_iter().filter(fhir::Issue::is_error);
        wrong.extend(issues.map(|issue| format!("{of}: {issue:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn escaped(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        if matches!(letter, ',' | '|' | '$' | '\\') {
            plain.push('\\');
        }
        plain.push(letter);
    }
    encoded(&plain)
}

pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// What asks for a value, and what asks for another.
pub fn asking(value: &IndexValue) -> (String, &'static str) {
    match value {
        IndexValue::Token { system: Some(system), code } => {
            (format!("{}%7C{}", escaped(system), escaped(code)), "nobody")
        }
        IndexValue::Token { system: None, code } => (escaped(code), "nobody"),
        IndexValue::Reference { resource_type: Some(of), id } => (format!("{of}/{id}"), "nobody"),
        IndexValue::Reference { resource_type: None, id } => (escaped(id), "nobody"),
        IndexValue::String(text) => (escaped(text), "nobody"),
        IndexValue::Date { .. } => ("ge2020".to_owned(), "lt2019"),
        IndexValue::Uri(text) => (escaped(text), "urn:nobody"),
        IndexValue::Number(digits) => (digits.clone(), "gt1000000"),
        IndexValue::Quantity { value, .. } => (value.clone(), "gt1000000"),
    }
}

/// Whether what is held is what was asked for: by comparing values, without an index.
pub fn is_asked(held: &IndexValue, asked: &IndexValue) -> bool {
    match (held, asked) {
        (IndexValue::String(held), IndexValue::String(asked)) => {
            fold_string(held).starts_with(&fold_string(asked))
        }
        (IndexValue::Date { .. }, IndexValue::Date { .. }) => true,
        (IndexValue::Quantity { value: held, .. }, IndexValue::Quantity { value: asked, .. }) => {
            held == asked
        }
        (IndexValue::Token { system: one, code: held }, IndexValue::Token { system, code }) => {
            held.eq_ignore_ascii_case(code) && (system.is_none() || one == system)
        }
        _ => held == asked,
    }
}

/// A search for the value that a resource holds for a parameter: its query, one that finds nothing, and who holds it.
fn search(
    parameter: &SearchParameter,
    of_type: &[Value],
    holder: &Value,
) -> (String, String, BTreeSet<String>) {
    let id = |resource: &Value| resource["id"].as_str().expect("an id").to_owned();
    if parameter.kind == SearchKind::Composite {
        let rows = extract_composite(holder, parameter);
        let parts: Vec<&IndexValue> = rows[0].iter().map(|part| &part[0]).collect();
        let hit: Vec<String> = parts.iter().map(|part| asking(part).0).collect();
        let mut miss: Vec<String> = hit.clone();
        miss[0] = asking(parts[0]).1.to_owned();
        let holds = |resource: &&Value| {
            extract_composite(resource, parameter).iter().any(|row| {
                row.iter().zip(&parts).all(|(held, asked)| held.iter().any(|held| is_asked(held, asked)))
            })
        };
        return (hit.join("$"), miss.join("$"), of_type.iter().filter(holds).map(id).collect());
    }
    let asked = extract(holder, parameter).swap_remove(0);
    let (hit, miss) = asking(&asked);
    let holds = |resource: &&Value| extract(resource, parameter).iter().any(|held| is_asked(held, &asked));
    (hit, miss.to_owned(), of_type.iter().filter(holds).map(id).collect())
}

fn found(answer: &Answer) -> BTreeSet<String> {
    answer.ids().into_iter().collect()
}

async fn store(all: &BTreeMap<String, Vec<Value>>) -> Stored {
    Stored::with(all.values().flatten().map(|resource| version(resource, 1)).collect()).await
}

#[tokio::test]
pub async fn every_stated_parameter_finds_who_holds_a_value_and_nobody_else() {
    let mut all = one_for_each_parameter();
    let lists = every_type().into_iter().map(|of| {
        json!({"resourceType": "List", "id": format!("of-{of}"), "status": "current", "mode": "working",
            "entry": [{"item": {"reference": format!("{of}/target")}}]})
    });
    all.entry("List".to_owned()).or_default().extend(lists);
    let stored = store(&all).await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        let mut asked = 0;
        for (of, resource) in resources(&router).await {
            let of_type = &all[&of];
            for code in stated(&resource, "searchParam", "name") {
                let (hit, miss, holders) = match code.as_str() {
                    "_id" => {
                        ("target".to_owned(), "nobody".to_owned(), BTreeSet::from(["target".to_owned()]))
                    }
                    "_list" => {
                        (format!("of-{of}"), "nobody".to_owned(), BTreeSet::from(["target".to_owned()]))
                    }
                    "_lastUpdated" => {
                        let ids = of_type.iter().map(|one| one["id"].as_str().expect("an id").to_owned());
                        ("ge2026".to_owned(), "lt2026".to_owned(), ids.collect())
                    }
                    code => {
                        let parameter = r4().search_parameter(&of, code).expect("of R4");
                        let holder =
                            of_type.iter().find(|one| one["id"] == id_of(code)).expect("one holds it");
                        search(parameter, of_type, holder)
                    }
                };
                let answer = get(&router, &format!("/fhir/{of}?{code}={hit}&_count=200"), &[]).await;
                assert_eq!(answer.status, 200, "{role} {of} {code}={hit}: {}", answer.body);
                assert_eq!(found(&answer), holders, "{role} {of} {code}={hit}");
                let none = get(&router, &format!("/fhir/{of}?{code}={miss}"), &[]).await;
                assert_eq!((none.status.as_u16(), none.ids().len()), (200, 0), "{role} {of} {code}={miss}");
                asked += 1;
            }
        }
        assert!(asked > 500, "{role}: {asked}");
    }
    stored.close().await;
}

/// A name that R4 has for some type may be told back.
pub fn is_named(answer: &Answer, name: &str) -> bool {
    answer.body.contains(&format!("`{name}`"))
}

#[tokio::test]
pub async fn every_parameter_of_r4_that_is_not_stated_is_refused_by_name() {
    let names: BTreeSet<&str> = every_type()
        .iter()
        .flat_map(|of| r4().search_parameters(of.as_str()))
        .map(|parameter| parameter.code)
        .collect();
    for (role, router) in roles() {
        let router = router(crate::fake::node().fhir);
        let mut refused = 0;
        for (at, (of, resource)) in resources(&router).await.into_iter().enumerate() {
            let known: BTreeSet<String> = stated(&resource, "searchParam", "name").into_iter().collect();
            let own: BTreeSet<&str> =
                r4().search_parameters(&of).iter().map(|parameter| parameter.code).collect();
            // Those of the type all, those of other types in turn.
            let asked = names
                .iter()
                .enumerate()
                .filter(|(number, name)| own.contains(**name) || (number + at).is_multiple_of(16));
            for (_, name) in asked.filter(|(_, name)| !known.contains(**name)) {
                let answer = get(&router, &format!("/fhir/{of}?{name}=1"), &[]).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.issue().as_str()),
                    (400, "not-supported"),
                    "{role} {of} {name}"
                );
                assert!(is_named(&answer, name), "{role} {of} {name}: {}", answer.body);
                refused += 1;
            }
        }
        assert!(refused > 1_000, "{role}: {refused}");
    }
}
