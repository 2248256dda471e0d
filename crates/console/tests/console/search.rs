//! The search: posted, kept under an id that tells nothing, recorded before it is answered.

use std::sync::Arc;

use audit::Kind;
use axum::http::StatusCode;
use store::MessageState;
use uuid::Uuid;

use crate::browser::{Answer, Browser, signed_in};
use crate::ports::Node;
use crate::sample::{VALUES, row};

async fn filled() -> (Arc<Node>, Browser) {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    (node, browser)
}

/// Posts a search and follows it.
async fn search(browser: &Browser, query: &str) -> (String, Answer) {
    let answer = browser.submit("/search", &format!("query={query}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let location = answer.header("location").to_owned();
    let page = browser.get(&location).await;
    (location, page)
}

#[tokio::test]
async fn a_search_is_posted_and_its_address_tells_nothing() {
    let (node, browser) = filled().await;
    assert_eq!(browser.post("/search", "query=MRN-4711").await.status, StatusCode::FORBIDDEN);
    assert!(node.recorded(Kind::ResourceSearched).is_empty());

    let (location, page) = search(&browser, "mrn:MRN-4711").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("unsupported-type") && page.text.contains("<li class=\"tag\">patient id</li>")
    );
    for value in VALUES {
        assert!(!page.text.contains(value) && !location.contains(value), "{value}");
    }
    assert!(!page.text.contains("data-live"));
    let records = node.recorded(Kind::ResourceSearched);
    let objects = records[0].objects();
    for object in [("parameters", "patient-id"), ("matches", "2")] {
        assert!(objects.contains(&(object.0.to_owned(), object.1.to_owned())), "{object:?}");
    }
    assert_eq!(objects.iter().filter(|(name, _)| name == "message").count(), 2);
    assert!(!String::from_utf8_lossy(&records[0].to_bytes()).contains("4711"));
}

#[tokio::test]
async fn a_result_is_of_its_session_alone() {
    let (node, browser) = filled().await;
    let (location, _) = search(&browser, "mrn:MRN-4711").await;
    let other = signed_in(&node, true).await;
    assert_eq!(other.get(&location).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/search/unknown").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&format!("{location}?before=x")).await.status, StatusCode::BAD_REQUEST);
    for _ in 0..16 {
        search(&browser, "type:ADT").await;
    }
    assert_eq!(browser.get(&location).await.status, StatusCode::NOT_FOUND, "the oldest gives way");
}

#[tokio::test]
async fn a_line_that_is_no_search_is_given_back_to_be_mended() {
    let (node, browser) = filled().await;
    for (query, words) in [
        ("mnr:x%27%3E%3Cscript%3Ealert(1)%3C/script%3E", "did you mean"),
        ("", "nothing to look for"),
        ("status:lost", "there are received"),
        ("since:soon", "an age"),
        (&"x".repeat(2_000), "longer than any key"),
    ] {
        let page = browser.submit("/search", &format!("query={query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(page.text.contains(words) && page.text.contains("role=\"alert\""), "{query}");
        assert!(!page.text.contains("<script>"), "{query}");
    }
    assert!(node.recorded(Kind::ResourceSearched).is_empty());
}

#[tokio::test]
async fn a_search_that_matches_too_much_says_so_and_pages() {
    let (node, browser) = filled().await;
    node.clinical.rows.lock().expect("lock").extend(
        (10..1_130_i64)
            .map(|number| row(number, Uuid::from_u128(number.unsigned_abs().into()), MessageState::Stored)),
    );
    let (location, page) = search(&browser, "status:stored").await;
    assert!(
        page.text.contains("This search matches too much") && page.text.contains("more than 1000 messages")
    );
    assert!(page.text.contains("add <code>since:1d</code>"));
    assert_eq!(page.text.matches("<th scope=\"row\">").count(), 50);
    let page = browser.get(&format!("{location}?before=60")).await;
    assert!(page.text.contains("50 messages from here on") && !page.text.contains("rel=\"next\""));
    let (_, page) = search(&browser, "mrn:MRN-4711").await;
    assert!(page.text.contains("rel=\"next\""));
}

#[tokio::test]
async fn a_search_that_cannot_be_recorded_finds_nothing() {
    let (node, browser) = filled().await;
    *node.access_fails.lock().expect("lock") = true;
    let (_, page) = search(&browser, "mrn:MRN-4711").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!page.text.contains("unsupported-type"));
}
