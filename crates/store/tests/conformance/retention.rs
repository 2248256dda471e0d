//! Retention: whole months that go, and what keeps them.

use store::{
    Appended, Arrival, Dropped, Error, Hold, HoldOn, JournalMonth, KeptFor, MessageState, NewLater, Promise,
    Seq, Settlement, WriteSet, drop_due,
};
use uuid::Uuid;

use crate::harness::{Adapter, Clinical};
use crate::samples::{DAY_US, NOW_US, arrival, business_key, delivery, record, set};

/// A year before: 2025-11.
const OLD_US: i64 = NOW_US - 365 * DAY_US;
const OLD: &str = "2025-11";
const NEW: &str = "2026-11";
/// Whole months before the current one that stay.
const KEEP: Option<u32> = Some(3);

async fn append(node: &Clinical, arrival: Arrival) -> i64 {
    match node.journal.append(arrival).await.expect("appends") {
        Appended::New { seq, .. } => seq.0,
        duplicate => panic!("not new: {duplicate:?}"),
    }
}

/// The set of a message that was received then.
fn applied(seq: i64, received_us: i64) -> WriteSet {
    let mut set = set(seq);
    set.message.received_us = received_us;
    set
}

/// A journal of an old month with two entries and of the current one with a third; all are applied.
async fn two_months(node: &Clinical) {
    for (control_id, at) in [("1", OLD_US), ("2", OLD_US + DAY_US), ("3", NOW_US)] {
        let seq = append(node, arrival(control_id, control_id, at)).await;
        node.apply.commit(applied(seq, at)).await.expect("commits");
    }
}

async fn months(node: &Clinical) -> Vec<JournalMonth> {
    node.retention.months(NOW_US, KEEP).await.expect("reads")
}

/// What keeps the old month.
async fn kept(node: &Clinical) -> Vec<(KeptFor, u64)> {
    let months = months(node).await;
    assert_eq!(months[0].month, OLD);
    months[0].kept.clone()
}

/// Drops what is due.
async fn dropped(node: &Clinical) -> Vec<Dropped> {
    let record = |_: &Dropped| Some(record(audit::Kind::JournalDropped));
    drop_due(&*node.retention, KEEP, NOW_US, &record).await.expect("drops")
}

fn hold(on: HoldOn) -> Hold {
    Hold { hold: 0, on, reason: "litigation".into(), placed_by: "ward".into(), placed_us: NOW_US }
}

async fn placed(node: &Clinical, on: HoldOn) -> i64 {
    node.retention.place_hold(hold(on), record(audit::Kind::HoldPlaced)).await.expect("places")
}

async fn release(node: &Clinical, hold: i64) -> store::Result<()> {
    node.retention.release_hold(hold, "ward", NOW_US, record(audit::Kind::HoldReleased)).await
}

pub async fn months_are_told_with_what_keeps_them(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    two_months(&node).await;
    let found = months(&node).await;
    let told: Vec<_> = found.iter().map(|month| (month.month.as_str(), month.first, month.last)).collect();
    assert_eq!(told, [(OLD, Seq(1), Seq(2)), (NEW, Seq(3), Seq(3))]);
    assert!(found.iter().all(|month| month.bytes > 0), "{found:?}");
    assert_eq!(found[0].kept, []);
    assert_eq!(found[1].kept, [(KeptFor::Recent, 1), (KeptFor::Newest, 1)]);
    let ever = node.retention.months(NOW_US, None).await.expect("reads");
    assert_eq!(ever[0].kept, [(KeptFor::Ever, 1)]);
    let unapplied = append(&node, arrival("4", "4", OLD_US + 2 * DAY_US)).await;
    assert_eq!(unapplied, 4);
    let late = [(KeptFor::Newest, 1), (KeptFor::Unapplied, 1)];
    assert_eq!(kept(&node).await, late, "what came late belongs to its month, and positions go on from it");
}

