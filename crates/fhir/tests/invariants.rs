//! The invariants of R4: for each way a rule can be written, a resource that keeps it and one that breaks it.

use fhir::{IssueCode, validate, validate_structure};
use serde_json::{Value, json};

/// The keys of the invariants that a resource breaks, with their places; nothing else may be wrong with it.
fn broken(resource: &Value) -> Vec<(String, String)> {
    let issues = validate(resource);
    let key = |text: &str| text.rsplit_once('(').map(|(_, key)| key.trim_end_matches(')').to_owned());
    for issue in &issues {
        assert_eq!(issue.code, IssueCode::Invariant, "{issue:?}");
        assert!(!issue.text.contains("Zz9"), "{issue:?}");
    }
    issues.into_iter().map(|issue| (key(&issue.text).unwrap_or_default(), issue.location)).collect()
}

/// Keeps every rule as `good`, and breaks this one, there, as `bad`.
fn case(key: &str, location: &str, good: &Value, bad: &Value) {
    assert_eq!(broken(good), [], "{key}: {good}");
    assert_eq!(broken(bad), [(key.to_owned(), location.to_owned())], "{key}: {bad}");
}

/// A resource with more elements.
fn with(mut resource: Value, more: Value) -> Value {
    let (Value::Object(resource_map), Value::Object(more)) = (&mut resource, more) else {
        panic!("no objects")
    };
    resource_map.extend(more);
    resource
}

fn observation(more: Value) -> Value {
    let code = json!({"coding": [{"system": "http://loinc.org", "code": "718-7"}]});
    with(json!({"resourceType": "Observation", "status": "final", "code": code}), more)
}

fn patient(more: Value) -> Value {
    with(json!({"resourceType": "Patient"}), more)
}

#[test]
fn a_rule_of_the_resource() {
    case(
        "obs-6",
        "Observation",
        &observation(json!({"dataAbsentReason": {"text": "x"}})),
        &observation(json!({"dataAbsentReason": {"text": "x"}, "valueString": "Zz9"})),
    );
    case(
        "org-1",
        "Organization",
        &json!({"resourceType": "Organization", "name": "Ward"}),
        &json!({"resourceType": "Organization", "active": true}),
    );
    let verification = |code: &str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "code": code}]});
    let allergy = |code: &str| json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}, "verificationStatus": verification(code)});
    case("ait-1", "AllergyIntolerance", &allergy("entered-in-error"), &allergy("confirmed"));
}

#[test]
fn a_rule_of_a_backbone_element_and_of_one_that_shares_its_children() {
    case(
        "pat-1",
        "Patient.contact[1]",
        &patient(json!({"contact": [{"name": {"text": "A"}}]})),
        &patient(json!({"contact": [{"name": {"text": "A"}}, {"gender": "female"}]})),
    );
    let component = |range: Value| json!({"component": [{"code": {"text": "x"}, "valueString": "y", "referenceRange": [range]}]});
    case(
        "obs-3",
        "Observation.component[0].referenceRange[0]",
        &observation(component(json!({"text": "1-2"}))),
        &observation(component(json!({"type": {"text": "normal"}}))),
    );
}

#[test]
fn a_rule_of_one_element_whose_type_has_others() {
    let home = |name: &str| json!({"resourceType": "Organization", "name": "Ward", name: [{"use": "home"}]});
    let work = |name: &str| json!({"resourceType": "Organization", "name": "Ward", name: [{"use": "work"}]});
    case("org-2", "Organization.address[0]", &work("address"), &home("address"));
    case("org-3", "Organization.telecom[0]", &work("telecom"), &home("telecom"));
    // The same address of a person is right.
    assert_eq!(broken(&patient(json!({"address": [{"use": "home", "city": "Town"}]}))), []);
}

#[test]
fn periods_are_compared_as_far_as_they_are_known() {
    let period = |start: &str, end: &str| {
        patient(json!({"identifier": [{"value": "1", "period": {"start": start, "end": end}}]}))
    };
    let at = "Patient.identifier[0].period";
    case("per-1", at, &period("2020-01-01", "2020-01-01"), &period("2020-01-02", "2020-01-01"));
    case("per-1", at, &period("2020", "2020-05-01"), &period("2021", "2020-05-01"));
    case(
        "per-1",
        at,
        &period("2020-05-01", "2020-05-01T10:00:00Z"),
        &period("2020-05-02", "2020-05-01T10:00:00Z"),
    );
    // The same moment in two zones.
    case(
        "per-1",
        at,
        &period("2020-05-01T12:00:00+02:00", "2020-05-01T10:00:00Z"),
        &period("2020-05-01T12:00:01+02:00", "2020-05-01T10:00:00Z"),
    );
}

