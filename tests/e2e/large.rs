//! A large message is one message: stored whole, released whole, recorded once.

use harness::{Pair, Person, stored};
use store::MessageState;

/// More results than one ledger record may name.
const RESULTS: usize = 1_100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_results_than_a_record_can_name() {
    let mut pair = Pair::start("large").await;
    let person = Person::new(81);
    let codes: Vec<String> = (0..RESULTS).map(|n| format!("{}-{}", 50_000 + n, n % 10)).collect();
    let results: Vec<_> = codes.iter().map(|code| (code.as_str(), "4.1", "F")).collect();
    let mut sender = pair.sender().await;
    sender.accepted(&person.oru("L-1", &results)).await;
    sender.accepted(&person.a03("L-2")).await;
    let here = pair.here();
    here.shows("Encounter", "/status", serde_json::json!("finished")).await;
    here.counted("Observation?_count=200", RESULTS).await;
    pair.there().counted("Observation?_count=200", RESULTS).await;
    drop(sender);
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert!(rows.iter().all(|row| row.state == MessageState::Routed), "{rows:?}");
    assert_eq!(stored::count_records(&store, audit::Kind::MessageApplied).await, 2);
    stored::close(store).await;
}
