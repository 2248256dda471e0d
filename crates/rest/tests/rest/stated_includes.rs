//! The proof of the CapabilityStatement, its includes: each that is listed brings what it names, each that is not is
//! refused by name.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use fhir::{Audience, IndexValue, SearchKind, SearchParameter, extract, r4, searchable};
use rest::every_type;
use serde_json::Value;

use crate::answer::{Answer, get};
use crate::expression::{may_point, pointing, wanted};
use crate::made::made;
use crate::stated_parameters::{id_of, resources, stated};
use crate::stored::{Stored, roles, version};

/// Values of `_revinclude` of one request.
const TOGETHER: usize = 16;
/// One in so many of what is not listed is tried, another one for each type.
const STRIDE: usize = 4_999;

fn references(of: &str) -> impl Iterator<Item = &'static SearchParameter> {
    searchable(of, Audience::Identified).filter(|parameter| parameter.kind == SearchKind::Reference)
}

/// Type and id of a resource.
type Name = (String, String);

fn name(resource: &Value) -> Name {
    let text = |member: &str| resource[member].as_str().expect("text").to_owned();
    (text("resourceType"), text("id"))
}

/// Of each type a target; for each reference parameter and each type that it can point at, one resource that points at
/// that type's target.
fn world() -> Vec<Value> {
    let mut all: Vec<Value> = r4().resource_names().map(|of| made(of, "target", &[])).collect();
    for of in r4().resource_names() {
        for parameter in references(of) {
            let every: Vec<&str> = r4().resource_names().collect();
            let targets = if parameter.targets.is_empty() { every.as_slice() } else { parameter.targets };
            for target in targets {
                let id = format!("{}.{target}", id_of(parameter.code));
                all.extend(pointing_at(of, &id, parameter, target));
            }
        }
    }
    all
}

/// A resource that points at a type's target by a parameter, where an element that it reads may point there.
fn pointing_at(of: &str, id: &str, parameter: &SearchParameter, target: &str) -> Option<Value> {
    let place = format!("{target}/target");
    let points = |resource: &Value| {
        let is_there = |value: &IndexValue| matches!(value, IndexValue::Reference { resource_type: Some(of), id } if of == target && id == "target");
        extract(resource, parameter).iter().any(is_there)
    };
    wanted(of, parameter, &place)
        .into_iter()
        .filter(|paths| paths.iter().all(|path| may_point(of, path, target)))
        .map(|paths| made(of, id, &pointing(of, &paths, &place)))
        .find(points)
}

/// Who points at whom, by the parameter: read from the resources themselves.
fn links(world: &[Value]) -> BTreeMap<(String, &'static str), Vec<(Name, Name)>> {
    let mut all: BTreeMap<(String, &'static str), Vec<(Name, Name)>> = BTreeMap::new();
    for resource in world {
        let from = name(resource);
        for parameter in references(&from.0) {
            for value in extract(resource, parameter) {
                let IndexValue::Reference { resource_type: Some(of), id } = value else { continue };
                if id == "target" {
                    all.entry((from.0.clone(), parameter.code)).or_default().push((from.clone(), (of, id)));
                }
            }
        }
    }
    all
}

/// Names of what came along.
fn along(answer: &Answer) -> BTreeSet<Name> {
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries
        .filter(|entry| entry["search"]["mode"] == "include")
        .map(|entry| name(&entry["resource"]))
        .collect()
}

#[tokio::test]
pub async fn every_stated_include_brings_what_it_names() {
    let world = world();
    let links = links(&world);
    let stored = Stored::with(world.iter().map(|resource| version(resource, 1)).collect()).await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        let (mut forward, mut reverse) = (0, 0);
        for (of, resource) in resources(&router).await {
            for include in stated(&resource, "searchInclude", "") {
                let (source, code) = include.split_once(':').expect("type and parameter");
                assert_eq!(source, of, "{role} {include}");
                let from = links.iter().find(|((one, other), _)| one == source && *other == code);
                let (_, pairs) = from.unwrap_or_else(|| panic!("{role} {include} can bring nothing"));
                // As many as one page and its includes take.
                let mine: Vec<&(Name, Name)> = pairs
                    .iter()
                    .filter(|((_, id), _)| id.starts_with(&format!("{}.", id_of(code))))
                    .take(100)
                    .collect();
                let ids: Vec<&str> = mine.iter().map(|((_, id), _)| id.as_str()).collect();
                let path = format!("/fhir/{of}?_id={}&_include={include}&_count=200", ids.join(","));
                let answer = get(&router, &path, &[]).await;
                assert_eq!(answer.status, 200, "{role} {include}: {}", answer.body);
                let expected: BTreeSet<Name> = mine.iter().map(|(_, to)| to.clone()).collect();
                let came = along(&answer);
                assert!(
                    !expected.is_empty() && expected.is_subset(&came),
                    "{role} {path}: {expected:?}, not {came:?}"
                );
                forward += 1;
            }
            reverse += reversed(&router, (role, &of, &resource), &links).await;
        }
        assert!(forward > 50 && reverse > 300, "{role}: {forward}, {reverse}");
    }
    stored.close().await;
}

