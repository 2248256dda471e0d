//! One person is one patient, whatever each system calls them; and two people stay two.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Outcome;
use super::town::Town;
use crate::demo::Demo;
use crate::demo::feed::Systems;
use crate::generate::Person;

/// Types of a person's compartment that every person of the feed has.
const COMPARTMENT: [&str; 8] = [
    "Encounter",
    "Observation",
    "DiagnosticReport",
    "MedicationRequest",
    "MedicationDispense",
    "ChargeItem",
    "Coverage",
    "Account",
];

/// Assigning authority of each system, and what it calls a person.
pub fn numbers(person: &Person) -> [(&'static str, &str); 3] {
    [
        ("urn:oid:2.16.840.1.113883.3.9999.1", &person.record_number),
        ("urn:oid:2.16.840.1.113883.3.9999.11", &person.pharmacy_number),
        ("urn:oid:2.16.840.1.113883.3.9999.21", &person.member_number),
    ]
}

/// Each person's three numbers give one patient who has all three; in the cloud everything of theirs stands under one
/// pseudonym, which is found by the values of their results, for those are all that is left to tell people apart.
pub async fn are_one(demo: &Demo, town: &Town) -> Outcome {
    let twins = by_results(&demo.cloud.search("Observation?_count=200").await?)?;
    let mut pseudonyms = BTreeSet::new();
    let mut resources = 0;
    for episode in &town.episodes {
        let id = one_patient(demo, &episode.person).await?;
        let results = demo.onprem.search(&format!("Observation?patient={id}&_count=200")).await?;
        let here = by_results(&results)?;
        let twin = here.keys().next().and_then(|values| twins.get(values));
        let twin = twin.ok_or("nobody in the cloud has the results of a person")?;
        pseudonyms.insert(twin.clone());
        resources += same_compartment(demo, &id, twin).await?;
    }
    if pseudonyms.len() != town.episodes.len() {
        return Err(format!("{} people have {} pseudonyms", town.episodes.len(), pseudonyms.len()));
    }
    Ok(format!(
        "{} people, three numbers each, under {} pseudonyms with {resources} resources of {} types",
        town.episodes.len(),
        pseudonyms.len(),
        COMPARTMENT.len()
    ))
}

/// The clinical id of the one patient whom each of the three numbers finds.
pub async fn one_patient(demo: &Demo, person: &Person) -> Result<String, String> {
    let mut ids = BTreeSet::new();
    for (system, number) in numbers(person) {
        let found = demo.onprem.search(&format!("Patient?identifier={system}%7C{number}")).await?;
        let [patient] = found.as_slice() else {
            return Err(format!("{} patients have one number of {system}", found.len()));
        };
        let known: Vec<_> = patient["identifier"].as_array().into_iter().flatten().collect();
        for (system, number) in numbers(person) {
            let is_it = |known: &&Value| known["system"] == system && known["value"] == number;
            if !known.iter().any(is_it) {
                return Err(format!("a patient lacks their number of {system}"));
            }
        }
        ids.insert(patient["id"].as_str().ok_or("a patient without an id")?.to_owned());
    }
    match ids.len() {
        1 => ids.pop_first().ok_or_else(|| "no patient".to_owned()),
        several => Err(format!("one person is {several} patients")),
    }
}

/// The pseudonym under which the cloud keeps a clinical patient.
pub async fn twin_of(demo: &Demo, id: &str) -> Result<String, String> {
    let twins = by_results(&demo.cloud.search("Observation?_count=200").await?)?;
    let here = by_results(&demo.onprem.search(&format!("Observation?patient={id}&_count=200")).await?)?;
    let twin = here.keys().next().and_then(|values| twins.get(values));
    twin.cloned().ok_or_else(|| "nobody in the cloud has the results of a person".to_owned())
}

/// The ids of patients, by the codes and values of their results; those entered in error do not count.
fn by_results(observations: &[Value]) -> Result<BTreeMap<BTreeSet<String>, String>, String> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for observation in observations.iter().filter(|observation| observation["status"] != "entered-in-error") {
        let subject =
            observation["subject"]["reference"].as_str().and_then(|text| text.strip_prefix("Patient/"));
        let subject = subject.ok_or("a result without a patient")?;
        let coding = &observation["code"]["coding"][0]["code"];
        let value = format!("{coding} {}", observation["valueQuantity"]["value"]);
        values.entry(subject.to_owned()).or_default().insert(value);
    }
    let count = values.len();
    let found: BTreeMap<_, _> = values.into_iter().map(|(patient, values)| (values, patient)).collect();
    if found.len() == count { Ok(found) } else { Err("two patients have the same results".to_owned()) }
}

/// As many resources of every type under the pseudonym as under the clinical id, and some of each.
async fn same_compartment(demo: &Demo, id: &str, twin: &str) -> Result<u64, String> {
    let mut all = 0;
    for kind in COMPARTMENT {
        let here = demo.onprem.total(&format!("{kind}?patient={id}&_count=0")).await?;
        let there = demo.cloud.total(&format!("{kind}?patient={twin}&_count=0")).await?;
        if here == 0 || here != there {
            return Err(format!("a person has {here} {kind} on-prem and {there} in the cloud"));
        }
        all += there;
    }
    Ok(all)
}

/// How much stands under a pseudonym, over the whole compartment.
pub async fn compartment(demo: &Demo, twin: &str) -> Result<u64, String> {
    let mut all = 0;
    for kind in COMPARTMENT {
        all += demo.cloud.total(&format!("{kind}?patient={twin}&_count=0")).await?;
    }
    Ok(all)
}

/// A prescription under one person's pharmacy number and another's hospital number: the pharmacy did its part, so it is
/// accepted; what became of it is looked at when the node has stopped.
pub async fn conflict(demo: &Demo, town: &mut Town) -> Outcome {
    let message = town.mistaken()?;
    Systems::connect(&demo.place.addresses).await?.send(&message).await?;
    Ok("AA, for it is safe on disk".to_owned())
}
