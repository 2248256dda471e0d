//! The work list of codes.

use audit::Kind;
use store::{
    CODES_TOLD_APART_MAX, Cause, CodeItem, CodeState, JournalId, Key, MessageState, MissedCode, PATIENT_KEY,
    PathCount, PathFate, Seq, WriteSet,
};

use crate::harness::{Adapter, Clinical};
use crate::samples::{DAY_US, NOW_US, record, set};

const TODAY: i64 = NOW_US / DAY_US;

fn code(code: Option<&str>) -> MissedCode {
    MissedCode { table: "marital-status".into(), code: code.map(Into::into), system: Some("urn:v2".into()) }
}

/// A message of a patient that misses a code.
fn of(seq: i64, patient: &str, missed: Option<&str>) -> WriteSet {
    let mut one = set(seq);
    one.coverage = vec![PathCount { path: "PID-16".into(), fate: PathFate::Lossy, leaves: 1 }];
    one.keys = vec![Key { kind: PATIENT_KEY, value: patient.into(), system: None }];
    one.missed_codes = vec![code(missed)];
    one
}

async fn commit(node: &Clinical, sets: impl IntoIterator<Item = WriteSet>) {
    for one in sets {
        node.apply.commit(one).await.expect("commits");
    }
}

async fn open(node: &Clinical) -> Vec<CodeItem> {
    node.codes.code_items(true, 1_000).await.expect("reads")
}

fn id(seq: i64) -> JournalId {
    set(seq).message.id
}

/// Enters that package `p2` knows an item, and asks for all of its messages; which they are.
async fn mapped(node: &Clinical, item: i64, limit: usize) -> Vec<JournalId> {
    node.codes.checked("p2", &[(item, true)], vec![record(Kind::CodeMapped)]).await.expect("enters");
    let mut calls = 0;
    while let Some(done) = node.codes.redrive(limit, "code-mapped", NOW_US).await.expect("asks") {
        assert_eq!(done.item, item);
        calls += 1;
        assert!(calls < 100, "it comes to an end");
    }
    let asked = node.messages.claim_reprocess(1_000).await.expect("reads");
    asked.into_iter().map(|(_, id)| id).collect()
}

pub async fn codes_are_items_with_counts_and_examples(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut yesterday = of(1, "p1", Some("Q"));
    yesterday.message.received_us = NOW_US - 1;
    let mut other = of(5, "p1", Some("Q"));
    other.message.sender = "LAB".into();
    let sets = [yesterday, of(2, "p1", Some("Q")), of(3, "p2", None), of(4, "p2", Some("Q")), other];
    commit(&node, sets).await;
    commit(&node, [of(6, "p3", Some("Q"))]).await;
    let items = open(&node).await;
    let told: Vec<_> =
        items.iter().map(|one| (one.sender.as_str(), one.code.code.as_deref(), one.messages)).collect();
    assert_eq!(told, [("EMR", Some("Q"), 4), ("EMR", None, 1), ("LAB", Some("Q"), 1)]);
    assert_eq!((items[0].days, items[0].state), ((TODAY - 1, TODAY), CodeState::Open));
    assert_eq!(items[0].code, code(Some("Q")));
    assert_eq!(items[0].examples, [id(2), id(4), id(6)], "the newest three");
    assert!(!format!("{:?}", items[0].code).contains('Q'), "a code is content");
}

pub async fn a_message_misses_a_code_once_however_often_it_is_processed(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, [of(1, "p1", Some("Q"))]).await;
    let again = WriteSet { cause: Cause::Reprocessed(Seq(1)), ..of(1, "p1", Some("Q")) };
    commit(&node, [again]).await;
    assert_eq!(open(&node).await[0].messages, 1);
}

