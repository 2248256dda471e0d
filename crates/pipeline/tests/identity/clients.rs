//! What clients of the REST API write beside messages: it is released like any other, kept by every derivation, and goes along
//! with its patient.

use serde_json::{Value, json};
use store::{
    Act, ClientOutcome, ClientRefusal, ClientWrite, Guard, Ledger, Origin, Outbox, ResourceContent,
    ResourceKey, Resources, Search, Settlement, WriteMethod,
};
use uuid::Uuid;

use crate::feeds::{EMR, NOTHING, PHARMACY, ROWAN, merge, result, update};
use crate::rig::{Rig, named, now_us};

const ID: &str = "from-a-client";

fn key(name: &str, id: &str) -> ResourceKey {
    ResourceKey { resource_type: fhir::ResourceType::parse(name).expect("a type of R4"), id: id.to_owned() }
}

fn put(resource: &Value) -> Act {
    let name = resource["resourceType"].as_str().expect("a type");
    let key = key(name, resource["id"].as_str().expect("an id"));
    Act { key, method: WriteMethod::Put, content: Some(ResourceContent::new(resource.clone())) }
}

fn delete(name: &str, id: &str) -> Act {
    Act { key: key(name, id), method: WriteMethod::Delete, content: None }
}

fn observation(id: &str, patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "valueQuantity": {"value": 62, "unit": "/min"}})
}

fn asked(guards: Vec<Guard>, acts: Vec<Act>) -> ClientWrite {
    ClientWrite { request: Uuid::new_v4(), client: "portal".into(), guards, acts }
}

async fn write(rig: &mut Rig, acts: Vec<Act>) -> ClientOutcome {
    rig.ask(asked(Vec::new(), acts)).await
}

/// The versions that were written.
async fn written(rig: &mut Rig, acts: Vec<Act>) -> Vec<u32> {
    match write(rig, acts).await {
        ClientOutcome::Written(written) => written.into_iter().map(|one| one.version).collect(),
        ClientOutcome::Refused(refusal) => panic!("is refused: {refusal:?}"),
    }
}

/// Why it was refused: the act, and codes and places of the issues.
async fn invalid(rig: &mut Rig, acts: Vec<Act>) -> (usize, Vec<(fhir::IssueCode, String)>) {
    match write(rig, acts).await {
        ClientOutcome::Refused(ClientRefusal::Invalid(act, issues)) => {
            (act, issues.into_iter().map(|issue| (issue.code, issue.location)).collect())
        }
        other => panic!("is not refused as invalid: {other:?}"),
    }
}

async fn subject(rig: &Rig, id: &str) -> (Option<String>, Value) {
    let stored = rig.store.read(&key("Observation", id)).await.expect("reads").expect("is there");
    assert!(!stored.deleted);
    let body: Value = serde_json::from_slice(stored.body.expose()).expect("JSON");
    (stored.patient, body["subject"]["reference"].clone())
}

/// What is sent to the cloud since the last look: whether it is a withdrawal, and its bytes.
async fn sent(rig: &Rig) -> Vec<(bool, String)> {
    let mut all = Vec::new();
    loop {
        let claimed = rig.store.claim("cloud", i64::MAX, 100).await.expect("claims");
        if claimed.is_empty() {
            return all;
        }
        let mut settled = Vec::new();
        for delivery in claimed {
            let text = String::from_utf8(delivery.sealed.bytes).expect("UTF-8");
            all.push((delivery.withdrawal.is_some(), text));
            let receipt = "receipt".to_owned();
            settled.push((delivery.id, Settlement::Delivered { receipt, at_us: now_us() }));
        }
        Outbox::settle(&*rig.store, settled, Vec::new()).await.expect("settles");
    }
}

