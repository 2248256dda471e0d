//! Link and unlink: two records that are one person's, and two again.

use audit::Kind;
use pipeline::FLAG_SAID_OTHERWISE;
use store::{JournalId, MessageState, ReviewAnswer};

use crate::feeds::{ALDER, EMR, Link, NOTHING, PHARMACY, ROWAN, link, merge, result, update};
use crate::rig::{Rig, named, values};

const ONE: &str = "MR 42";
const OTHER: &str = "MR 43";

/// Two records, each with something of its own.
fn two() -> Vec<String> {
    vec![
        update(EMR, "1", &[ONE], NOTHING, "A1"),
        update(EMR, "2", &[OTHER], NOTHING, "A2"),
        result(EMR, "3", &[OTHER], NOTHING, "O1"),
    ]
}

fn said(control_id: &str, kind: Link) -> String {
    link(EMR, control_id, kind, (&[ONE], NOTHING), (&[OTHER], NOTHING))
}

/// Whose the results are, each once.
async fn owners(rig: &Rig) -> Vec<String> {
    let mut owners: Vec<String> = rig
        .all("Observation")
        .await
        .iter()
        .map(|one| one["subject"]["reference"].as_str().expect("whose it is").to_owned())
        .collect();
    owners.sort();
    owners.dedup();
    owners
}

fn patient(number: &str) -> String {
    format!("Patient/{}", named(number))
}

async fn is_stored(rig: &Rig, id: JournalId) -> bool {
    matches!(rig.row(id).await.state, MessageState::Stored | MessageState::Routed)
}

#[tokio::test]
async fn a_link_makes_one_patient_of_two_records() {
    let mut rig = Rig::with(&two()).await;
    let before = rig.released().await;
    let linked = rig.send(&said("4", Link::Joins)).await;
    assert_eq!(values(&rig.patient().await), ["42", "43"]);
    assert_eq!(owners(&rig).await, [patient(ONE)]);
    assert_eq!(rig.alias(&named(OTHER)).await, Some(named(ONE)));
    assert!(rig.records(linked).await.contains(&Kind::PatientsLinked));
    let after = rig.released().await;
    let of = |all: &[(String, String)], kind: &str| all.iter().filter(|(name, _)| name == kind).count();
    assert_eq!((of(&before, "Patient"), of(&after, "Patient")), (2, 1), "and one pseudonym there");
    assert!(before.iter().filter(|(kind, _)| kind == "Observation").all(|old| !after.contains(old)));
    // What comes later under either number is that patient's.
    rig.send(&result(EMR, "5", &[OTHER], NOTHING, "O2")).await;
    assert_eq!(owners(&rig).await, [patient(ONE)]);
    let state = rig.state().await;
    assert_eq!(rig.reprocess(linked).await, "done");
    assert_eq!(rig.state().await, state, "derived again");
}

#[tokio::test]
async fn a_link_before_its_records_holds_for_what_comes_later() {
    let mut early = Rig::with(&[said("4", Link::Joins)]).await;
    for message in two() {
        early.send(&message).await;
    }
    assert_eq!(values(&early.patient().await), ["42", "43"]);
    assert_eq!(owners(&early).await, [patient(ONE)]);
}

#[tokio::test]
async fn both_numbers_stand_whatever_comes_first_and_an_update_of_one_record_keeps_the_other() {
    let mut orders = vec![two(), two(), two()];
    for (place, messages) in orders.iter_mut().enumerate() {
        messages.insert(place, said("4", Link::Joins));
    }
    for messages in orders {
        let mut rig = Rig::with(&messages).await;
        assert_eq!(values(&rig.patient().await), ["42", "43"]);
        for number in [ONE, OTHER] {
            rig.send(&update(EMR, &format!("U {number}"), &[number], ROWAN, "A3")).await;
            assert_eq!(values(&rig.patient().await), ["42", "43"], "after an update of {number}");
        }
        // A third record is linked with the second.
        let third = link(EMR, "5", Link::Joins, (&[OTHER], NOTHING), (&["MR 44"], NOTHING));
        rig.send(&third).await;
        assert_eq!(values(&rig.patient().await), ["42", "43", "44"]);
    }
}

