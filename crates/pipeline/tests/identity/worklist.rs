//! What messages leave for people to do: fields that nobody maps, and codes that wait for a row.

use std::collections::BTreeMap;

use store::{
    AlertKind, CodeItem, CodeItems, CodeState, Coverages, LEARNING_MESSAGES, MessageState, Messages, PathFate,
};

use crate::feeds::{EMR, NOTHING, PHARMACY, ROWAN, message, pid, update};
use crate::rig::Rig;

const MARRIED: &str = "codes: {marital-status: {Q: M}}";

/// A message of a patient with a marital status.
fn status(feed: &str, control_id: &str, number: &str, code: &str) -> String {
    let pid = format!("{}|||{code}", pid(&[number], ROWAN));
    message(feed, "ADT^A04^ADT_A01", control_id, &[pid, "PV1|1|N".to_owned()])
}

async fn open(rig: &Rig) -> Vec<CodeItem> {
    rig.store.code_items(true, 10).await.expect("reads")
}

/// Codes of every patient's marital status, by how often.
async fn standing(rig: &Rig) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for patient in rig.all("Patient").await {
        let codings = patient["maritalStatus"]["coding"].as_array().cloned().unwrap_or_default();
        let codes: Vec<&str> = codings.iter().filter_map(|coding| coding["code"].as_str()).collect();
        *found.entry(codes.join(" ")).or_default() += 1;
    }
    found
}

#[tokio::test]
async fn leaves_are_counted_by_path_without_what_they_hold() {
    let mut rig = Rig::new().await;
    let text = update(EMR, "1", &["MR 42", "X 5"], ROWAN, "A1");
    let id = rig.send(&format!("{text}ZZZ|Quillfeather~Rowan^A1&B\r")).await;
    let gaps = rig.store.gaps(0, 1_000).await.expect("reads");
    let of_z: Vec<_> = gaps
        .iter()
        .filter(|gap| gap.path.starts_with("ZZZ"))
        .map(|gap| (gap.path.as_str(), gap.fate, gap.leaves))
        .collect();
    let unmapped = |path, leaves| (path, PathFate::Unmapped, leaves);
    assert_eq!(of_z, [unmapped("ZZZ-1", 2), unmapped("ZZZ-1.2", 1), unmapped("ZZZ-1.2.2", 1)]);
    assert!(gaps.iter().all(|gap| !format!("{gap:?}").contains("Quill")), "no value");
    let days = rig.store.coverage(0).await.expect("reads");
    let row = rig.row(id).await;
    let [mapped, lossy, ..] = days[0].leaves;
    assert_eq!(mapped + lossy, u64::from(row.leaves_mapped));
    assert_eq!(days[0].leaves.iter().sum::<u64>(), u64::from(row.leaves_total));
    assert_eq!(rig.reprocess(id).await, "done");
    assert_eq!(rig.store.coverage(0).await.expect("reads"), days, "once a message");
}

#[tokio::test]
async fn what_cannot_be_translated_is_not_counted() {
    let mut rig = Rig::new().await;
    let id = rig.send(&message(EMR, "ADT^A04^ADT_A01", "1", &["PV1|1|N".to_owned()])).await;
    assert_eq!(rig.row(id).await.state, MessageState::Quarantined);
    assert_eq!(rig.store.coverage(0).await.expect("reads"), []);
    rig.send(&update(EMR, "2", &["MR 42"], ROWAN, "A1")).await;
    assert_eq!(rig.store.coverage(0).await.expect("reads")[0].messages, 1);
}

#[tokio::test]
async fn a_field_that_a_learned_sender_never_used_is_an_alert() {
    let mut rig = Rig::new().await;
    let plain = |number: u64| update(EMR, &number.to_string(), &["MR 42"], ROWAN, "A1");
    for number in 0..LEARNING_MESSAGES {
        rig.append(&plain(number)).await;
    }
    rig.run().await;
    let new = rig.append(&format!("{}ZZZ|1\r", plain(1_000))).await;
    rig.append(&format!("{}ZZZ|2\r", plain(1_001))).await;
    rig.run().await;
    let alerts = rig.store.alerts(true, 10).await.expect("reads");
    let told: Vec<_> = alerts.iter().map(|alert| (alert.kind, alert.path.as_str(), alert.message)).collect();
    assert_eq!(told, [(AlertKind::NewUnmapped, "ZZZ-1", new)]);
    assert_eq!(alerts[0].sender, "EMR|EMR");
}

#[tokio::test]
async fn a_code_that_is_mapped_is_derived_again_for_everybody_who_missed_it() {
    let mut rig = Rig::new().await;
    for (control_id, number, code) in [("1", "MR 42", "Q"), ("2", "MR 42", "Q"), ("3", "MR 43", "Q")] {
        rig.send(&status(EMR, control_id, number, code)).await;
    }
    rig.send(&status(EMR, "4", "MR 44", "not told")).await;
    rig.send(&status(EMR, "5", "MR 45", "S")).await;
    rig.send(&status(PHARMACY, "6", "PI 7", "Q")).await;
    let items = open(&rig).await;
    let told: Vec<_> = items
        .iter()
        .map(|one| (one.sender.as_str(), one.code.code.as_deref(), one.messages, one.examples.len()))
        .collect();
    let expected = [("EMR|EMR", Some("Q"), 3, 3), ("EMR|EMR", None, 1, 1), ("CAPE|CAPE", Some("Q"), 1, 1)];
    assert_eq!(told, expected);
    let before = standing(&rig).await;
    assert!(before.keys().all(|codes| !codes.contains('M')), "{before:?}");

    rig.restart_with(&[(EMR, MARRIED)]).await;
    let after = standing(&rig).await;
    let married: usize = after.iter().filter(|(codes, _)| codes.contains('M')).map(|(_, count)| count).sum();
    assert_eq!(married, 2, "the EMR's two, not the pharmacy's: {after:?}");
    let rest: Vec<_> = open(&rig).await.into_iter().map(|one| one.item).collect();
    assert_eq!(rest, [items[1].item, items[2].item]);
    let mapped = rig.store.code_items(false, 10).await.expect("reads");
    assert_eq!((mapped[0].item, mapped[0].state), (items[0].item, CodeState::Mapped));
    let asked = rig.store.reprocess_outcomes(&items[0].examples).await.expect("reads");
    let asked: Vec<_> = asked.iter().map(|(id, outcome)| (*id, outcome.as_deref())).collect();
    let [_, second, third] = items[0].examples[..] else { panic!("three examples") };
    assert_eq!(asked, [(second, Some("done")), (third, Some("done"))], "each patient once");
}

#[tokio::test]
async fn another_package_that_does_not_know_the_code_changes_nothing() {
    let mut rig = Rig::new().await;
    rig.send(&status(EMR, "1", "MR 42", "Q")).await;
    let (items, state) = (open(&rig).await, standing(&rig).await);
    rig.restart_with(&[(PHARMACY, MARRIED)]).await;
    assert_eq!((open(&rig).await, standing(&rig).await), (items.clone(), state));
    assert_eq!(rig.store.reprocess_outcomes(&items[0].examples).await.expect("reads"), []);
    rig.restart_with(&[(EMR, MARRIED)]).await;
    assert_eq!(open(&rig).await, [], "the next one is asked again");
}

#[tokio::test]
async fn a_message_without_a_code_is_nobodys_work() {
    let mut rig = Rig::new().await;
    rig.send(&update(EMR, "1", &["MR 42"], NOTHING, "A1")).await;
    rig.send(&status(EMR, "2", "MR 42", "\"\"")).await;
    assert_eq!(open(&rig).await, []);
}
