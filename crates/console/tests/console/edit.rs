//! Fix, dry run, resend: shown before it is done, done once, recorded, and the original untouched.

use std::sync::Arc;

use audit::{Actor, Kind};
use axum::http::StatusCode;
use store::{JournalId, MessageState};
use uuid::Uuid;

use crate::browser::{Browser, signed_in};
use crate::ports::{Node, START_US};
use crate::sample::{MESSAGE, VALUES, ids, row};

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

fn url(index: usize, act: &str) -> String {
    format!("/messages/{}/{act}", ids()[index])
}

/// The held message with another date of birth, as a form field.
fn edited() -> String {
    percent(&String::from_utf8_lossy(MESSAGE).replace("19620417", "19630101").replace('\r', "\r\n"))
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn value_of<'p>(page: &'p str, name: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
    rest.split('"').next().expect("its value")
}

#[tokio::test]
async fn a_message_is_edited_only_for_a_reason_that_is_recorded() {
    let (node, browser) = filled().await;
    let page = browser.get(&url(1, "edit")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Why do you need its values?"));
    assert!(!VALUES.iter().any(|value| page.text.contains(value)) && !page.text.contains("<textarea"));
    assert!(node.recorded(Kind::MessageViewed).is_empty(), "nothing of it was shown");
    for form in ["", "reason=curious"] {
        assert_eq!(browser.submit(&url(1, "edit"), form).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(browser.post(&url(1, "edit"), "reason=audit").await.status, StatusCode::FORBIDDEN);

    let page = browser.submit(&url(1, "edit"), "reason=mapping-problem").await.text;
    assert!(page.contains("MRN-4711") && page.contains("19620417"));
    assert!(page.contains("\nPID|1||"), "a segment on each line");
    assert!(!page.contains("<script>") && page.contains("script"), "markup is text");
    let records = node.recorded(Kind::MessageViewed);
    let holds = |name: &str, value: &str| records[0].objects().contains(&(name.to_owned(), value.to_owned()));
    assert!(records.len() == 1 && holds("view", "edit") && holds("reason", "mapping-problem"));
    *node.access_fails.lock().expect("lock") = true;
    let page = browser.submit(&url(1, "edit"), "reason=mapping-problem").await;
    assert!(page.status == StatusCode::SERVICE_UNAVAILABLE && !page.text.contains("MRN"));
}

#[tokio::test]
async fn a_dry_run_shows_what_would_happen_and_changes_nothing() {
    let (node, browser) = filled().await;
    let form = format!("reason=mapping-problem&text={}", edited());
    let page = browser.submit(&url(1, "dry-run"), &form).await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "</span> routed",
        "nothing was written",
        "<code>PID-7</code><span class=\"hint\">Date/Time of Birth</span>",
        "<td class=\"before\">19620417</td><td class=\"after\">19630101",
        "changed, version 3",
        "Patient → portal",
        "Send it again",
    ] {
        assert!(page.text.contains(text), "{text}");
    }
    // It is the newest of its patient; the one before it is not.
    assert!(!page.text.contains("A newer message of this patient"));
    assert!(browser.submit(&url(0, "dry-run"), &form).await.text.contains("A newer message of this patient"));
    assert_eq!(node.clinical.entries.lock().expect("lock").len(), 4);
    assert!(node.ledger.lock().expect("lock").iter().all(|record| record.kind() != Kind::MessageResent));
}

#[tokio::test]
async fn a_dry_run_that_would_be_held_says_why() {
    let (_, browser) = filled().await;
    let text = percent("MSH|^~\\&|EMR|WARD|||20260101||ADT^A01|CTRL-9|P|2.5.1\r\nPID|1||\r\n");
    let page = browser.submit(&url(1, "dry-run"), &format!("reason=audit&text={text}")).await.text;
    assert!(page.contains("A required field is empty") && page.contains("missing:PID-3"));
    assert!(page.contains("Send it again all the same"));
    let page = browser.submit(&url(1, "dry-run"), "reason=audit&text=PID%7C1").await.text;
    assert!(page.contains("does not begin with a message header") && !page.contains("Send it again"));
}

#[tokio::test]
async fn a_resend_is_one_child_however_often_the_form_comes() {
    let (node, browser) = filled().await;
    let form = format!("reason=mapping-problem&text={}", edited());
    let page = browser.submit(&url(1, "dry-run"), &form).await.text;
    let child = value_of(&page, "child").to_owned();
    let form = format!("{form}&child={child}");
    for _ in 0..2 {
        let answer = browser.submit(&url(1, "resend"), &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), format!("/messages/{child}"));
    }
    let entries = node.clinical.entries.lock().expect("lock").clone();
    assert_eq!(entries.len(), 5);
    let (original, made) = (&entries[1], &entries[4]);
    assert_eq!(original.bytes.as_ref(), MESSAGE, "the original stays");
    assert_eq!((made.id.0.to_string(), made.parent), (child.clone(), Some(JournalId(ids()[1]))));
    assert_eq!((made.channel.as_str(), made.peer.as_str()), ("adt", "console:operator"));
    assert!(made.acknowledgment.is_none());
    assert_eq!(
        String::from_utf8_lossy(&made.bytes),
        String::from_utf8_lossy(MESSAGE).replace("19620417", "19630101")
    );
    let ledger = node.ledger.lock().expect("lock").clone();
    let resent: Vec<_> = ledger.iter().filter(|record| record.kind() == Kind::MessageResent).collect();
    assert_eq!(resent.len(), 1);
    assert_eq!(resent[0].message_id(), Some(ids()[1]));
    assert_eq!(*resent[0].acted_by(), Actor::User("operator".to_owned()));
    let names: Vec<_> = resent[0].objects().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["session", "reason", "child", "sha-256"]);
    let received = ledger.iter().find(|record| record.kind() == Kind::MessageReceived).expect("recorded");
    assert_eq!(received.message_id().map(|id| id.to_string()), Some(child));
}

