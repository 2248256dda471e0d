//! The surfaces over a store: each stated parameter finds, pages are sorted, what comes along, histories.

use std::path::PathBuf;
use std::sync::Arc;

use audit::{Kind, Record};
use axum::Router;
use fhir::{Audience, IndexValue, ResourceType, SearchKind, SearchParameter, indexed};
use rest::every_type;
use serde_json::{Value, json};
use store::sqlite::{Options, Role, Sqlite};
use store::{
    INCLUDED_MAX, IndexEntry, Intake, IntakeWrite, Origin, ResourceBody, ResourceKey, ResourceVersion,
    SORTED_MAX,
};
use uuid::Uuid;

use crate::answer::get;
#[cfg(feature = "clinical")]
use crate::answer::send;
#[cfg(feature = "clinical")]
use crate::fake::BASE;
use crate::fake::{AT, Node, node};

/// A store in a folder that goes with it.
pub struct Stored {
    folder: PathBuf,
    store: Option<Arc<Sqlite>>,
}

impl Stored {
    pub async fn with(versions: Vec<ResourceVersion>) -> Self {
        let folder = std::env::temp_dir().join(format!("rest-{}", Uuid::new_v4()));
        let options = Options { synchronous_full: false, read_connections: 2, now_us: || AT };
        let store = Sqlite::open(&folder, Role::Portal, options).await.expect("opens");
        let write = |version: ResourceVersion| IntakeWrite {
            idempotency_key: Uuid::new_v4(),
            version: Some(version),
            receipt: String::new(),
            record: Record::new(Kind::Arrived, Uuid::new_v4(), "node-1", AT),
        };
        for version in versions.chunks(500) {
            store.arrive(version.iter().cloned().map(write).collect()).await.expect("arrives");
        }
        Self { folder, store: Some(store) }
    }

    /// Ports of a node over this store.
    pub fn node(&self) -> Node {
        let mut node = node();
        node.fhir.resources = self.store.clone().expect("is open").into();
        node
    }

    pub async fn close(mut self) {
        self.store.take().expect("is open").close().await.expect("closes");
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.folder);
        assert!(removed.is_ok() || !self.folder.exists(), "the folder of a test stays behind");
    }
}

pub fn version(resource: &Value, number: u32) -> ResourceVersion {
    let resource_type = ResourceType::of(resource).expect("a type");
    ResourceVersion {
        key: ResourceKey { resource_type, id: resource["id"].as_str().expect("an id").to_owned() },
        version: number,
        updated_us: AT + i64::from(number),
        patient: None,
        deleted: false,
        body: ResourceBody::new(fhir::canonical_json(resource)),
        index: IndexEntry::all_of(resource, Audience::Identified),
        origin: Origin::Package("p".to_owned()),
    }
}

fn deletion(resource: &Value, number: u32) -> ResourceVersion {
    let body = ResourceBody::new(Vec::new());
    ResourceVersion { deleted: true, body, index: Vec::new(), ..version(resource, number) }
}