pub async fn what_is_mapped_asks_for_each_patient_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut held = of(4, "p1", Some("Q"));
    held.message.state = MessageState::Quarantined;
    let mut of_nobody = of(5, "p1", Some("Q"));
    of_nobody.keys.clear();
    let sets = [of(1, "p1", Some("Q")), of(2, "p2", Some("Q")), of(3, "p1", Some("Q")), held, of_nobody];
    commit(&node, sets).await;
    commit(&node, [of(6, "p3", Some("X")), of(7, "p2", Some("Q"))]).await;
    let item = open(&node).await[0].item;
    let mut asked = mapped(&node, item, 2).await;
    asked.sort_by_key(|id| id.0);
    assert_eq!(asked, [id(3), id(4), id(5), id(7)], "the last of each patient, and what must follow itself");
    let done = node.codes.code_items(false, 10).await.expect("reads");
    let told: Vec<_> = done.iter().map(|one| (one.item, one.state, one.messages)).collect();
    assert_eq!(told, [(item, CodeState::Mapped, 6)]);
    assert_eq!(open(&node).await.len(), 1, "the other code waits on");
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 1);
}

pub async fn an_item_is_checked_once_for_each_package(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, [of(1, "p1", Some("Q")), of(2, "p1", Some("X"))]).await;
    let unchecked = async |node: &Clinical, package: &str| {
        let items = node.codes.unchecked(package, 10).await.expect("reads");
        items.into_iter().map(|one| one.item).collect::<Vec<_>>()
    };
    assert_eq!(unchecked(&node, "p1").await, [] as [i64; 0], "it missed them itself");
    let items = unchecked(&node, "p2").await;
    assert_eq!(items.len(), 2);
    node.codes.checked("p2", &[(items[0], false)], Vec::new()).await.expect("enters");
    assert_eq!(unchecked(&node, "p2").await, items[1..]);
    assert_eq!(node.codes.redrive(10, "code-mapped", NOW_US).await.expect("asks"), None);
    drop(node);
    let node = adapter.clinical().await;
    assert_eq!(unchecked(&node, "p2").await, items[1..], "nor after a restart");
    assert_eq!(unchecked(&node, "p3").await, items);
}

pub async fn a_code_that_is_missed_again_is_open_again(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, [of(1, "p1", Some("Q"))]).await;
    let item = open(&node).await[0].item;
    assert_eq!(mapped(&node, item, 10).await, [id(1)]);
    let (request, _) = node.messages.claim_reprocess(10).await.expect("reads")[0];
    node.messages.settle_reprocess(request, "done").await.expect("settles");
    let mut later = of(2, "p2", Some("Q"));
    later.message.package_hash = "p2".into();
    commit(&node, [later]).await;
    let items = open(&node).await;
    assert_eq!((items[0].item, items[0].messages), (item, 2));
    assert_eq!(node.codes.unchecked("p2", 10).await.expect("reads"), []);
    assert_eq!(mapped(&node, item, 10).await, [id(2)], "who was asked for before is not asked for again");
}

pub async fn a_restart_goes_on_asking_where_it_was(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, (1..=5).map(|seq| of(seq, &format!("p{seq}"), Some("Q")))).await;
    let item = open(&node).await[0].item;
    node.codes.checked("p2", &[(item, true)], Vec::new()).await.expect("enters");
    let first = node.codes.redrive(2, "code-mapped", NOW_US).await.expect("asks").expect("one waits");
    assert_eq!((first.requested, first.is_last), (2, false));
    drop(node);
    let node = adapter.clinical().await;
    let redriving = &node.codes.code_items(false, 10).await.expect("reads")[0];
    assert_eq!(redriving.state, CodeState::Redriving);
    let second = node.codes.redrive(2, "code-mapped", NOW_US).await.expect("asks").expect("one waits");
    let third = node.codes.redrive(2, "code-mapped", NOW_US).await.expect("asks").expect("one waits");
    assert_eq!((second.requested, third.requested, third.is_last), (2, 1, true));
    assert_eq!(node.messages.claim_reprocess(10).await.expect("reads").len(), 5);
}

pub async fn free_text_does_not_become_an_item_each(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let last = i64::try_from(CODES_TOLD_APART_MAX).expect("small") + 2;
    let mut many = of(1, "p1", None);
    many.missed_codes = (1..=last).map(|number| code(Some(&format!("T{number}")))).collect();
    commit(&node, [many, of(2, "p1", Some("T1"))]).await;
    let items = open(&node).await;
    assert_eq!(items.len(), CODES_TOLD_APART_MAX + 1);
    let of_none: Vec<u64> =
        items.iter().filter(|one| one.code.code.is_none()).map(|one| one.messages).collect();
    assert_eq!(of_none, [2], "what finds no room is one item");
}