/// Each stated `_revinclude` of a type on its target; how many.
async fn reversed(
    router: &Router,
    (role, of, resource): (&str, &str, &Value),
    links: &BTreeMap<(String, &'static str), Vec<(Name, Name)>>,
) -> usize {
    let all = stated(resource, "searchRevInclude", "");
    for some in all.chunks(TOGETHER) {
        let mut expected = BTreeSet::new();
        for include in some {
            let (source, code) = include.split_once(':').expect("type and parameter");
            let pairs = links.iter().find(|((one, other), _)| one == source && *other == code);
            let pairs = pairs.map_or(&[][..], |(_, pairs)| pairs.as_slice());
            let mine: Vec<Name> =
                pairs.iter().filter(|(_, (to, _))| to == of).map(|(from, _)| from.clone()).collect();
            assert!(!mine.is_empty(), "{role} {of} {include} can bring nothing");
            expected.extend(mine);
        }
        let includes: Vec<String> = some.iter().map(|include| format!("_revinclude={include}")).collect();
        let path = format!("/fhir/{of}?_id=target&{}", includes.join("&"));
        let answer = get(router, &path, &[]).await;
        assert_eq!(answer.status, 200, "{role} {path}: {}", answer.body);
        let mut came = along(&answer);
        // Searched itself, it is a match and does not come along.
        expected.remove(&(of.to_owned(), "target".to_owned()));
        came.remove(&(of.to_owned(), "target".to_owned()));
        assert_eq!(came, expected, "{role} {path}");
    }
    all.len()
}

#[tokio::test]
pub async fn every_include_that_is_not_stated_is_refused() {
    let every: Vec<(String, &str)> = every_type()
        .into_iter()
        .flat_map(|of| {
            let all = r4().search_parameters(of.as_str()).iter();
            all.map(move |parameter| (of.to_string(), parameter.code))
        })
        .collect();
    for (role, router) in roles() {
        let router = router(crate::fake::node().fhir);
        let mut refused = 0;
        for (at, (of, resource)) in resources(&router).await.into_iter().enumerate() {
            let forward: BTreeSet<String> = stated(&resource, "searchInclude", "").into_iter().collect();
            let reverse: BTreeSet<String> = stated(&resource, "searchRevInclude", "").into_iter().collect();
            for (number, (source, code)) in every.iter().enumerate() {
                let include = format!("{source}:{code}");
                let turn = (number + at).is_multiple_of(STRIDE);
                for (parameter, known, asked) in [
                    ("_include", &forward, (*source == of && at.is_multiple_of(8)) || turn),
                    ("_revinclude", &reverse, turn),
                ] {
                    if known.contains(&include) || !asked {
                        continue;
                    }
                    let answer = get(&router, &format!("/fhir/{of}?{parameter}={include}"), &[]).await;
                    let told = (answer.status.as_u16(), answer.issue());
                    assert_eq!(told, (400, "not-supported".to_owned()), "{role} {of} {parameter}={include}");
                    assert!(
                        answer.body.contains(parameter),
                        "{role} {of} {parameter}={include}: {}",
                        answer.body
                    );
                    refused += 1;
                }
            }
        }
        assert!(refused > 150, "{role}: {refused}");
    }
}
