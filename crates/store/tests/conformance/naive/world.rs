//! The resources that are searched, and how the naive reading finds one from another.

use std::collections::HashMap;

use fhir::UCUM;
use serde_json::{Value, json};
use store::ResourceVersion;

use super::draw::{CODES, COMPARATORS, DAY_US, Draw, FAMILIES, PROFILES, START_US, SYSTEMS, TEXTS, UNITS};
use crate::samples::real;

pub const PATIENTS: usize = 40;
const RISKS: usize = 20;
const REPORTS: usize = 40;
const SEQUENCES: usize = 30;
const DOCUMENTS: usize = 40;
/// An address of another server, to the same ids.
pub const ELSEWHERE: &str = "http://elsewhere.example/fhir";

/// All resources, and where each is.
pub struct World {
    pub all: Vec<Value>,
    /// By type and id.
    places: HashMap<String, usize>,
    /// What refers to a type and id by the one reference of its type: Observation.subject, DiagnosticReport.result.
    referring: HashMap<String, Vec<usize>>,
}

pub fn list<'a>(value: &'a Value, pointer: &str) -> Vec<&'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().collect()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Type and id of a resource.
pub fn address(resource: &Value) -> String {
    format!("{}/{}", text(resource, "resourceType"), text(resource, "id"))
}

/// When a resource was changed: by its id, so that many share a day.
pub fn updated_us(resource: &Value) -> i128 {
    let sum: i128 = text(resource, "id").bytes().map(i128::from).sum();
    START_US + sum % 60 * DAY_US / 2
}

/// References that chains and `_has` go along.
pub fn references(resource: &Value) -> Vec<&str> {
    let results = list(resource, "/result").into_iter();
    results.chain([&resource["subject"]]).filter_map(|one| one["reference"].as_str()).collect()
}

impl World {
    /// So many observations, and others around them.
    pub fn make(observations: usize, draw: &mut Draw) -> Self {
        let mut all: Vec<Value> = (0..observations).map(|number| observation(number, draw)).collect();
        all.extend((0..PATIENTS).map(|number| patient(number, draw)));
        all.extend((0..RISKS).map(|number| risk(number, draw)));
        all.extend((0..REPORTS).map(|number| report(number, observations, draw)));
        all.extend((0..SEQUENCES).map(|number| sequence(number, draw)));
        all.extend((0..DOCUMENTS).map(|number| document(number, draw)));
        let (mut places, mut referring) = (HashMap::new(), HashMap::<String, Vec<usize>>::new());
        for (at, resource) in all.iter().enumerate() {
            places.insert(address(resource), at);
            for target in references(resource) {
                referring.entry(target.to_owned()).or_default().push(at);
            }
        }
        Self { all, places, referring }
    }

    pub fn versions(&self) -> Vec<ResourceVersion> {
        let version = |resource: &Value| ResourceVersion {
            updated_us: i64::try_from(updated_us(resource)).expect("of this century"),
            ..real(resource)
        };
        self.all.iter().map(version).collect()
    }

    /// How many times as large it is as the smallest.
    pub fn scale(&self) -> usize {
        self.all.len().div_ceil(400)
    }

    pub fn at(&self, address: &str) -> Option<&Value> {
        self.places.get(address).map(|at| &self.all[*at])
    }

    pub fn referring(&self, address: &str) -> impl Iterator<Item = &Value> {
        self.referring.get(address).into_iter().flatten().map(|at| &self.all[*at])
    }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("a number")
}

fn quantity(draw: &mut Draw) -> Value {
    let mut quantity =
        json!({"value": number(&draw.decimal().0), "system": UCUM, "code": draw.one(&UNITS).0});
    if draw.seldom(4) {
        quantity["comparator"] = json!(draw.one(&COMPARATORS));
    }
    quantity
}

fn concept(draw: &mut Draw) -> Value {
    let mut coding = json!({"code": draw.one(&CODES)});
    match draw.one(&SYSTEMS) {
        "" => {}
        system => coding["system"] = json!(system),
    }
    if draw.seldom(2) {
        coding["display"] = json!(draw.one(&TEXTS));
    }
    let mut concept = json!({"coding": [coding]});
    if draw.seldom(2) {
        concept["text"] = json!(draw.one(&TEXTS));
    }
    concept
}

/// One of the values that an Observation, or a part of one, can have.
fn put_value(into: &mut Value, draw: &mut Draw) {
    match draw.below(6) {
        0 => into["valueCodeableConcept"] = concept(draw),
        1 => into["valueString"] = json!(draw.one(&FAMILIES)),
        2 => into["valueDateTime"] = json!(draw.day().0),
        _ => into["valueQuantity"] = quantity(draw),
    }
}

