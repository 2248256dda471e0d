//! The FHIR surface over real traffic: roles, refusals, paging, and a record of every read.

use std::collections::HashSet;

use audit::Kind;
use harness::surface::link;
use harness::{Pair, Person, stored};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_refusals_paging_and_records() {
    let mut pair = Pair::start("rest").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(91);
    let codes: Vec<String> = (0..23).map(|n| format!("{}-1", 60_000 + n)).collect();
    let results: Vec<_> = codes.iter().map(|code| (code.as_str(), "4.1", "F")).collect();
    let mut sender = pair.sender().await;
    sender.accepted(&person.oru("H-1", &results)).await;
    drop(sender);
    here.counted("Observation?_count=100", 23).await;
    there.counted("Observation?_count=100", 23).await;

    // Tokens count on their own side only, and nothing is said without one.
    for (surface, token) in [
        (&here, Some(pair.shown.cloud_token.as_str())),
        (&there, Some(pair.shown.onprem_token.as_str())),
        (&here, Some("made-up")),
        (&here, None),
        (&there, None),
    ] {
        let (status, outcome) = surface.with_token(token).answer("/fhir/Patient").await.expect("an answer");
        assert_eq!((status, &outcome["resourceType"]), (401, &serde_json::json!("OperationOutcome")));
    }

    // What is not supported is refused with what is.
    let (status, outcome) = here.answer("/fhir/Patient?shoe-size=44").await.expect("an answer");
    assert_eq!((status, &outcome["resourceType"]), (400, &serde_json::json!("OperationOutcome")));
    let words = outcome.to_string();
    assert!(words.contains("identifier") && words.contains("_count"), "{words}");
    let (status, outcome) =
        there.answer(&format!("/fhir/Patient?identifier={}", person.number)).await.expect("an answer");
    let words = outcome.to_string();
    assert_eq!(status, 400);
    assert!(!words.contains(&person.number) && words.contains("_id"), "{words}");
    let (status, outcome) =
        here.answer(&format!("/fhir/Patient/{}", person.number)).await.expect("an answer");
    assert_eq!((status, &outcome["resourceType"]), (404, &serde_json::json!("OperationOutcome")));
    assert!(!outcome.to_string().contains(&person.number), "an error repeats nothing of the request");

    for surface in [&here, &there] {
        pages(surface).await;
    }
    let clinical_id =
        here.only("Patient").await.expect("one patient")["id"].as_str().expect("an id").to_owned();
    here.read("Patient", &clinical_id).await.expect("the patient");
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    let count = |wanted: Kind| records.iter().filter(|(kind, _)| *kind == wanted).count();
    assert_eq!(count(Kind::ResourceRead), 2, "the read that found and the one that did not");
    assert!(count(Kind::ResourceSearched) >= 8, "a record of each page");
    let text: String = records.iter().map(|(_, record)| record.to_string()).collect();
    for identifier in person.identifiers() {
        assert!(!text.contains(&identifier), "the ledger holds no identifier");
    }
    stored::close(store).await;
}

/// Pages of five walk over all, each once, and their links carry nothing that was asked.
async fn pages(surface: &harness::Surface) {
    let mut path = "/fhir/Observation?_count=5".to_owned();
    let mut ids = HashSet::new();
    let mut sizes = Vec::new();
    loop {
        let bundle = surface.json(&path).await.expect("a page");
        assert_eq!(bundle["total"], serde_json::json!(23));
        let entries = bundle["entry"].as_array().expect("entries");
        sizes.push(entries.len());
        assert!(entries.iter().all(|entry| ids.insert(entry["resource"]["id"].to_string())), "each once");
        match link(&bundle, "next") {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(sizes, [5, 5, 5, 5, 3]);
}
