//! Forwards.

use store::{EVERY_LANE, Error, ForwardOutcome, ForwardSettlement, Forwards, NewForward, Seq, WriteSet};
use uuid::Uuid;

use crate::harness::{Adapter, Clinical};
use crate::samples::{NOW_US, message, record, set};

fn forward(number: u128, seq: i64, lanes: &[u128]) -> NewForward {
    NewForward {
        id: Uuid::from_u128(number),
        destination: "archive".into(),
        message: message(seq).id,
        seq: Seq(seq),
        lanes: lanes.iter().map(|lane| Uuid::from_u128(*lane)).collect(),
        decision_id: Uuid::from_u128(900 + number),
    }
}

/// One message after the other, each forwarded once, in these lanes.
async fn queue(node: &Clinical, lanes: &[&[u128]]) {
    for (seq, lanes) in (1..).zip(lanes) {
        let number = u128::try_from(seq).expect("positive");
        node.apply.commit(of(seq, vec![forward(number, seq, lanes)])).await.expect("commits");
    }
}

fn of(seq: i64, forwards: Vec<NewForward>) -> WriteSet {
    WriteSet { forwards, ..set(seq) }
}

async fn claimed(forwards: &dyn Forwards, now_us: i64, limit: usize) -> Vec<u128> {
    let claimed = forwards.claim_forwards("archive", now_us, limit).await.expect("reads");
    claimed.iter().map(|forward| forward.id.as_u128()).collect()
}

fn settlement(number: u128, outcome: ForwardOutcome) -> ForwardSettlement {
    ForwardSettlement {
        id: Uuid::from_u128(number),
        outcome,
        is_attempt: true,
        at_us: NOW_US,
        error: None,
        ack_code: None,
        error_code: None,
    }
}

async fn settle(forwards: &dyn Forwards, number: u128, outcome: ForwardOutcome) {
    forwards.settle_forward(settlement(number, outcome), Vec::new()).await.expect("settles");
}

pub async fn a_forward_is_queued_with_its_message(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[2]]).await;
    let rows = node.forwards.claim_forwards("archive", NOW_US, 10).await.expect("reads");
    let read: Vec<_> = rows.iter().map(|row| (row.number, row.message, row.decision_id.as_u128())).collect();
    assert_eq!(read, [(1, message(1).id, 901), (2, message(2).id, 902)]);
    assert_eq!((rows[0].attempts, rows[0].tried_us, rows[0].accepted_us), (0, None, None));
    assert_eq!(claimed(&*node.forwards, NOW_US, 1).await, [1]);
    assert_eq!(*node.forwards.forwards_queued().borrow(), 2);
    let detail = node.messages.detail(message(2).id).await.expect("reads").expect("is there");
    assert_eq!(detail.forwards.len(), 1);
    assert_eq!((detail.forwards[0].id.as_u128(), detail.forwards[0].queued_us), (2, message(2).processed_us));
    let nobody = node.forwards.claim_forwards("elsewhere", NOW_US, 10).await.expect("reads");
    assert!(nobody.is_empty());
}

pub async fn a_set_whose_forward_has_no_lane_is_refused_whole(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for wrong in [forward(1, 1, &[]), forward(1, 2, &[1])] {
        let refused = node.apply.commit(of(1, vec![wrong])).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
    }
    assert!(node.messages.detail(message(1).id).await.expect("reads").is_none());
    let refused = node.forwards.queue_forwards(vec![forward(1, 1, &[])], Vec::new()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
}

pub async fn a_forward_that_waits_holds_back_its_lanes_alone(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[2], &[1], &[3]]).await;
    settle(&*node.forwards, 1, ForwardOutcome::Retry { next_us: NOW_US + 100 }).await;
    assert_eq!(claimed(&*node.forwards, NOW_US + 99, 10).await, [2, 4]);
    assert_eq!(claimed(&*node.forwards, NOW_US + 100, 10).await, [1, 2, 3, 4]);
    let rows = node.forwards.claim_forwards("archive", NOW_US + 100, 1).await.expect("reads");
    assert_eq!((rows[0].attempts, rows[0].tried_us), (1, Some(NOW_US)));
}

