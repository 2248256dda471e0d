//! Acknowledgments given after the one of the arrival.

use store::{
    AckOutcome, AckStage, Acknowledgments, Appended, Arrival, Error, Journal, JournalId, MessageState,
    NewLater, Promise, Promised, Seq,
};
use uuid::Uuid;

use crate::harness::Adapter;
use crate::samples::{DAY_US, NOW_US, arrival, message};

fn promised(control_id: &str, received_us: i64, promise: Promise) -> Arrival {
    Arrival { acknowledgment: None, promise: Some(promise), ..arrival(control_id, "x", received_us) }
}

fn given(stage: AckStage, code: &str, text: &'static str) -> NewLater {
    NewLater { stage, given_us: NOW_US + 5, code: code.into(), bytes: text.into() }
}

async fn append(journal: &dyn Journal, arrival: Arrival) -> JournalId {
    let id = arrival.id;
    assert!(matches!(journal.append(arrival).await.expect("appends"), Appended::New { .. }));
    id
}

async fn open(port: &dyn Acknowledgments) -> Vec<Promised> {
    port.promised("adt", Seq(0), Seq(i64::MAX), 100).await.expect("reads")
}

pub async fn what_is_not_owed_is_kept_as_a_code_and_never_replayed(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let mut sent = arrival("1", "x", NOW_US);
    sent.acknowledgment.as_mut().expect("given").is_owed = false;
    let id = append(&*journal, sent.clone()).await;
    let entry = journal.read(id).await.expect("reads").expect("is there");
    let kept = entry.acknowledgment.expect("kept");
    assert_eq!((kept.code.as_str(), kept.bytes.len(), kept.outcome), ("AA", 0, AckOutcome::NotOwed));
    sent.id = JournalId(Uuid::now_v7());
    let heard = journal.append(sent).await.expect("appends");
    assert_eq!(heard, Appended::Duplicate { of: id, acknowledgment: None });
}

pub async fn a_promise_is_read_until_it_is_kept(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let port = &*clinical.acknowledgments;
    let first = append(&*clinical.journal, promised("1", NOW_US, Promise::Original)).await;
    append(&*clinical.journal, arrival("2", "x", NOW_US)).await;
    let third = append(&*clinical.journal, promised("3", NOW_US, Promise::Application)).await;
    let both = [
        Promised { id: first, seq: Seq(1), promise: Promise::Original },
        Promised { id: third, seq: Seq(3), promise: Promise::Application },
    ];
    assert_eq!(open(port).await, both);
    assert_eq!(port.promised("adt", Seq(0), Seq(2), 100).await.expect("reads"), both[..1]);
    assert_eq!(port.promised("adt", Seq(1), Seq(3), 100).await.expect("reads"), both[1..]);
    assert_eq!(port.promised("adt", Seq(0), Seq(3), 1).await.expect("reads"), both[..1]);
    assert_eq!(port.promised("other", Seq(0), Seq(3), 100).await.expect("reads"), []);
    port.give(first, given(AckStage::Interim, "AE", "later")).await.expect("gives");
    assert_eq!(open(port).await, both);
    port.give(first, given(AckStage::Final, "AA", "done")).await.expect("gives");
    assert_eq!(open(port).await, both[1..]);
}

pub async fn the_first_of_a_stage_stands(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let id = append(&*clinical.journal, promised("1", NOW_US, Promise::Original)).await;
    let first = given(AckStage::Final, "AA", "first");
    clinical.acknowledgments.give(id, first.clone()).await.expect("gives");
    clinical.acknowledgments.give(id, given(AckStage::Final, "AE", "second")).await.expect("changes nothing");
    let read = clinical.acknowledgments.given(id).await.expect("reads");
    assert_eq!(read.into_iter().map(|later| later.given).collect::<Vec<_>>(), [first]);
}

pub async fn what_is_given_later_is_read_back_with_its_outcome(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let id = append(&*clinical.journal, promised("1", NOW_US, Promise::Original)).await;
    let (interim, last) = (given(AckStage::Interim, "AE", "later"), given(AckStage::Final, "AA", "done"));
    clinical.acknowledgments.give(id, interim.clone()).await.expect("gives");
    clinical.acknowledgments.note(id, AckStage::Interim, AckOutcome::Sent).await.expect("notes");
    clinical.acknowledgments.give(id, last.clone()).await.expect("gives");
    clinical.acknowledgments.note(id, AckStage::Final, AckOutcome::Undelivered).await.expect("notes");
    // The outcome joins a later commit.
    append(&*clinical.journal, arrival("2", "x", NOW_US)).await;
    let read = clinical.acknowledgments.given(id).await.expect("reads");
    let read: Vec<_> = read.into_iter().map(|later| (later.given, later.outcome)).collect();
    assert_eq!(read, [(interim, AckOutcome::Sent), (last, AckOutcome::Undelivered)]);
}

