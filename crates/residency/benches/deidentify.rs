//! What a message costs until it may leave: pseudonyms looked up, resources de-identified and written, identifiers collected and searched for.
//!
//! Three messages: six resources by hand, the admission of `fixtures/`, and its panel of results with ten of them. The goal is 200 µs for a
//! message; one serde_json parse of the same resources stands beside it, so that machines can be compared. `cargo bench -p residency`.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use fhir::ResourceType;
use residency::{Profile, Pseudonyms};
use serde_json::{Value, json};
use verifier::{Grammar, IdentifierKind, KnownIdentifiers};

const WINDOWS: usize = 40;
/// A window is at least this long.
const WINDOW: Duration = Duration::from_millis(3);
const RESULTS: usize = 10;

/// The resources of one message that may leave, and whose they are.
struct Message {
    name: &'static str,
    owner: String,
    resources: Vec<Value>,
}

fn main() {
    let (profile, grammar) = (support::profile(), support::grammar());
    let messages = [
        by_hand(),
        of_fixture("ADT_A01", "ADT_A01/admit-inpatient", &profile),
        with_results(of_fixture("ORU_R01 with 10 OBX", "ORU_R01/numeric-panel", &profile)),
    ];
    let columns = ["parse", "needs", "de-identify", "write", "identifiers", "verify", "all"];
    print!("{:22} {:>9} {:>8}", "", "resources", "bytes");
    columns.iter().for_each(|column| print!(" {column:>11}"));
    println!();
    messages.iter().for_each(|message| measure(message, &profile, &grammar));
}

fn measure(message: &Message, profile: &Profile, grammar: &Grammar) {
    let Message { name, owner, resources } = message;
    let owner = Some(owner.as_str());
    let json = serde_json::to_vec(resources).expect("is JSON");
    let maps: Vec<Pseudonyms> =
        resources.iter().map(|resource| support::pseudonyms(profile, resource, owner)).collect();
    let make =
        |resource, map| profile.deidentify(resource, owner, map, support::YEAR).expect("it is covered");
    let made: Vec<Value> = resources.iter().zip(&maps).map(|(one, map)| make(one, map).resource).collect();
    let bytes: Vec<Vec<u8>> = made.iter().map(fhir::canonical_json).collect();
    let known = identifiers(resources);
    let parse = best(|| drop(black_box(serde_json::from_slice::<Value>(&json))));
    let steps = [
        best(|| resources.iter().for_each(|one| drop(black_box(profile.needs(one, owner))))),
        best(|| resources.iter().zip(&maps).for_each(|(one, map)| drop(black_box(make(one, map))))),
        best(|| made.iter().for_each(|one| drop(black_box(fhir::canonical_json(one))))),
        best(|| drop(black_box(identifiers(resources)))),
        best(|| {
            let verify = |bytes: &Vec<u8>| verifier::verify(bytes, grammar, &known).expect("it passes");
            bytes.iter().for_each(|bytes| drop(black_box(verify(bytes))));
        }),
    ];
    let all: Duration = steps.iter().sum();
    print!("{name:22} {:9} {:8} {parse:>11.1?}", resources.len(), json.len());
    steps.iter().chain([&all]).for_each(|step| print!(" {step:>11.1?}"));
    println!();
    print!("{:22} {:9} {:8} {:11}", "", "", "", "");
    let times = |step: &Duration| step.as_secs_f64() / parse.as_secs_f64();
    steps.iter().chain([&all]).for_each(|step| print!(" {:>10.2}x", times(step)));
    println!();
}

/// The best of many windows, for one run.
fn best(mut run: impl FnMut()) -> Duration {
    let mut window = |runs: u32| {
        let start = Instant::now();
        (0..runs).for_each(|_| run());
        start.elapsed()
    };
    let once = window(1).max(Duration::from_nanos(1));
    let runs = u32::try_from(WINDOW.as_nanos() / once.as_nanos()).unwrap_or(1).max(1);
    (0..WINDOWS).map(|_| window(runs) / runs).min().unwrap_or_default()
}

fn identifiers(resources: &[Value]) -> KnownIdentifiers {
    let mut known = KnownIdentifiers::default();
    resources.iter().for_each(|resource| known.add_resource(resource));
    known.add(IdentifierKind::Date, "19610417");
    known
}

/// What the mappings make of a message of `fixtures/`, as far as it may leave. The Provenance of a fixture has words for an id.
fn of_fixture(name: &'static str, path: &str, profile: &Profile) -> Message {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/{path}.bundle.json"));
    let text = std::fs::read(path).expect("the fixture is readable");
    let bundle: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    let may_leave = |resource: &Value| {
        ResourceType::of(resource).is_some_and(|kind| kind.as_str() != "Provenance" && profile.covers(kind))
    };
    let resources: Vec<Value> =
        fhir::bundle::entries(&bundle).filter(|one| may_leave(one)).cloned().collect();
    let patient = resources.iter().find(|one| one["resourceType"] == "Patient");
    let owner = patient.and_then(|patient| patient["id"].as_str()).expect("a patient").to_owned();
    Message { name, owner, resources }
}

/// The same message with its first result told under so many codes.
fn with_results(mut message: Message) -> Message {
    let is_result = |resource: &Value| resource["resourceType"] == "Observation";
    let result = message.resources.iter().find(|one| is_result(one)).cloned().expect("a result");
    message.resources.retain(|resource| !is_result(resource));
    for number in 0..RESULTS {
        let mut result = result.clone();
        result["id"] = format!("0ee4aa80-a478-5a53-9bd1-5200000000{number:02}").into();
        result["code"]["coding"][0]["code"] = format!("295{number}-2").into();
        message.resources.push(result);
    }
    message
}

fn by_hand() -> Message {
    let concept = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code, "display": "as sent"}, {"system": "urn:oid:1.2.840.1", "code": "LOCAL1"}], "text": "as sent"});
    let patient = json!({
        "resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:oid:1.2", "value": "MRN4471193"}, {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "900-12-3456"}],
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
    let resources =
        vec![patient, encounter, observation("b1", "4548-4"), observation("b2", "2345-7"), report, condition];
    Message { name: "six resources", owner: "p1".to_owned(), resources }
}
