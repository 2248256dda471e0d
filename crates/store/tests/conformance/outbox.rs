//! The outbox.

use store::{Apply, Error, NewDelivery, Outbox, Settlement};
use uuid::Uuid;

use crate::harness::Adapter;
use crate::samples::{NOW_US, delivery, message, record, set};

async fn queue(apply: &dyn Apply, seq: i64, deliveries: Vec<NewDelivery>) {
    let mut one = set(seq);
    one.deliveries = deliveries;
    apply.commit(one).await.expect("commits");
}

async fn claimed(outbox: &dyn Outbox, now_us: i64, limit: usize) -> Vec<u128> {
    let claimed = outbox.claim("portal", now_us, limit).await.expect("reads");
    claimed.iter().map(|delivery| delivery.id.as_u128()).collect()
}

async fn settle(outbox: &dyn Outbox, number: u128, settlement: Settlement) {
    outbox.settle(vec![(Uuid::from_u128(number), settlement)], Vec::new()).await.expect("settles");
}

fn retry(next_us: i64) -> Settlement {
    Settlement::Retry { next_us, error: "timeout".into() }
}

pub async fn a_lane_is_first_in_first_out(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&*node.apply, 1, vec![delivery(1, "a"), delivery(2, "b"), delivery(3, "a")]).await;
    queue(&*node.apply, 2, vec![delivery(4, "a")]).await;
    let rows = node.outbox.claim("portal", NOW_US, 10).await.expect("reads");
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(rows.iter().map(|row| row.lane.as_str()).collect::<Vec<_>>(), ["a", "b", "a", "a"]);
    let sent = delivery(1, "a");
    let first = &rows[0];
    assert!(first.sealed == sent.sealed);
    assert_eq!((&first.resource, &first.released_id, first.version), (&sent.resource, &sent.released_id, 1));
    assert_eq!(claimed(&*node.outbox, NOW_US, 2).await, [1, 2]);
}

pub async fn a_waiting_row_holds_its_lane_back(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&*node.apply, 1, vec![delivery(1, "a"), delivery(2, "a"), delivery(3, "b"), delivery(4, "a")])
        .await;
    settle(&*node.outbox, 1, retry(NOW_US + 100)).await;
    assert_eq!(claimed(&*node.outbox, NOW_US + 99, 10).await, [3]);
    let due = node.outbox.claim("portal", NOW_US + 100, 10).await.expect("reads");
    assert_eq!(due.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(due[0].attempts, 1);
    settle(&*node.outbox, 2, retry(NOW_US + 200)).await;
    assert_eq!(
        claimed(&*node.outbox, NOW_US + 150, 10).await,
        [1, 3],
        "what is behind a waiting row waits too"
    );
}

pub async fn a_dead_row_does_not_block_its_lane(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&*node.apply, 1, vec![delivery(1, "a"), delivery(2, "a")]).await;
    settle(&*node.outbox, 1, Settlement::Dead { error: "refused".into() }).await;
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [2]);
    let detail = node.messages.detail(message(1).id).await.expect("reads").expect("is there");
    assert_eq!(detail.deliveries[0].state, store::DeliveryState::Dead);
    assert_eq!(detail.deliveries[0].last_error.as_deref(), Some("refused"));
}

pub async fn a_settled_delivery_is_not_claimed_again(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&*node.apply, 1, vec![delivery(1, "a"), delivery(2, "a")]).await;
    let delivered = || Settlement::Delivered { receipt: "r".into(), at_us: NOW_US };
    settle(&*node.outbox, 1, delivered()).await;
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [2]);
    let again = node.outbox.settle(vec![(Uuid::from_u128(1), delivered())], Vec::new()).await;
    assert!(matches!(again, Err(Error::NotFound)));
}

pub async fn settling_is_all_or_nothing(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&*node.apply, 1, vec![delivery(1, "a")]).await;
    let delivered = || Settlement::Delivered { receipt: "r".into(), at_us: NOW_US };
    let settlements = vec![(Uuid::from_u128(1), delivered()), (Uuid::from_u128(77), delivered())];
    let outcome = node.outbox.settle(settlements, vec![record(audit::Kind::Delivered)]).await;
    assert!(matches!(outcome, Err(Error::NotFound)));
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [1]);
    assert!(node.ledger.unsealed(10).await.expect("reads").is_empty());
}

pub async fn the_backlog_counts_what_is_pending(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert_eq!(node.outbox.backlog("portal").await.expect("reads"), (0, None));
    queue(&*node.apply, 1, vec![delivery(1, "a"), delivery(2, "a")]).await;
    queue(&*node.apply, 2, vec![delivery(3, "a")]).await;
    assert_eq!(node.outbox.backlog("portal").await.expect("reads"), (3, Some(message(1).processed_us)));
    settle(&*node.outbox, 1, Settlement::Dead { error: "e".into() }).await;
    settle(&*node.outbox, 2, Settlement::Dead { error: "e".into() }).await;
    assert_eq!(node.outbox.backlog("portal").await.expect("reads"), (1, Some(message(2).processed_us)));
}

pub async fn what_was_claimed_comes_again_after_a_restart(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    queue(&*node.apply, 1, vec![delivery(1, "a")]).await;
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [1]);
    let node = adapter.clinical().await;
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [1]);
    assert_eq!(*node.outbox.queued().borrow(), 1);
    queue(&*node.apply, 2, vec![delivery(2, "a")]).await;
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [1, 2]);
}

pub async fn destinations_do_not_mix(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut elsewhere = delivery(2, "a");
    elsewhere.destination = "research".into();
    queue(&*node.apply, 1, vec![elsewhere, delivery(1, "a")]).await;
    settle(&*node.outbox, 2, retry(NOW_US + 100)).await;
    assert_eq!(claimed(&*node.outbox, NOW_US, 10).await, [1]);
    assert!(node.outbox.claim("research", NOW_US, 10).await.expect("reads").is_empty());
    assert_eq!(node.outbox.backlog("research").await.expect("reads").0, 1);
}
