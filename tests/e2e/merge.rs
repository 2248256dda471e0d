//! A duplicate registration is merged (A40), two records are linked and unlinked (A24, A37), on both sides.

use std::collections::BTreeSet;

use audit::Kind;
use harness::messages::linked;
use harness::{Pair, Person, Surface, eventually, stored};
use serde_json::{Value, json};
use store::MessageState;

/// Two registrations of one person: the second under a number and a visit of its own.
fn twice() -> (Person, Person) {
    let survivor = Person::new(11);
    let retired = Person {
        number: "7799011".into(),
        visit: "VQ880999".into(),
        order: "FQ990999".into(),
        ..survivor.clone()
    };
    (survivor, retired)
}

fn id_of(resource: &Value) -> String {
    resource["id"].as_str().expect("a resource has an id").to_owned()
}

/// The active patient and the retired one.
async fn active_and_retired(surface: &Surface) -> (Value, Value) {
    eventually("one patient retired", || async {
        let found = surface.search("Patient").await?;
        let retired: Vec<_> = found.iter().filter(|patient| patient["active"] == false).collect();
        let active: Vec<_> = found.iter().filter(|patient| patient["active"] == true).collect();
        match (active.as_slice(), retired.as_slice()) {
            ([active], [retired]) => Ok(((*active).clone(), (*retired).clone())),
            _ => Err(format!("{} active, {} retired", active.len(), retired.len())),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_retired_owned_belongs_to_the_survivor() {
    let mut pair = Pair::start("merge").await;
    let (here, there) = (pair.here(), pair.there());
    let (survivor, retired) = twice();
    let mut sender = pair.sender().await;
    sender.accepted(&survivor.a01("M-1")).await;
    sender.accepted(&retired.a01("M-2")).await;
    sender.accepted(&retired.oru("M-3", &[("2823-3", "4.4", "F")])).await;
    let before = there.counted("Observation", 1).await;
    there.counted("Patient", 2).await;
    sender.accepted(&survivor.a40(&retired.number, "M-4")).await;

    // Both sides: one patient, to whom the other points, and who owns everything.
    let mut owners = Vec::new();
    for surface in [&here, &there] {
        let (active, gone) = active_and_retired(surface).await;
        assert_eq!(gone["link"][0]["type"], json!("replaced-by"));
        assert_eq!(gone["link"][0]["other"]["reference"], json!(format!("Patient/{}", id_of(&active))));
        let owner = format!("Patient/{}", id_of(&active));
        surface.shows("Observation", "/subject/reference", json!(owner)).await;
        surface.counted(&format!("Encounter?patient={}", id_of(&active)), 2).await;
        surface.counted(&format!("Encounter?patient={}", id_of(&gone)), 0).await;
        surface.counted("Encounter", 2).await;
        owners.push((owner, id_of(&gone)));
    }
    // In the cloud what moved has a new id, and the old one is withdrawn: gone, not merely unlinked.
    let old = id_of(&before[0]);
    assert_ne!(id_of(&there.only("Observation").await.expect("one")), old);
    assert_eq!(there.get(&format!("/fhir/Observation/{old}")).await.expect("an answer").status, 410);

    // A system that still uses the retired number writes to the survivor; nothing comes alive under the old one.
    sender.accepted(&retired.oru("M-5", &[("2951-2", "140", "F")])).await;
    for (surface, (owner, gone)) in [&here, &there].into_iter().zip(&owners) {
        surface.shows("Observation?code=2951-2", "/subject/reference", json!(owner)).await;
        surface.counted("Patient", 2).await;
        surface.counted(&format!("Observation?patient={gone}"), 0).await;
    }
    let by_number =
        here.only(&format!("Patient?identifier={}", survivor.number)).await.expect("the survivor");
    assert_eq!(
        by_number["active"],
        json!(true),
        "a message under the retired number does not retire the survivor"
    );

    taken_back(&pair).await;

    pair.stop_onprem().await;
    pair.stop_cloud().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert!(rows.iter().all(|row| row.state == MessageState::Routed), "{rows:?}");
    stored::close(store).await;
}

/// A person takes the merge back on the message's page: two patients on both sides, each with its own.
async fn taken_back(pair: &Pair) {
    let visitor = pair.visitor().await;
    let mut merge = None;
    for id in visitor.get("/live").await.messages() {
        let page = visitor.get(&format!("/messages/{id}")).await;
        if page.text.contains("Take the merge back") {
            merge = Some((id, page));
        }
    }
    let (id, page) = merge.expect("the page of the merge offers it");
    let (_, retired) = page.text.split_once("name=\"retired\" value=\"").expect("a form");
    let retired = &retired[..36];
    let path = format!("/messages/{id}/merge");
    let asked = visitor.submit(&page, &path, &[("retired", retired)]).await;
    assert!(asked.text.contains("Take the merge back?"), "{}", asked.text);
    let form = [("retired", retired), ("answer", "different")];
    assert_eq!(visitor.submit(&asked, &path, &form).await.status, 303);
    let (here, there) = (pair.here(), pair.there());
    here.counted(&format!("Observation?patient={retired}"), 2).await;
    for surface in [&here, &there] {
        eventually("two patients who stand", || async {
            let found = surface.search("Patient").await?;
            match found.iter().filter(|patient| patient["active"] == true).count() {
                2 => Ok(()),
                other => Err(format!("{other} active")),
            }
        })
        .await;
    }
    there.counted("Observation", 2).await;
    assert!(visitor.get(&format!("/messages/{id}")).await.text.contains("A person took that back."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_are_linked_and_unlinked_on_both_sides() {
    let mut pair = Pair::start("link").await;
    let (here, there) = (pair.here(), pair.there());
    let one = Person::new(91);
    let other = Person { number: "7799091".into(), visit: "VQ881091".into(), ..one.clone() };
    let mut sender = pair.sender().await;
    sender.accepted(&one.a01("LK-1")).await;
    sender.accepted(&other.a01("LK-2")).await;
    here.counted("Patient", 2).await;
    there.counted("Patient", 2).await;
    for (event, control_id, people) in [("A24", "LK-3", 1), ("A37", "LK-4", 2), ("A24", "LK-5", 1)] {
        sender.accepted(&linked(event, control_id, &one, &other)).await;
        for surface in [&here, &there] {
            eventually("each visit with its patient", || async {
                let visits = surface.search("Encounter").await?;
                let owners: BTreeSet<_> =
                    visits.iter().map(|visit| visit["subject"]["reference"].to_string()).collect();
                match (surface.count("Patient").await?, visits.len(), owners.len()) {
                    (patients, 2, owners) if (patients, owners) == (people, people) => Ok(()),
                    other => Err(format!("after {control_id}: {other:?}")),
                }
            })
            .await;
        }
    }
    drop(sender);
    let both = here.counted("Patient", 1).await;
    let numbers = both[0]["identifier"].to_string();
    assert!(numbers.contains(&one.number) && numbers.contains(&other.number), "both records are found");
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert!(rows.iter().all(|row| row.state == MessageState::Routed), "{rows:?}");
    for (kind, times) in [(Kind::PatientsLinked, 2), (Kind::PatientsUnlinked, 1)] {
        assert_eq!(stored::count_records(&store, kind).await, times);
    }
    stored::close(store).await;
}