#[test]
fn numbers_keep_their_digits_and_units_their_difference() {
    let range = |low: Value, high: Value| {
        observation(
            json!({"valueString": "x", "referenceRange": [{"text": "r", "age": {"low": low, "high": high}}]}),
        )
    };
    let quantity = |value: f64, unit: &str| json!({"value": value, "unit": unit});
    let at = "Observation.referenceRange[0].age";
    case(
        "rng-2",
        at,
        &range(quantity(9.5, "a"), quantity(10.0, "a")),
        &range(quantity(10.5, "a"), quantity(10.0, "a")),
    );
    // Days and years are not compared, for nothing here converts units.
    assert_eq!(broken(&range(quantity(20.0, "d"), quantity(1.0, "a"))), []);
    let timing = |period: Value| {
        let repeat = json!({"period": period, "periodUnit": "h"});
        json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"reference": "Patient/1"},
            "medicationCodeableConcept": {"text": "x"}, "dosageInstruction": [{"timing": {"repeat": repeat}}]})
    };
    let at = "MedicationRequest.dosageInstruction[0].timing.repeat";
    case("tim-5", at, &timing(json!(0.0)), &timing(json!(-0.1)));
}

#[test]
fn a_quantity_and_what_derives_from_it() {
    let quantity = |more: Value| observation(json!({"valueQuantity": more}));
    case(
        "qty-3",
        "Observation.value",
        &quantity(json!({"value": 1, "system": "http://unitsofmeasure.org", "code": "g"})),
        &quantity(json!({"value": 1, "code": "g"})),
    );
    let onset = |more: Value| json!({"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "onsetAge": more});
    let age = |value: i64| json!({"value": value, "system": "http://unitsofmeasure.org", "code": "a"});
    case("age-1", "Condition.onset", &onset(age(40)), &onset(age(-1)));
}

#[test]
fn what_the_whole_resource_says_of_an_element() {
    let code = json!({"coding": [{"system": "http://loinc.org", "code": "718-7"}]});
    let component =
        |code: Value| json!({"valueString": "x", "component": [{"code": code, "valueString": "y"}]});
    case(
        "obs-7",
        "Observation",
        &observation(component(json!({"text": "other"}))),
        &observation(component(code)),
    );
}

#[test]
fn contained_resources_are_referred_to_and_bare() {
    let ward = |more: Value| with(json!({"resourceType": "Organization", "id": "o", "name": "Ward"}), more);
    let patient = |contained: Value, reference: &str| {
        patient(json!({"contained": [contained], "managingOrganization": {"reference": reference}}))
    };
    case(
        "dom-3",
        "Patient.contained[0]",
        &patient(ward(json!({})), "#o"),
        &patient(ward(json!({})), "Organization/o"),
    );
    case(
        "dom-4",
        "Patient",
        &patient(ward(json!({"meta": {"profile": ["urn:x"]}})), "#o"),
        &patient(ward(json!({"meta": {"versionId": "1"}})), "#o"),
    );
    // Its own rules hold too, in its own place.
    let bare = json!({"resourceType": "Organization", "id": "o", "active": true});
    case("org-1", "Patient.contained[0]", &patient(ward(json!({})), "#o"), &patient(bare, "#o"));
    // It refers to its container, which is enough.
    let practitioner =
        json!({"resourceType": "PractitionerRole", "id": "r", "organization": {"reference": "#"}});
    let holder = json!({"resourceType": "Organization", "name": "Ward", "contained": [practitioner]});
    assert_eq!(broken(&holder), []);
}

#[test]
fn an_element_is_more_than_its_id() {
    case(
        "ele-1",
        "Patient.name[0]",
        &patient(json!({"name": [{"id": "a", "family": "Example"}]})),
        &patient(json!({"name": [{"id": "a"}]})),
    );
    case(
        "ele-1",
        "Patient.birthDate",
        &patient(json!({"birthDate": "1980", "_birthDate": {"id": "a"}})),
        &patient(json!({"_birthDate": {"id": "a"}})),
    );
}

#[test]
fn a_narrative_holds_text_only() {
    let narrative = |div: &str| patient(json!({"text": {"status": "generated", "div": div}}));
    let issues = broken(&narrative("<div onclick=\"x\">A</div>"));
    let keys: Vec<&str> = issues.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["txt-1", "txt-2"]);
    assert!(issues.iter().all(|(_, location)| location == "Patient.text.div"), "{issues:?}");
    assert_eq!(broken(&narrative("<div>A</div>")), []);
}

fn entry(url: &str, resource: Value) -> Value {
    json!({"fullUrl": url, "resource": resource})
}

const ONE: &str = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";
const OTHER: &str = "urn:uuid:a1e3c4f0-0000-4000-8000-000000000001";

#[test]
fn the_rules_of_a_bundle() {
    let bundle = |kind: &str, more: Value| with(json!({"resourceType": "Bundle", "type": kind}), more);
    let entries = |entries: Value| json!({"entry": entries});
    case(
        "bdl-7",
        "Bundle",
        &bundle(
            "collection",
            entries(json!([entry(ONE, patient(json!({}))), entry(OTHER, patient(json!({})))])),
        ),
        &bundle(
            "collection",
            entries(json!([entry(ONE, patient(json!({}))), entry(ONE, patient(json!({})))])),
        ),
    );
    let request = json!({"method": "PUT", "url": "Patient/1"});
    let asked = json!([{"fullUrl": ONE, "resource": patient(json!({"id": "1"})), "request": request}]);
    case(
        "bdl-3",
        "Bundle",
        &bundle("transaction", entries(asked.clone())),
        &bundle("collection", entries(asked)),
    );
    // An entry without a full URL: the rule's own expression gives empty, and nothing is broken.
    assert_eq!(broken(&bundle("collection", entries(json!([{"resource": patient(json!({}))}])))), []);
    let document = |first: Value| {
        bundle(
            "document",
            json!({"timestamp": "2020-01-01T00:00:00Z", "identifier": {"system": "urn:x", "value": "1"}, "entry": [entry(ONE, first)]}),
        )
    };
    let composition = json!({"resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2020", "title": "x",
        "author": [{"display": "x"}]});
    case("bdl-11", "Bundle", &document(composition), &document(patient(json!({}))));
}

#[test]
fn references_within_a_bundle_lead_to_an_entry_of_the_right_type() {
    let about = |reference: &str| observation(json!({"subject": {"reference": reference}}));
    let bundle = |first: Value, reference: &str| json!({"resourceType": "Bundle", "type": "collection", "entry": [entry(ONE, first), entry(OTHER, about(reference))]});
    let found = |bundle: &Value| -> Vec<(IssueCode, String)> {
        validate(bundle).into_iter().map(|issue| (issue.code, issue.location)).collect()
    };
    let at = || "Bundle.entry[1].resource.subject".to_owned();
    assert_eq!(found(&bundle(patient(json!({})), ONE)), []);
    let away = "urn:uuid:ffffffff-0000-4000-8000-000000000001";
    assert_eq!(found(&bundle(patient(json!({})), away)), [(IssueCode::NotFound, at())]);
    let drug = json!({"resourceType": "Medication", "id": "m"});
    assert_eq!(found(&bundle(drug, ONE)), [(IssueCode::Invalid, at())]);
    // What is elsewhere on the server is no matter of the bundle.
    assert_eq!(found(&bundle(patient(json!({})), "Patient/elsewhere")), []);
    assert_eq!(validate(&about(away)), []);
}

#[test]
fn structure_alone_does_not_look_at_invariants() {
    let bad = observation(json!({"dataAbsentReason": {"text": "x"}, "valueString": "x"}));
    assert_eq!(validate_structure(&bad), []);
    assert_eq!(validate(&bad).len(), 1);
}

#[test]
fn a_huge_resource_ends_within_its_budget() {
    let coding = |index: usize| json!({"system": "http://loinc.org", "code": format!("{index}")});
    let codings: Vec<Value> = (0..2000).map(coding).collect();
    let component = |_: usize| json!({"code": {"coding": [coding(9)], "text": "x"}, "valueString": "x"});
    let components: Vec<Value> = (0..2000).map(component).collect();
    let huge = json!({"resourceType": "Observation", "status": "final", "valueString": "x", "code": {"coding": codings}, "component": components});
    let issues = validate(&huge);
    assert_eq!(issues.iter().map(|issue| issue.code).collect::<Vec<_>>(), [IssueCode::TooCostly]);
}
