//! The patient index.

use store::{
    Cause, Error, IdentityDecision, NewReview, PATIENT_KEY, PatientAlias, PatientIdentifier, ReviewAnswer,
    Seq, WriteSet,
};
use uuid::Uuid;

use crate::harness::{Adapter, Clinical};
use crate::samples::{NOW_US, business_key, message, record, set};

const SYSTEM: &str = "urn:oid:2.16.840.1.113883.3.9999.1";

fn identifier(value: &str, patient: &str) -> PatientIdentifier {
    PatientIdentifier { system: SYSTEM.into(), value: value.into(), patient: patient.into() }
}

fn asked(value: &str) -> (String, String) {
    (SYSTEM.to_owned(), value.to_owned())
}

fn alias(alias: &str, patient: &str) -> PatientAlias {
    PatientAlias { alias: alias.into(), patient: patient.into() }
}

/// A message about these patients.
fn about(seq: i64, patients: &[&str]) -> WriteSet {
    let mut set = set(seq);
    set.keys = patients.iter().map(|patient| business_key(PATIENT_KEY, patient)).collect();
    set
}

fn review(id: u128, seq: i64, patients: &[&str]) -> NewReview {
    NewReview {
        id: Uuid::from_u128(id),
        message: message(seq).id,
        at_us: NOW_US,
        patients: patients.iter().map(|patient| (*patient).to_owned()).collect(),
        contradictions: vec!["birth-date".into()],
    }
}

async fn commit(node: &Clinical, set: WriteSet) {
    node.apply.commit(set).await.expect("commits");
}

async fn decide(node: &Clinical, one: &str, other: &str, answer: ReviewAnswer, at_us: i64) {
    let record = record(audit::Kind::ReviewAnswered);
    node.index.decide(one, other, answer, "ann", at_us, record).await.expect("decides");
}

pub async fn an_identifier_has_one_holder_and_follows_merges(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.identifiers = vec![identifier("42", "p42"), identifier("43", "p43")];
    commit(&node, first).await;
    let all = [asked("42"), asked("43"), asked("44")];
    let mut held = node.index.holders(&all).await.expect("reads");
    held.sort_by(|a, b| a.value.cmp(&b.value));
    assert_eq!(held, [identifier("42", "p42"), identifier("43", "p43")]);
    let mut merge = set(2);
    merge.aliases = vec![alias("p43", "p42"), alias("p42", "p41")];
    commit(&node, merge).await;
    assert_eq!(node.index.holders(&[asked("43")]).await.expect("reads"), [identifier("43", "p41")]);
    let mut moved = set(3);
    moved.identifiers = vec![identifier("43", "p9")];
    commit(&node, moved).await;
    let node = adapter.clinical().await;
    assert_eq!(node.index.holders(&[asked("43")]).await.expect("reads"), [identifier("43", "p9")]);
    assert!(node.index.holders(&[]).await.expect("reads").is_empty());
}

pub async fn identifiers_of_a_patient_include_those_of_its_aliases(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.identifiers = vec![identifier("42", "p42"), identifier("43", "p43")];
    first.aliases = vec![alias("p43", "p42")];
    commit(&node, first).await;
    let of = |values: &[&str]| values.iter().map(|value| identifier(value, "p42")).collect::<Vec<_>>();
    assert_eq!(node.index.identifiers_of("p42").await.expect("reads"), of(&["42", "43"]));
    let mut back = set(2);
    back.aliases = vec![alias("p43", "p43")];
    commit(&node, back).await;
    assert_eq!(node.index.identifiers_of("p42").await.expect("reads"), of(&["42"]));
}

pub async fn a_review_is_raised_once_and_answered_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let question = review(7, 1, &["p1", "p2"]);
    let mut first = set(1);
    first.reviews = vec![question.clone()];
    commit(&node, first).await;
    let mut second = set(2);
    second.reviews = vec![review(7, 2, &["p1", "p2"]), review(8, 2, &["p3", "p4"])];
    commit(&node, second).await;
    let open = node.index.reviews(true, 10).await.expect("reads");
    assert_eq!(open.iter().map(|review| review.question.id.as_u128()).collect::<Vec<_>>(), [7, 8]);
    assert_eq!(open[0].question, question);
    assert_eq!(node.index.reviews(true, 1).await.expect("reads").len(), 1);
    let id = question.id;
    let answer = async |answer| {
        node.index.answer(id, answer, None, "ann", NOW_US, record(audit::Kind::ReviewAnswered)).await
    };
    answer(ReviewAnswer::Same).await.expect("answers");
    answer(ReviewAnswer::Same).await.expect("the same answer again");
    assert!(matches!(answer(ReviewAnswer::Different).await, Err(Error::Conflict(_))));
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 1, "one act, one record");
    // Taken back by who knows what stands, and given again.
    for (answer, standing) in
        [(ReviewAnswer::Different, ReviewAnswer::Same), (ReviewAnswer::Same, ReviewAnswer::Different)]
    {
        let record = record(audit::Kind::ReviewAnswered);
        node.index.answer(id, answer, Some(standing), "ann", NOW_US, record).await.expect("answers");
        assert_eq!(node.index.answered("p1", "p2").await.expect("reads"), Some(answer));
    }
    let node = adapter.clinical().await;
    let read = node.index.review(id).await.expect("reads").expect("exists");
    assert_eq!(read.answered, Some((ReviewAnswer::Same, "ann".to_owned(), NOW_US)));
    assert_eq!(node.index.reviews(false, 10).await.expect("reads"), [read]);
    let unknown = Uuid::from_u128(9);
    assert!(node.index.review(unknown).await.expect("reads").is_none());
    let record = record(audit::Kind::ReviewAnswered);
    let refused = node.index.answer(unknown, ReviewAnswer::Same, None, "ann", NOW_US, record).await;
    assert!(matches!(refused, Err(Error::NotFound)));
}