pub async fn a_month_that_nothing_keeps_goes_whole(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    two_months(&node).await;
    let surveyed = node.retention.survey(OLD).await.expect("reads");
    assert_eq!((surveyed.entries, surveyed.last), (2, Seq(2)));
    assert_ne!(surveyed.digest, node.retention.survey(NEW).await.expect("reads").digest);
    let unsealed = node.ledger.unsealed(10).await.expect("reads").len();
    assert_eq!(dropped(&node).await, [surveyed]);
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), unsealed + 1, "the ledger says so");
    let left = node.journal.after(Seq(0), 10).await.expect("reads");
    assert_eq!(left.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [Seq(3)]);
    assert_eq!(append(&node, arrival("5", "5", NOW_US)).await, 4, "positions go on");
    assert_eq!(months(&node).await.len(), 1);
    assert!(matches!(node.retention.survey(OLD).await, Err(Error::NotFound)));
    assert_eq!(dropped(&node).await, []);
}

pub async fn what_was_dropped_is_known_after_a_restart(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    two_months(&node).await;
    assert!(!node.retention.is_dropped(OLD_US).await.expect("reads"));
    assert_eq!(dropped(&node).await.len(), 1);
    let node = adapter.clinical().await;
    assert!(node.retention.is_dropped(OLD_US).await.expect("reads"));
    assert!(!node.retention.is_dropped(NOW_US).await.expect("reads"));
    assert_eq!(months(&node).await.len(), 1);
    // A clock that was set back begins the month anew; with its last position the journal would give it twice.
    let seq = append(&node, arrival("6", "6", OLD_US)).await;
    node.apply.commit(applied(seq, OLD_US)).await.expect("commits");
    assert_eq!(kept(&node).await, [(KeptFor::Newest, 1)]);
    let seq = append(&node, arrival("7", "7", NOW_US)).await;
    node.apply.commit(applied(seq, NOW_US)).await.expect("commits");
    assert_eq!(dropped(&node).await.len(), 1);
}

pub async fn a_hold_on_a_month_keeps_it_until_it_is_released(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    two_months(&node).await;
    let number = placed(&node, HoldOn::Month(OLD.into())).await;
    assert_eq!(kept(&node).await, [(KeptFor::Hold, 1)]);
    assert_eq!(months(&node).await[0].holds, [number]);
    assert_eq!(dropped(&node).await, []);
    let node = adapter.clinical().await;
    let stands = node.retention.holds().await.expect("reads");
    assert_eq!(stands, [Hold { hold: number, ..hold(HoldOn::Month(OLD.into())) }]);
    release(&node, number).await.expect("releases");
    assert!(matches!(release(&node, number).await, Err(Error::NotFound)), "it is released once");
    assert_eq!(node.retention.holds().await.expect("reads"), []);
    assert_eq!(dropped(&node).await.len(), 1);
}

pub async fn a_hold_on_a_number_keeps_the_months_of_its_patients(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let seq = append(&node, arrival("1", "1", OLD_US)).await;
    let mut of_number = applied(seq, OLD_US);
    of_number.keys = vec![business_key("patient-id", "MRN-1"), business_key(store::PATIENT_KEY, "p1")];
    node.apply.commit(of_number).await.expect("commits");
    let seq = append(&node, arrival("2", "2", OLD_US + 40 * DAY_US)).await;
    let mut of_patient = applied(seq, OLD_US + 40 * DAY_US);
    of_patient.keys = vec![business_key(store::PATIENT_KEY, "p1")];
    node.apply.commit(of_patient).await.expect("commits");
    let seq = append(&node, arrival("3", "3", NOW_US)).await;
    node.apply.commit(applied(seq, NOW_US)).await.expect("commits");
    assert_eq!(node.retention.patients_of("mrn-1").await.expect("reads"), ["p1"]);
    assert_eq!(node.retention.patients_of("mrn-2").await.expect("reads"), [""; 0]);
    let number = placed(&node, HoldOn::Patient("mrn-1".into())).await;
    let holds: Vec<Vec<i64>> = months(&node).await.into_iter().map(|month| month.holds).collect();
    assert_eq!(holds, [vec![number], vec![number], Vec::new()], "of the patient, not of the number alone");
    assert_eq!(dropped(&node).await, []);
    release(&node, number).await.expect("releases");
    assert_eq!(dropped(&node).await.len(), 2);
}