/// A role and its router.
pub type Surface = (&'static str, fn(rest::Fhir) -> Router);

#[cfg(feature = "clinical")]
pub fn roles() -> Vec<Surface> {
    vec![("portal", rest::portal), ("clinical", rest::clinical)]
}

#[cfg(not(feature = "clinical"))]
pub fn roles() -> Vec<Surface> {
    vec![("portal", rest::portal)]
}

/// A value that a parameter of this kind can have, what asks for it, and what asks for another.
fn sample(parameter: &SearchParameter) -> (IndexValue, &'static str, &'static str) {
    match parameter.kind {
        SearchKind::Token => {
            (IndexValue::Token { system: Some("urn:s".into()), code: "hit".into() }, "urn:s%7Chit", "miss")
        }
        SearchKind::Reference => (
            IndexValue::Reference { resource_type: Some("Patient".into()), id: "hit".into() },
            "Patient/hit",
            "miss",
        ),
        SearchKind::String => (IndexValue::String("Hít and more".into()), "hit", "miss"),
        SearchKind::Date => {
            let interval = fhir::date_interval("2020-05-11").expect("a date");
            (IndexValue::Date { low_us: interval.low_us, high_us: interval.high_us }, "ge2020-05", "eb2020")
        }
        SearchKind::Uri => (IndexValue::Uri("urn:hit".into()), "urn:hit", "urn:miss"),
        SearchKind::Number => (IndexValue::Number("5.4".into()), "5.4", "gt6"),
        _ => {
            let (system, code) = (Some("urn:ucum".into()), Some("mg".into()));
            (
                IndexValue::Quantity { value: "5.4".into(), system, code, comparator: None },
                "5.4%7Curn:ucum%7Cmg",
                "5.4%7C%7Ckg",
            )
        }
    }
}

/// Of each type, one resource with a value for each of its parameters and one without any.
fn one_of_each_type() -> Vec<ResourceVersion> {
    let mut versions = Vec::new();
    for of in every_type() {
        let bare = json!({"resourceType": of.as_str(), "id": "bare"});
        let full = json!({"resourceType": of.as_str(), "id": "full"});
        let mut full = version(&full, 1);
        full.index = indexed(of.as_str(), Audience::Identified)
            .map(|parameter| IndexEntry { parameter: parameter.code.to_owned(), value: sample(parameter).0 })
            .collect();
        versions.extend([full, version(&bare, 1)]);
    }
    versions
}

#[tokio::test]
pub async fn every_stated_parameter_finds_and_filters_on_every_type() {
    let stored = Stored::with(one_of_each_type()).await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        let statement = get(&router, "/fhir/metadata", &[]).await.json();
        let mut asked = 0;
        for resource in statement["rest"][0]["resource"].as_array().expect("resources") {
            let of = resource["type"].as_str().expect("a type");
            for stated in resource["searchParam"].as_array().expect("parameters") {
                let name = stated["name"].as_str().expect("a name");
                let (hit, miss) = match name {
                    "_id" => ("full", "none"),
                    "_lastUpdated" => ("2026-09", "2025"),
                    // Of an empty body: composites and members of lists have tests of their own.
                    "_list" => continue,
                    _ if stated["type"] == "composite" => continue,
                    _ => {
                        let parameter = fhir::r4().search_parameter(of, name).expect("of R4");
                        assert_eq!(stated["type"], parameter.kind.as_str(), "{of} {name}");
                        let (_, hit, miss) = sample(parameter);
                        (hit, miss)
                    }
                };
                let found = get(&router, &format!("/fhir/{of}?{name}={hit}&_sort=_id"), &[]).await;
                let expected = if name == "_lastUpdated" { vec!["bare", "full"] } else { vec!["full"] };
                assert_eq!(found.ids(), expected, "{role} {of} {name}: {}", found.body);
                let other = get(&router, &format!("/fhir/{of}?{name}={miss}"), &[]).await;
                assert_eq!((other.status.as_u16(), other.ids().len()), (200, 0), "{role} {of} {name}");
                asked += 1;
            }
        }
        assert!(asked > 500, "{role}: {asked}");
    }
    stored.close().await;
}

/// Invented people; two share a name but for its accent.
fn people() -> Vec<Value> {
    let person = |id: &str, family: &str, given: &str, birth: &str| {
        json!({"resourceType": "Patient", "id": id, "birthDate": birth, "gender": "female",
            "name": [{"family": family, "given": [given]}],
            "managingOrganization": {"reference": "Organization/org"}})
    };
    vec![
        person("a", "Thistlewood", "Ada", "1980-05-11"),
        person("b", "Thistlewöod", "Bea", "1975"),
        person("c", "Quillfeather", "Cora", "1980-05"),
        json!({"resourceType": "Patient", "id": "d", "gender": "male"}),
        json!({"resourceType": "Organization", "id": "org", "name": "Example Clinic"}),
        json!({"resourceType": "Provenance", "id": "v", "recorded": "2026-09-21T14:13:20Z",
            "target": [{"reference": "Patient/a"}], "agent": [{"who": {"reference": "Organization/org"}}]}),
    ]
}

#[cfg(feature = "clinical")]
const FOUND: &[(&str, &[&str])] = &[
    ("family=thistlewood", &["a", "b"]),
    ("family:exact=Thistlewood", &["a"]),
    ("family:contains=feather", &["c"]),
    ("name=ada,cora", &["a", "c"]),
    ("given=Bea&family=this", &["b"]),
    ("birthdate=1980", &["a", "c"]),
    ("birthdate=ge1980-05-11", &["a", "c"]),
    ("birthdate=lt1980", &["b"]),
    ("birthdate:missing=true", &["d"]),
    ("gender:not=female", &["d"]),
    ("_lastUpdated=ge2026-09-21T14:13Z&_lastUpdated=lt2026-09-22", &["a", "b", "c", "d"]),
    ("_sort=family", &["c", "a", "b", "d"]),
    ("_sort=-birthdate", &["a", "c", "b", "d"]),
    ("_sort=gender,-family", &["b", "a", "c", "d"]),
    ("_sort=-_id", &["d", "c", "b", "a"]),
    ("organization=Organization/org&_sort=_id", &["a", "b", "c"]),
];

