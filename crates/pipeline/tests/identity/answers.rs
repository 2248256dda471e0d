//! Contradictions are questions, and answers are ground.

use audit::Kind;
use store::{MessageState, PatientIndex as _, ReviewAnswer};

use crate::feeds::{ALDER, About, EMR, LABORATORY, NOTHING, PHARMACY, ROWAN, result, update};
use crate::rig::{Rig, named, values};

async fn contradicts(rig: &mut Rig, message: &str, codes: &[&str]) {
    let state = rig.state().await;
    let id = rig.send(message).await;
    let row = rig.row(id).await;
    assert_eq!((row.state, row.reason.as_deref()), (MessageState::Quarantined, Some("identity-conflict")));
    assert_eq!(rig.state().await, state, "nothing of it is applied");
    let open = rig.open().await;
    assert_eq!(open.last().expect("a review").question.contradictions, codes);
    assert!(rig.records(id).await.contains(&Kind::ReviewRaised));
}

#[tokio::test]
async fn two_systems_claim_one_number_for_two_people() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let claim = update(PHARMACY, "2", &["PI 7", "MR 42"], ALDER, "A1");
    contradicts(&mut rig, &claim, &["birth-date", "sex"]).await;
    let review = rig.open().await.remove(0);
    assert_eq!(review.question.patients, [named("MR 42"), named("PI 7")]);
    // One more message of the same question waits with it.
    contradicts(&mut rig, &update(PHARMACY, "3", &["PI 7", "MR 42"], ALDER, "A9"), &["birth-date", "sex"])
        .await;
    assert_eq!(rig.open().await.len(), 1);
    rig.answer(&review, ReviewAnswer::Different).await;
    let patients = rig.all("Patient").await;
    assert_eq!(patients.len(), 2);
    let theirs = patients.iter().find(|one| one["id"] == named("PI 7").as_str()).expect("their own");
    assert_eq!(values(theirs), ["7"], "the shared number stays with its first holder");
    let allergies = rig.all("AllergyIntolerance").await;
    let of = |id: String| {
        let owner = format!("Patient/{id}");
        allergies.iter().filter(|one| one["patient"]["reference"] == owner.as_str()).count()
    };
    assert_eq!((of(named("MR 42")), of(named("PI 7"))), (1, 2), "the same substance, two persons");
    assert!(rig.open().await.is_empty());
    // Answers are ground: later messages and a second derivation follow them.
    let state = rig.state().await;
    let later = rig.send(&update(PHARMACY, "4", &["PI 7", "MR 42"], ALDER, "A1")).await;
    assert_ne!(rig.row(later).await.state, MessageState::Quarantined);
    assert_eq!(rig.state().await, state);
    rig.reprocess(later).await;
    assert_eq!(rig.state().await, state);
}

#[tokio::test]
async fn the_answer_same_links_and_the_opposite_unlinks() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7"], ALDER, "A2"),
    ])
    .await;
    contradicts(&mut rig, &update(EMR, "3", &["MR 42", "PI 7"], ROWAN, "A3"), &["birth-date", "sex"]).await;
    let review = rig.open().await.remove(0);
    rig.answer(&review, ReviewAnswer::Same).await;
    assert_eq!(rig.patient().await["id"], named("MR 42").as_str());
    assert_eq!(rig.all("AllergyIntolerance").await.len(), 3);
    let patients = rig.released().await.into_iter().filter(|(kind, _)| kind == "Patient").count();
    assert_eq!(patients, 1, "one pseudonym");
    let linked = rig.state().await;
    rig.decide(&named("MR 42"), &named("PI 7"), ReviewAnswer::Different).await;
    assert_eq!(rig.all("Patient").await.len(), 2);
    rig.decide(&named("MR 42"), &named("PI 7"), ReviewAnswer::Same).await;
    // The answer itself can be taken back, and that too.
    for (answer, patients) in [(ReviewAnswer::Different, 2), (ReviewAnswer::Same, 1)] {
        let review = rig.store.review(review.question.id).await.expect("reads").expect("is there");
        rig.answer(&review, answer).await;
        assert_eq!(rig.all("Patient").await.len(), patients, "{answer:?}");
    }
    assert_eq!(rig.state().await, linked);
}

#[tokio::test]
async fn the_owner_of_a_number_is_not_overtaken_by_who_came_first() {
    let mut rig = Rig::with(&[update(PHARMACY, "1", &["PI 7", "MR 42"], ALDER, "A1")]).await;
    assert_eq!(rig.patient().await["id"], named("PI 7").as_str(), "the EMR has not spoken");
    contradicts(&mut rig, &update(EMR, "2", &["MR 42"], ROWAN, "A1"), &["birth-date", "sex"]).await;
    let review = rig.open().await.remove(0);
    rig.answer(&review, ReviewAnswer::Different).await;
    rig.send(&update(EMR, "3", &["MR 42"], ROWAN, "A1")).await;
    assert_eq!(rig.all("Patient").await.len(), 2);
    assert_eq!(rig.all("AllergyIntolerance").await.len(), 2, "neither takes the other's");
}

#[tokio::test]
async fn a_feed_corrects_its_own_patient_and_nobody_elses() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7", "MR 42"], NOTHING, "A2"),
    ])
    .await;
    rig.send(&update(EMR, "3", &["MR 42"], About { birth: "19710312", ..ROWAN }, "A1")).await;
    assert_eq!(rig.patient().await["birthDate"], "1971-03-12");
    contradicts(&mut rig, &update(PHARMACY, "4", &["PI 7"], ROWAN, "A2"), &["birth-date"]).await;
    contradicts(&mut rig, &result(LABORATORY, "5", &["MR 42"], ALDER, "O1"), &["birth-date", "sex"]).await;
}

#[tokio::test]
async fn a_year_does_not_contradict_a_day_of_it() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let about = About { birth: "1970", sex: "U", ..ROWAN };
    let id = rig.send(&result(LABORATORY, "2", &["MR 42"], about, "O1")).await;
    assert_ne!(rig.row(id).await.state, MessageState::Quarantined);
}

#[tokio::test]
async fn one_authority_gives_one_number_to_one_person() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7", "MR 42"], NOTHING, "A2"),
    ])
    .await;
    let codes = ["two-numbers-of-one-authority"];
    contradicts(&mut rig, &update(PHARMACY, "3", &["PI 8", "MR 42"], NOTHING, "A3"), &codes).await;
    contradicts(&mut rig, &update(EMR, "4", &["MR 50", "MR 51"], ROWAN, "A4"), &codes).await;
    let review = rig.open().await.remove(1);
    rig.answer(&review, ReviewAnswer::Same).await;
    assert_eq!(rig.all("Patient").await.len(), 2, "the two numbers are one person's now");
}
