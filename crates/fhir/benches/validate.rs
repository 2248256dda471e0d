//! Validation beside one serde_json parse of the same bundle, on one core; the goal is at most 5 times. What the invariants
//! cost is the ratio to structure alone.
#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const WINDOWS: usize = 40;
const RUNS: u32 = 200;

fn main() {
    let started = Instant::now();
    fhir::r4();
    println!("definitions decoded in {:?}", started.elapsed());
    let text = bundle().to_string();
    let value: Value = serde_json::from_str(&text).expect("the bundle was written by serde_json");
    assert_eq!(fhir::validate(&value), [], "the bundle is valid");
    println!("bundle of {} bytes", text.len());
    let parse = best(|| drop(black_box(serde_json::from_str::<Value>(black_box(&text)))));
    let validate = best(|| drop(black_box(fhir::validate(black_box(&value)))));
    let structure = best(|| drop(black_box(fhir::validate_structure(black_box(&value)))));
    let canonical = best(|| drop(black_box(fhir::canonical_json(black_box(&value)))));
    let extract = best(|| {
        for resource in fhir::bundle::entries(&value) {
            let name = resource["resourceType"].as_str().unwrap_or_default();
            for parameter in fhir::r4().search_parameters(name) {
                black_box(fhir::extract(resource, parameter));
            }
        }
    });
    println!("parse {parse:?}");
    for (what, time) in [
        ("structure", structure),
        ("validate", validate),
        ("canonical JSON", canonical),
        ("extract all parameters", extract),
    ] {
        println!("{what} {time:?}, {:.2} x parse", time.as_secs_f64() / parse.as_secs_f64());
    }
    println!("with invariants {:.2} x structure", validate.as_secs_f64() / structure.as_secs_f64());
}

/// The best of many short windows, per run.
fn best(mut run: impl FnMut()) -> Duration {
    let window = |run: &mut dyn FnMut()| {
        let started = Instant::now();
        (0..RUNS).for_each(|_| run());
        started.elapsed() / RUNS
    };
    (0..WINDOWS).map(|_| window(&mut run)).min().unwrap_or_default()
}

fn bundle() -> Value {
    let patient = json!({
        "resourceType": "Patient", "id": "p1", "active": true, "gender": "female", "birthDate": "1980-05-11",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "A1", "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}}],
        "name": [{"use": "official", "family": "Example", "given": ["Ada", "Bea"]}],
        "telecom": [{"system": "phone", "value": "555-0100", "use": "home"}],
        "address": [{"line": ["1 Main St"], "city": "Town", "postalCode": "00000", "country": "US"}],
    });
    let observation = |number: u32| {
        json!({
            "resourceType": "Observation", "id": format!("o{number}"), "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}], "text": "Hb"},
            "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2020-02-29T10:00:00+01:00",
            "valueQuantity": {"value": 13.5, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
            "referenceRange": [{"low": {"value": 12}, "high": {"value": 16}, "text": "12-16"}],
        })
    };
    let entries: Vec<Value> = std::iter::once(patient)
        .chain((0..5).map(observation))
        .enumerate()
        .map(|(index, resource)| {
            json!({"fullUrl": format!("urn:uuid:c757873d-ec9a-4326-a141-{index:012}"), "resource": resource})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}
