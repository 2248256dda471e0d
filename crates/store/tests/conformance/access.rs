//! Records of access.

use crate::harness::Adapter;
use crate::samples::record;

pub async fn a_record_of_access_is_durable_on_return(adapter: &impl Adapter) {
    let node = adapter.clinical().await;
    let one = record(audit::Kind::ResourceRead);
    node.access.record(one.clone()).await.expect("records");
    let node = adapter.clinical().await;
    let waiting = node.ledger.unsealed(10).await.expect("reads");
    assert_eq!(waiting.into_iter().map(|unsealed| unsealed.record).collect::<Vec<_>>(), [one.to_bytes()]);
}

pub async fn concurrent_records_are_all_kept(adapter: &impl Adapter) {
    let node = adapter.clinical().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let access = node.access.clone();
        tasks.spawn(async move { access.record(record(audit::Kind::ResourceSearched)).await });
    }
    for outcome in tasks.join_all().await {
        outcome.expect("records");
    }
    assert_eq!(node.ledger.unsealed(1_000).await.expect("reads").len(), 300);
}