#[tokio::test]
async fn an_unlink_gives_each_what_was_told_of_it_and_the_last_word_counts() {
    let apart = Rig::with(&two()).await;
    let mut rig = Rig::with(&two()).await;
    let before = rig.released().await;
    rig.send(&said("4", Link::Joins)).await;
    let together = rig.state().await;
    rig.released().await;
    let parted = rig.send(&said("5", Link::Parts)).await;
    assert!(is_stored(&rig, parted).await);
    assert_eq!(rig.state().await, apart.state().await, "as if they had not been linked");
    assert_eq!(rig.alias(&named(OTHER)).await, None);
    assert!(rig.records(parted).await.contains(&Kind::PatientsUnlinked));
    let back = rig.released().await;
    let moved = |(kind, _): &&(String, String)| ["Observation", "DiagnosticReport"].contains(&kind.as_str());
    assert!(before.iter().filter(moved).all(|old| back.contains(old)), "{back:?}");
    rig.send(&result(EMR, "6", &[OTHER], NOTHING, "O2")).await;
    assert_eq!(owners(&rig).await, [patient(OTHER)]);
    // An older message is not applied over a newer one.
    let state = rig.state().await;
    rig.reprocess(parted).await;
    assert_eq!(rig.state().await, state);
    let again = rig.send(&said("7", Link::Joins)).await;
    assert!(is_stored(&rig, again).await);
    assert_eq!(owners(&rig).await, [patient(ONE)]);
    rig.reprocess(parted).await;
    assert_eq!(owners(&rig).await, [patient(ONE)], "the last message about the two counts");
    let patients = together.iter().filter(|one| one["resourceType"] == "Patient").count();
    assert_eq!(rig.all("Patient").await.len(), patients);
}

#[tokio::test]
async fn an_unlink_that_comes_first_keeps_apart_what_is_linked_nowhere() {
    let mut rig = Rig::with(&[said("4", Link::Parts)]).await;
    for message in two() {
        rig.send(&message).await;
    }
    assert_eq!(rig.all("Patient").await.len(), 2);
    assert_eq!(owners(&rig).await, [patient(OTHER)]);
}

#[tokio::test]
async fn two_who_cannot_be_one_are_a_question() {
    for answer in [ReviewAnswer::Same, ReviewAnswer::Different] {
        let mut rig = Rig::with(&[
            update(EMR, "1", &[ONE], ROWAN, "A1"),
            update(EMR, "2", &[OTHER], ALDER, "A2"),
            result(EMR, "3", &[OTHER], ALDER, "O1"),
        ])
        .await;
        let asked = rig.send(&said("4", Link::Joins)).await;
        let row = rig.row(asked).await;
        assert_eq!(
            (row.state, row.reason.as_deref()),
            (MessageState::Quarantined, Some("identity-conflict"))
        );
        assert_eq!(rig.all("Patient").await.len(), 2, "nothing of it is applied");
        let open = rig.open().await;
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].question.contradictions, ["birth-date", "sex"]);
        rig.answer(&open[0], answer).await;
        assert!(is_stored(&rig, asked).await && rig.open().await.is_empty());
        let flags = rig.row(asked).await.flags & FLAG_SAID_OTHERWISE;
        match answer {
            ReviewAnswer::Same => {
                assert_eq!((rig.all("Patient").await.len(), flags), (1, 0));
                assert_eq!(owners(&rig).await, [patient(ONE)]);
            }
            ReviewAnswer::Different => {
                assert_eq!((rig.all("Patient").await.len(), flags), (2, FLAG_SAID_OTHERWISE));
                assert_eq!(owners(&rig).await, [patient(OTHER)]);
            }
        }
    }
}

