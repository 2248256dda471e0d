//! Time to de-identify and verify the six resources of a typical message, and to search them for sixty identifiers.
//!
//! `cargo bench -p residency --bench deidentify`; the goal is 200 µs a message.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use verifier::{IdentifierKind, KnownIdentifiers};

const ROUNDS: u32 = 2_000;
const OWNER: &str = "p1";

fn message() -> Vec<Value> {
    let concept = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code, "display": "as sent"}, {"system": "urn:oid:1.2.840.1", "code": "LOCAL1"}], "text": "as sent"});
    let patient = json!({
        "resourceType": "Patient", "id": OWNER, "identifier": [{"system": "urn:oid:1.2", "value": "MRN4471193"}, {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "900-12-3456"}],
        "name": [{"family": "Featherstone", "given": ["Marigold", "Anne"]}], "telecom": [{"system": "phone", "value": "(312) 555-0147"}], "gender": "female",
        "birthDate": "1961-04-17", "address": [{"line": ["12 Larkspur Lane"], "city": "Chicago", "state": "IL", "postalCode": "60614", "country": "US"}],
        "contact": [{"name": {"family": "Featherstone", "given": ["Alaric"]}}], "managingOrganization": {"reference": "Organization/o1"},
    });
    let encounter = json!({
        "resourceType": "Encounter", "id": "e1", "identifier": [{"value": "V99812"}], "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}, "subject": {"reference": "Patient/p1"},
        "participant": [{"individual": {"reference": "Practitioner/d1", "display": "Dr Strange"}}], "period": {"start": "2025-03-01T10:00:00Z", "end": "2025-03-03T10:00:00Z"},
        "location": [{"location": {"reference": "Location/l1"}}],
    });
    let observation = |id: &str, code: &str| {
        json!({
            "resourceType": "Observation", "id": id, "identifier": [{"value": "ORD551177"}], "status": "final",
            "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")], "code": concept("http://loinc.org", code),
            "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"}, "effectiveDateTime": "2025-03-01T11:12:00Z",
            "performer": [{"reference": "Organization/o1"}], "valueQuantity": {"value": 6.2, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
            "interpretation": [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "H")],
            "referenceRange": [{"low": {"value": 4.0, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}, "text": "4-6"}], "note": [{"text": "called to the ward"}],
        })
    };
    let report = json!({
        "resourceType": "DiagnosticReport", "id": "r1", "identifier": [{"value": "ACC771"}], "status": "final", "code": concept("http://loinc.org", "24323-8"),
        "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"}, "effectiveDateTime": "2025-03-01T11:12:00Z", "issued": "2025-03-01T12:00:00Z",
        "result": [{"reference": "Observation/b1"}, {"reference": "Observation/b2"}],
    });
    let condition = json!({
        "resourceType": "Condition", "id": "c1", "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "code": concept("http://hl7.org/fhir/sid/icd-10-cm", "E11.9"), "subject": {"reference": "Patient/p1"}, "recordedDate": "2025-03-01",
    });
    vec![patient, encounter, observation("b1", "4548-4"), observation("b2", "2345-7"), report, condition]
}

fn identifiers(resources: &[Value]) -> KnownIdentifiers {
    let mut known = KnownIdentifiers::default();
    resources.iter().for_each(|resource| known.add_resource(resource));
    known.add(IdentifierKind::Date, "19610417");
    known
}

fn main() {
    let (profile, grammar) = (support::profile(), support::grammar());
    let resources = message();
    let maps: Vec<_> =
        resources.iter().map(|resource| support::pseudonyms(&profile, resource, Some(OWNER))).collect();
    let mut spent = [std::time::Duration::ZERO; 5];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        resources.iter().for_each(|resource| drop(black_box(profile.needs(resource, Some(OWNER)))));
        let needed = Instant::now();
        let made: Vec<_> = resources
            .iter()
            .zip(&maps)
            .map(|(resource, map)| {
                profile.deidentify(resource, Some(OWNER), map, support::YEAR).expect("the message is covered")
            })
            .collect();
        let transformed = Instant::now();
        let bytes: Vec<_> = made.iter().map(|made| fhir::canonical_json(&made.resource)).collect();
        let written = Instant::now();
        let known = identifiers(&resources);
        let collected = Instant::now();
        for bytes in &bytes {
            drop(black_box(verifier::verify(bytes, &grammar, &known).expect("the output passes")));
        }
        let verified = Instant::now();
        for (total, part) in spent.iter_mut().zip([
            needed - start,
            transformed - needed,
            written - transformed,
            collected - written,
            verified - collected,
        ]) {
            *total += part;
        }
    }
    let names = ["needs", "deidentify", "write", "collect identifiers", "verify"];
    let micros: Vec<f64> = spent.iter().map(|total| total.as_secs_f64() * 1e6 / f64::from(ROUNDS)).collect();
    for (name, micros) in names.iter().zip(&micros) {
        report(name, *micros);
    }
    report("total of a message", micros.iter().sum());
}

#[allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(name: &str, micros: f64) {
    println!("{name:22} {micros:8.1} µs");
}
