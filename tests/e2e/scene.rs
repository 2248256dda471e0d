//! The tour's scene: what the laboratory breaks is answered, stopped for two causes, and costs a value for a third.

use harness::{Pair, eventually, stored};
use store::MessageState;
use tidegate::generate::scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_laboratory_is_stopped_for_two_causes() {
    let mut pair = Pair::start("scene").await;
    let here = pair.here();
    let mut sender = pair.sender().await;
    let messages = scene(1);
    for message in &messages {
        sender.accepted(&message.er7).await;
    }
    drop(sender);
    // The garbled results are there, without a value.
    let found = here.counted("Observation?code=2823-3", 2).await;
    assert!(found.iter().all(|result| result.get("valueQuantity").is_none()), "{found:?}");
    let patients = eventually("the patients", || async {
        match here.count("Patient").await? {
            2 => Ok(2),
            other => Err(format!("{other} patients")),
        }
    });
    assert_eq!(patients.await, 2, "only who could be told apart");
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let mut causes: Vec<_> = stored::messages(&store)
        .await
        .into_iter()
        .filter(|row| row.state == MessageState::Quarantined)
        .filter_map(|row| row.reason)
        .collect();
    causes.sort();
    assert_eq!(causes, ["missing:PID-3", "missing:PID-3", "unsupported-type", "unsupported-type"]);
    stored::close(store).await;
}
