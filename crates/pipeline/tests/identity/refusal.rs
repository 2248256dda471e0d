//! A release that is refused: nothing of it leaves, what stood before is withdrawn, and all is made good once it may leave.

use store::{DeliveryState, MessageState, Messages};

use crate::feeds::{EMR, ROWAN, merge};
use crate::rig::Rig;
use crate::withdrawal::{Cloud, TYPES, admitted, result, withdrawn};

/// Record numbers long enough to be looked for inside of a value.
const ONE: &str = "MR 48291034";
const OTHER: &str = "MR 59310422";

/// A result whose value is a record number, which de-identification keeps and the verifier may know.
fn telling(control_id: &str, number: &str, visit: &str, status: &str, value: &str) -> String {
    let plain = result(control_id, number, visit, status);
    assert!(plain.contains("||4.4|"));
    plain.replace("||4.4|", &format!("||{value}|"))
}

/// The same with a report that is corrected too.
fn corrected(message: &str) -> String {
    assert!(message.contains("113000-0500|||F"));
    message.replace("113000-0500|||F", "113000-0500|||C")
}

/// What stands, but for the Provenance that each message makes.
async fn standing(cloud: &mut Cloud, rig: &Rig) -> Vec<(String, String)> {
    let mut stands = cloud.stands(rig).await;
    stands.retain(|(name, _)| name != "Provenance");
    stands
}

async fn is_refused(rig: &Rig, id: store::JournalId) -> bool {
    let row = rig.row(id).await;
    row.state == MessageState::Quarantined && row.reason.is_some_and(|reason| reason.starts_with("release:"))
}

#[tokio::test]
async fn a_version_that_is_refused_withdraws_the_one_before_until_it_may_leave() {
    let mut rig = Rig::with(&[admitted("R-1", ONE, "V1", &["I10"]), result("R-2", ONE, "V1", "F")]).await;
    let mut cloud = Cloud::default();
    let before = standing(&mut cloud, &rig).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 1]);
    let refused = rig.send(&corrected(&telling("R-3", ONE, "V1", "C", "48291034"))).await;
    assert!(is_refused(&rig, refused).await);
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0], "the value before the correction is gone");
    assert_eq!(withdrawn(&rig).await.get("policy"), Some(&1));
    let detail = rig.detail(refused).await;
    assert!(detail.deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered));
    assert_eq!(detail.deliveries.len(), 1, "the withdrawal is the only thing of it that left");
    assert_eq!(
        cloud.bodies("DiagnosticReport")[0]["status"],
        "final",
        "what was not refused stays as it was"
    );

    rig.send(&corrected(&result("R-4", ONE, "V1", "C"))).await;
    assert_eq!(standing(&mut cloud, &rig).await, before, "the same ids come back");
    assert_eq!(cloud.bodies("Observation")[0]["status"], "corrected");
    assert_eq!(rig.reprocess(refused).await, "done");
    assert_eq!(standing(&mut cloud, &rig).await, before);
    assert_eq!(cloud.bodies("DiagnosticReport")[0]["status"], "corrected", "what was held back is sent");
}

#[tokio::test]
async fn what_was_queued_before_a_refused_version_is_not_sent_either() {
    let mut rig = Rig::with(&[admitted("R-1", ONE, "V1", &["I10"])]).await;
    let mut cloud = Cloud::default();
    cloud.take(&rig).await;
    let queued = rig.send(&result("R-2", ONE, "V1", "F")).await;
    rig.send(&telling("R-3", ONE, "V1", "C", "48291034")).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [1, 1, 1, 0]);
    let detail = rig.store.detail(queued).await.expect("reads").expect("is there");
    let overtaken = detail.deliveries.iter().filter(|one| one.state == DeliveryState::Superseded).count();
    assert_eq!(overtaken, 1);
}

#[tokio::test]
async fn a_merge_that_is_refused_withdraws_what_it_moves_and_completes_when_it_is_processed_again() {
    let mut rig = Rig::with(&[
        admitted("R-1", ONE, "V1", &["I10"]),
        admitted("R-2", OTHER, "V2", &["K35.80"]),
        // To the verifier a number of nobody, until the two are one.
        telling("R-3", OTHER, "V2", "F", "48291034"),
    ])
    .await;
    let mut cloud = Cloud::default();
    let before = cloud.stands(&rig).await;
    assert_eq!(cloud.count(&rig, TYPES).await, [2, 2, 2, 1]);
    let merged = rig.send(&merge(EMR, "R-4", &[ONE], &[OTHER], ROWAN)).await;
    assert!(is_refused(&rig, merged).await);
    assert_eq!(cloud.count(&rig, TYPES).await, [2, 1, 1, 0], "nothing moved stands under its old id");
    assert!(withdrawn(&rig).await.contains_key("merge"));
    let stayed = cloud.stands(&rig).await;
    assert!(stayed.iter().all(|one| before.contains(one)), "and nothing under a new one");

    // The laboratory corrects the value; then the merge is processed again.
    rig.send(&result("R-5", OTHER, "V2", "C")).await;
    assert_eq!(rig.reprocess(merged).await, "done");
    assert!(!is_refused(&rig, merged).await);
    assert_eq!(cloud.count(&rig, TYPES).await, [2, 2, 2, 1]);
    let after = cloud.stands(&rig).await;
    let gone: Vec<_> =
        before.iter().filter(|one| !after.contains(one)).map(|(name, _)| name.as_str()).collect();
    for name in ["Encounter", "Condition", "Observation", "DiagnosticReport"] {
        assert!(gone.contains(&name), "{name} has a new id: {gone:?}");
    }
    let active = cloud.bodies("Patient").iter().filter(|body| body["active"] == true).count();
    assert_eq!(active, 1, "the retired is retired there too");
    let subjects: std::collections::BTreeSet<_> =
        cloud.bodies("Encounter").iter().map(|visit| visit["subject"]["reference"].to_string()).collect();
    assert_eq!(subjects.len(), 1, "all of it is one pseudonym's");
}