#[tokio::test]
async fn what_a_client_writes_is_owned_recorded_and_released() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let patient = named("MR 42");
    sent(&rig).await;
    let recorded = rig.recorded().await;
    assert_eq!(written(&mut rig, vec![put(&observation(ID, &patient))]).await, [1]);
    assert_eq!(subject(&rig, ID).await, (Some(patient.clone()), json!(format!("Patient/{patient}"))));
    let stored = rig.store.read(&key("Observation", ID)).await.expect("reads").expect("is there");
    assert_eq!(stored.origin, Origin::Client { client: "portal".into(), method: WriteMethod::Put });
    let left = sent(&rig).await;
    assert_eq!(left.len(), 1, "it leaves like what a message brings");
    assert!(!left[0].0 && left[0].1.contains("8867-4") && !left[0].1.contains(&patient));
    let records = rig.store.unsealed(10_000).await.expect("reads");
    let texts: Vec<String> =
        records[recorded..].iter().map(|one| String::from_utf8(one.record.clone()).expect("UTF-8")).collect();
    assert!(
        texts[0].contains("resource.created") && texts[0].contains("Observation/from-a-client|1"),
        "{texts:?}"
    );
    assert!(texts[0].contains("portal"));
    assert_eq!(written(&mut rig, vec![put(&observation(ID, &patient))]).await, [1], "the same is no version");
    assert_eq!(written(&mut rig, vec![delete("Observation", ID)]).await, [2]);
    let withdrawn: Vec<bool> = sent(&rig).await.into_iter().map(|(is_withdrawal, _)| is_withdrawal).collect();
    assert_eq!(withdrawn, [true]);
    assert_eq!(written(&mut rig, vec![delete("Observation", ID)]).await, [2], "and stays deleted");
    assert_eq!(written(&mut rig, vec![delete("Observation", "never")]).await, [0]);
}

#[tokio::test]
async fn names_of_the_patient_do_not_leave_with_what_a_client_writes() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let patient = rig.patient().await;
    let family = patient["name"][0]["family"].as_str().expect("a name").to_owned();
    sent(&rig).await;
    let mut observed = observation(ID, &named("MR 42"));
    observed["code"]["coding"][0]["code"] = json!(family.clone());
    assert_eq!(written(&mut rig, vec![put(&observed)]).await, [1], "care goes on inside");
    assert!(sent(&rig).await.iter().all(|(_, text)| !text.contains(&family)), "and the name stays here");
}

#[tokio::test]
async fn what_messages_made_is_not_the_clients_to_change() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let mut patient = rig.patient().await;
    patient["active"] = json!(false);
    let id = named("MR 42");
    for acts in [vec![put(&patient)], vec![delete("Patient", &id)]] {
        let outcome = write(&mut rig, acts).await;
        assert!(matches!(outcome, ClientOutcome::Refused(ClientRefusal::Derived(0))), "{outcome:?}");
    }
    let both = vec![put(&observation(ID, &id)), delete("Patient", &id)];
    let outcome = write(&mut rig, both).await;
    assert!(matches!(outcome, ClientOutcome::Refused(ClientRefusal::Derived(1))), "{outcome:?}");
    assert!(rig.all("Observation").await.is_empty(), "all or nothing");
}

#[tokio::test]
async fn references_name_what_is_there() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let dangling = vec![(fhir::IssueCode::NotFound, "Observation.subject".to_owned())];
    let of_nobody = put(&observation(ID, "nobody"));
    assert_eq!(invalid(&mut rig, vec![of_nobody.clone()]).await, (0, dangling));
    let mut patient = json!({"resourceType": "Patient", "id": "nobody", "active": true});
    assert_eq!(written(&mut rig, vec![of_nobody, put(&patient)]).await, [1, 1], "in any order");
    patient["gender"] = json!("femail");
    let (act, issues) = invalid(&mut rig, vec![put(&observation("o2", "nobody")), put(&patient)]).await;
    assert_eq!((act, issues[0].1.as_str()), (1, "Patient.gender"));
    let mut conditional = observation("o3", "nobody");
    conditional["subject"]["reference"] = json!("Patient?identifier=1");
    assert_eq!(invalid(&mut rig, vec![put(&conditional)]).await.0, 0);
    let other = Act { key: key("Observation", "other"), ..put(&observation(ID, "nobody")) };
    assert_eq!(invalid(&mut rig, vec![other]).await.1[0].1, "Observation.id");
    rig.send(&merge(EMR, "2", &["MR 42"], &["MR 43"], NOTHING)).await;
    rig.send(&update(EMR, "3", &["MR 43"], ROWAN, "A1")).await;
    let (_, issues) = invalid(&mut rig, vec![put(&observation("o4", &named("MR 43")))]).await;
    assert_eq!(issues.len(), 1, "a patient who was merged away is not written to");
}