pub async fn a_merge_is_serialised_with_both_of_its_patients(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[1, 2], &[2], &[3]]).await;
    settle(&*node.forwards, 1, ForwardOutcome::Retry { next_us: NOW_US + 100 }).await;
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [4], "what is behind the merge waits with it");
    settle(&*node.forwards, 1, ForwardOutcome::Delivered).await;
    settle(&*node.forwards, 2, ForwardOutcome::Retry { next_us: NOW_US + 100 }).await;
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [4], "the merge holds back both patients");
}

pub async fn a_forward_of_every_lane_goes_alone(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[EVERY_LANE.as_u128()], &[2]]).await;
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [1, 2, 3]);
    settle(&*node.forwards, 1, ForwardOutcome::Retry { next_us: NOW_US + 100 }).await;
    assert!(claimed(&*node.forwards, NOW_US, 10).await.is_empty());
}

pub async fn a_long_queue_behind_one_patient_is_looked_past(adapter: &dyn Adapter) {
    const HELD: i64 = 700;
    let node = adapter.clinical().await;
    node.apply.commit(of(1, vec![forward(1, 1, &[1])])).await.expect("commits");
    let behind = (2..HELD).map(|seq| forward(u128::try_from(seq).expect("positive"), seq, &[1]));
    let other = forward(9_999, HELD, &[2]);
    node.forwards.queue_forwards(behind.chain([other]).collect(), Vec::new()).await.expect("queues");
    settle(&*node.forwards, 1, ForwardOutcome::Retry { next_us: NOW_US + 100 }).await;
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [9_999]);
}

pub async fn what_was_taken_over_is_pending_and_says_so(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[1]]).await;
    let mut accepted = settlement(1, ForwardOutcome::Accepted);
    accepted.ack_code = Some("CA".into());
    node.forwards.settle_forward(accepted, Vec::new()).await.expect("settles");
    let node = adapter.clinical().await;
    assert_eq!(
        claimed(&*node.forwards, NOW_US, 10).await,
        [2],
        "it is not sent again and holds nothing back"
    );
    let rows = node.forwards.accepted_forwards("archive", 10).await.expect("reads");
    assert_eq!((rows.len(), rows[0].id.as_u128(), rows[0].accepted_us), (1, 1, Some(NOW_US)));
    let mut done = settlement(1, ForwardOutcome::Delivered);
    (done.is_attempt, done.error) = (false, Some("no-application-acknowledgment".into()));
    node.forwards.settle_forward(done, Vec::new()).await.expect("settles");
    let detail = node.messages.detail(message(1).id).await.expect("reads").expect("is there");
    let row = &detail.forwards[0];
    assert_eq!((row.state, row.attempts), (store::DeliveryState::Delivered, 1));
    assert_eq!((row.ack_code.as_deref(), row.settled_us), (Some("CA"), Some(NOW_US)));
    assert_eq!(row.last_error.as_deref(), Some("no-application-acknowledgment"));
}

pub async fn a_dead_forward_lets_its_lane_go_on_and_can_be_revived(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[1]]).await;
    let mut dead = settlement(1, ForwardOutcome::Dead);
    (dead.error, dead.ack_code, dead.error_code) =
        (Some("refused".into()), Some("AE".into()), Some("103".into()));
    node.forwards.settle_forward(dead, vec![record(audit::Kind::DeliveryRefused)]).await.expect("settles");
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [2]);
    let rows = node.forwards.dead_forwards("archive", 0, 10).await.expect("reads");
    assert_eq!((rows.len(), rows[0].message), (1, message(1).id));
    assert_eq!((rows[0].ack_code.as_deref(), rows[0].error_code.as_deref()), (Some("AE"), Some("103")));
    assert!(node.forwards.dead_forwards("archive", 1, 10).await.expect("reads").is_empty());
    let revived = record(audit::Kind::DeliveryRevived);
    node.forwards.revive_forward(Uuid::from_u128(1), revived.clone()).await.expect("revives");
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [1, 2], "at its old place");
    let again = node.forwards.revive_forward(Uuid::from_u128(1), revived).await;
    assert!(matches!(again, Err(Error::NotFound)));
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 2);
}