#[tokio::test]
async fn a_resend_that_cannot_be_recorded_is_not_done() {
    let (node, browser) = filled().await;
    *node.ledger_fails.lock().expect("lock") = true;
    let form = format!("reason=audit&text={}&child={}", edited(), Uuid::from_u128(99));
    let answer = browser.submit(&url(1, "resend"), &form).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(node.clinical.entries.lock().expect("lock").len(), 4);
}

#[tokio::test]
async fn a_child_that_is_no_child_of_it_is_refused() {
    let (node, browser) = filled().await;
    for child in [ids()[0].to_string(), "x".to_owned()] {
        let form = format!("reason=audit&text={}&child={child}", edited());
        assert_eq!(browser.submit(&url(1, "resend"), &form).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(node.clinical.entries.lock().expect("lock").len(), 4);
}

#[tokio::test]
async fn what_is_no_message_cannot_be_edited() {
    let (_, browser) = filled().await;
    let page = browser.submit(&url(2, "edit"), "reason=audit").await.text;
    assert!(page.contains("cannot be edited here without loss") && !page.contains("<textarea"));
    assert!(!browser.get(&format!("/messages/{}", ids()[2])).await.text.contains("/edit\""));
}

#[tokio::test]
async fn parent_and_child_link_each_other() {
    let (node, browser) = filled().await;
    let (parent, child) = (JournalId(ids()[1]), Uuid::from_u128(0x77));
    {
        let mut rows = node.clinical.rows.lock().expect("lock");
        let mut made = row(5, child, MessageState::Routed);
        made.parent = Some(parent);
        rows.push(made);
        let held = rows.iter_mut().find(|row| row.id == parent).expect("is there");
        held.resolved_by = Some(JournalId(child));
        let mut entries = node.clinical.entries.lock().expect("lock");
        let mut entry = entries[0].clone();
        (entry.id, entry.parent, entry.received_us) = (JournalId(child), Some(parent), START_US + 5);
        entries.push(entry);
    }
    let page = browser.get(&format!("/messages/{}", parent.0)).await.text;
    assert!(page.contains("</span> resolved") && page.contains(&format!("href=\"/messages/{child}\"")));
    let page = browser.get(&format!("/messages/{child}")).await.text;
    assert!(page.contains("Made by a person from") && page.contains(&parent.0.to_string()));
    let held = browser.get("/live?state=quarantined").await.text;
    assert!(!held.contains(&parent.0.to_string()), "what is resolved is not held");
}