#[tokio::test]
async fn guards_are_answered_and_a_group_does_not_fail_as_one() {
    let mut rig = Rig::new().await;
    let patient = |id: &str| {
        put(&json!({"resourceType": "Patient", "id": id, "identifier": [{"system": "urn:n", "value": "1"}]}))
    };
    let by_number = || {
        let mut search = Search::of(key("Patient", "a").resource_type, 2);
        search.clauses.push(store::Clause::Token {
            parameter: "identifier".into(),
            values: vec![store::TokenValue { system: Some("urn:n".into()), code: Some("1".into()) }],
            not: false,
        });
        search
    };
    let none = || vec![Guard::NoMatch(by_number())];
    let three = vec![
        asked(none(), vec![patient("a")]),
        asked(none(), vec![patient("b")]),
        asked(Vec::new(), vec![patient("c")]),
    ];
    let outcomes = rig.ask_all(three).await;
    let is_written: Vec<bool> =
        outcomes.iter().map(|outcome| matches!(outcome, ClientOutcome::Written(_))).collect();
    assert_eq!(is_written, [true, false, true]);
    assert!(matches!(outcomes[1], ClientOutcome::Refused(ClientRefusal::Guard(0))));
    assert_eq!(rig.all("Patient").await.len(), 2);
    let stale = Guard::Version { key: key("Patient", "a"), version: 7 };
    let outcome = rig.ask(self::asked(vec![stale], vec![delete("Patient", "a")])).await;
    assert!(matches!(outcome, ClientOutcome::Refused(ClientRefusal::Guard(0))), "{outcome:?}");
}

#[tokio::test]
async fn a_derivation_keeps_what_a_client_wrote() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let patient = named("MR 42");
    let allergy = json!({"resourceType": "AllergyIntolerance", "id": ID, "patient": {"reference": format!("Patient/{patient}")},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "code": {"text": "x"}});
    assert_eq!(written(&mut rig, vec![put(&allergy), put(&observation(ID, &patient))]).await, [1, 1]);
    // A snapshot of the patient's allergies names those of its sender alone.
    let last = rig.send(&update(EMR, "2", &["MR 42"], ROWAN, "A2")).await;
    let ids = |all: Vec<Value>| -> Vec<String> {
        all.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
    };
    assert!(ids(rig.all("AllergyIntolerance").await).contains(&ID.to_owned()));
    assert_eq!(rig.reprocess(last).await, "done");
    assert!(ids(rig.all("AllergyIntolerance").await).contains(&ID.to_owned()));
    assert_eq!(ids(rig.all("Observation").await), [ID]);
    let stored = rig.store.read(&key("Observation", ID)).await.expect("reads").expect("is there");
    assert_eq!(stored.version, 1, "and does not touch it");
}

