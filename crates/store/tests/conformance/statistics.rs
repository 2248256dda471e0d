//! The dashboard's numbers.

use store::{Arrival, Backlog, Boundary, Cause, MINUTE_US, MessageState, Minute, Seq, Settlement, WriteSet};
use uuid::Uuid;

use crate::harness::{Adapter, Clinical};
use crate::samples::{NOW_US, arrival, delivery, set};

/// A message of a channel, received so many minutes after [`NOW_US`] and processed so many µs later.
fn of(seq: i64, channel: &str, minute: i64, latency_us: i64) -> WriteSet {
    let mut one = set(seq);
    one.message.channel = channel.into();
    one.message.received_us = NOW_US + minute * MINUTE_US;
    one.message.processed_us = one.message.received_us + latency_us;
    one
}

async fn commit(node: &Clinical, sets: impl IntoIterator<Item = WriteSet>) {
    for one in sets {
        node.apply.commit(one).await.expect("commits");
    }
}

pub async fn feeds_are_counted_by_minute_and_channel(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert_eq!(node.statistics.feeds(NOW_US, NOW_US + MINUTE_US).await.expect("reads"), []);
    let mut failed = of(4, "adt", 2, 400);
    failed.message.state = MessageState::Quarantined;
    let mut error = of(5, "adt", 2, 500);
    error.message.state = MessageState::Error;
    commit(&node, [of(1, "oru", -9, 1), of(2, "adt", 0, 200), of(3, "adt", 2, 300), failed, error]).await;
    commit(&node, [of(6, "adt", 3, 9_999)]).await;
    let feeds = node.statistics.feeds(NOW_US, NOW_US + 3 * MINUTE_US).await.expect("reads");
    assert_eq!(feeds.iter().map(|feed| feed.channel.as_str()).collect::<Vec<_>>(), ["adt", "oru"]);
    let minutes = [(1, 0), (0, 0), (3, 2)].map(|(received, held)| Minute { received, held });
    assert_eq!(feeds[0].minutes, minutes, "the end of the window is outside");
    assert_eq!((feeds[0].p50_us, feeds[0].p95_us), (Some(300), Some(500)));
    assert_eq!(feeds[0].last_us, NOW_US + 3 * MINUTE_US);
    assert_eq!(feeds[1].minutes, [Minute::default(); 3], "a quiet feed is told of");
    assert_eq!((feeds[1].p50_us, feeds[1].last_us), (None, NOW_US - 9 * MINUTE_US));
}

pub async fn a_reprocess_says_nothing_of_a_feed(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, [of(1, "adt", 0, 100), of(2, "adt", 0, 200)]).await;
    let again = WriteSet { cause: Cause::Reprocessed(Seq(2)), ..of(2, "adt", 0, 60 * MINUTE_US) };
    commit(&node, [again]).await;
    let feeds = node.statistics.feeds(NOW_US, NOW_US + MINUTE_US).await.expect("reads");
    assert_eq!((feeds[0].p95_us, feeds[0].minutes[0].received), (Some(100), 2));
}

pub async fn what_waits_is_told_by_channel(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert_eq!(node.statistics.waiting().await.expect("reads"), []);
    for (number, channel) in (0..).zip(["adt", "adt", "oru", "adt"]) {
        let arrival =
            Arrival { channel: channel.into(), ..arrival(&format!("c{number}"), "MSH", NOW_US + number) };
        node.journal.append(arrival).await.expect("appends");
    }
    let waiting = |rows: Vec<store::Waiting>| {
        rows.into_iter().map(|row| (row.channel, row.count, row.oldest_us - NOW_US)).collect::<Vec<_>>()
    };
    let all = waiting(node.statistics.waiting().await.expect("reads"));
    assert_eq!(all, [("adt".to_owned(), 3, 0), ("oru".to_owned(), 1, 2)]);
    commit(&node, [set(1)]).await;
    let rest = waiting(node.statistics.waiting().await.expect("reads"));
    assert_eq!(rest, [("adt".to_owned(), 2, 1), ("oru".to_owned(), 1, 2)]);
    commit(&node, [set(2), set(3), set(4)]).await;
    assert_eq!(node.statistics.waiting().await.expect("reads"), []);
}