#[cfg(feature = "clinical")]
#[tokio::test]
pub async fn people_are_found_and_sorted_over_pages_whose_links_tell_nothing() {
    let stored = Stored::with(people().iter().map(|resource| version(resource, 1)).collect()).await;
    let router = rest::clinical(stored.node().fhir);
    let form = [("authorization", "Bearer good"), ("content-type", "application/x-www-form-urlencoded")];
    for (query, expected) in FOUND {
        let whole = get(&router, &format!("/fhir/Patient?{query}"), &[]).await;
        assert_eq!(whole.ids(), *expected, "{query}: {}", whole.body);
        assert_eq!(whole.json()["total"], expected.len(), "{query}");
        let posted = send(&router, "POST", "/fhir/Patient/_search", &form, query).await;
        assert_eq!(posted.ids(), *expected, "posted {query}");
        let mut next = Some(format!("{BASE}/Patient?{query}&_count=1"));
        let mut walked = Vec::new();
        while let Some(url) = next {
            let page = get(&router, url.strip_prefix("http://node.example").expect("ours"), &[]).await;
            walked.extend(page.ids());
            next = page.link("next");
            let own = page.link("self").expect("a self link");
            for text in next.iter().chain([&own]) {
                let told = text.to_lowercase();
                for word in ["thistle", "quill", "ada", "1980", "feather"] {
                    assert!(!told.split("_cursor").next().expect("a start").contains(word), "{text}");
                }
            }
        }
        assert_eq!(walked, *expected, "{query} by pages of one");
    }
    stored.close().await;
}

#[tokio::test]
pub async fn what_comes_along_is_marked_and_recorded() {
    let stored = Stored::with(people().iter().map(|resource| version(resource, 1)).collect()).await;
    for (role, router) in roles() {
        let node = stored.node();
        let router = router(node.fhir);
        let path = "/fhir/Patient?_id=a&_include=Patient:organization&_revinclude=Provenance:target";
        let answer = get(&router, path, &[]).await;
        let bundle = answer.json();
        assert_eq!(fhir::validate(&bundle), [], "{role}: {}", answer.body);
        let entries = bundle["entry"].as_array().expect("entries");
        let told: Vec<(&str, &str)> = entries
            .iter()
            .map(|entry| {
                let id = entry["resource"]["id"].as_str().expect("an id");
                (id, entry["search"]["mode"].as_str().expect("a mode"))
            })
            .collect();
        assert_eq!(told, [("a", "match"), ("org", "include"), ("v", "include")], "{role}");
        let total = (role == "clinical").then_some(1);
        assert_eq!(
            bundle["total"].as_u64(),
            total,
            "{role}: the total is of matches, and the portal tells no small one"
        );
        let records = node.records.texts();
        for name in ["Patient/a|1", "Organization/org|1", "Provenance/v|1", "_id|_include|_revinclude"] {
            assert!(records.iter().any(|record| record.contains(name)), "{role}: {name} in {records:?}");
        }
    }
    stored.close().await;
}

