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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_button_is_there_in_a_demo_alone_and_sends_over_the_listener() {
    let pair = Pair::start_with("tour", |config, _| config.demo = true).await;
    let visitor = pair.visitor().await;
    let page = visitor.submit(&visitor.get("/").await, "/guide/break", &[]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    pair.here().counted("Observation?code=2823-3", 2).await;
    eventually("six messages in the list", || async {
        match visitor.get("/live").await.messages().len() {
            6 => Ok(()),
            other => Err(format!("{other} messages")),
        }
    })
    .await;

    let other = Pair::start("no-tour").await;
    let visitor = other.visitor().await;
    let page = visitor.submit(&visitor.get("/").await, "/guide/break", &[]).await;
    assert_eq!(page.status, 404, "real messages flow here");
}