pub async fn held_messages_are_grouped_by_reason(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let held = |seq: i64, reason: Option<&str>, sender: &str, state| {
        let mut one = of(seq, "adt", seq, 1);
        one.message.state = state;
        one.message.reason = reason.map(Into::into);
        one.message.sender = sender.into();
        one
    };
    use MessageState::{Error, Quarantined, Routed};
    commit(
        &node,
        [
            held(1, Some("missing:PID-3"), "EMR|A", Quarantined),
            held(2, Some("unsupported-type"), "LAB|A", Quarantined),
            held(3, Some("unsupported-type"), "EMR|A", Quarantined),
            held(4, Some("unsupported-type"), "LAB|A", Quarantined),
            held(5, None, "EMR|A", Error),
            held(6, Some("unsupported-type"), "EMR|A", Routed),
        ],
    )
    .await;
    let groups = node.statistics.held().await.expect("reads");
    let told: Vec<_> =
        groups.iter().map(|group| (group.reason.as_deref(), group.state, group.count)).collect();
    assert_eq!(
        told,
        [
            (Some("unsupported-type"), Quarantined, 3),
            (None, Error, 1),
            (Some("missing:PID-3"), Quarantined, 1)
        ]
    );
    assert_eq!(groups[0].senders, [("LAB|A".to_owned(), 2), ("EMR|A".to_owned(), 1)]);
    let (first, last) = (NOW_US + 2 * MINUTE_US, NOW_US + 4 * MINUTE_US);
    assert_eq!((groups[0].first_us, groups[0].last_us, groups[0].newest), (first, last, Seq(4)));
}

pub async fn the_boundary_counts_messages_once_in_each_line(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let none = node.statistics.boundary(NOW_US, "release:").await.expect("reads");
    assert_eq!(none, Boundary::default());
    let mut old = of(1, "adt", -1, 1);
    old.deliveries = vec![delivery(1, "a")];
    let mut sent = of(2, "adt", 0, 1);
    sent.deliveries = vec![delivery(2, "a"), delivery(3, "a"), delivery(4, "a")];
    let mut queued = of(3, "oru", 0, 1);
    queued.deliveries = vec![delivery(5, "b")];
    let mut stored = of(4, "oru", 0, 1);
    stored.message.state = MessageState::Stored;
    let mut refused = of(5, "adt", 0, 1);
    refused.message.state = MessageState::Quarantined;
    refused.message.reason = Some("release:leak".into());
    let mut held = of(6, "adt", 0, 1);
    held.message.state = MessageState::Quarantined;
    held.message.reason = Some("unsupported-type".into());
    commit(&node, [old, sent, queued, stored, refused, held]).await;
    let delivered = |number: u128| {
        (Uuid::from_u128(number), Settlement::Delivered { receipt: "r".into(), at_us: NOW_US })
    };
    let dead = (Uuid::from_u128(4), Settlement::Dead { error: "refused".into() });
    node.outbox
        .settle(vec![delivered(1), delivered(2), delivered(3), dead], Vec::new())
        .await
        .expect("settles");
    let boundary = node.statistics.boundary(NOW_US, "release:").await.expect("reads");
    assert_eq!(boundary, Boundary { kept: 4, sent: 1, blocked: 2, queued: 1 });
}

pub async fn backlogs_are_told_by_destination(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert_eq!(node.statistics.backlogs().await.expect("reads"), []);
    let mut one = set(1);
    let mut other = delivery(3, "a");
    other.destination = "registry".into();
    one.deliveries = vec![delivery(1, "a"), delivery(2, "a"), other];
    let queued_us = one.message.processed_us;
    commit(&node, [one]).await;
    let delivered = Settlement::Delivered { receipt: "r".into(), at_us: NOW_US };
    node.outbox.settle(vec![(Uuid::from_u128(1), delivered)], Vec::new()).await.expect("settles");
    let told =
        |destination: &str| Backlog { destination: destination.into(), count: 1, oldest_us: queued_us };
    assert_eq!(node.statistics.backlogs().await.expect("reads"), [told("portal"), told("registry")]);
}
