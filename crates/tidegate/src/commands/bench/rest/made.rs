//! The resources of the measurement: made-up patients with 100 resources each, which are the same for the same number.

use serde_json::Value;

/// Resources of a patient, themselves among them.
pub(super) const OF_PATIENT: u32 = 100;
/// Visits of a patient.
const ENCOUNTERS: u32 = 9;
/// Results of a patient.
pub(super) const OBSERVATIONS: u32 = OF_PATIENT - 1 - ENCOUNTERS;
/// Codes that results have.
const CODES: u32 = 60;
/// About what a resource takes in a transaction.
const RESOURCE_BYTES: usize = 800;
/// Whose numbers the patients have.
const NUMBERS: &str = "urn:oid:2.16.840.1.113883.3.9999.1";
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
        Self::together(std::iter::once(self), resources)
    }

    /// The first so many resources of each of these, as one transaction. It is written as text, for the load shares the machine
    /// with what is measured.
    pub(super) fn together(all: impl Iterator<Item = Self>, resources: u32) -> String {
        let mut text = String::with_capacity(RESOURCE_BYTES * usize::try_from(resources).unwrap_or_default());
        text.push_str(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
        let mut between = "";
        for (made, at) in all.flat_map(|made| (0..resources).map(move |at| (made, at))) {
            let (resource, url) = (made.resource(at), made.url(at));
            text.push_str(&format!(
                r#"{between}{{"resource":{resource},"request":{{"method":"PUT","url":"{url}"}}}}"#
            ));
            between = ",";
        }
        text.push_str("]}");
        text
    }

    /// One result, changed: another version of it.
    pub(super) fn corrected(self, at: u32) -> Result<Value, serde_json::Error> {
        serde_json::from_str(&self.observation(at, "corrected"))
    }

    fn resource(self, at: u32) -> String {
        match at {
            0 => self.patient(),
            at if at <= ENCOUNTERS => self.encounter(at - 1),
            at => self.observation(at - 1 - ENCOUNTERS, "final"),
        }
    }

    fn url(self, at: u32) -> String {
        let id = self.id();
        match at {
            0 => format!("Patient/{id}"),
            at if at <= ENCOUNTERS => format!("Encounter/{id}-e{}", at - 1),
            at => format!("Observation/{id}-o{}", at - 1 - ENCOUNTERS),
        }
    }

    fn patient(self) -> String {
        let (id, number) = (self.id(), self.number);
        let (year, month, day) = (1930 + number % 90, 1 + number % 12, 1 + number % 28);
        let gender = if number.is_multiple_of(2) { "female" } else { "male" };
        let (family, given) = (number % 700, number % 90);
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","active":true,"birthDate":"{year}-{month:02}-{day:02}","#
        ) + &format!(r#""gender":"{gender}","identifier":[{{"system":"{NUMBERS}","value":"B{id}"}}],"#)
            + &format!(
                r#""name":[{{"use":"official","family":"Benchfield{family}","given":["Measured{given}"]}}],"#
            )
            + r#""address":[{"line":["1 Measure Street"],"city":"Benchton","state":"CT","postalCode":"00000"}]}"#
    }

    fn encounter(self, at: u32) -> String {
        let (id, day) = (self.id(), day(self.number, at * 10));
        format!(r#"{{"resourceType":"Encounter","id":"{id}-e{at}","status":"finished","#)
            + r#""class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"#
            + &format!(r#""subject":{{"reference":"Patient/{id}"}},"#)
            + &format!(r#""period":{{"start":"{day}T08:00:00Z","end":"{day}T11:30:00Z"}}}}"#)
    }

    fn observation(self, at: u32, status: &str) -> String {
        let (id, day, minute, encounter) = (self.id(), day(self.number, at), at % 60, at % ENCOUNTERS);
        let (code, value) = ((self.number + at) % CODES, 20 + (self.number * 7 + at * 13) % 180);
        let (loinc, category) =
            (1_000 + code, if at.is_multiple_of(3) { "vital-signs" } else { "laboratory" });
        format!(r#"{{"resourceType":"Observation","id":"{id}-o{at}","status":"{status}","#)
            + &format!(r#""category":[{{"coding":[{{"system":"{CATEGORY}","code":"{category}"}}]}}],"#)
            + &format!(r#""code":{{"coding":[{{"system":"http://loinc.org","code":"{loinc}-1","#)
            + &format!(
                r#""display":"Measured quantity {code}"}}]}},"subject":{{"reference":"Patient/{id}"}},"#
            )
            + &format!(r#""encounter":{{"reference":"Encounter/{id}-e{encounter}"}},"#)
            + &format!(r#""effectiveDateTime":"{day}T10:{minute:02}:00Z","valueQuantity":{{"value":{value},"#)
            + r#""unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"},"#
            + r#""referenceRange":[{"low":{"value":40,"unit":"mg/dL"},"high":{"value":160,"unit":"mg/dL"}}]}"#
    }
}

/// A day of care; those of one patient differ.
fn day(number: u32, at: u32) -> String {
    format!("20{:02}-{:02}-{:02}", 10 + (number + at / 28) % 15, 1 + (number + at) % 12, 1 + at % 28)
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
            let resource = &entry["resource"];
            let name = |member: &str| resource[member].as_str().unwrap_or_default().to_owned();
            assert_eq!(entry["request"]["url"], format!("{}/{}", name("resourceType"), name("id")));
        }
        let observation: Value = serde_json::from_str(&made.observation(3, "final")).expect("JSON");
        let corrected = made.corrected(3).expect("JSON");
        assert_eq!((&corrected["id"], &corrected["status"]), (&observation["id"], &"corrected".into()));
        assert_eq!(OBSERVATIONS, 90);
    }
}