pub async fn quarantine_keeps_a_month_until_it_is_resolved(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let seq = append(&node, arrival("1", "1", OLD_US)).await;
    let mut held = applied(seq, OLD_US);
    held.message.state = MessageState::Quarantined;
    held.message.reason = Some("unsupported-type".into());
    node.apply.commit(held).await.expect("commits");
    // What was refused waits for nobody.
    let refused = Arrival { disposition: store::Disposition::Refused("sender"), ..arrival("2", "2", OLD_US) };
    let seq = append(&node, refused).await;
    let mut row = applied(seq, OLD_US);
    row.message.state = MessageState::Quarantined;
    node.apply.commit(row).await.expect("commits");
    let seq = append(&node, arrival("3", "3", NOW_US)).await;
    node.apply.commit(applied(seq, NOW_US)).await.expect("commits");
    assert_eq!(kept(&node).await, [(KeptFor::Quarantined, 1)]);
    assert_eq!(dropped(&node).await, []);
    let mut again = applied(1, OLD_US);
    again.cause = store::Cause::Reprocessed(Seq(1));
    node.apply.commit(again).await.expect("commits");
    assert_eq!(dropped(&node).await.len(), 1);
}

pub async fn what_did_not_arrive_keeps_a_month(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let seq = append(&node, arrival("1", "1", OLD_US)).await;
    let mut queued = applied(seq, OLD_US);
    queued.deliveries = vec![delivery(1, "a")];
    node.apply.commit(queued).await.expect("commits");
    let seq = append(&node, arrival("2", "2", NOW_US)).await;
    node.apply.commit(applied(seq, NOW_US)).await.expect("commits");
    assert_eq!(kept(&node).await, [(KeptFor::Undelivered, 1)]);
    let settle = |settlement| node.outbox.settle(vec![(Uuid::from_u128(1), settlement)], Vec::new());
    settle(Settlement::Dead { error: "refused".into() }).await.expect("settles");
    assert_eq!(kept(&node).await, [(KeptFor::Undelivered, 1)], "what was given up can be revived");
    assert_eq!(dropped(&node).await, []);
}

pub async fn a_promise_keeps_a_month_until_it_is_given(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let promised =
        Arrival { acknowledgment: None, promise: Some(Promise::Application), ..arrival("1", "1", OLD_US) };
    let id = promised.id;
    let seq = append(&node, promised).await;
    node.apply.commit(applied(seq, OLD_US)).await.expect("commits");
    let seq = append(&node, arrival("2", "2", NOW_US)).await;
    node.apply.commit(applied(seq, NOW_US)).await.expect("commits");
    assert_eq!(kept(&node).await, [(KeptFor::Promised, 1)]);
    assert_eq!(dropped(&node).await, []);
    let given = NewLater {
        stage: store::AckStage::Final,
        given_us: NOW_US,
        code: "AA".into(),
        bytes: bytes::Bytes::from_static(b"MSA|AA|1"),
    };
    node.acknowledgments.give(id, given).await.expect("gives");
    assert_eq!(dropped(&node).await.len(), 1);
}

pub async fn what_keeps_a_month_is_asked_again_when_it_goes(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    two_months(&node).await;
    let surveyed = node.retention.survey(OLD).await.expect("reads");
    placed(&node, HoldOn::Month(OLD.into())).await;
    let record = record(audit::Kind::JournalDropped);
    let refused = node.retention.drop_month(surveyed, NOW_US, record).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(node.journal.after(Seq(0), 10).await.expect("reads").len(), 3);
    assert!(!node.retention.is_dropped(OLD_US).await.expect("reads"));
}

pub async fn every_entry_of_a_month_is_verified(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    two_months(&node).await;
    let long: String = "z".repeat((1 << 20) + 3);
    append(&node, arrival("4", &long, OLD_US)).await;
    let verified = node.retention.verify_month(OLD).await.expect("reads");
    assert_eq!((verified.sound, verified.garbled, verified.is_cut), (3, Vec::new(), false));
    assert!(matches!(node.retention.verify_month("2024-01").await, Err(Error::NotFound)));
    assert!(matches!(node.retention.verify_month("november").await, Err(Error::NotFound)));
}