fn observation(number: usize, draw: &mut Draw) -> Value {
    let mut resource = json!({"resourceType": "Observation", "id": format!("o{number:05}"), "status": "final",
        "code": concept(draw)});
    if draw.often() {
        let base = draw.one(&["Patient", "Patient", "Patient", "Group", ELSEWHERE]);
        let base = if base == ELSEWHERE { format!("{ELSEWHERE}/Patient") } else { base.to_owned() };
        resource["subject"] = json!({"reference": format!("{base}/p{:02}", draw.below(PATIENTS))});
    }
    if draw.seldom(3) {
        resource["subject"]["identifier"] = json!({"system": "urn:mrn", "value": draw.one(&CODES)});
    }
    if draw.often() {
        put_value(&mut resource, draw);
    }
    match draw.below(4) {
        0 => {}
        1 => {
            let (start, end) = (draw.day(), draw.day());
            let mut period = json!({});
            if draw.often() {
                period["start"] = json!(start.0);
            }
            if draw.often() && start.1 <= end.1 {
                period["end"] = json!(end.0);
            }
            resource["effectivePeriod"] = period;
        }
        _ => resource["effectiveDateTime"] = json!(draw.day().0),
    }
    let mut part = |_| {
        let mut part = json!({"code": concept(draw)});
        put_value(&mut part, draw);
        part
    };
    let parts: Vec<Value> = (0..number % 3).map(&mut part).collect();
    if !parts.is_empty() {
        resource["component"] = json!(parts);
    }
    resource
}

fn patient(number: usize, draw: &mut Draw) -> Value {
    let names: Vec<Value> = (0..draw.below(3)).map(|_| json!({"family": draw.one(&FAMILIES)})).collect();
    let identifiers: Vec<Value> = (0..draw.below(3))
        .map(|_| {
            let mut identifier = json!({"value": draw.one(&CODES),
                "type": {"coding": [{"system": draw.one(&SYSTEMS[1..]), "code": draw.one(&CODES)}]}});
            if draw.seldom(2) {
                identifier["type"]["text"] = json!(draw.one(&TEXTS));
            }
            if draw.often() {
                identifier["system"] = json!(draw.one(&SYSTEMS[1..]));
            }
            identifier
        })
        .collect();
    let mut resource = json!({"resourceType": "Patient", "id": format!("p{number:02}"), "name": names,
        "identifier": identifiers});
    let profiles: Vec<&str> = (0..draw.below(3)).map(|_| draw.one(&PROFILES)).collect();
    if !profiles.is_empty() {
        resource["meta"] = json!({"profile": profiles});
    }
    if draw.often() {
        resource["active"] = json!(draw.seldom(2));
    }
    if draw.often() {
        resource["gender"] = json!(draw.one(&["female", "male", "other"]));
    }
    resource
}

fn risk(at: usize, draw: &mut Draw) -> Value {
    let mut resource =
        json!({"resourceType": "RiskAssessment", "id": format!("r{at:02}"), "status": "final"});
    let predictions: Vec<Value> =
        (0..draw.below(3)).map(|_| json!({"probabilityDecimal": number(&draw.decimal().0)})).collect();
    if !predictions.is_empty() {
        resource["prediction"] = json!(predictions);
    }
    resource
}

fn report(at: usize, observations: usize, draw: &mut Draw) -> Value {
    let results: Vec<Value> = (0..draw.below(3))
        .map(|_| json!({"reference": format!("Observation/o{:05}", draw.below(observations))}))
        .collect();
    json!({"resourceType": "DiagnosticReport", "id": format!("d{at:02}"), "status": "final",
        "code": concept(draw), "result": results})
}

fn sequence(at: usize, draw: &mut Draw) -> Value {
    let variants: Vec<Value> = (0..draw.below(3))
        .map(|_| {
            let start = draw.below(12);
            json!({"start": start, "end": start + draw.below(5)})
        })
        .collect();
    json!({"resourceType": "MolecularSequence", "id": format!("s{at:02}"), "coordinateSystem": 0,
        "referenceSeq": {"chromosome": concept(draw)}, "variant": variants})
}

fn document(at: usize, draw: &mut Draw) -> Value {
    let related: Vec<Value> = (0..draw.below(3))
        .map(|_| {
            json!({"code": draw.one(&["replaces", "appends", "signs"]),
                "target": {"reference": format!("DocumentReference/c{:02}", draw.below(DOCUMENTS))}})
        })
        .collect();
    json!({"resourceType": "DocumentReference", "id": format!("c{at:02}"), "status": "current",
        "content": [{"attachment": {}}], "relatesTo": related})
}
