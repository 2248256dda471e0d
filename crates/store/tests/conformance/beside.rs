//! Reading beside one large write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{Clause, Resources, Search, TokenValue, Total};
use tokio::task::JoinSet;

use crate::harness::Adapter;
use crate::samples::{key, search, set, token, version};
use crate::search::put;

const READERS: usize = 16;
/// As many as a transaction of a client may have.
const LARGE: usize = 5_000;
/// Reads of each reader that are answered before the write is.
const READS_MIN: usize = 3;

fn of_the_write() -> Search {
    let value = TokenValue { system: None, code: Some("large".into()) };
    let clause = Clause::Token { parameter: "code".into(), values: vec![value], not: false };
    Search { total: Total::Accurate, ..search("Observation", vec![clause]) }
}

/// Reads until the write is over; how often it was answered before.
async fn read(resources: Arc<dyn Resources>, is_over: Arc<AtomicBool>) -> usize {
    let mut answered = 0;
    loop {
        let stored = resources.read(&key("Patient", "p1")).await.expect("reads");
        assert!(stored.is_some());
        let page = resources.search(&of_the_write()).await.expect("searches");
        let seen = page.total.and_then(|total| usize::try_from(total).ok()).expect("a total");
        if is_over.load(Ordering::Acquire) {
            return answered;
        }
        assert!(seen == 0 || seen == LARGE, "a part of one write: {seen}");
        answered += 1;
    }
}

pub async fn a_large_write_holds_up_no_reader_and_shows_no_part_of_itself(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, vec![version("Patient", "p1", 1)]).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(read(Arc::clone(&node.resources), Arc::clone(&is_over)));
    }
    let mut large = set(2);
    large.versions = (0..LARGE)
        .map(|at| token(version("Observation", &format!("o{at}"), 1), "code", None, "large"))
        .collect();
    node.apply.commit(large).await.expect("commits");
    is_over.store(true, Ordering::Release);
    let answered = readers.join_all().await;
    assert_eq!(answered.len(), READERS);
    assert!(answered.iter().all(|reads| *reads >= READS_MIN), "{answered:?}");
    let after = node.resources.search(&of_the_write()).await.expect("searches");
    assert_eq!(after.total, u64::try_from(LARGE).ok());
}