pub async fn what_is_not_owed_after_all_keeps_the_promise(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let id = append(&*clinical.journal, promised("1", NOW_US, Promise::Application)).await;
    clinical.acknowledgments.give(id, given(AckStage::Final, "AA", "")).await.expect("gives");
    assert_eq!(open(&*clinical.acknowledgments).await, []);
    let read = clinical.acknowledgments.given(id).await.expect("reads");
    assert_eq!(read.iter().map(|later| later.outcome).collect::<Vec<_>>(), [AckOutcome::NotOwed]);
    assert_eq!(clinical.acknowledgments.unsent("adt", Seq(0), 10).await.expect("reads"), []);
}

pub async fn what_is_owed_still_is_found_after_a_restart(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let kept = append(&*clinical.journal, promised("1", NOW_US, Promise::Application)).await;
    let open_id = append(&*clinical.journal, promised("2", NOW_US, Promise::Application)).await;
    let last = given(AckStage::Final, "AA", "done");
    clinical.acknowledgments.give(kept, last.clone()).await.expect("gives");
    let port = adapter.clinical().await.acknowledgments;
    assert_eq!(open(&*port).await.iter().map(|promised| promised.id).collect::<Vec<_>>(), [open_id]);
    let unsent = port.unsent("adt", Seq(0), 10).await.expect("reads");
    assert_eq!(
        unsent.iter().map(|(promised, later)| (promised.id, &later.given)).collect::<Vec<_>>(),
        [(kept, &last)]
    );
    assert_eq!(port.unsent("adt", Seq(1), 10).await.expect("reads"), []);
    port.note(kept, AckStage::Final, AckOutcome::Sent).await.expect("notes");
    let port = adapter.clinical().await.acknowledgments;
    assert_eq!(port.unsent("adt", Seq(0), 10).await.expect("reads"), []);
}

pub async fn an_unknown_entry_is_given_nothing(adapter: &dyn Adapter) {
    let port = adapter.clinical().await.acknowledgments;
    let unknown = JournalId(Uuid::now_v7());
    let refused = port.give(unknown, given(AckStage::Final, "AA", "done")).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    assert_eq!(port.given(unknown).await.expect("reads"), []);
}

pub async fn promises_of_two_months_are_read_in_order(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let first = append(&*clinical.journal, promised("1", NOW_US, Promise::Original)).await;
    let second = append(&*clinical.journal, promised("2", NOW_US + 40 * DAY_US, Promise::Original)).await;
    let third = append(&*clinical.journal, promised("3", NOW_US, Promise::Original)).await;
    let ids = |found: Vec<Promised>| found.iter().map(|promised| promised.id).collect::<Vec<_>>();
    assert_eq!(ids(open(&*clinical.acknowledgments).await), [first, second, third]);
    for id in [second, third] {
        clinical.acknowledgments.give(id, given(AckStage::Final, "AA", "done")).await.expect("gives");
    }
    assert_eq!(ids(open(&*clinical.acknowledgments).await), [first]);
}

pub async fn what_became_of_messages_is_read_for_those_applied(adapter: &dyn Adapter) {
    let clinical = adapter.clinical().await;
    let mut rows = vec![message(1), message(2)];
    rows[0].state = MessageState::Quarantined;
    rows[0].reason = Some("unsupported-type".into());
    rows[1].state = MessageState::Routed;
    rows[1].reason = None;
    let mut expected = Vec::new();
    for row in rows {
        expected.push((row.id, row.state, row.reason.clone()));
        let seq = row.seq;
        let set = store::WriteSet::of(store::Cause::Applied(seq), row, Vec::new());
        clinical.apply.commit(set).await.expect("applies");
    }
    let asked = [expected[1].0, JournalId(Uuid::now_v7()), expected[0].0];
    let mut found = clinical.acknowledgments.applied(&asked).await.expect("reads");
    found.sort_by_key(|(id, ..)| expected.iter().position(|row| row.0 == *id));
    assert_eq!(found, expected);
    assert_eq!(clinical.acknowledgments.applied(&[]).await.expect("reads"), []);
}
