//! Messages about no patient: staff records.

use serde_json::{Value, json};
use store::{Apply, KeyTerm, MessageFilter, MessageState, Messages, ResourceKey, Resources, SHARED_KEY};

use crate::feeds::{EMR, LABORATORY, ROWAN, message, result};
use crate::rig::{Rig, named};

/// A staff record; `more` follows STF-3.
fn staff(event: &str, control_id: &str, more: &str) -> String {
    let stf = format!("STF|7731|7731^^^HARBOR^EI|{more}");
    message(EMR, &format!("PMU^{event}"), control_id, &[format!("EVN|{event}|20260301120000-0500"), stf])
}

async fn practitioner(rig: &Rig) -> Value {
    let all = rig.all("Practitioner").await;
    assert_eq!(all.len(), 1, "one practitioner");
    all.into_iter().next().expect("one")
}

fn key_of(resource: &Value) -> ResourceKey {
    let text = |name: &str| resource[name].as_str().expect("has it");
    let resource_type = fhir::ResourceType::parse(text("resourceType")).expect("a type of R4");
    ResourceKey { resource_type, id: text("id").to_owned() }
}

#[tokio::test]
async fn a_staff_record_is_applied_belongs_to_nobody_and_is_found_by_what_it_set() {
    let mut rig = Rig::with(&[result(EMR, "1", &["MR 42"], ROWAN, "R-1")]).await;
    let id = rig.send(&staff("B01", "2", "Lindqvist^Astrid||F|19700312|A")).await;
    let row = rig.row(id).await;
    assert!(matches!(row.state, MessageState::Stored | MessageState::Routed), "{:?}", row.reason);
    let made = practitioner(&rig).await;
    assert_eq!(made["active"], true);
    let stored = rig.store.read(&key_of(&made)).await.expect("reads").expect("stands");
    assert_eq!(stored.patient, None);
    let owned = rig.store.compartment(&named("MR 42")).await.expect("reads");
    assert!(owned.iter().all(|one| one.key.resource_type.as_str() != "Practitioner"));
    assert!(!rig.store.messages_of(&named("MR 42")).await.expect("reads").contains(&row.seq));
    let value = format!("Practitioner/{}", stored.key.id);
    let term = KeyTerm { kind: Some(SHARED_KEY), value };
    let filter = MessageFilter { key: Some(term), ..MessageFilter::default() };
    let found = rig.store.list(&filter, None, 10).await.expect("lists");
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn of_a_staff_record_leaves_what_the_policy_permits_and_depends_on_no_patient() {
    let mut rig = Rig::new().await;
    rig.send(&staff("B01", "1", "Lindqvist^Astrid||F|19700312|A")).await;
    let kinds: Vec<String> = rig.released().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["Practitioner"]);
}

#[tokio::test]
async fn an_old_record_is_not_applied_over_a_newer_one() {
    let mut rig = Rig::new().await;
    let first = rig.send(&staff("B01", "1", "Lindqvist^Astrid||F|19700312|A")).await;
    rig.send(&staff("B02", "2", "Brandt^Astrid||F|\"\"|A")).await;
    rig.send(&staff("B05", "3", "Brandt^Astrid")).await;
    let before = practitioner(&rig).await;
    assert_eq!(before["name"][0]["family"], "Brandt");
    assert_eq!(before["active"], false);
    assert!(before.get("birthDate").is_none());
    assert_eq!(rig.reprocess(first).await, "done");
    assert_eq!(practitioner(&rig).await, before);
}

#[tokio::test]
async fn a_corrected_map_reaches_every_record_and_keeps_what_patients_messages_brought() {
    let mut rig = Rig::new().await;
    rig.remap(&[("segments/STF.Practitioner.yaml", "birthDate: STF-6 as date\n", "")]).await;
    let first = rig.send(&staff("B01", "1", "Lindqvist^Astrid||F|19700312|A")).await;
    rig.send(&staff("B02", "2", "Brandt^Astrid||F||A")).await;
    assert!(practitioner(&rig).await.get("birthDate").is_none());
    let order = result(LABORATORY, "3", &["MR 42"], ROWAN, "R-1").replace(
        "|||||||||||||||20260301113000",
        "|||||||||7731^Brandt^Astrid^^^^^^HARBOR^^^^EI||||||20260301113000",
    );
    rig.send(&order).await;
    rig.remap(&[]).await;
    assert_eq!(rig.reprocess(first).await, "done");
    let now = practitioner(&rig).await;
    assert_eq!(now["birthDate"], "1970-03-12");
    assert_eq!(now["name"][0]["family"], "Brandt");
    assert_eq!(now["identifier"][0]["value"], json!("7731"));
    // The Provenance of the package before is gone, the patient's stays.
    let about: Vec<Value> = rig.all("Provenance").await;
    assert_eq!(about.len(), 3, "{about:?}");
}

#[tokio::test]
async fn what_only_this_record_made_and_makes_no_more_is_deleted() {
    let mut rig = Rig::new().await;
    let map = "messages/PMU_B01.yaml";
    let more = "\n  extra: {map: STF -> Basic, when: STF-1}";
    let basic = "map: STF -> Basic\nid: uuid(STF-1)\ncode: {text: STF-1.1}\n";
    rig.remap_with(&[(map, "\nignore:", &format!("{more}\nignore:"))], &[("segments/STF.Basic.yaml", basic)])
        .await;
    let first = rig.send(&staff("B01", "1", "Lindqvist^Astrid")).await;
    assert_eq!(rig.all("Basic").await.len(), 1);
    rig.remap(&[]).await;
    assert_eq!(rig.reprocess(first).await, "done");
    assert!(rig.all("Basic").await.is_empty());
    assert_eq!(rig.all("Practitioner").await.len(), 1, "patients may know the person from elsewhere");
}

#[tokio::test]
async fn a_message_that_makes_nothing_is_processed() {
    let mut rig = Rig::new().await;
    let id = rig.send(&message(EMR, "PMU^B01", "1", &["EVN|B01|20260301120000-0500".to_owned()])).await;
    assert_eq!(rig.row(id).await.state, MessageState::Stored);
    assert_eq!(rig.reprocess(id).await, "done");
}
