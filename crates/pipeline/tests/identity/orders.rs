//! Whatever comes first: the state at the end is the same.

use crate::feeds::{About, EMR, LABORATORY, NOTHING, PAYER, PHARMACY, ROWAN, merge, result, update};
use crate::rig::{Rig, named, values};

fn orders(messages: &[String]) -> Vec<Vec<String>> {
    if messages.len() < 2 {
        return vec![messages.to_vec()];
    }
    let mut all = Vec::new();
    for (index, first) in messages.iter().enumerate() {
        let mut rest = messages.to_vec();
        rest.remove(index);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

/// Every order ends in one patient under `id` with these numbers, equal to the first order's state, one pseudonym at
/// the destination, and the same state when all is derived again.
async fn one_patient(messages: &[String], id: &str, numbers: &[&str]) {
    let mut first = None;
    for order in orders(messages) {
        let mut rig = Rig::new().await;
        let mut last = None;
        for message in &order {
            last = Some(rig.send(message).await);
        }
        let patient = rig.patient().await;
        assert_eq!(patient["id"], id);
        assert_eq!(values(&patient), numbers);
        let state = rig.state().await;
        assert_eq!(*first.get_or_insert_with(|| state.clone()), state, "another order, another state");
        let patients = rig.released().await.into_iter().filter(|(kind, _)| kind == "Patient");
        assert_eq!(patients.count(), 1, "one pseudonym");
        assert_eq!(rig.reprocess(last.expect("a message")).await, "done");
        assert_eq!(rig.state().await, state, "derived again");
        assert!(rig.released().await.is_empty(), "nothing new to say");
    }
}

#[tokio::test]
async fn three_feeds_that_know_the_emrs_number_are_one_patient() {
    let messages = [
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7", "MR 42"], About { phone: "", ..ROWAN }, "A2"),
        update(PAYER, "3", &["MB 9", "MR 42"], NOTHING, "A3"),
        result(LABORATORY, "4", &["MR 42"], NOTHING, "O1"),
    ];
    one_patient(&messages, &named("MR 42"), &["42", "7", "9"]).await;
}

#[tokio::test]
async fn a_cross_reference_joins_what_stood_apart() {
    let messages = [
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7"], About { phone: "", ..ROWAN }, "A2"),
        update(PAYER, "3", &["MB 9"], NOTHING, "A3"),
        update(EMR, "4", &["MR 42", "PI 7", "MB 9"], ROWAN, "A1"),
    ];
    one_patient(&messages, &named("MR 42"), &["42", "7", "9"]).await;
}

#[tokio::test]
async fn a_chain_of_references_is_one_patient() {
    let messages = [
        update(PHARMACY, "1", &["PI 7", "MR 42"], NOTHING, "A1"),
        update(PAYER, "2", &["MB 9", "MR 42"], NOTHING, "A2"),
        update(PHARMACY, "3", &["PI 7"], NOTHING, "A3"),
        update(EMR, "4", &["MR 42"], ROWAN, "A4"),
    ];
    one_patient(&messages, &named("MR 42"), &["42", "7", "9"]).await;
}

#[tokio::test]
async fn a_number_that_no_site_trusts_identifies_nobody() {
    let rig = Rig::with(&[
        update(EMR, "1", &["MR 42", "SS 900-55-0142", "X 5"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7", "SS 900-55-0142", "X 5"], ROWAN, "A2"),
    ])
    .await;
    assert_eq!(rig.all("Patient").await.len(), 2);
}

#[tokio::test]
async fn messages_of_one_batch_see_each_other() {
    let mut rig = Rig::new().await;
    for message in [
        update(PHARMACY, "1", &["PI 7"], NOTHING, "A1"),
        update(EMR, "2", &["MR 42", "PI 7"], ROWAN, "A2"),
        update(PHARMACY, "3", &["PI 7"], NOTHING, "A3"),
        merge(EMR, "4", &["MR 44"], &["MR 42"], ROWAN),
        update(PHARMACY, "5", &["PI 7", "MR 42"], NOTHING, "A4"),
    ] {
        rig.append(&message).await;
    }
    rig.run().await;
    assert_eq!(rig.all("AllergyIntolerance").await.len(), 4);
    let owner = format!("Patient/{}", named("MR 44"));
    assert!(
        rig.all("AllergyIntolerance").await.iter().all(|one| one["patient"]["reference"] == owner.as_str())
    );
}
