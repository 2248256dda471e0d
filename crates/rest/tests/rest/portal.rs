//! What the portal role leaves out.

use rest::SMALL_CELL;
use serde_json::{Value, json};

use crate::answer::{get, send};
use crate::fake::{BASE, node};
use crate::stored::{Stored, roles, version};

const REFUSED: &[&str] = &[
    "Patient?identifier=A",
    "Patient?name=x",
    "Patient?family=x",
    "Patient?given=x",
    "Patient?birthdate=1980",
    "Patient?address=x",
    "Patient?telecom=x",
    "Patient?_lastUpdated=ge2026",
    "Observation?identifier=x",
    "Patient?email=x",
    "Patient?phone=x",
    "Patient?address-postalcode=x",
    "Patient?death-date=1980",
    "Patient?_source=x",
    "Practitioner?name=x",
    "Organization?name=x",
    "Coverage?class-value=x",
    "Specimen?accession=x",
    "Observation?value-string=x",
    "Observation?_sort=-_lastUpdated",
    "Observation?patient.identifier=A",
    "Observation?subject:Patient.name=x",
    "Observation?patient.birthdate=1980",
    "Observation?encounter.patient.family=x",
    "Patient?_has:Observation:patient:identifier=x",
    "Patient?_has:Observation:patient:patient.name=x",
    "Patient?_has:Observation:patient:_lastUpdated=ge2026",
    "Patient?_list=x",
    "Observation?subject:identifier=x",
    "Observation?code:text=x",
    "Observation?code-value-quantity=x$1",
    "Observation?component-code-value-quantity=x$1",
    "Observation?_include:iterate=Patient:link",
    "Observation?_revinclude:iterate=Provenance:agent",
    "Patient?_sort=birthdate",
    "Patient?_sort=family",
];

#[tokio::test]
pub async fn a_parameter_that_could_test_a_removed_element_is_not_there() {
    let router = rest::portal(node().fhir);
    for query in REFUSED {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (400, "not-supported"), "{query}");
        for removed in ["family", "birthdate", "identifier", "telecom", "_lastUpdated"] {
            assert!(!answer.body.contains(&format!(", {removed}")), "{query}: {}", answer.body);
        }
        assert!(answer.body.contains("valid: "), "{query}: {}", answer.body);
        let lenient = get(&router, &format!("/fhir/{query}"), &[("prefer", "handling=lenient")]).await;
        assert_eq!(lenient.status.as_u16(), 400, "lenient {query}");
        let headers =
            [("authorization", "Bearer good"), ("content-type", "application/x-www-form-urlencoded")];
        let (of, form) = query.split_once('?').expect("a query");
        let posted = send(&router, "POST", &format!("/fhir/{of}/_search"), &headers, form).await;
        assert_eq!(posted.status.as_u16(), 400, "posted {query}");
    }
    for (query, ids) in [
        ("Patient?_id=p1", vec!["p1"]),
        ("Observation?patient=p2", vec!["o4", "o5"]),
        ("Observation?code=x", vec!["o5"]),
        ("Observation?subject=Patient/p2", vec!["o4", "o5"]),
        ("Observation?patient=p2&_count=1", vec!["o4"]),
    ] {
        assert_eq!(get(&router, &format!("/fhir/{query}"), &[]).await.ids(), ids, "{query}");
    }
}