#[tokio::test]
async fn a_persons_word_stands_over_messages() {
    let mut rig = Rig::with(&two()).await;
    rig.decide(&named(ONE), &named(OTHER), ReviewAnswer::Different).await;
    let linked = rig.send(&said("4", Link::Joins)).await;
    assert!(is_stored(&rig, linked).await);
    assert_eq!(rig.row(linked).await.flags & FLAG_SAID_OTHERWISE, FLAG_SAID_OTHERWISE);
    assert_eq!(owners(&rig).await, [patient(OTHER)]);
    rig.decide(&named(ONE), &named(OTHER), ReviewAnswer::Same).await;
    rig.reprocess(linked).await;
    assert_eq!(owners(&rig).await, [patient(ONE)]);
    let parted = rig.send(&said("5", Link::Parts)).await;
    assert_eq!(rig.row(parted).await.flags & FLAG_SAID_OTHERWISE, FLAG_SAID_OTHERWISE);
    assert_eq!(owners(&rig).await, [patient(ONE)]);
}

#[tokio::test]
async fn an_unlink_stands_over_numbers() {
    let both =
        |control_id: &str, allergy: &str| update(PHARMACY, control_id, &["PI 7", ONE], NOTHING, allergy);
    let mut rig = Rig::with(&[update(EMR, "1", &[ONE], ROWAN, "A1"), both("2", "A2")]).await;
    assert_eq!(rig.all("Patient").await.len(), 1);
    rig.send(&link(EMR, "3", Link::Parts, (&[ONE], NOTHING), (&["PI 7"], NOTHING))).await;
    assert_eq!(rig.all("Patient").await.len(), 2);
    rig.send(&both("4", "A3")).await;
    let patients = rig.all("Patient").await;
    let mut numbers: Vec<_> = patients.iter().map(values).collect();
    numbers.sort();
    assert_eq!(numbers, [["42"], ["7"]], "a number that names somebody else is not taken over");
}

#[tokio::test]
async fn an_unlink_of_what_was_merged_is_a_question() {
    for answer in [ReviewAnswer::Same, ReviewAnswer::Different] {
        let mut rig = Rig::with(&two()).await;
        rig.send(&merge(EMR, "4", &[ONE], &[OTHER], NOTHING)).await;
        let parted = rig.send(&said("5", Link::Parts)).await;
        assert_eq!(rig.row(parted).await.state, MessageState::Quarantined);
        assert_eq!(owners(&rig).await, [patient(ONE)], "a merge is not taken back by a message");
        let open = rig.open().await;
        assert_eq!(open[0].question.contradictions, ["merged-before"]);
        rig.answer(&open[0], answer).await;
        assert!(is_stored(&rig, parted).await);
        let owner = if answer == ReviewAnswer::Same { ONE } else { OTHER };
        assert_eq!(owners(&rig).await, [patient(owner)]);
    }
}

#[tokio::test]
async fn a_merge_after_an_unlink_merges() {
    let mut rig = Rig::with(&two()).await;
    rig.send(&said("4", Link::Joins)).await;
    rig.send(&said("5", Link::Parts)).await;
    let merged = rig.send(&merge(EMR, "6", &[ONE], &[OTHER], NOTHING)).await;
    assert!(is_stored(&rig, merged).await);
    assert_eq!(owners(&rig).await, [patient(ONE)]);
    rig.send(&result(EMR, "7", &[OTHER], NOTHING, "O2")).await;
    assert_eq!(owners(&rig).await, [patient(ONE)], "later messages under the ended number follow");
    let state = rig.state().await;
    assert_eq!(rig.reprocess(merged).await, "done");
    assert_eq!(rig.state().await, state);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_by_any_order_of_links_and_unlinks() {
    for words in [
        [Link::Joins, Link::Joins, Link::Parts],
        [Link::Parts, Link::Joins, Link::Parts],
        [Link::Joins, Link::Parts, Link::Joins],
        [Link::Parts, Link::Parts, Link::Joins],
    ] {
        let mut rig = Rig::new().await;
        for (number, (message, word)) in two().iter().zip(words).enumerate() {
            rig.send(message).await;
            rig.send(&said(&format!("L{number}"), word)).await;
        }
        let is_one = matches!(words[2], Link::Joins);
        assert_eq!(rig.all("Patient").await.len(), if is_one { 1 } else { 2 });
        assert_eq!(rig.all("AllergyIntolerance").await.len(), 2);
        assert_eq!(owners(&rig).await, [patient(if is_one { ONE } else { OTHER })]);
    }
}
