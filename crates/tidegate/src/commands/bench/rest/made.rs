//! The resources of the measurement: made-up patients with 100 resources each, which are the same for the same number.

use serde_json::{Value, json};

/// Resources of a patient, themselves among them.
pub(super) const OF_PATIENT: u32 = 100;
/// Visits of a patient.
const ENCOUNTERS: u32 = 9;
/// Results of a patient.
pub(super) const OBSERVATIONS: u32 = OF_PATIENT - 1 - ENCOUNTERS;
/// Codes that results have.
const CODES: u32 = 60;
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// A patient by number; a series of its own does not meet the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) series: &'static str,
    pub(super) number: u32,
}

impl Made {
    /// The patient's id.
    pub(super) fn id(self) -> String {
        format!("{}{}", self.series, self.number)
    }

    /// The first so many of the patient's resources as a transaction that puts each under its id.
    pub(super) fn transaction(self, resources: u32) -> String {
        let entries: Vec<Value> = (0..resources).map(|at| put(self.resource(at))).collect();
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
    }

    /// The first so many resources of each of these, as one transaction.
    pub(super) fn together(all: impl Iterator<Item = Self>, resources: u32) -> String {
        let entries: Vec<Value> =
            all.flat_map(|made| (0..resources).map(move |at| put(made.resource(at)))).collect();
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
    }

    /// One result, changed: another version of it.
    pub(super) fn corrected(self, at: u32) -> Value {
        let mut observation = self.observation(at);
        observation["status"] = json!("corrected");
        observation
    }

    fn resource(self, at: u32) -> Value {
        match at {
            0 => self.patient(),
            at if at <= ENCOUNTERS => self.encounter(at - 1),
            at => self.observation(at - 1 - ENCOUNTERS),
        }
    }

    fn patient(self) -> Value {
        let number = self.number;
        let birth = format!("{}-{:02}-{:02}", 1930 + number % 90, 1 + number % 12, 1 + number % 28);
        json!({"resourceType": "Patient", "id": self.id(), "active": true, "birthDate": birth,
            "gender": if number.is_multiple_of(2) { "female" } else { "male" },
            "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": format!("B{}", self.id())}],
            "name": [{"use": "official", "family": format!("Benchfield{}", number % 700),
                "given": [format!("Measured{}", number % 90)]}],
            "address": [{"line": ["1 Measure Street"], "city": "Benchton", "state": "CT", "postalCode": "00000"}]})
    }

    fn encounter(self, at: u32) -> Value {
        let day = day(self.number, at * 10);
        json!({"resourceType": "Encounter", "id": format!("{}-e{at}", self.id()), "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": format!("Patient/{}", self.id())},
            "period": {"start": format!("{day}T08:00:00Z"), "end": format!("{day}T11:30:00Z")}})
    }

    fn observation(self, at: u32) -> Value {
        let code = (self.number + at) % CODES;
        let category = if at.is_multiple_of(3) { "vital-signs" } else { "laboratory" };
        json!({"resourceType": "Observation", "id": format!("{}-o{at}", self.id()), "status": "final",
            "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": format!("{}-1", 1_000 + code),
                "display": format!("Measured quantity {code}")}]},
            "subject": {"reference": format!("Patient/{}", self.id())},
            "encounter": {"reference": format!("Encounter/{}-e{}", self.id(), at % ENCOUNTERS)},
            "effectiveDateTime": format!("{}T10:{:02}:00Z", day(self.number, at), at % 60),
            "valueQuantity": {"value": 20 + (self.number * 7 + at * 13) % 180, "unit": "mg/dL",
                "system": "http://unitsofmeasure.org", "code": "mg/dL"},
            "referenceRange": [{"low": {"value": 40, "unit": "mg/dL"}, "high": {"value": 160, "unit": "mg/dL"}}]})
    }
}

/// A day of care; those of one patient differ.
fn day(number: u32, at: u32) -> String {
    format!("20{:02}-{:02}-{:02}", 10 + (number + at / 28) % 15, 1 + (number + at) % 12, 1 + at % 28)
}

fn put(resource: Value) -> Value {
    let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    let url = format!("{}/{}", text("resourceType"), text("id"));
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_made_is_fhir_and_each_has_its_own_id() {
        let made = Made { series: "p", number: 17 };
        let bundle: Value = serde_json::from_str(&made.transaction(OF_PATIENT)).expect("JSON");
        let entries = bundle["entry"].as_array().expect("entries");
        let ids: BTreeSet<String> = entries.iter().map(|entry| entry["request"]["url"].to_string()).collect();
        assert_eq!((entries.len(), ids.len()), (100, 100));
        for entry in entries {
            let issues = fhir::validate(&entry["resource"]);
            assert!(!issues.iter().any(fhir::Issue::is_error), "{issues:?} in {entry}");
        }
        assert_eq!(made.corrected(3)["id"], made.observation(3)["id"]);
        assert_eq!(OBSERVATIONS, 90);
    }
}
