//! Questions about who is who: compared without values, answered once more than once asked, recorded.

use std::sync::Arc;

use audit::Kind;
use axum::http::StatusCode;
use store::ReviewAnswer;
use uuid::Uuid;

use crate::browser::{Browser, signed_in};
use crate::ports::Node;
use crate::sample::{PATIENT_TOKEN, VALUES, ids};

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

fn url(act: &str) -> String {
    format!("/reviews/{}{act}", Uuid::from_u128(21))
}

#[tokio::test]
async fn open_questions_are_listed_in_words() {
    let (_, browser) = filled().await;
    let page = browser.get("/reviews").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Same person?") && page.text.contains("Their birth dates differ."));
    assert!(page.text.contains(&format!("href=\"/messages/{}\"", ids()[1])));
    assert!(!VALUES.iter().any(|value| page.text.contains(value)));
}

#[tokio::test]
async fn candidates_are_compared_without_their_values_until_a_reason_is_given() {
    let (node, browser) = filled().await;
    let page = browser.get(&url("")).await.text;
    assert!(!VALUES.iter().any(|value| page.contains(value)));
    assert!(page.contains("</span> differs") && page.contains("Birth date"));
    assert_eq!(browser.submit(&url("/reveal"), "reason=curious").await.status, StatusCode::BAD_REQUEST);
    let page = browser.submit(&url("/reveal"), "reason=patient-safety").await.text;
    assert!(page.contains("1962-04-17") && page.contains("1999-01-01"));
    assert!(!page.contains("<script>"), "markup is text");
    let records = node.recorded(Kind::MessageViewed);
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].message_id(), Some(ids()[1]));
    assert_eq!(records[1].patient_tokens().len(), 2);
    assert_eq!(records[1].patient_tokens()[0], PATIENT_TOKEN);
}

#[tokio::test]
async fn a_view_that_cannot_be_recorded_shows_no_candidate() {
    let (node, browser) = filled().await;
    *node.access_fails.lock().expect("lock") = true;
    let page = browser.submit(&url("/reveal"), "reason=audit").await;
    assert!(page.status == StatusCode::SERVICE_UNAVAILABLE && !page.text.contains("1962"));
}

#[tokio::test]
async fn an_answer_is_asked_once_more_and_then_given_with_its_record() {
    let (node, browser) = filled().await;
    assert_eq!(browser.post(&url("/answer"), "answer=same").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.submit(&url("/answer"), "answer=perhaps").await.status, StatusCode::BAD_REQUEST);
    let page = browser.submit(&url("/answer"), "answer=same").await;
    assert!(page.text.contains("same person?") && page.text.contains("They become one patient on this node"));
    assert!(node.clinical.answers.lock().expect("lock").is_empty(), "not yet");

    let answer = browser.submit(&url("/answer"), "answer=same&confirm=yes").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, url("").as_str()));
    let given = node.clinical.answers.lock().expect("lock").clone();
    let [(what, record)] = given.as_slice() else { panic!("one answer: {}", given.len()) };
    assert_eq!(*what, ReviewAnswer::Same);
    assert_eq!((record.kind(), record.message_id()), (Kind::ReviewAnswered, Some(ids()[1])));
    assert!(record.objects().contains(&("answer".to_owned(), "same".to_owned())));

    let page = browser.get(&url("")).await.text;
    assert!(page.contains("Answered <strong>same person</strong>"));
    let page = browser.get("/reviews").await.text;
    assert!(page.contains("no open question") && page.contains("same person"));
}

#[tokio::test]
async fn an_answer_is_taken_back_as_it_stood_when_that_was_confirmed() {
    let (node, browser) = filled().await;
    browser.submit(&url("/answer"), "answer=same&confirm=yes").await;
    let page = browser.submit(&url("/answer"), "answer=different").await.text;
    assert!(page.contains("The answer that stands is <strong>same person</strong>"));
    assert!(page.contains("name=\"instead\" value=\"same\""));
    for _ in 0..2 {
        let answer = browser.submit(&url("/answer"), "answer=different&instead=same&confirm=yes").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
    let given = node.clinical.answers.lock().expect("lock").clone();
    let [_, (what, record)] = given.as_slice() else { panic!("two answers: {}", given.len()) };
    assert_eq!(*what, ReviewAnswer::Different);
    assert!(record.objects().contains(&("instead-of".to_owned(), "same".to_owned())));
}

#[tokio::test]
async fn an_answer_given_otherwise_in_the_meantime_changes_nothing() {
    let (node, browser) = filled().await;
    browser.submit(&url("/answer"), "answer=different&confirm=yes").await;
    let page = browser.submit(&url("/answer"), "answer=same&confirm=yes").await;
    assert!(page.status == StatusCode::OK && page.text.contains("Somebody answered this question"));
    assert_eq!(node.clinical.answers.lock().expect("lock").len(), 1);
}

#[tokio::test]
async fn an_unknown_review_is_not_found() {
    let (_, browser) = filled().await;
    for id in [Uuid::from_u128(1).to_string(), "x".to_owned()] {
        assert_eq!(browser.get(&format!("/reviews/{id}")).await.status, StatusCode::NOT_FOUND);
    }
}
