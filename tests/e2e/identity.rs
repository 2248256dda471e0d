//! Who is who across feeds, when it goes wrong: one number for two people, a merge before its patient, a prescription
//! for somebody nobody knows.

use harness::{Pair, Person, eventually, stored};
use serde_json::{Value, json};
use store::{MessageState, PatientIndex as _};

fn id_of(resource: &Value) -> String {
    resource["id"].as_str().expect("a resource has an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_for_two_people_waits_for_a_person() {
    let mut pair = Pair::start("conflict").await;
    let (here, there) = (pair.here(), pair.there());
    let (one, other) = (Person::new(31), Person { birth: "19620901".into(), ..Person::new(32) });
    let (mut hospital, mut pharmacy) = (pair.sender().await, pair.pharmacy().await);
    hospital.accepted(&one.a01("I-1")).await;
    hospital.accepted(&other.a01("I-2")).await;
    here.counted("Patient", 2).await;
    pharmacy.accepted(&one.rde("I-3", "CX31")).await;
    here.counted("MedicationRequest", 1).await;
    there.counted("MedicationRequest", 1).await;

    // The pharmacy's number of one with the hospital's of the other: accepted, for it is safe on disk, and held.
    pharmacy.accepted(&other.rde("I-4", "CX31")).await;
    let visitor = pair.visitor().await;
    let page = eventually("the held message in the console", || async {
        for id in visitor.get("/live").await.messages() {
            let page = visitor.get(&format!("/messages/{id}")).await;
            if page.text.contains("identity-conflict") {
                return Ok(page);
            }
        }
        Err("none is held".to_owned())
    })
    .await;
    assert!(page.text.contains("review.raised"), "the page shows what the ledger knows");
    for value in [&one.number, &other.number, &one.family, &other.family] {
        assert!(!page.text.contains(value.as_str()), "the page is masked");
    }
    here.counted("Patient", 2).await;
    here.counted("MedicationRequest", 1).await;

    pair.stop_onprem().await;
    pair.stop_cloud().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    let held = rows.last().expect("four messages");
    assert_eq!((held.state, held.reason.as_deref()), (MessageState::Quarantined, Some("identity-conflict")));
    let open = store.reviews(true, 10).await.expect("reviews can be read");
    assert_eq!(open.len(), 1, "one question");
    assert_eq!(open[0].question.message, held.id);
    assert!(open[0].question.contradictions.contains(&"birth-date".to_owned()), "{open:?}");
    let detail = store::Messages::detail(&*store, held.id).await.expect("it opens").expect("it is there");
    assert!(detail.resources.is_empty() && detail.deliveries.is_empty(), "nothing of it is stored or leaves");
    assert!(!detail.records.is_empty(), "the ledger knows of it");
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_before_its_patient_holds_for_what_comes_later() {
    let mut pair = Pair::start("early-merge").await;
    let (here, there) = (pair.here(), pair.there());
    let survivor = Person::new(33);
    let retired = Person { number: "7799033".into(), visit: "VQ881033".into(), ..survivor.clone() };
    let mut sender = pair.sender().await;
    sender.accepted(&survivor.a40(&retired.number, "K-1")).await;
    sender.accepted(&retired.a01("K-2")).await;
    sender.accepted(&retired.oru("K-3", &[("2823-3", "4.4", "F")])).await;
    sender.accepted(&survivor.a01("K-4")).await;
    let patient = eventually("the survivor", || async {
        let patient = here.only(&format!("Patient?identifier={}", survivor.number)).await?;
        if patient["active"] == json!(true) { Ok(patient) } else { Err("not active".to_owned()) }
    })
    .await;
    here.shows("Observation", "/subject/reference", json!(format!("Patient/{}", id_of(&patient)))).await;
    here.counted(&format!("Encounter?patient={}", id_of(&patient)), 2).await;
    let result = there.counted("Observation", 1).await;
    there.counted("Encounter", 2).await;
    let twin = result[0]["subject"]["reference"].as_str().expect("whose it is").to_owned();
    let visits = there.search("Encounter").await.expect("visits");
    assert!(
        visits.iter().all(|visit| visit["subject"]["reference"] == json!(twin)),
        "one pseudonym has it all"
    );
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    assert!(stored::messages(&store).await.iter().all(|row| row.state == MessageState::Routed));
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prescription_for_an_unknown_patient_waits_for_no_one_and_finds_them_later() {
    let mut pair = Pair::start("unknown").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(34);
    pair.pharmacy().await.accepted(&person.rde("U-1", "CX34")).await;
    let prescribed = here.counted("MedicationRequest", 1).await;
    let owner = prescribed[0]["subject"]["reference"].as_str().expect("whose it is").to_owned();
    let known =
        here.read("Patient", owner.trim_start_matches("Patient/")).await.expect("the pharmacy's patient");
    assert_eq!(known["name"][0]["family"], json!(person.family));
    there.counted("MedicationRequest", 1).await;

    // The hospital registers the person afterwards: one patient, on both sides, with the prescription.
    pair.sender().await.accepted(&person.a01("U-2")).await;
    here.counted("Encounter", 1).await;
    there.counted("Encounter", 1).await;
    for surface in [&here, &there] {
        let active = eventually("one patient", || async {
            let found = surface.search("Patient").await?;
            let mut active: Vec<_> =
                found.into_iter().filter(|patient| patient["active"] != json!(false)).collect();
            match (active.pop(), active.is_empty()) {
                (Some(one), true) => Ok(one),
                _ => Err("several".to_owned()),
            }
        })
        .await;
        let owner = json!(format!("Patient/{}", id_of(&active)));
        surface.shows("MedicationRequest", "/subject/reference", owner.clone()).await;
        surface.shows("Encounter", "/subject/reference", owner).await;
    }
    let found =
        here.only(&format!("Patient?identifier={}", person.number)).await.expect("by the hospital's number");
    assert!(found["address"][0]["line"][0].is_string(), "what the hospital knows is there too");
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    assert!(stored::messages(&store).await.iter().all(|row| row.state == MessageState::Routed));
    assert!(store.reviews(true, 10).await.expect("reviews can be read").is_empty(), "nobody is asked");
    stored::close(store).await;
}
