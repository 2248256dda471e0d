//! What a client writes over the wire: stored, released to the cloud without who it is about, in the ledger and in the records
//! of accesses; and what fails leaves nothing anywhere.

use audit::Kind;
use harness::{Page, Pair, Person, Surface, stored};
use serde_json::{Value, json};

/// Sends a request that must be answered with this status.
async fn asked(
    surface: &Surface,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &Value,
    status: u16,
) -> Page {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let page = surface.send(method, path, headers, &body).await.expect("an answer");
    assert_eq!(page.status, status, "{method} {path}: {}", page.text);
    page
}

fn json_of(page: &Page) -> Value {
    serde_json::from_str(&page.text).expect("JSON")
}

fn pulse(patient: &str, value: u32, note: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": "2019-03-12T08:15:00-05:00",
        "valueQuantity": {"value": value, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
        "note": [{"text": note}]})
}

/// Nothing of what identifies a person is in the cloud.
async fn nobody_is_there(there: &Surface, words: &[String]) {
    for of in ["Patient", "Observation"] {
        for resource in there.search(of).await.expect("the twins") {
            let text = resource.to_string();
            for word in words {
                assert!(!text.contains(word.as_str()), "{word} in {of} of the cloud");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_writes_goes_the_way_of_what_a_message_says() {
    let mut pair = Pair::start("writes").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(61);
    pair.sender().await.accepted(&person.a01("W-1")).await;
    there.counted("Patient", 1).await;
    let patient = here.only("Patient").await.expect("the patient")["id"].as_str().expect("an id").to_owned();
    let twin = there.only("Patient").await.expect("the twin")["id"].as_str().expect("an id").to_owned();

    let note = format!("Call {} at {}", person.family, person.phone.split('^').next().unwrap_or_default());
    let made = asked(&here, ("POST", "/fhir/Observation"), &[], &pulse(&patient, 62, &note), 201).await;
    let id = json_of(&made)["id"].as_str().expect("an id").to_owned();
    assert!(made.header("location").ends_with(&format!("/fhir/Observation/{id}/_history/1")));
    let seen = there.shows("Observation?code=8867-4", "/valueQuantity/value", json!(62)).await;
    assert_eq!(seen["subject"]["reference"], format!("Patient/{twin}"));
    assert_ne!(seen["id"], json!(id), "an id of here means nothing there");
    assert!(seen.get("note").is_none(), "free text does not leave");
    assert_eq!(seen["effectiveDateTime"], "2019", "time is told to the year");

    let path = format!("/fhir/Observation/{id}");
    let mut changed = pulse(&patient, 71, &note);
    changed["id"] = json!(id);
    let stale = asked(&here, ("PUT", &path), &[("If-Match", "W/\"9\"")], &changed, 412).await;
    assert!(!stale.text.contains(&person.family), "an error repeats nothing");
    asked(&here, ("PUT", &path), &[("If-Match", "W/\"1\"")], &changed, 200).await;
    there.shows("Observation?code=8867-4", "/valueQuantity/value", json!(71)).await;
    nobody_is_there(&there, &person.identifiers()).await;

    failed_transaction(&pair, &patient).await;

    asked(&here, ("DELETE", &path), &[], &Value::Null, 204).await;
    there.counted("Observation?code=8867-4", 0).await;
    let (status, _) = here.answer(&path).await.expect("an answer");
    assert_eq!(status, 410);
    let ledger = pair.visitor().await.get("/ledger").await;
    for kind in ["resource.created", "resource.updated", "resource.deleted"] {
        assert!(ledger.text.contains(kind), "the ledger's page shows {kind}");
    }
    on_disk(&mut pair, &person, &id).await;
}

/// A transaction whose second entry refers to nobody: nothing of it is anywhere.
async fn failed_transaction(pair: &Pair, patient: &str) {
    let (here, there) = (pair.here(), pair.there());
    let count = async |of: &str| here.count(of).await.expect("a count");
    let before = (count("Patient").await, count("Observation").await);
    let entry = |resource: Value| {
        let of = resource["resourceType"].as_str().expect("a type").to_owned();
        json!({"resource": resource, "request": {"method": "POST", "url": of}})
    };
    let mut wrong = pulse(patient, 80, "x");
    wrong["status"] = json!("finished");
    for (last, status) in [(pulse("nobody", 80, "x"), 422), (wrong, 422)] {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            entry(json!({"resourceType": "Patient", "gender": "female"})),
            entry(pulse(patient, 79, "x")),
            entry(last),
        ]});
        let refused = asked(&here, ("POST", "/fhir"), &[], &bundle, status).await;
        let outcome = json_of(&refused);
        let place = outcome["issue"][0]["expression"][0].as_str().expect("a place").to_owned();
        assert!(place.starts_with("Bundle.entry[2]"), "{place}");
    }
    assert_eq!((count("Patient").await, count("Observation").await), before, "nothing is stored");
    assert_eq!(there.count("Observation?code=8867-4").await, Ok(1), "and nothing left");
}

/// What both nodes keep of it.
async fn on_disk(pair: &mut Pair, person: &Person, id: &str) {
    pair.stop_onprem().await;
    pair.stop_cloud().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    let of = |kind: Kind| records.iter().filter(move |(other, _)| *other == kind).collect::<Vec<_>>();
    for (kind, version) in
        [(Kind::ResourceCreated, 1), (Kind::ResourceUpdated, 2), (Kind::ResourceDeleted, 3)]
    {
        let [(_, record)] = of(kind).as_slice() else { panic!("{kind:?}: {:?}", of(kind)) };
        let text = record.to_string();
        assert!(text.contains(&format!("Observation/{id}|{version}")) && text.contains("demo"), "{text}");
    }
    assert_eq!(of(Kind::ChangeRefused).len(), 3, "a stale version and two transactions");
    assert!(of(Kind::ResourceSearched).len() > 3 && !of(Kind::ResourceRead).is_empty());
    let text: String = records.iter().map(|(_, record)| record.to_string()).collect();
    for word in person.identifiers() {
        assert!(!text.contains(&word), "the ledger holds no identifier");
    }
    stored::close(store).await;
    let store = stored::portal(&pair.cloud_config.data).await;
    let arrived = stored::count_records(&store, Kind::Arrived).await;
    assert!(arrived >= 4, "the twin of the patient, two versions and a withdrawal: {arrived}");
    stored::close(store).await;
}
