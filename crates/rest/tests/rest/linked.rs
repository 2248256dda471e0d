//! Chains, `_has`, lists, composites, includes that repeat, compartments and `$everything` over a store.

use serde_json::{Value, json};

use crate::answer::get;
use crate::stored::{Stored, version};

/// Two people, their care and who gave it; one list.
fn world() -> Vec<Value> {
    let person = |id: &str, family: &str| {
        json!({"resourceType": "Patient", "id": id, "gender": "female", "name": [{"family": family}],
        "identifier": [{"type": {"coding": [{"system": "urn:t", "code": "MR"}]}, "system": "urn:mrn", "value": format!("M-{id}")}],
        "managingOrganization": {"reference": "Organization/h"}})
    };
    let seen = |id: &str, of: &str, at: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Systolic pressure"},
        "subject": {"reference": format!("Patient/{of}")}, "encounter": {"reference": format!("Encounter/e-{of}")},
        "performer": [{"reference": "Practitioner/dr"}], "effectiveDateTime": at,
        "valueQuantity": {"value": 140, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}})
    };
    let visit = |id: &str, of: &str| {
        json!({"resourceType": "Encounter", "id": id, "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": format!("Patient/{of}")}, "period": {"start": "2020-05-11", "end": "2020-05-11"}})
    };
    vec![
        json!({"resourceType": "Organization", "id": "h", "name": "Harbor", "partOf": {"reference": "Organization/net"}}),
        json!({"resourceType": "Organization", "id": "net", "name": "Network"}),
        person("a", "Fairweather"),
        person("b", "Thistlewood"),
        json!({"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Quillfeather"}]}),
        visit("e-a", "a"),
        visit("e-b", "b"),
        seen("o1", "a", "2020-05-11"),
        seen("o2", "a", "2021-05-11"),
        seen("o3", "b", "2020-05-11"),
        json!({"resourceType": "Provenance", "id": "v", "recorded": "2026-09-21T14:13:20Z",
            "target": [{"reference": "Patient/a"}, {"reference": "Patient/b"}], "agent": [{"who": {"reference": "Practitioner/dr"}}]}),
        json!({"resourceType": "List", "id": "l", "status": "current", "mode": "working", "entry": [{"item": {"reference": "Patient/b"}}]}),
    ]
}

async fn store() -> Stored {
    Stored::with(world().iter().map(|resource| version(resource, 1)).collect()).await
}

/// Ids of matches and of what comes along, each sorted.
fn told(bundle: &Value) -> (Vec<String>, Vec<String>) {
    let of = |mode: &str| {
        let entries = bundle["entry"].as_array().into_iter().flatten();
        let mut ids: Vec<String> = entries
            .filter(|entry| entry["search"]["mode"] == mode)
            .filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned))
            .collect();
        ids.sort();
        ids
    };
    (of("match"), of("include"))
}

/// query, ids found
#[cfg(feature = "clinical")]
const FOUND: &[(&str, &[&str])] = &[
    ("Observation?patient.identifier=M-a", &["o1", "o2"]),
    ("Observation?patient.identifier=urn:mrn%7CM-a,M-b", &["o1", "o2", "o3"]),
    ("Observation?subject:Patient.name=thistle", &["o3"]),
    ("Observation?subject.family=fair,thistle", &["o1", "o2", "o3"]),
    ("Observation?patient.organization.partof.name=net&date=2020", &["o1", "o3"]),
    ("Observation?patient._id=a", &["o1", "o2"]),
    ("Observation?encounter.date=ge2020&encounter.patient.family:exact=Thistlewood", &["o3"]),
    ("Patient?_has:Observation:patient:date=ge2021", &["a"]),
    ("Patient?_has:Observation:patient:code=8480-6&family=t", &["b"]),
    ("Organization?_has:Patient:organization:_has:Observation:patient:date=2021", &["h"]),
    ("Patient?_has:Observation:patient:performer:Practitioner.family=quill", &["a", "b"]),
    ("Patient?_list=l", &["b"]),
    ("Patient?_list=none", &[]),
    ("Patient?identifier:of-type=urn:t%7CMR%7CM-b", &["b"]),
    ("Observation?code:text=press", &["o1", "o2", "o3"]),
    ("Observation?code-value-quantity=http://loinc.org%7C8480-6$gt139.5&date=2021", &["o2"]),
    ("Observation?code-value-quantity=8480-6$18.7%7Chttp://unitsofmeasure.org%7CkPa", &["o1", "o2", "o3"]),
    ("Observation?value-quantity=lt18%7Chttp://unitsofmeasure.org%7CkPa", &[]),
    ("Patient/a/Observation", &["o1", "o2"]),
    ("Patient/a/Observation?date=2021", &["o2"]),
    ("Patient/none/Observation", &[]),
    ("Encounter/e-b/Observation", &["o3"]),
    ("Patient/a/Provenance", &["v"]),
];

#[cfg(feature = "clinical")]
#[tokio::test]
pub async fn what_belongs_together_is_found() {
    let stored = store().await;
    let router = rest::clinical(stored.node().fhir);
    for (query, expected) in FOUND {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.body);
        assert_eq!(told(&answer.json()).0, *expected, "{query}");
        let own = answer.link("self").expect("a self link");
        for word in ["M-", "thistle", "Thistle", "fair", "quill", "ge20"] {
            assert!(!own.split("_cursor").next().expect("a start").contains(word), "{query}: {own}");
        }
        let again = get(&router, own.strip_prefix("http://node.example").expect("ours"), &[]).await;
        assert_eq!(told(&again.json()).0, *expected, "the self link of {query}");
    }
    stored.close().await;
}

