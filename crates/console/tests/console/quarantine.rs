//! What is held, by cause, and the reprocess of a cause.

use std::sync::Arc;

use audit::Kind;
use axum::http::StatusCode;

use crate::browser::{Browser, signed_in};
use crate::ports::Node;
use crate::sample::VALUES;

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

#[tokio::test]
async fn nothing_held_is_said() {
    let page = signed_in(&Arc::new(Node::default()), true).await.get("/quarantine").await.text;
    assert!(page.contains("nothing is held") && page.contains("0 messages held"));
}

#[tokio::test]
async fn causes_stand_in_words_and_unknown_ones_as_codes() {
    let (_, browser) = filled().await;
    let page = browser.get("/quarantine").await.text;
    assert!(page.contains("6 messages held") && page.contains("No mapping for this message type"));
    assert!(page.contains("<code>unsupported-type</code>") && page.contains("Held for another reason"));
    assert!(page.contains("EMR|WARD, A, B and 1 more"));
    assert!(page.contains("reason=brand-new%3A%22%3E%3Cscript%3Ealert%282%29"));
    assert!(!page.contains("<script>"));
    let groups: serde_json::Value =
        serde_json::from_str(&browser.get("/quarantine.json").await.text).expect("JSON");
    assert_eq!((&groups[0]["reason"], &groups[0]["count"]), (&"unsupported-type".into(), &4.into()));
}

#[tokio::test]
async fn a_cause_lists_its_messages_and_says_what_to_do() {
    let (_, browser) = filled().await;
    let page = browser.get("/quarantine/group?state=quarantined&reason=unsupported-type").await.text;
    assert!(page.contains("Add a message file for the type") && page.contains("Reprocess all"));
    assert!(page.contains("/messages/018f0000-0000-7000-8000-000000000002"));
    assert!(!page.contains("</span> routed"));
    for value in VALUES {
        assert!(!page.contains(value), "{value}");
    }
    let refused = browser.get("/quarantine/group?state=quarantined&reason=no-header").await.text;
    assert!(refused.contains("No readable MSH header") && !refused.contains("Reprocess all"));
    for wrong in ["", "?state=routed&reason=x", "?state=quarantined", "?state=quarantined&reason=x&before=y"]
    {
        let url = format!("/quarantine/group{wrong}");
        assert_eq!(browser.get(&url).await.status, StatusCode::BAD_REQUEST, "{url}");
    }
}

#[tokio::test]
async fn a_cause_is_reprocessed_as_a_whole_and_the_act_is_recorded_before() {
    let (node, browser) = filled().await;
    let form = "state=quarantined&reason=unsupported-type";
    assert_eq!(browser.post("/quarantine/reprocess", form).await.status, StatusCode::FORBIDDEN);
    let done = browser.submit("/quarantine/reprocess", form).await;
    assert!(done.text.contains("1 message will be processed again"), "{}", done.text);
    assert_eq!(node.clinical.asked.lock().expect("lock").len(), 1);
    {
        let ledger = node.ledger.lock().expect("lock");
        let record = ledger.last().expect("recorded");
        assert_eq!((record.kind(), record.outcome_code()), (Kind::MessageReprocessed, Some("requested")));
        assert!(record.objects().contains(&("reason".to_owned(), "unsupported-type".to_owned())));
    }
    *node.ledger_fails.lock().expect("lock") = true;
    node.clinical.asked.lock().expect("lock").clear();
    let refused = browser.submit("/quarantine/reprocess", form).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(node.clinical.asked.lock().expect("lock").is_empty());
}