#[tokio::test]
async fn a_clients_resource_goes_along_with_its_patient_and_back() {
    use store::ReviewAnswer;
    let messages = [
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(EMR, "2", &["MR 43"], NOTHING, "A2"),
        result(EMR, "3", &["MR 43"], NOTHING, "O1"),
    ];
    let mut rig = Rig::with(&messages).await;
    let (survivor, retired) = (named("MR 42"), named("MR 43"));
    assert_eq!(written(&mut rig, vec![put(&observation(ID, &retired))]).await, [1]);
    rig.send(&merge(EMR, "4", &["MR 42"], &["MR 43"], NOTHING)).await;
    assert_eq!(subject(&rig, ID).await, (Some(survivor.clone()), json!(format!("Patient/{survivor}"))));
    let stored = rig.store.read(&key("Observation", ID)).await.expect("reads").expect("is there");
    assert_eq!(stored.origin, Origin::Client { client: "portal".into(), method: WriteMethod::Moved });
    let last = rig.send(&update(PHARMACY, "5", &["PI 7", "MR 42"], ROWAN, "A3")).await;
    rig.reprocess(last).await;
    assert_eq!(subject(&rig, ID).await.0.as_deref(), Some(survivor.as_str()), "derived again");
    rig.decide(&survivor, &retired, ReviewAnswer::Different).await;
    assert_eq!(subject(&rig, ID).await, (Some(retired.clone()), json!(format!("Patient/{retired}"))));
    // It is the client's still.
    assert_eq!(written(&mut rig, vec![delete("Observation", ID)]).await, [4]);
}

#[tokio::test]
async fn a_label_stays_when_a_client_does_not_know_it() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let patient = named("MR 42");
    let restricted =
        json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"});
    let mut observed = observation(ID, &patient);
    observed["meta"] = json!({"security": [restricted]});
    sent(&rig).await;
    assert_eq!(written(&mut rig, vec![put(&observed)]).await, [1]);
    assert!(sent(&rig).await.is_empty(), "what is restricted stays here");
    let mut unlabelled = observation(ID, &patient);
    unlabelled["valueQuantity"]["value"] = json!(63);
    assert_eq!(written(&mut rig, vec![put(&unlabelled)]).await, [2]);
    let stored = rig.store.read(&key("Observation", ID)).await.expect("reads").expect("is there");
    let body: Value = serde_json::from_slice(stored.body.expose()).expect("JSON");
    assert_eq!(body["meta"]["security"][0], restricted);
    assert!(sent(&rig).await.is_empty());
}

/// Content of so many bytes.
fn content(id: &str, bytes: usize) -> Value {
    json!({"resourceType": "Binary", "id": id, "contentType": "application/pdf", "data": "A".repeat(bytes)})
}

#[tokio::test]
async fn what_clients_write_is_held_up_to_a_limit_and_then_let_go() {
    let mut rig = Rig::new().await;
    let watched = rig.watched();
    let patient = json!({"resourceType": "Patient", "id": "by-a-client"});
    let mut observed = observation(ID, "by-a-client");
    assert_eq!(written(&mut rig, vec![put(&patient), put(&observed)]).await, [1, 1]);
    let key = key("Observation", ID);
    assert_eq!(watched.times(&key), 1);
    for (version, value) in [(2, 63), (3, 64)] {
        observed["valueQuantity"]["value"] = json!(value);
        assert_eq!(written(&mut rig, vec![put(&observed)]).await, [version]);
    }
    assert_eq!(watched.times(&key), 1, "what was just written is known");
    assert_eq!(written(&mut rig, vec![put(&content("small", 1 << 20))]).await, [1]);
    observed["valueQuantity"]["value"] = json!(65);
    assert_eq!(written(&mut rig, vec![put(&observed)]).await, [4]);
    assert_eq!(watched.times(&key), 1, "there is place for a small content");
    assert_eq!(written(&mut rig, vec![put(&content("large", 12 << 20))]).await, [1]);
    observed["valueQuantity"]["value"] = json!(66);
    assert_eq!(written(&mut rig, vec![put(&observed)]).await, [5], "and what is read again is the newest");
    assert_eq!(watched.times(&key), 2, "a large content is not held, nor what was held beside it");
}
