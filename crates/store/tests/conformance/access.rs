//! Records of access.

use audit::Record;
use store::{JournalId, LedgerRow, SealedLeaf};
use uuid::Uuid;

use crate::harness::Adapter;
use crate::samples::record;

pub async fn a_record_of_access_is_durable_on_return(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let one = record(audit::Kind::ResourceRead);
    node.access.record(one.clone()).await.expect("records");
    let node = adapter.clinical().await;
    let waiting = node.ledger.unsealed(10).await.expect("reads");
    assert_eq!(waiting.into_iter().map(|unsealed| unsealed.record).collect::<Vec<_>>(), [one.to_bytes()]);
}

pub async fn concurrent_records_are_all_kept(adapter: &dyn Adapter) {
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

pub async fn accesses_of_a_message_are_read_newest_first(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let (one, other) = (JournalId(Uuid::from_u128(1)), JournalId(Uuid::from_u128(2)));
    let views: Vec<Record> =
        [one, other, one, one].map(|id| record(audit::Kind::MessageViewed).message(id.0)).into();
    for view in &views {
        node.access.record(view.clone()).await.expect("records");
    }
    let sealed = SealedLeaf { handle: (1, 1), leaf: 0, hash: [7; 32] };
    node.ledger.seal(vec![sealed], Vec::new(), "note".into(), 1).await.expect("seals");
    let found = node.accesses.accesses_of(one, 9).await.expect("reads");
    let expected: Vec<_> = [(3, None), (2, None), (0, Some(0))]
        .map(|(at, leaf): (usize, _)| LedgerRow {
            leaf,
            hash: leaf.map(|_| [7; 32]),
            record: views[at].to_bytes(),
        })
        .into();
    assert_eq!(found, expected);
    assert_eq!(node.accesses.accesses_of(one, 1).await.expect("reads"), expected[..1]);
    assert!(node.accesses.accesses_of(JournalId(Uuid::nil()), 9).await.expect("reads").is_empty());
}
