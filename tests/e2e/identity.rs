//! Who is who across feeds, when it goes wrong: one number for two people, a merge before its patient, a prescription
//! for somebody nobody knows.

use audit::Kind;
use harness::{Page, Pair, Person, Visitor, eventually, stored};
use serde_json::{Value, json};
use store::sqlite::Sqlite;
use store::{MessageRow, MessageState, PatientIndex as _};

fn id_of(resource: &Value) -> String {
    resource["id"].as_str().expect("a resource has an id").to_owned()
}

/// The page of each message, oldest first, once there are so many and nothing of them waits; each is masked.
async fn pages(visitor: &Visitor, count: usize, people: &[&Person]) -> Vec<Page> {
    let pages = eventually("the messages in the console", || async {
        let mut ids = visitor.get("/live").await.messages();
        ids.reverse();
        if ids.len() != count {
            return Err(format!("{} messages", ids.len()));
        }
        let mut pages = Vec::new();
        for id in ids {
            pages.push(visitor.get(&format!("/messages/{id}")).await);
        }
        Ok(pages)
    })
    .await;
    for page in &pages {
        assert_eq!(page.status, 200);
        for value in people.iter().flat_map(|person| [&person.number, &person.family, &person.visit]) {
            assert!(!page.text.contains(value.as_str()), "the page is masked");
        }
    }
    pages
}

/// The ledger's records of a message: kind, outcome, and the tokens of the patients.
async fn records(store: &Sqlite, row: &MessageRow) -> Vec<(Kind, String, Vec<String>)> {
    let detail = store::Messages::detail(store, row.id).await.expect("it opens").expect("it is there");
    let read = |row: &store::LedgerRow| {
        let kind = audit::Record::from_bytes(&row.record).expect("a record").kind();
        let record: Value = serde_json::from_slice(&row.record).expect("a record is JSON");
        let tokens = record["patients"].as_array().into_iter().flatten();
        let tokens = tokens.filter_map(|token| token.as_str().map(str::to_owned)).collect();
        (kind, record["outcome"].as_str().unwrap_or_default().to_owned(), tokens)
    };
    let all = detail.records.iter().map(read);
    all.filter(|(kind, ..)| !matches!(kind, Kind::MessageViewed | Kind::Delivered | Kind::ReceiptEntered))
        .collect()
}

fn kinds(records: &[(Kind, String, Vec<String>)]) -> Vec<Kind> {
    records.iter().map(|(kind, ..)| *kind).collect()
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
    for words in ["quarantined", "Nothing was stored of it.", "Nothing of it was released."] {
        assert!(page.text.contains(words), "{words} is not on the page");
    }
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
    let known = records(&store, held).await;
    assert_eq!(kinds(&known), [Kind::MessageQuarantined, Kind::ReviewRaised]);
    let raised = stored::records(&store).await.into_iter().find(|(kind, _)| *kind == Kind::ReviewRaised);
    let (_, raised) = raised.expect("the question is in the ledger");
    assert_eq!(stored::object(&raised, "review"), open[0].question.id.to_string());
    assert_eq!(stored::objects(&raised, "contradiction"), open[0].question.contradictions);
    for identifier in one.identifiers().into_iter().chain(other.identifiers()) {
        assert!(!raised.to_string().contains(&identifier), "the ledger has no identifier");
    }
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
    let pages = pages(&pair.visitor().await, 4, &[&survivor, &retired]).await;
    for page in &pages {
        assert!(
            page.text.contains("routed") && !page.text.contains("quarantined"),
            "nobody has to do anything"
        );
    }
    assert!(pages[0].text.contains("patient.linked"), "the page of the merge says what it did");
    assert!(pages[0].text.contains("Patient/"), "and shows whom");
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert!(rows.iter().all(|row| row.state == MessageState::Routed));
    let merged = records(&store, &rows[0]).await;
    assert_eq!(kinds(&merged), [Kind::MessageApplied, Kind::PatientsLinked]);
    let (_, outcome, tokens) = &merged[1];
    assert_eq!((outcome.as_str(), tokens.len()), ("ok", 2), "who stays, and who ended");
    let later = records(&store, &rows[1]).await;
    assert_eq!(
        kinds(&later),
        [Kind::MessageApplied],
        "what comes later under the ended number merges nothing again"
    );
    assert_eq!(later[0].2, tokens[..1], "it is recorded as the survivor's");
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
    let visitor = pair.visitor().await;
    let first = &pages(&visitor, 1, &[&person]).await[0];
    assert!(first.text.contains("routed") && first.text.contains("MedicationRequest/"));
    assert!(!first.text.contains("patient.linked"), "there is nobody yet to be one with");
    assert!(first.text.contains("Known to this feed alone."), "the page says what is missing");
    assert!(visitor.get("/live").await.text.contains("known to this feed alone"), "and so does the list");

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
    let second = &pages(&visitor, 2, &[&person]).await[1];
    assert!(second.text.contains("patient.linked"), "the page says that two became one");
    assert!(!second.text.contains("Known to this feed alone."), "the hospital knows them");
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert!(rows.iter().all(|row| row.state == MessageState::Routed));
    let (first, second) = (records(&store, &rows[0]).await, records(&store, &rows[1]).await);
    assert_eq!(kinds(&first), [Kind::MessageApplied]);
    assert_eq!((first[0].1.as_str(), first[0].2.len()), ("applied", 1));
    let linked =
        second.iter().find(|(kind, ..)| *kind == Kind::PatientsLinked).expect("the link is recorded");
    assert!(linked.2.contains(&first[0].2[0]), "the pharmacy's patient is one of the two");
    assert!(store.reviews(true, 10).await.expect("reviews can be read").is_empty(), "nobody is asked");
    stored::close(store).await;
}