#[tokio::test]
pub async fn chains_of_the_portal_lead_over_its_own_parameters() {
    let stored = store().await;
    let router = rest::portal(stored.node().fhir);
    for (query, expected) in [
        ("Observation?patient.gender=female", vec!["o1", "o2", "o3"]),
        ("Observation?encounter.status=finished&patient=a", vec!["o1", "o2"]),
        ("Patient?_has:Observation:patient:date=2021", vec!["a"]),
        ("Patient/a/Observation", vec!["o1", "o2"]),
    ] {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!(told(&answer.json()).0, expected, "{query}: {}", answer.body);
    }
    stored.close().await;
}

#[tokio::test]
pub async fn includes_repeat() {
    let stored = store().await;
    let router = rest::portal(stored.node().fhir);
    for (query, expected) in [
        ("Observation?_id=o1&_include=Observation:subject&_include=Patient:organization", None),
        ("Observation?_id=o1&_include=Observation:subject:Patient", Some(vec!["a"])),
        (
            "Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:general-practitioner",
            Some(vec!["a"]),
        ),
        ("Observation?_id=o1&_include=*", Some(vec!["a", "dr", "e-a"])),
        (
            "Observation?_id=o1&_include=Observation:encounter&_include:iterate=Encounter:*",
            Some(vec!["a", "e-a"]),
        ),
        (
            "Observation?_id=o1&_include=Observation:subject&_revinclude:iterate=Observation:subject",
            Some(vec!["a", "o2"]),
        ),
    ] {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        match expected {
            Some(expected) => {
                let (matches, along) = told(&answer.json());
                assert_eq!(
                    (matches, along),
                    (vec!["o1".to_owned()], expected.iter().map(|id| (*id).to_owned()).collect()),
                    "{query}: {}",
                    answer.body
                );
            }
            None => assert_eq!(
                answer.status.as_u16(),
                400,
                "{query}: a type that is not searched repeats or is refused"
            ),
        }
    }
    stored.close().await;
}

/// query, matches, what comes along
type Everything = (&'static str, &'static [&'static str], &'static [&'static str]);

const EVERYTHING: &[Everything] = &[
    ("Patient/a/$everything?_type=Patient,Observation", &["a", "o1", "o2"], &[]),
    ("Patient/a/$everything?_type=Observation,Practitioner", &["o1", "o2"], &["dr"]),
    ("Patient/a/$everything?start=2021&_type=Observation,Encounter", &["o2"], &[]),
    ("Patient/a/$everything?end=2020-12-31&_type=Observation", &["o1"], &[]),
    ("Encounter/e-b/$everything", &["e-b", "o3"], &["b", "dr"]),
];

#[tokio::test]
pub async fn everything_of_one_brings_nobody_else() {
    let stored = store().await;
    let node = stored.node();
    let router = rest::portal(node.fhir);
    for (query, matches, along) in EVERYTHING {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.body);
        let (found, included) = told(&answer.json());
        assert_eq!(
            (found.as_slice(), included.as_slice()),
            (owned(matches).as_slice(), owned(along).as_slice()),
            "{query}: {}",
            answer.body
        );
        assert_eq!(fhir::validate(&answer.json()), [], "{query}");
    }
    let whole = get(&router, "/fhir/Patient/a/$everything", &[]).await;
    let (found, included) = told(&whole.json());
    assert!(["a", "e-a", "o1", "o2", "v"].iter().all(|id| found.contains(&(*id).to_owned())), "{found:?}");
    for other in ["b", "e-b", "o3"] {
        assert!(!found.contains(&other.to_owned()) && !included.contains(&other.to_owned()), "{other}");
    }
    assert_eq!(included, ["dr", "h"], "{}", whole.body);
    let mut next = Some("http://node.example/fhir/Patient/a/$everything?_count=1".to_owned());
    let mut walked = Vec::new();
    while let Some(url) = next {
        assert!(walked.len() < 20, "the pages end");
        let page = get(&router, url.strip_prefix("http://node.example").expect("ours"), &[]).await;
        walked.extend(told(&page.json()).0);
        next = page.link("next");
    }
    walked.sort();
    assert_eq!(walked, found);
    assert!(node.records.texts().iter().any(|record| record.contains("everything")));
    stored.close().await;
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[tokio::test]
pub async fn everything_of_nobody_is_refused() {
    let stored = store().await;
    let router = rest::portal(stored.node().fhir);
    for (query, status) in [
        ("Patient/nope/$everything", 404),
        ("Patient/bad_id!/$everything", 404),
        ("Organization/h/$everything", 400),
        ("Patient/a/$everything?nosuch=1", 400),
        ("Patient/a/$everything?_type=Nonsense", 400),
        ("Patient/a/$everything?_type=Organization", 400),
        ("Patient/a/$everything?start=notadate", 400),
        ("Patient/a/$everything?_count=x", 400),
        ("Patient/a/$everything?_since=2026-01-01T00:00:00Z", 400),
    ] {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.body);
    }
    stored.close().await;
}
