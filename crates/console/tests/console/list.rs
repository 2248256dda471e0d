//! The list: order, pages, filters, search; and nothing of a message's content in it.

use std::sync::Arc;

use axum::http::StatusCode;
use store::MessageState;
use uuid::Uuid;

use crate::browser::{Browser, signed_in};
use crate::ports::Node;
use crate::sample::{VALUES, row};

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

#[tokio::test]
async fn signing_in_leads_to_the_first_page() {
    let mut browser = Browser::new(crate::ports::console(&Arc::new(Node::default()), true));
    assert_eq!(browser.sign_in().await.header("location"), "/");
    let status = browser.get("/status").await.text;
    assert!(status.contains("<a href=\"/live?state=quarantined\">") && status.contains(">12</td>"));
}

#[tokio::test]
async fn rows_tell_state_by_icon_and_word_newest_first() {
    let (_, browser) = filled().await;
    let page = browser.get("/live").await.text;
    let (held, routed) =
        (page.find("unsupported-type").expect("held"), page.find("</span> routed").expect("routed"));
    assert!(held < routed, "newest first");
    assert!(page.contains("<span aria-hidden=\"true\">\u{26a0}</span> quarantined"));
    assert!(page.contains("<td class=\"number\">3/9</td>") && page.contains("EMR|WARD"));
}

#[tokio::test]
async fn the_list_holds_no_value_of_a_message() {
    let (_, browser) = filled().await;
    for url in ["/live", "/live?state=routed", "/", "/quarantine", "/status"] {
        let page = browser.get(url).await.text;
        for value in VALUES {
            assert!(!page.contains(value), "{url}: {value}");
        }
    }
}

#[tokio::test]
async fn pages_continue_where_the_last_ended() {
    let (node, browser) = filled().await;
    node.clinical.rows.lock().expect("lock").extend(
        (10..130_i64)
            .map(|number| row(number, Uuid::from_u128(number.unsigned_abs().into()), MessageState::Stored)),
    );
    let mut seen = 0;
    let mut url = "/live?state=stored&channel=adt".to_owned();
    for _ in 0..3 {
        let page = browser.get(&url).await.text;
        seen += page.matches("<th scope=\"row\">").count();
        let older = page.split("<a href=\"").find(|link| link.contains("rel=\"next\""));
        match older.and_then(|link| link.split('"').next()) {
            Some(next) => url = next.replace("&#38;", "&").replace("&amp;", "&"),
            None => break,
        }
        assert!(url.starts_with("/live?state=stored&channel=adt&before="), "{url}");
    }
    assert_eq!(seen, 120);
}

#[tokio::test]
async fn a_filter_narrows_and_a_wrong_one_is_refused() {
    let (_, browser) = filled().await;
    let page = browser.get("/live?state=quarantined&channel=adt&before=").await.text;
    assert!(page.contains("unsupported-type") && !page.contains("</span> routed"));
    assert!(page.contains("<option value=\"quarantined\" selected>"));
    assert!(browser.get("/live?channel=other").await.text.contains("No message here."));
    for url in ["/live?state=lost", "/live?before=x"] {
        assert_eq!(browser.get(url).await.status, StatusCode::BAD_REQUEST);
    }
    let echoed = browser.get("/live?channel=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await.text;
    assert!(!echoed.contains("<script>"));
}