#[tokio::test]
pub async fn a_search_that_matches_too_much_says_so() {
    let observation = |number: usize| {
        let text = if number.is_multiple_of(2) { "final" } else { "amended" };
        json!({"resourceType": "Observation", "id": format!("o{number}"), "status": text,
            "code": {"coding": [{"code": "x"}]}, "subject": {"reference": "Patient/p"}})
    };
    let mut versions: Vec<_> = (0..SORTED_MAX + 200).map(|number| version(&observation(number), 1)).collect();
    versions.push(version(&json!({"resourceType": "Patient", "id": "p"}), 1));
    let stored = Stored::with(versions).await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        let cut = get(&router, "/fhir/Patient?_revinclude=Observation:subject", &[]).await.json();
        assert_eq!(fhir::validate(&cut), [], "{role}");
        let entries = cut["entry"].as_array().expect("entries");
        assert_eq!(entries.len(), 1 + INCLUDED_MAX + 1, "{role}");
        let last = entries.last().expect("an entry");
        assert_eq!(
            (&last["search"]["mode"], &last["resource"]["issue"][0]["code"]),
            (&json!("outcome"), &json!("too-costly"))
        );
        let sorted = get(&router, "/fhir/Observation?_sort=status,-_id&_count=3", &[]).await;
        assert_eq!(sorted.ids(), ["o999", "o997", "o995"], "{role}: amended ones, the greatest id first");
        let many = get(&router, "/fhir/Observation?code=x", &[]).await;
        assert_eq!((many.ids().len(), many.json().get("total")), (rest::PAGE_DEFAULT, None), "{role}");
        let counted = get(&router, "/fhir/Observation?code=x&_total=accurate", &[]).await;
        assert_eq!(counted.json()["total"], SORTED_MAX + 200, "{role}");
        let count = get(&router, "/fhir/Observation?code=x&status=final&_count=0", &[]).await;
        assert_eq!(
            count.json()["total"],
            (SORTED_MAX + 200) / 2,
            "{role}: the smaller clause is counted whole"
        );
    }
    stored.close().await;
}

#[tokio::test]
pub async fn histories_tell_versions_and_the_portal_tells_no_instant() {
    let person = &people()[0];
    let other = json!({"resourceType": "Patient", "id": "z"});
    let versions = vec![
        version(person, 1),
        version(&other, 1),
        version(person, 2),
        deletion(person, 3),
        version(person, 4),
    ];
    let stored = Stored::with(versions).await;
    for (role, router) in roles() {
        let node = stored.node();
        let router = router(node.fhir);
        let whole = get(&router, "/fhir/Patient/a/_history", &[]).await;
        let bundle = whole.json();
        assert_eq!(fhir::validate(&bundle), [], "{role}: {}", whole.body);
        assert_eq!((&bundle["type"], &bundle["total"]), (&json!("history"), &json!(4)), "{role}");
        let told: Vec<(String, bool)> = bundle["entry"]
            .as_array()
            .expect("entries")
            .iter()
            .map(|entry| {
                let method = entry["request"]["method"].as_str().expect("a method");
                let (status, tag) = (&entry["response"]["status"], &entry["response"]["etag"]);
                (
                    format!("{method} {} {}", status.as_str().expect("text"), tag.as_str().expect("text")),
                    entry.get("resource").is_some(),
                )
            })
            .collect();
        let expected = [
            ("PUT 200 W/\"4\"", true),
            ("DELETE 204 W/\"3\"", false),
            ("PUT 200 W/\"2\"", true),
            ("PUT 201 W/\"1\"", true),
        ];
        assert_eq!(told, expected.map(|(text, has)| (text.to_owned(), has)), "{role}");
        let first = get(&router, "/fhir/Patient/a/_history?_count=3", &[]).await;
        let next = first.link("next").expect("a next link");
        let second = get(&router, next.strip_prefix("http://node.example").expect("ours"), &[]).await;
        assert_eq!(
            (first.json()["entry"].as_array().map(Vec::len), second.json()["entry"].as_array().map(Vec::len)),
            (Some(3), Some(1))
        );
        let elsewhere = next.replace("Patient/a", "Patient/z").replace("http://node.example", "");
        assert_eq!(
            get(&router, &elsewhere, &[]).await.status.as_u16(),
            400,
            "{role}: a link is of its own history"
        );
        assert_eq!(get(&router, "/fhir/Patient/nope/_history", &[]).await.status.as_u16(), 404, "{role}");
        assert!(
            node.records.texts().iter().any(|record| record.contains("Patient/a|3")),
            "{role}: each version is recorded"
        );
        let of_type = get(&router, "/fhir/Patient/_history", &[]).await;
        if role == "portal" {
            assert_eq!(of_type.status.as_u16(), 404, "the order of changes is the order of care");
            for leak in ["lastModified", "14:13", "09-21"] {
                assert!(!whole.body.contains(leak), "{leak}: {}", whole.body);
            }
        } else {
            assert_eq!((of_type.status.as_u16(), &of_type.json()["total"]), (200, &json!(5)));
            assert_eq!(fhir::validate(&of_type.json()), []);
            assert!(
                whole.body.contains("\"lastModified\":\"2026-09-21T14:13:20.123460Z\""),
                "{}",
                whole.body
            );
        }
    }
    stored.close().await;
}
