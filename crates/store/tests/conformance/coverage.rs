//! Counts of leaves, and alerts on new fields.

use audit::Kind;
use store::{
    ALERTS_OPEN_MAX, Alert, AlertKind, COVERAGE_DAYS_KEPT, Cause, Error, LEARNING_MESSAGES, PathCount,
    PathFate, Seq, WriteSet,
};

use crate::harness::{Adapter, Clinical};
use crate::samples::{DAY_US, NOW_US, record, set};

const TODAY: i64 = NOW_US / DAY_US;

fn path(path: &str, fate: PathFate, leaves: u32) -> PathCount {
    PathCount { path: path.into(), fate, leaves }
}

/// A message of a sender with these leaves.
fn of(seq: i64, sender: &str, paths: &[(&str, PathFate)]) -> WriteSet {
    let mut one = set(seq);
    one.message.sender = sender.into();
    one.coverage = paths.iter().map(|(name, fate)| path(name, *fate, 1)).collect();
    one
}

async fn commit(node: &Clinical, sets: impl IntoIterator<Item = WriteSet>) {
    for one in sets {
        node.apply.commit(one).await.expect("commits");
    }
}

/// Messages of a sender as long as it is learned, from 1 on.
async fn learn(node: &Clinical, sender: &str) -> i64 {
    let last = i64::try_from(LEARNING_MESSAGES).expect("small");
    commit(node, (1..=last).map(|seq| of(seq, sender, &[("PID-3", PathFate::Mapped)]))).await;
    last
}

fn told(alerts: &[Alert]) -> Vec<(&str, &str, AlertKind)> {
    alerts.iter().map(|one| (one.sender.as_str(), one.path.as_str(), one.kind)).collect()
}

pub async fn leaves_are_counted_by_sender_and_day(adapter: &dyn Adapter) {
    use PathFate::{Ignored, Lossy, Mapped, Rejected, Unmapped};
    let node = adapter.clinical().await;
    let mut two = of(2, "LAB|A", &[("PID-3", Mapped), ("PID-7", Rejected), ("ZZZ-1", Unmapped)]);
    two.coverage.push(path("OBX-5", Mapped, 7));
    let mut yesterday = of(3, "LAB|A", &[("PID-3", Mapped)]);
    yesterday.message.received_us = NOW_US - 1;
    commit(&node, [of(1, "EMR|A", &[("PID-8", Lossy), ("PV1-3", Ignored)]), two, yesterday]).await;
    commit(&node, [of(4, "LAB|A", &[("ZZZ-1", Unmapped)])]).await;
    let days = node.coverage.coverage(TODAY - 1).await.expect("reads");
    let rows: Vec<_> =
        days.iter().map(|day| (day.day - TODAY, day.sender.as_str(), day.messages, day.leaves)).collect();
    let expected = [
        (-1, "LAB|A", 1, [1, 0, 0, 0, 0]),
        (0, "EMR|A", 1, [0, 1, 1, 0, 0]),
        (0, "LAB|A", 2, [8, 0, 0, 2, 1]),
    ];
    assert_eq!(rows, expected);
    assert_eq!(node.coverage.coverage(TODAY).await.expect("reads").len(), 2);
    let gaps = node.coverage.gaps(TODAY, 10).await.expect("reads");
    let rows: Vec<_> = gaps.iter().map(|gap| (gap.path.as_str(), gap.fate, gap.leaves, gap.days)).collect();
    let day = (TODAY, TODAY);
    assert_eq!(rows, [("ZZZ-1", Unmapped, 2, day), ("PID-7", Rejected, 1, day)]);
    assert_eq!(node.coverage.gaps(TODAY, 1).await.expect("reads").len(), 1);
}

pub async fn a_message_is_counted_once_however_often_it_is_processed(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let again = |seq, paths: &[(&str, PathFate)]| WriteSet {
        cause: Cause::Reprocessed(Seq(seq)),
        ..of(seq, "EMR|A", paths)
    };
    let counted = async |node: &Clinical| {
        let days = node.coverage.coverage(TODAY).await.expect("reads");
        days.iter().map(|day| (day.messages, day.leaves)).collect::<Vec<_>>()
    };
    let (one, other) = ([("PID-3", PathFate::Mapped)], [("PID-3", PathFate::Rejected)]);
    // The second was not translated when it came.
    commit(&node, [of(1, "EMR|A", &one), set(2)]).await;
    assert_eq!(counted(&node).await, [(1, [1, 0, 0, 0, 0])]);
    commit(&node, [again(1, &other), again(2, &other), again(2, &one)]).await;
    assert_eq!(counted(&node).await, [(2, [1, 0, 0, 0, 1])], "the first translation counts");
    drop(node);
    let node = adapter.clinical().await;
    commit(&node, [again(2, &[]), again(2, &one)]).await;
    assert_eq!(counted(&node).await, [(2, [1, 0, 0, 0, 1])], "nor after a restart");
}

