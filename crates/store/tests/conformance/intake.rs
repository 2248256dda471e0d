//! Intake at the portal.

use store::{Arrived, IntakeWrite};
use uuid::Uuid;

use crate::harness::Adapter;
use crate::samples::{NOW_US, key, record, search, token, tokens, version};

fn write(number: u128, on_prem: u32) -> IntakeWrite {
    let code = format!("v{on_prem}");
    IntakeWrite {
        idempotency_key: Uuid::from_u128(number),
        version: Some(token(version("Patient", "r1", on_prem), "identifier", None, &code)),
        receipt: format!("receipt {number}"),
        record: record(audit::Kind::Arrived),
    }
}

pub async fn an_arrival_is_stored_with_receipt_and_record(adapter: &dyn Adapter) {
    let portal = adapter.portal().await;
    assert_eq!(portal.intake.arrive(vec![write(1, 4)]).await.expect("arrives"), [Arrived::New]);
    let stored = portal.resources.read(&key("Patient", "r1")).await.expect("reads").expect("is there");
    assert_eq!((stored.version, stored.body), (1, version("Patient", "r1", 4).body));
    let receipt = portal.intake.receipt(Uuid::from_u128(1)).await.expect("reads");
    assert_eq!(receipt.as_deref(), Some("receipt 1"));
    assert_eq!(portal.ledger.unsealed(10).await.expect("reads").len(), 1);
    let found =
        portal.resources.search(&search("Patient", vec![tokens("identifier", &[(None, Some("v4"))])])).await;
    assert_eq!(found.expect("searches").matches.len(), 1);
    let mut bare = write(2, 1);
    bare.version = None;
    assert_eq!(portal.intake.arrive(vec![bare]).await.expect("arrives"), [Arrived::New]);
    assert!(portal.intake.receipt(Uuid::from_u128(2)).await.expect("reads").is_some());
}

pub async fn a_duplicate_arrival_writes_nothing(adapter: &dyn Adapter) {
    let portal = adapter.portal().await;
    portal.intake.arrive(vec![write(1, 1)]).await.expect("arrives");
    let mut again = write(1, 2);
    again.receipt = "another".into();
    let arrived = portal.intake.arrive(vec![again]).await.expect("arrives");
    assert_eq!(arrived, [Arrived::Duplicate { receipt: "receipt 1".into() }]);
    let stored = portal.resources.read(&key("Patient", "r1")).await.expect("reads").expect("is there");
    assert_eq!(stored.body, version("Patient", "r1", 1).body);
    assert_eq!(portal.ledger.unsealed(10).await.expect("reads").len(), 1);
}

pub async fn versions_of_the_portal_are_consecutive(adapter: &dyn Adapter) {
    let portal = adapter.portal().await;
    portal.intake.arrive(vec![write(1, 2), write(2, 5)]).await.expect("arrives");
    portal.intake.arrive(vec![write(3, 9)]).await.expect("arrives");
    for (number, on_prem) in [(1, 2), (2, 5), (3, 9)] {
        let stored =
            portal.resources.vread(&key("Patient", "r1"), number).await.expect("reads").expect("is kept");
        assert_eq!(stored.body, version("Patient", "r1", on_prem).body);
    }
    assert_eq!(portal.resources.vread(&key("Patient", "r1"), 5).await.expect("reads"), None);
}

pub async fn an_older_version_is_acknowledged_and_not_written(adapter: &dyn Adapter) {
    let portal = adapter.portal().await;
    portal.intake.arrive(vec![write(1, 5)]).await.expect("arrives");
    let arrived = portal.intake.arrive(vec![write(2, 4), write(3, 5), write(4, 6), write(5, 5)]).await;
    assert_eq!(arrived.expect("arrives"), vec![Arrived::New; 4]);
    let stored = portal.resources.read(&key("Patient", "r1")).await.expect("reads").expect("is there");
    assert_eq!((stored.version, stored.body), (2, version("Patient", "r1", 6).body));
    assert_eq!(portal.ledger.unsealed(10).await.expect("reads").len(), 5);
    assert!(portal.intake.receipt(Uuid::from_u128(2)).await.expect("reads").is_some());
}

pub async fn duplicates_in_one_call_are_found(adapter: &dyn Adapter) {
    let portal = adapter.portal().await;
    let arrived = portal.intake.arrive(vec![write(1, 1), write(1, 2)]).await.expect("arrives");
    assert_eq!(arrived, [Arrived::New, Arrived::Duplicate { receipt: "receipt 1".into() }]);
    assert_eq!(portal.ledger.unsealed(10).await.expect("reads").len(), 1);
}

pub async fn the_largest_witness_is_kept(adapter: &dyn Adapter) {
    let portal = adapter.portal().await;
    let intake = portal.intake;
    assert_eq!(intake.witness("node-1").await.expect("reads"), None);
    for (note, size) in [("five", 5), ("nine", 9), ("nine", 9), ("other nine", 9), ("seven", 7)] {
        intake.keep_witness("node-1", note, size, NOW_US).await.expect("keeps");
    }
    intake.keep_witness("node-2", "two", 2, NOW_US).await.expect("keeps");
    assert_eq!(intake.witness("node-1").await.expect("reads").as_deref(), Some("nine"));
    let intake = adapter.portal().await.intake;
    assert_eq!(intake.witness("node-2").await.expect("reads").as_deref(), Some("two"));
}

pub async fn arrivals_survive_a_restart(adapter: &dyn Adapter) {
    adapter.portal().await.intake.arrive(vec![write(1, 1)]).await.expect("arrives");
    let portal = adapter.portal().await;
    let arrived = portal.intake.arrive(vec![write(1, 1), write(2, 2)]).await.expect("arrives");
    assert_eq!(arrived, [Arrived::Duplicate { receipt: "receipt 1".into() }, Arrived::New]);
    let stored = portal.resources.read(&key("Patient", "r1")).await.expect("reads").expect("is there");
    assert_eq!(stored.version, 2);
}