pub async fn an_answer_reprocesses_every_message_that_waits(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for seq in 1..=3 {
        let mut set = set(seq);
        set.reviews = if seq == 2 { Vec::new() } else { vec![review(7, seq, &["p1", "p2"])] };
        commit(&node, set).await;
    }
    let record = record(audit::Kind::ReviewAnswered);
    node.index
        .answer(Uuid::from_u128(7), ReviewAnswer::Same, None, "ann", NOW_US, record)
        .await
        .expect("answers");
    let claimed = node.messages.claim_reprocess(10).await.expect("reads");
    assert_eq!(claimed.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [message(1).id, message(3).id]);
}

pub async fn a_decision_is_found_from_either_side_and_under_aliases(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = about(1, &["p1", "p2"]);
    first.reviews = vec![review(7, 1, &["p2", "p1"])];
    first.aliases = vec![alias("p2", "p9")];
    commit(&node, first).await;
    assert_eq!(node.index.answered("p1", "p2").await.expect("reads"), None);
    let record = record(audit::Kind::ReviewAnswered);
    let id = Uuid::from_u128(7);
    node.index.answer(id, ReviewAnswer::Different, None, "ann", NOW_US, record).await.expect("answers");
    for (one, other) in [("p1", "p2"), ("p2", "p1"), ("p1", "p9"), ("p9", "p1")] {
        let answered = node.index.answered(one, other).await.expect("reads");
        assert_eq!(answered, Some(ReviewAnswer::Different), "{one} {other}");
    }
    let decisions = node.index.decisions(&["p9".to_owned()]).await.expect("reads");
    assert!(matches!(decisions.as_slice(), [decision] if decision.one == "p1" && decision.other == "p2"));
    assert!(node.index.decisions(&["p7".to_owned()]).await.expect("reads").is_empty());
}

pub async fn the_last_decision_counts(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, about(1, &["p1"])).await;
    commit(&node, about(2, &["p2"])).await;
    decide(&node, "p2", "p1", ReviewAnswer::Different, NOW_US).await;
    decide(&node, "p1", "p2", ReviewAnswer::Same, NOW_US + 1).await;
    let node = adapter.clinical().await;
    assert_eq!(node.index.answered("p1", "p2").await.expect("reads"), Some(ReviewAnswer::Same));
    assert_eq!(node.index.decisions(&["p1".to_owned(), "p2".to_owned()]).await.expect("reads").len(), 1);
    let claimed = node.messages.claim_reprocess(10).await.expect("reads");
    assert!(matches!(claimed.as_slice(), [(_, id)] if *id == message(2).id), "the last message about either");
    assert_eq!(node.ledger.unsealed(10).await.expect("reads").len(), 2);
}

pub async fn a_decision_about_nobody_is_refused(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, WriteSet::of(Cause::Applied(Seq(1)), message(1), Vec::new())).await;
    let decide = async |one, other| {
        let record = record(audit::Kind::ReviewAnswered);
        node.index.decide(one, other, ReviewAnswer::Different, "ann", NOW_US, record).await
    };
    assert!(matches!(decide("p1", "p2").await, Err(Error::NotFound)));
    assert!(matches!(decide("p1", "p1").await, Err(Error::Conflict(_))));
    assert!(node.ledger.unsealed(10).await.expect("reads").is_empty());
}

pub async fn a_message_says_who_is_who_until_a_person_does(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let said = |seq, answer| {
        let mut set = about(seq, &["p1", "p2"]);
        let decision = IdentityDecision { one: "p2".into(), other: "p1".into(), answer, is_of_person: false };
        set.decisions = vec![decision];
        set
    };
    let read = async |node: &Clinical| {
        let decisions = node.index.decisions(&["p1".to_owned()]).await.expect("reads");
        assert_eq!(decisions.len(), 1, "one pair, one word");
        assert_eq!((decisions[0].one.as_str(), decisions[0].other.as_str()), ("p1", "p2"));
        (decisions[0].answer, decisions[0].is_of_person)
    };
    commit(&node, said(1, ReviewAnswer::Same)).await;
    assert_eq!(read(&node).await, (ReviewAnswer::Same, false));
    commit(&node, said(2, ReviewAnswer::Different)).await;
    let node = adapter.clinical().await;
    assert_eq!(read(&node).await, (ReviewAnswer::Different, false), "the last message counts");
    decide(&node, "p1", "p2", ReviewAnswer::Same, NOW_US).await;
    commit(&node, said(3, ReviewAnswer::Different)).await;
    assert_eq!(read(&node).await, (ReviewAnswer::Same, true), "a person's word stands over every message");
    assert_eq!(node.index.answered("p2", "p1").await.expect("reads"), Some(ReviewAnswer::Same));
}
