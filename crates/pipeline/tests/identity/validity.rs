//! What is stored is valid: a broken rule is a warning on the message, or holds it back where its site says so.

use serde_json::Value;
use store::MessageState;

use crate::feeds::{EMR, ROWAN, message, pid};
use crate::rig::Rig;

/// An admission whose visit began at `start` and ended at `end`.
fn visit(control_id: &str, start: &str, end: &str) -> String {
    let mut fields = vec![""; 46];
    (fields[0], fields[1], fields[2], fields[19], fields[44], fields[45]) =
        ("PV1", "1", "I", "V1", start, end);
    message(EMR, "ADT^A03^ADT_A03", control_id, &[pid(&["MR 42"], ROWAN), fields.join("|")])
}

const MORNING: &str = "20260301080000-0500";
const EVENING: &str = "20260301180000-0500";

/// Paths and severities of the issues that speak of a FHIR element.
fn issues(json: &str) -> Vec<(String, String)> {
    let rows: Vec<Value> = serde_json::from_str(json).expect("issues are JSON");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let of_element = |row: &&Value| text(row, "path").contains('.') && text(row, "code") == "Invariant";
    rows.iter().filter(of_element).map(|row| (text(row, "path"), text(row, "severity"))).collect()
}

#[tokio::test]
async fn a_broken_invariant_is_a_warning_at_its_element_and_is_stored() {
    let mut rig = Rig::new().await;
    let right = rig.send(&visit("V-1", MORNING, EVENING)).await;
    assert_eq!(issues(&rig.row(right).await.issues), []);
    let wrong = rig.send(&visit("V-2", EVENING, MORNING)).await;
    let row = rig.row(wrong).await;
    assert_ne!(row.state, MessageState::Quarantined, "{:?}", row.reason);
    assert_eq!(issues(&row.issues), [("Encounter.period".to_owned(), "Warning".to_owned())]);
    assert!(!row.issues.contains("2026-03-01"), "an issue shows no value");
    let visits = rig.all("Encounter").await;
    assert!(
        visits[0]["period"]["start"].as_str() > visits[0]["period"]["end"].as_str(),
        "it is stored as said"
    );
}

#[tokio::test]
async fn a_site_may_have_it_quarantined_and_processed_again() {
    let mut rig = Rig::new().await;
    rig.overlay("validation: {on_error: quarantine}\n");
    let held = rig.send(&visit("V-1", EVENING, MORNING)).await;
    let row = rig.row(held).await;
    assert_eq!(row.state, MessageState::Quarantined);
    assert_eq!(row.reason.as_deref(), Some("invalid:Invariant:Encounter.period"));
    assert_eq!(issues(&row.issues), [("Encounter.period".to_owned(), "Error".to_owned())]);
    assert!(rig.all("Encounter").await.is_empty());
    assert_eq!(rig.reprocess(held).await, "still-quarantined");
    assert_eq!(issues(&rig.row(held).await.issues).len(), 1, "a reprocess says it again");
    rig.overlay("");
    assert_eq!(rig.reprocess(held).await, "done");
    assert_eq!(rig.all("Encounter").await.len(), 1);
}

/// What stands and what is said make the resource, so what is checked is what would be stored.
#[tokio::test]
async fn the_merged_resource_is_what_is_checked() {
    let mut rig = Rig::new().await;
    rig.send(&visit("V-1", EVENING, MORNING)).await;
    let silent = visit("V-2", "", "").replace("PV1|1|I|", "PV1|1|O|");
    assert!(silent.contains("PV1|1|O|"));
    let second = rig.send(&silent).await;
    assert_eq!(rig.all("Encounter").await[0]["class"]["code"], "AMB", "the second message was applied");
    assert_eq!(issues(&rig.row(second).await.issues).len(), 1, "the period of the first still stands");
}
