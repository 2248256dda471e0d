//! The ledger's rows.

use std::sync::Arc;

use audit::{Frontier, Kind, leaf_hash};
use store::{Error, Ledger, SealedLeaf, Unsealed};

use crate::harness::{Adapter, Clinical};
use crate::samples::{NOW_US, record, set};

/// Seals what waits as a sealer does; returns how many.
async fn seal(ledger: &dyn Ledger) -> usize {
    let stored = ledger.frontier().await.expect("reads");
    let mut frontier =
        stored.map_or_else(Frontier::default, |bytes| Frontier::from_bytes(&bytes).expect("a frontier"));
    let waiting = ledger.unsealed(1_000).await.expect("reads");
    let leaves = numbered(&waiting, frontier.size());
    leaves.iter().for_each(|leaf| frontier.append(leaf.hash));
    let size = frontier.size();
    ledger.seal(leaves, frontier.to_bytes(), format!("note {size}"), size).await.expect("seals");
    waiting.len()
}

fn numbered(waiting: &[Unsealed], first: u64) -> Vec<SealedLeaf> {
    let leaf = |(leaf, record): (u64, &Unsealed)| SealedLeaf {
        handle: record.handle,
        leaf,
        hash: leaf_hash(&record.record),
    };
    (first..).zip(waiting).map(leaf).collect()
}

async fn act(node: &Clinical, kinds: &[Kind]) -> Vec<Vec<u8>> {
    let mut written = Vec::new();
    for kind in kinds {
        let one = record(*kind);
        written.push(one.to_bytes());
        if *kind == Kind::ResourceRead {
            node.access.record(one).await.expect("records");
        } else {
            node.ledger.append(vec![one]).await.expect("appends");
        }
    }
    written
}

pub async fn records_are_unsealed_until_they_are_numbered(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut one = set(1);
    let applied = record(Kind::MessageApplied);
    one.records = vec![applied.clone()];
    node.apply.commit(one).await.expect("commits");
    let later = act(&node, &[Kind::ResourceRead, Kind::SignIn]).await;
    let waiting: Vec<Vec<u8>> =
        node.ledger.unsealed(10).await.expect("reads").into_iter().map(|unsealed| unsealed.record).collect();
    assert_eq!(waiting, [applied.to_bytes(), later[1].clone(), later[0].clone()]);
    assert_eq!(node.ledger.unsealed(2).await.expect("reads").len(), 2);
    assert_eq!(seal(&*node.ledger).await, 3);
    assert!(node.ledger.unsealed(10).await.expect("reads").is_empty());
}

pub async fn leaves_of_both_files_read_back_in_order(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let first = act(&node, &[Kind::ResourceRead, Kind::SignIn]).await;
    seal(&*node.ledger).await;
    let second = act(&node, &[Kind::ResourceRead, Kind::ResourceRead, Kind::SignIn]).await;
    seal(&*node.ledger).await;
    let expected = [&first[1], &first[0], &second[2], &second[0], &second[1]];
    let rows = node.ledger.leaves(0, 10).await.expect("reads");
    assert_eq!(rows.len(), 5);
    for ((number, row), record) in (0..).zip(&rows).zip(expected) {
        assert_eq!((row.leaf, row.hash, &row.record), (Some(number), Some(leaf_hash(record)), record));
    }
    assert_eq!(node.ledger.leaves(3, 1).await.expect("reads"), rows[3..4]);
    assert_eq!(node.ledger.checkpoints().await.expect("reads"), ["note 2", "note 5"]);
    assert_eq!(node.ledger.latest_checkpoint().await.expect("reads"), Some((5, "note 5".into())));
}

pub async fn numbers_have_no_gap(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    act(&node, &[Kind::SignIn, Kind::SignIn]).await;
    let waiting = node.ledger.unsealed(10).await.expect("reads");
    for (leaves, size) in [
        (numbered(&waiting, 1), 3),
        (numbered(&waiting[1..], 0), 1),
        (numbered(&waiting, 0), 3),
        (numbered(&[waiting[0].clone(), waiting[0].clone()], 0), 2),
    ] {
        let outcome = node.ledger.seal(leaves, Vec::new(), "note".into(), size).await;
        assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
    }
    assert!(node.ledger.checkpoints().await.expect("reads").is_empty());
    assert_eq!(node.ledger.unsealed(10).await.expect("reads"), waiting);
}

pub async fn a_record_is_sealed_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    act(&node, &[Kind::SignIn]).await;
    let waiting = node.ledger.unsealed(10).await.expect("reads");
    let ledger: Arc<dyn Ledger> = node.ledger;
    ledger.seal(numbered(&waiting, 0), Vec::new(), "one".into(), 1).await.expect("seals");
    let again = ledger.seal(numbered(&waiting, 1), Vec::new(), "two".into(), 2).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    assert_eq!(ledger.latest_checkpoint().await.expect("reads"), Some((1, "one".into())));
}

pub async fn a_checkpoint_may_be_renewed(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert_eq!(node.ledger.latest_checkpoint().await.expect("reads"), None);
    act(&node, &[Kind::SignIn]).await;
    seal(&*node.ledger).await;
    node.ledger.seal(Vec::new(), vec![1], "fresh".into(), 1).await.expect("seals");
    assert_eq!(node.ledger.latest_checkpoint().await.expect("reads"), Some((1, "fresh".into())));
    assert_eq!(node.ledger.frontier().await.expect("reads"), Some(vec![1]));
}

pub async fn sealing_continues_after_a_restart(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    act(&node, &[Kind::SignIn, Kind::ResourceRead]).await;
    seal(&*node.ledger).await;
    act(&node, &[Kind::SignIn, Kind::ResourceRead]).await;
    let node = adapter.clinical().await;
    act(&node, &[Kind::ResourceRead, Kind::SignIn]).await;
    assert_eq!(seal(&*node.ledger).await, 4);
    let rows = node.ledger.leaves(0, 100).await.expect("reads");
    let mut frontier = Frontier::default();
    rows.iter().for_each(|row| frontier.append(leaf_hash(&row.record)));
    assert_eq!(frontier.size(), 6);
    assert_eq!(node.ledger.frontier().await.expect("reads"), Some(frontier.to_bytes()));
}

pub async fn the_oldest_unsealed_record_is_known(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    assert_eq!(node.ledger.unsealed_summary().await.expect("reads"), (0, None));
    act(&node, &[Kind::SignIn, Kind::ResourceRead]).await;
    assert_eq!(node.ledger.unsealed_summary().await.expect("reads"), (2, Some(NOW_US)));
    seal(&*node.ledger).await;
    assert_eq!(node.ledger.unsealed_summary().await.expect("reads"), (0, None));
}