pub async fn a_new_gap_of_a_learned_sender_is_an_alert_once(adapter: &dyn Adapter) {
    use AlertKind::{NewRejected, NewUnmapped};
    use PathFate::{Mapped, Rejected, Unmapped};
    let node = adapter.clinical().await;
    commit(&node, [of(1, "EMR|A", &[("ZZZ-1", Unmapped)])]).await;
    let last = i64::try_from(LEARNING_MESSAGES).expect("small");
    commit(&node, (2..last).map(|seq| of(seq, "EMR|A", &[("PID-3", Mapped)]))).await;
    commit(&node, [of(last, "EMR|A", &[("ZZZ-2", Unmapped)])]).await;
    assert_eq!(node.coverage.alerts(true, 10).await.expect("reads"), [], "what it sends so far is learned");
    let both = [("PID-7", Rejected), ("ZZZ-3", Unmapped)];
    commit(&node, [of(last + 1, "EMR|A", &both), of(last + 2, "LAB|A", &both)]).await;
    commit(&node, [of(last + 3, "EMR|A", &[("ZZZ-1", Unmapped), ("ZZZ-2", Unmapped), ("ZZZ-3", Unmapped)])])
        .await;
    let alerts = node.coverage.alerts(true, 10).await.expect("reads");
    assert_eq!(told(&alerts), [("EMR|A", "ZZZ-3", NewUnmapped), ("EMR|A", "PID-7", NewRejected)]);
    let first = (set(last + 1).message.id, TODAY, "ADT^A01");
    assert_eq!((alerts[0].message, alerts[0].day, alerts[0].message_type.as_str()), first);
    let mut other = of(last + 4, "EMR|A", &[("ZZZ-9", Unmapped)]);
    other.message.message_type = "ADT^A08".into();
    commit(&node, [other]).await;
    assert_eq!(node.coverage.alerts_raised().await.expect("reads"), 2, "another type is learned by itself");
    let after = node.coverage.alerts_after(1, 10).await.expect("reads");
    assert_eq!(after.iter().map(|one| one.alert).collect::<Vec<_>>(), [2]);
}

pub async fn an_alert_is_acknowledged_once_and_does_not_come_again(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let last = learn(&node, "EMR|A").await;
    let gap = [("ZZZ-1", PathFate::Unmapped)];
    commit(&node, [of(last + 1, "EMR|A", &gap)]).await;
    let alert = node.coverage.alerts(true, 10).await.expect("reads")[0].alert;
    let acknowledge = |by| node.coverage.acknowledge(alert, by, NOW_US, record(Kind::AlertAcknowledged));
    acknowledge("ann").await.expect("acknowledges");
    assert!(matches!(acknowledge("bob").await, Err(Error::Conflict(_))));
    let unknown = node.coverage.acknowledge(99, "ann", NOW_US, record(Kind::AlertAcknowledged)).await;
    assert!(matches!(unknown, Err(Error::NotFound)));
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 1, "what failed is not recorded");
    commit(&node, [of(last + 2, "EMR|A", &gap)]).await;
    assert_eq!(node.coverage.alerts(true, 10).await.expect("reads"), []);
    let closed = node.coverage.alerts(false, 10).await.expect("reads");
    assert_eq!(closed[0].acknowledged, Some(("ann".to_owned(), NOW_US)));
    assert_eq!(node.coverage.alerts_raised().await.expect("reads"), 1);
}

pub async fn a_flood_of_new_fields_is_bounded(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let last = learn(&node, "EMR|A").await;
    let fields: Vec<String> = (1..=ALERTS_OPEN_MAX + 1).map(|number| format!("ZZZ-{number:03}")).collect();
    let flood = |seq| {
        let paths: Vec<(&str, PathFate)> =
            fields.iter().map(|field| (field.as_str(), PathFate::Unmapped)).collect();
        of(seq, "EMR|A", &paths)
    };
    commit(&node, [flood(last + 1), flood(last + 2)]).await;
    let open = node.coverage.alerts(true, 1_000).await.expect("reads");
    assert_eq!(open.len(), ALERTS_OPEN_MAX);
    let one = open[0].alert;
    node.coverage.acknowledge(one, "ann", NOW_US, record(Kind::AlertAcknowledged)).await.expect("closes");
    commit(&node, [flood(last + 3)]).await;
    let newest = &node.coverage.alerts(true, 1).await.expect("reads")[0];
    assert_eq!(newest.path, format!("ZZZ-{:03}", ALERTS_OPEN_MAX + 1), "what found no room comes later");
}

pub async fn old_days_go_when_a_new_day_begins(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let on = |seq, day: i64| {
        let mut one = of(seq, "EMR|A", &[("PID-3", PathFate::Mapped)]);
        one.message.received_us = day * DAY_US;
        one
    };
    commit(&node, [on(1, TODAY - COVERAGE_DAYS_KEPT - 1), on(2, TODAY - COVERAGE_DAYS_KEPT)]).await;
    commit(&node, [on(3, TODAY)]).await;
    let days = node.coverage.coverage(0).await.expect("reads");
    assert_eq!(days.iter().map(|day| TODAY - day.day).collect::<Vec<_>>(), [COVERAGE_DAYS_KEPT, 0]);
    assert!(days.iter().all(|day| day.messages == 1), "messages go with their leaves");
}
