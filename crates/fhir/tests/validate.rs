//! Mutations of valid resources: each breaks one rule, and the issue names the place and the kind, never the value.

use fhir::IssueCode::{
    CodeInvalid, Invalid, Invariant, NotSupported, Required, Structure, TooCostly, Value as BadValue,
};
use fhir::{ISSUES_MAX, IssueCode, operation_outcome, r4, validate};
use serde_json::{Value, json};

const SECRET: &str = "Zz9secret";

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": "p-1",
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"},
        "contained": [{"resourceType": "Organization", "id": "o", "name": "Ward"}],
        "extension": [{"url": "http://example.org/e", "valueDecimal": 81.250}],
        "identifier": [{"system": "urn:oid:1.2.3", "value": "A1", "type": {"text": "MR"}}],
        "active": true,
        "name": [{"family": "Example", "given": ["Ada", null], "_given": [null, {"extension": [{"url": "x", "valueCode": "unknown"}]}]}],
        "telecom": [{"system": "phone", "value": "555", "rank": 1}],
        "gender": "female",
        "birthDate": "1980-05-11",
        "_birthDate": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "1980-05-11T14:35:45-05:00"}]},
        "deceasedBoolean": false,
        "managingOrganization": {"reference": "#o"},
        "generalPractitioner": [{"reference": "Practitioner/7"}],
        "communication": [{"language": {"text": "en"}}],
    })
}

fn observation() -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
        "effectiveDateTime": "2020-02-29T10:00:00Z",
        "valueQuantity": {"value": 13.50, "unit": "g/dL"},
        "component": [{"code": {"text": "x"}, "referenceRange": [{"low": {"value": 1}}], "valueString": "y"}],
    })
}

fn allergy() -> Value {
    json!({
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "patient": {"reference": "Patient/1"},
    })
}

fn bundle() -> Value {
    json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": patient()}, {"resource": observation()}
    ]})
}

