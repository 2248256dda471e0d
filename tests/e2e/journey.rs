//! One patient from admission to discharge, on both sides.

use audit::Kind;
use harness::sender::read;
use harness::{Pair, Person, Surface, eventually, stored};
use serde_json::{Value, json};
use store::DeliveryState;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_admission_to_discharge() {
    let mut pair = Pair::start("journey").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(1);
    let by_number = format!("Patient?identifier={}", person.number);
    let mut sender = pair.sender().await;

    let admission = person.a01("J-1");
    let first = sender.exchange(admission.as_bytes()).await;
    assert_eq!(read(&first).code.code(), "AA");
    let patient = eventually("the patient", || here.only(&by_number)).await;
    let id = patient["id"].as_str().expect("a patient has an id").to_owned();
    assert_eq!(patient["name"][0]["family"], json!(person.family));
    assert_eq!(patient["birthDate"], json!("1941-04-17"));
    let encounter = here.shows("Encounter", "/status", json!("in-progress")).await;
    here.counted("AllergyIntolerance", 1).await;

    // The same bytes again: the stored acknowledgment, and nothing done twice.
    let again = sender.exchange(admission.as_bytes()).await;
    assert_eq!(first, again, "the stored acknowledgment is given again");

    // What is absent stays, what is null goes, what is sent replaces.
    let null_phone = person.a08("J-2", &["AL1|1|DA|7980^Penicillin G^RXNORM|SV|Hives"]);
    let null_phone = null_phone.replace(&format!("||{}", person.phone), "||\"\"");
    sender.accepted(&null_phone).await;
    let updated = here.shows(&by_number, "/meta/versionId", json!("2")).await;
    assert_eq!(updated["id"], json!(id), "ids are stable across messages");
    assert_eq!(updated.get("telecom"), None, "null removes");
    assert_eq!(updated["address"], patient["address"], "what stands again stays");
    let silent = person.a08("J-3", &["AL1|1|DA|7980^Penicillin G^RXNORM|SV|Hives"]);
    let pid = format!(
        "PID|1||{}^^^HARBOR&2.16.840.1.113883.3.9999.1&ISO^MR||{}^{}^^^^^L",
        person.number, person.family, "Wilhelmina"
    );
    sender.accepted(&silent.replace(&person.pid(), &pid)).await;
    let renamed = here.shows(&by_number, "/name/0/given/0", json!("Wilhelmina")).await;
    assert_eq!(renamed["birthDate"], json!("1941-04-17"), "absent keeps");
    assert_eq!(renamed["address"], patient["address"], "absent keeps");

    // Results keep their digits; a correction is a new version of the same Observation.
    let preliminary =
        [("2823-3", "5.90", "F"), ("2951-2", "138", "F"), ("2160-0", "0.0100000000000000001", "F")];
    sender.accepted(&person.oru("J-4", &preliminary)).await;
    here.counted("Observation", 3).await;
    let potassium = here.only("Observation?code=http://loinc.org|2823-3").await.expect("potassium");
    assert_eq!(potassium["valueQuantity"]["value"].to_string(), "5.90");
    let creatinine = here.only("Observation?code=2160-0").await.expect("creatinine");
    assert_eq!(creatinine["valueQuantity"]["value"].to_string(), "0.0100000000000000001");
    assert_eq!(
        potassium["encounter"]["reference"],
        json!(format!("Encounter/{}", encounter["id"].as_str().unwrap_or_default()))
    );
    assert_eq!(potassium["subject"]["reference"], json!(format!("Patient/{id}")));
    sender.accepted(&person.oru("J-5", &[("2823-3", "4.10", "C")])).await;
    let corrected = here.shows("Observation?code=2823-3", "/meta/versionId", json!("2")).await;
    assert_eq!(corrected["id"], potassium["id"]);
    assert_eq!(corrected["status"], json!("corrected"));
    assert_eq!(corrected["valueQuantity"]["value"].to_string(), "4.10");
    let first_version =
        format!("/fhir/Observation/{}/_history/1", potassium["id"].as_str().unwrap_or_default());
    let first_version = here.json(&first_version).await.expect("version 1 stays readable");
    assert_eq!(first_version["valueQuantity"]["value"].to_string(), "5.90");

    sender.accepted(&person.a03("J-6")).await;
    let finished = here.shows("Encounter", "/status", json!("finished")).await;
    assert_eq!(finished["id"], encounter["id"]);
    assert_eq!(finished["period"]["end"], json!("2019-03-16T13:55:00-04:00"));

    in_the_cloud(&there, &person, &id).await;
    pair.stop_onprem().await;
    pair.stop_cloud().await;
    on_disk(&pair).await;
}

/// The same patient under a pseudonym: years only, nothing that was sent as an identifier.
async fn in_the_cloud(there: &Surface, person: &Person, clinical_id: &str) {
    let encounter = there.shows("Encounter", "/status", json!("finished")).await;
    assert_eq!(encounter["period"], json!({"start": "2019", "end": "2019"}));
    let patient = there.only("Patient").await.expect("one patient");
    assert_ne!(patient["id"], json!(clinical_id));
    assert_eq!(patient["birthDate"], json!("1941"));
    for absent in ["name", "identifier", "telecom", "contact"] {
        assert_eq!(patient.get(absent), None, "{absent}");
    }
    let potassium = there.shows("Observation?code=2823-3", "/meta/versionId", json!("2")).await;
    assert_eq!(potassium["status"], json!("corrected"));
    assert_eq!(potassium["valueQuantity"]["value"].to_string(), "4.10");
    assert_eq!(potassium["effectiveDateTime"], json!("2019"));
    assert_eq!(
        potassium["subject"]["reference"],
        json!(format!("Patient/{}", patient["id"].as_str().unwrap_or_default()))
    );
    there.counted("Observation", 3).await;
    let mut all = String::new();
    for search in [
        "Patient",
        "Encounter",
        "Observation",
        "DiagnosticReport",
        "Condition",
        "AllergyIntolerance",
        "Practitioner",
        "Location",
        "Organization",
        "ServiceRequest",
        "Provenance",
    ] {
        all.extend(there.search(search).await.expect("a type of the portal").iter().map(Value::to_string));
    }
    for identifier in person.identifiers().iter().chain(&["Wilhelmina".to_owned(), clinical_id.to_owned()]) {
        assert!(!all.contains(identifier), "an identifier that was sent is in the cloud");
    }
}

async fn on_disk(pair: &Pair) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert_eq!(rows.len(), 6, "the repetition has no row of its own");
    assert!(rows.iter().all(|row| row.state == store::MessageState::Routed), "{rows:?}");
    let deliveries = stored::deliveries(&store).await;
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.state == DeliveryState::Delivered && delivery.receipt.is_some())
    );
    assert_eq!(stored::count_records(&store, Kind::MessageApplied).await, 6);
    assert_eq!(stored::count_records(&store, Kind::ReceiptEntered).await, deliveries.len());
    stored::close(store).await;
    let cloud = stored::portal(&pair.cloud_config.data).await;
    assert_eq!(stored::count_records(&cloud, Kind::Arrived).await, deliveries.len());
    stored::close(cloud).await;
}