#[tokio::test]
pub async fn time_is_told_to_the_year() {
    let router = rest::portal(node().fhir);
    let read = get(&router, "/fhir/Patient/p1", &[]).await;
    assert_eq!(read.json()["meta"]["lastUpdated"], "2026-01-01T00:00:00Z");
    assert_eq!(read.header("last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
    let since = [("if-modified-since", "Mon, 21 Sep 2026 14:13:20 GMT")];
    let conditional = get(&router, "/fhir/Patient/p1", &since).await;
    assert_eq!(conditional.status.as_u16(), 200, "a coarse instant cannot say that nothing changed");
    assert_eq!(get(&router, "/fhir/Patient/p1", &[("if-none-match", "W/\"2\"")]).await.status.as_u16(), 304);
    for path in
        ["/fhir/Patient/p1", "/fhir/Patient/p1/_history/1", "/fhir/Patient", "/fhir/Observation?patient=p1"]
    {
        let answer = get(&router, path, &[]).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert!(fhir::validate(&answer.json()).is_empty(), "{path}");
        let told = format!("{:?}{}", answer.headers, answer.body);
        for leak in ["14:13", "09-21", "21 Sep"] {
            assert!(!told.contains(leak), "{path}: {told}");
        }
    }
    for path in ["Patient/p1/_history?_since=2026-01-01T00:00:00Z", "Patient/p1/_history?_at=2026-09"] {
        let answer = get(&router, &format!("/fhir/{path}"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (400, "not-supported"), "{path}");
    }
    let page = get(&router, "/fhir/Observation?patient=p1&_count=1", &[]).await;
    assert!(page.link("next").expect("a next link").starts_with(&format!("{BASE}/Observation?_cursor=")));
}

#[tokio::test]
pub async fn small_totals_are_not_told_of_many_people() {
    let observation = |number: u64| {
        json!({"resourceType": "Observation", "id": format!("o{number}"), "status": "final",
            "code": {"coding": [{"code": if number < SMALL_CELL - 1 { "few" } else { "many" }}]},
            "subject": {"reference": "Patient/p"}})
    };
    let mut world: Vec<_> = (0..3 * SMALL_CELL - 2).map(observation).collect();
    world.push(json!({"resourceType": "Patient", "id": "p", "active": true}));
    let stored = Stored::with(world.iter().map(|resource| version(resource, 1)).collect()).await;
    for (role, router) in roles() {
        let router = router(stored.node().fhir);
        for (query, matches, total) in [
            ("code=few", SMALL_CELL - 1, None),
            ("code=few&_total=accurate", SMALL_CELL - 1, None),
            ("code=few&_summary=count", 0, None),
            ("code=few&_count=0", 0, None),
            ("code=few&_total=estimate", SMALL_CELL - 1, None),
            ("code=none&_summary=count", 0, Some(0)),
            ("code=many&_summary=count", 0, Some(2 * SMALL_CELL - 1)),
            ("code=many", 2 * SMALL_CELL - 1, Some(2 * SMALL_CELL - 1)),
        ] {
            let answer = get(&router, &format!("/fhir/Observation?{query}"), &[]).await.json();
            assert_eq!(fhir::validate(&answer), [], "{role} {query}");
            let entries = answer["entry"].as_array().cloned().unwrap_or_default();
            let mode =
                |name: &str| entries.iter().filter(|entry| entry["search"]["mode"] == name).count() as u64;
            let exact = if query.contains("few") { SMALL_CELL - 1 } else { total.unwrap_or_default() };
            let expected = if role == "portal" { total } else { Some(exact) };
            assert_eq!(
                (mode("match"), answer.get("total").and_then(Value::as_u64)),
                (matches, expected),
                "{role} {query}"
            );
            let is_told = role == "portal" && query.contains("few&_") && !query.contains("estimate");
            assert_eq!(mode("outcome"), u64::from(is_told), "{role} {query}: {answer}");
        }
        let all = get(&router, "/fhir/Patient/p/$everything?_type=Patient", &[]).await.json();
        assert_eq!(all.get("total").is_none(), role == "portal", "{role}: {all}");
    }
    stored.close().await;
}

#[cfg(feature = "clinical")]
#[tokio::test]
pub async fn a_patient_is_told_how_much_there_is_of_their_own() {
    let idp = crate::idp::Idp::new();
    let world = [json!({"resourceType": "Patient", "id": "p", "active": true})];
    let stored = Stored::with(world.iter().map(|resource| version(resource, 1)).collect()).await;
    let mut node = stored.node();
    node.fhir.issuers = rest::Issuers::new([idp.trusted()]);
    let router = rest::portal(node.fhir);
    for (scopes, total) in
        [("patient/*.rs", Some(1)), ("system/*.rs", None), ("patient/*.rs system/Device.rs", None)]
    {
        let bearer = format!("Bearer {}", idp.token(scopes, "p", ""));
        let answer =
            send(&router, "GET", "/fhir/Patient?_summary=count", &[("authorization", &bearer)], "").await;
        assert_eq!(answer.json().get("total").and_then(Value::as_u64), total, "{scopes}: {}", answer.body);
    }
    stored.close().await;
}