/// Sets what a JSON pointer names, making the last member where it is absent.
fn set(resource: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match resource.pointer_mut(parent).unwrap() {
        Value::Object(object) => drop(object.insert(name.to_owned(), value)),
        Value::Array(items) => match name.parse::<usize>() {
            Ok(index) if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        _ => panic!("{pointer} names nothing"),
    }
}

fn remove(resource: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    resource.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
}

#[test]
fn valid_resources_have_no_issue() {
    for resource in [patient(), observation(), allergy(), bundle()] {
        assert_eq!(validate(&resource), [], "{}", resource["resourceType"]);
    }
    let outcome = operation_outcome(&validate(&json!({"resourceType": "Patient", "x": 1})));
    assert_eq!(validate(&outcome), []);
    assert_eq!(outcome["issue"][0]["expression"][0], "Patient.x");
    assert_eq!(validate(&operation_outcome(&[])), []);
}

#[test]
fn each_mutation_gives_its_issue() {
    type Case = (fn() -> Value, &'static str, Value, IssueCode, &'static str);
    let s = || json!(SECRET);
    let cases: Vec<Case> = vec![
        // structure
        (patient, "/resourceType", json!("Humbug"), NotSupported, "Resource"),
        (patient, "/resourceType", json!("DomainResource"), NotSupported, "Resource"),
        (patient, "/colour", s(), Structure, "Patient.colour"),
        (patient, "/Zz9 secret", s(), Structure, "Patient"),
        (patient, "/_colour", s(), Structure, "Patient._colour"),
        (patient, "/_name", json!([{"id": "a"}]), Structure, "Patient._name"),
        (patient, "/name/0/resourceType", s(), Structure, "Patient.name[0].resourceType"),
        (patient, "/name", json!([]), Structure, "Patient.name"),
        (patient, "/name", json!({"family": SECRET}), Structure, "Patient.name"),
        (patient, "/name/0", json!({}), Structure, "Patient.name[0]"),
        (patient, "/name/0", Value::Null, Structure, "Patient.name[0]"),
        (patient, "/name/0", s(), Structure, "Patient.name[0]"),
        (patient, "/gender", Value::Null, Structure, "Patient.gender"),
        (patient, "/birthDate", json!(["2020"]), Structure, "Patient.birthDate"),
        (patient, "/active", json!("true"), Structure, "Patient.active"),
        (patient, "/telecom/0/rank", json!("1"), Structure, "Patient.telecom[0].rank"),
        (patient, "/name/0/given", json!(["Ada", null, "B"]), Structure, "Patient.name[0].given"),
        (patient, "/name/0/_given", json!([null, null]), Structure, "Patient.name[0].given[1]"),
        (patient, "/_birthDate", json!({}), Structure, "Patient.birthDate"),
        (patient, "/_birthDate", s(), Structure, "Patient.birthDate"),
        (patient, "/_gender", json!({"value": SECRET}), Structure, "Patient.gender.value"),
        (patient, "/deceasedDateTime", json!("2020"), Structure, "Patient.deceased"),
        (patient, "/deceasedQuantity", json!({"value": 1}), Structure, "Patient.deceasedQuantity"),
        (patient, "/deceased", json!(true), Structure, "Patient.deceased"),
        // primitives
        (patient, "/birthDate", json!("2026-13-45"), BadValue, "Patient.birthDate"),
        (patient, "/birthDate", json!("2023-02-29"), BadValue, "Patient.birthDate"),
        (patient, "/id", json!("Zz9_secret"), BadValue, "Patient.id"),
        (patient, "/name/0/family", json!(""), BadValue, "Patient.name[0].family"),
        (patient, "/telecom/0/rank", json!(0), BadValue, "Patient.telecom[0].rank"),
        (patient, "/text/div", s(), BadValue, "Patient.text.div"),
        (patient, "/identifier/0/system", json!("Zz9 secret"), BadValue, "Patient.identifier[0].system"),
        (observation, "/effectiveDateTime", json!("2020-02-30"), BadValue, "Observation.effective"),
        (observation, "/valueQuantity/value", json!("13.5"), Structure, "Observation.value.value"),
        // codes
        (patient, "/gender", s(), CodeInvalid, "Patient.gender"),
        (observation, "/status", json!("done"), CodeInvalid, "Observation.status"),
        (allergy, "/clinicalStatus/coding/0/code", s(), CodeInvalid, "AllergyIntolerance.clinicalStatus"),
        (
            allergy,
            "/clinicalStatus/coding/0/system",
            json!("http://example.org"),
            CodeInvalid,
            "AllergyIntolerance.clinicalStatus",
        ),
        (
            allergy,
            "/clinicalStatus",
            json!({"text": SECRET}),
            CodeInvalid,
            "AllergyIntolerance.clinicalStatus",
        ),
        // references
        (
            patient,
            "/generalPractitioner/0/reference",
            json!("Patient/Zz9secret"),
            Invalid,
            "Patient.generalPractitioner[0]",
        ),
        (
            patient,
            "/generalPractitioner/0/reference",
            json!("https://x.org/fhir/Device/1/_history/2"),
            Invalid,
            "Patient.generalPractitioner[0]",
        ),
        (
            patient,
            "/generalPractitioner/0",
            json!({"type": "Device", "display": SECRET}),
            Invalid,
            "Patient.generalPractitioner[0]",
        ),
        (
            patient,
            "/managingOrganization/reference",
            json!("#Zz9secret"),
            BadValue,
            "Patient.managingOrganization",
        ),
        (
            patient,
            "/contained/0",
            json!({"resourceType": "Device", "id": "o"}),
            Invalid,
            "Patient.managingOrganization",
        ),
        // extensions, contained, nested
        (
            patient,
            "/extension/0/extension",
            json!([{"url": "y", "valueString": SECRET}]),
            Invariant,
            "Patient.extension[0]",
        ),
        (patient, "/extension/0", json!({"url": "http://example.org/e"}), Invariant, "Patient.extension[0]"),
        (
            patient,
            "/contained/0/contained",
            json!([{"resourceType": "Device"}]),
            Invariant,
            "Patient.contained[0]",
        ),
        (patient, "/contained/0", s(), Structure, "Patient.contained[0]"),
        (patient, "/contained/0", json!({"id": "o"}), Structure, "Patient.contained[0]"),
        (
            observation,
            "/component/0/referenceRange/0/low/value",
            s(),
            Structure,
            "Observation.component[0].referenceRange[0].low.value",
        ),
        (bundle, "/entry/0/resource/gender", s(), CodeInvalid, "Bundle.entry[0].resource.gender"),
        (bundle, "/entry/1/resource/valueString", s(), Structure, "Bundle.entry[1].resource.value"),
        (
            bundle,
            "/entry/0/resource/managingOrganization/reference",
            json!("#Zz9secret"),
            BadValue,
            "Bundle.entry[0].resource.managingOrganization",
        ),
    ];
    for (make, pointer, value, code, location) in cases {
        let mut resource = make();
        set(&mut resource, pointer, value);
        expect(&resource, pointer, code, location);
    }
    for (make, pointer, location) in [
        (observation as fn() -> Value, "/status", "Observation.status"),
        (observation, "/code", "Observation.code"),
        (observation, "/component/0/code", "Observation.component[0].code"),
        (patient, "/text/div", "Patient.text.div"),
        (patient, "/extension/0/url", "Patient.extension[0].url"),
        (patient, "/communication/0/language", "Patient.communication[0].language"),
        (bundle, "/type", "Bundle.type"),
    ] {
        let mut resource = make();
        remove(&mut resource, pointer);
        if resource.pointer("/communication/0") == Some(&json!({})) {
            set(&mut resource, "/communication/0/preferred", json!(true));
        }
        expect(&resource, pointer, Required, location);
    }
}

fn expect(resource: &Value, mutation: &str, code: IssueCode, location: &str) {
    let issues = validate(resource);
    assert!(
        issues.iter().any(|issue| issue.code == code && issue.location == location),
        "{mutation}: wanted {code:?} at {location}, got {issues:?}"
    );
    assert!(issues.len() <= 3, "{mutation}: {issues:?}");
    assert!(!format!("{issues:?}").contains("Zz9"), "{mutation} shows the value");
}

#[test]
fn depth_and_number_of_issues_are_bounded() {
    let mut item = json!({"linkId": "1"});
    for _ in 0..100 {
        item = json!({"linkId": "1", "item": [item]});
    }
    let deep = json!({"resourceType": "QuestionnaireResponse", "status": "completed", "item": [item]});
    assert_eq!(validate(&deep).iter().map(|issue| issue.code).collect::<Vec<_>>(), [TooCostly]);
    let wrong = json!({"resourceType": "Patient", "name": vec![json!(1); 1000]});
    assert_eq!(validate(&wrong).len(), ISSUES_MAX);
}

#[test]
fn a_primitive_may_be_its_extension_alone() {
    let mut resource = observation();
    remove(&mut resource, "/status");
    set(
        &mut resource,
        "/_status",
        json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}),
    );
    assert_eq!(validate(&resource), []);
}

#[test]
fn every_type_fits_the_bits_of_a_walk() {
    for name in r4().resource_names() {
        assert!(r4().children(name).len() <= 128, "{name}");
    }
    assert!(r4().children("ElementDefinition").len() <= 128);
}
