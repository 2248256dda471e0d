//! The link between the nodes breaks: in the middle of a stream, and after the cloud stored but before its receipt
//! came back. Nothing is lost, nothing is stored twice, nothing comes out of order.

use std::collections::HashSet;

use audit::Kind;
use harness::{Pair, Person, Surface, eventually, stored};
use serde_json::{Value, json};
use store::{DeliveryState, Resources as _};

/// Results of one person while the link is cut and after.
const ROUNDS: u32 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_link_delays_and_loses_nothing() {
    let mut pair = Pair::start("cut").await;
    let (here, there) = (pair.here(), pair.there());
    let people = [Person::new(21), Person::new(22)];
    let mut sender = pair.sender().await;
    for (n, person) in people.iter().enumerate() {
        sender.accepted(&person.a01(&format!("C-{n}"))).await;
    }
    there.counted("Patient", 2).await;
    let value = |round: u32| format!("{}.5", 100 + round);
    for round in 0..ROUNDS {
        if round == ROUNDS / 3 {
            pair.proxy.cut();
        }
        for person in &people {
            let status = if round == 0 { "P" } else { "C" };
            sender
                .accepted(
                    &person
                        .oru(&format!("C-{}-{round}", person.number), &[("2951-2", &value(round), status)]),
                )
                .await;
        }
    }
    // On-prem goes on without the cloud.
    let last = value(ROUNDS - 1);
    eventually("the last results on-prem", || async {
        let found = here.search("Observation").await?;
        let are_last = found.iter().all(|found| value_of(found) == last);
        if found.len() == 2 && are_last { Ok(()) } else { Err(format!("{} results", found.len())) }
    })
    .await;
    let behind = there.search("Observation").await.expect("the cloud answers");
    assert!(behind.iter().all(|found| value_of(found) != last), "the link is cut");
    pair.proxy.mend();
    eventually("the last results in the cloud", || async {
        let found = there.search("Observation").await?;
        let are_last = found.iter().all(|found| value_of(found) == last);
        if found.len() == 2 && are_last { Ok(()) } else { Err(format!("{} results", found.len())) }
    })
    .await;
    histories_ascend(&there).await;
    pair.stop_onprem().await;
    pair.stop_cloud().await;
    exactly_once_in_order(&pair).await;
}

/// A result's value, digit by digit.
fn value_of(observation: &Value) -> String {
    observation["valueQuantity"]["value"].to_string()
}

/// The cloud saw each patient's results in the order they were sent: its own history of versions ascends.
async fn histories_ascend(there: &Surface) {
    for observation in there.search("Observation").await.expect("the cloud answers") {
        let id = observation["id"].as_str().expect("a resource has an id");
        let version =
            observation["meta"]["versionId"].as_str().and_then(|version| version.parse::<u32>().ok());
        let mut values = Vec::new();
        for version in 1..=version.expect("a resource has a version") {
            let path = format!("/fhir/Observation/{id}/_history/{version}");
            values.push(value_of(&there.json(&path).await.expect("a version stays readable")));
        }
        assert!(values.len() > 1 && values.is_sorted(), "{values:?}");
    }
}

async fn exactly_once_in_order(pair: &Pair) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let cloud = stored::portal(&pair.cloud_config.data).await;
    let deliveries = stored::deliveries(&store).await;
    assert!(deliveries.iter().any(|delivery| delivery.attempts > 0), "the cut was felt");
    assert!(
        deliveries.iter().all(|d| matches!(d.state, DeliveryState::Delivered | DeliveryState::Superseded))
    );
    let delivered: Vec<_> = deliveries.iter().filter(|d| d.state == DeliveryState::Delivered).collect();
    let entered = receipts(&store).await;
    assert_eq!(entered.len(), delivered.len(), "one receipt a delivery");
    assert_eq!(entered.iter().collect::<HashSet<_>>().len(), entered.len(), "no receipt twice");
    let arrived = stored::count_records(&cloud, Kind::Arrived).await;
    assert_eq!(arrived, delivered.len(), "the cloud stored each delivery once");

    // The last version on-prem is the last in the cloud.
    for delivery in &deliveries {
        let current =
            store.read(&delivery.resource).await.expect("a read").expect("a resource that was delivered");
        let key = store::ResourceKey {
            resource_type: delivery.resource.resource_type,
            id: delivery.released_id.clone(),
        };
        let there = cloud.read(&key).await.expect("a read").expect("what was delivered is there");
        assert_eq!(there.version, current.version, "{}", delivery.resource.resource_type);
    }
    stored::close(store).await;
    stored::close(cloud).await;
}

/// The deliveries whose receipts were entered.
async fn receipts(store: &store::sqlite::Sqlite) -> Vec<String> {
    let records = stored::records(store).await.into_iter().filter(|(kind, _)| *kind == Kind::ReceiptEntered);
    records.map(|(_, record)| stored::object(&record, "delivery")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_receipt_is_asked_for_again_and_nothing_is_stored_twice() {
    let mut pair = Pair::start("receipt").await;
    let there = pair.there();
    let mut sender = pair.sender().await;
    // The connection stands before the answer is lost, so that it is an answer and no part of a handshake.
    sender.accepted(&Person::new(31).a01("R-1")).await;
    there.counted("Patient", 1).await;
    eventually("the first receipts", || async {
        let metrics = pair.proxy.upstream_bytes();
        if metrics > 0 { Ok(()) } else { Err("nothing sent".to_owned()) }
    })
    .await;
    let opened = pair.proxy.connections();
    pair.proxy.lose_next_answer();
    let person = Person::new(32);
    sender.accepted(&person.a01("R-2")).await;
    eventually("the answer's loss", || async {
        if pair.proxy.lost_bytes() > 0 { Ok(()) } else { Err("no answer yet".to_owned()) }
    })
    .await;
    // What the answer spoke of is stored in the cloud already.
    there.counted("Patient", 2).await;
    eventually("a new connection", || async {
        if pair.proxy.connections() > opened { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    sender.accepted(&person.oru("R-3", &[("2951-2", "140", "F")])).await;
    there.shows("Observation", "/meta/versionId", json!("1")).await;
    pair.stop_onprem().await;
    pair.stop_cloud().await;

    let store = stored::clinical(&pair.onprem_config.data).await;
    let cloud = stored::portal(&pair.cloud_config.data).await;
    let deliveries = stored::deliveries(&store).await;
    let again: Vec<_> = deliveries.iter().filter(|delivery| delivery.attempts > 0).collect();
    assert!(!again.is_empty(), "the loss was felt");
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered));
    let entered = receipts(&store).await;
    assert_eq!(entered.len(), deliveries.len());
    assert_eq!(entered.iter().collect::<HashSet<_>>().len(), entered.len(), "one entry a delivery");
    assert_eq!(stored::count_records(&cloud, Kind::Arrived).await, deliveries.len(), "stored once");
    for delivery in again {
        // The same key, so the same receipt: the cloud keeps the one it made first.
        let kept = stored::receipt(&cloud, delivery.id).await;
        assert_eq!(kept, delivery.receipt.clone().expect("a receipt"), "the same receipt");
        let key = store::ResourceKey {
            resource_type: delivery.resource.resource_type,
            id: delivery.released_id.clone(),
        };
        let stored = cloud.read(&key).await.expect("a read").expect("it is there");
        assert_eq!(stored.version, delivery.version);
    }
    stored::close(store).await;
    stored::close(cloud).await;
}