pub async fn a_settled_forward_is_not_settled_again(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1]]).await;
    settle(&*node.forwards, 1, ForwardOutcome::Delivered).await;
    let refused = record(audit::Kind::Delivered);
    let again = node.forwards.settle_forward(settlement(1, ForwardOutcome::Delivered), vec![refused]).await;
    assert!(matches!(again, Err(Error::NotFound)));
    assert!(node.ledger.unsealed(10).await.expect("reads").is_empty());
    assert!(claimed(&*node.forwards, NOW_US, 10).await.is_empty());
}

pub async fn forwards_come_again_after_a_restart_and_numbers_go_on(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1]]).await;
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [1]);
    let node = adapter.clinical().await;
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [1]);
    let again = NewForward { id: Uuid::from_u128(5), ..forward(1, 1, &[1]) };
    node.forwards.queue_forwards(vec![again], vec![record(audit::Kind::Decided)]).await.expect("queues");
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [1, 5]);
    assert_eq!(*node.forwards.forwards_queued().borrow(), 2);
    let taken = node.forwards.queue_forwards(vec![forward(5, 1, &[1])], Vec::new()).await;
    assert!(taken.is_err(), "an id is given once");
}

pub async fn backlogs_of_forwards_are_told_by_destination(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert!(node.forwards.forward_backlogs().await.expect("reads").is_empty());
    let elsewhere = NewForward { destination: "registry".into(), ..forward(9, 1, &[1]) };
    node.apply
        .commit(of(1, vec![forward(1, 1, &[1]), forward(2, 1, &[1]), elsewhere]))
        .await
        .expect("commits");
    settle(&*node.forwards, 1, ForwardOutcome::Dead).await;
    settle(&*node.forwards, 9, ForwardOutcome::Delivered).await;
    let backlogs = node.forwards.forward_backlogs().await.expect("reads");
    assert_eq!(backlogs.len(), 1);
    let one = &backlogs[0];
    let queued_us = Some(message(1).processed_us);
    assert_eq!(
        (one.destination.as_str(), one.pending, one.oldest_us, one.dead),
        ("archive", 1, queued_us, 1)
    );
}

pub async fn delivered_forwards_go_after_their_time_and_nothing_else(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&node, &[&[1], &[2], &[3], &[4], &[5], &[6], &[7]]).await;
    for number in [1, 2, 7] {
        settle(&*node.forwards, number, ForwardOutcome::Delivered).await;
    }
    settle(&*node.forwards, 3, ForwardOutcome::Dead).await;
    settle(&*node.forwards, 4, ForwardOutcome::Accepted).await;
    settle(&*node.forwards, 5, ForwardOutcome::Retry { next_us: NOW_US }).await;
    let forget =
        async |before_us, limit| node.forwards.forget_delivered(before_us, limit).await.expect("writes");
    assert_eq!(forget(NOW_US, 10).await, 0, "not older");
    assert_eq!(forget(NOW_US + 1, 1).await, 1, "no more than asked for");
    // The last number stays, for the next one follows it.
    assert_eq!((forget(NOW_US + 1, 10).await, forget(NOW_US + 1, 10).await), (1, 0));
    let dead = node.forwards.dead_forwards("archive", 0, 10).await.expect("reads");
    let accepted = node.forwards.accepted_forwards("archive", 10).await.expect("reads");
    assert_eq!((dead.len(), accepted.len()), (1, 1));
    assert_eq!(claimed(&*node.forwards, NOW_US, 10).await, [5, 6]);
    let of_message = async |seq: i64| {
        let detail = node.messages.detail(message(seq).id).await.expect("reads").expect("is there");
        detail.forwards.len()
    };
    assert_eq!(
        (of_message(1).await, of_message(2).await, of_message(3).await, of_message(7).await),
        (0, 0, 1, 1)
    );
    let again = adapter.clinical().await;
    let next = NewForward { id: Uuid::from_u128(8), ..forward(8, 7, &[7]) };
    again.forwards.queue_forwards(vec![next], vec![record(audit::Kind::Decided)]).await.expect("queues");
    assert_eq!(*again.forwards.forwards_queued().borrow(), 8);
}
