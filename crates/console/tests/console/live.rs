//! The live list as a stream of events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use futures_util::StreamExt;
use store::{MessageState, Seq};
use tower::ServiceExt;
use uuid::Uuid;

use crate::browser::{Browser, signed_in};
use crate::ports::{Node, advance};
use crate::sample::{VALUES, row};

async fn open(browser: &Browser, url: &str) -> (StatusCode, BodyDataStream) {
    let request = browser.request(Method::GET, url, None);
    let response = browser.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.status(), Body::into_data_stream(response.into_body()))
}

/// The next event that is no comment.
async fn next(stream: &mut BodyDataStream) -> Option<String> {
    loop {
        let text = String::from_utf8(stream.next().await?.expect("frame").to_vec()).expect("text");
        if !text.starts_with(':') {
            return Some(text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rows_come_at_once_and_after_each_change() {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    let (status, mut stream) = open(&browser, "/live/events").await;
    assert_eq!(status, StatusCode::OK);
    let first = next(&mut stream).await.expect("rows");
    assert!(first.starts_with("event: page") && first.contains("unsupported-type"));
    for value in VALUES {
        assert!(!first.contains(value), "{value}");
    }

    let began = tokio::time::Instant::now();
    for number in 10..18_i64 {
        let id = Uuid::from_u128(number.unsigned_abs().into());
        node.clinical.rows.lock().expect("lock").push(row(number, id, MessageState::Error));
        node.clinical.processed.send_replace(Seq(number));
    }
    let second = next(&mut stream).await.expect("rows");
    assert_eq!(second.matches("> error</span>").count(), 8, "one event for all of them");
    assert!(second.starts_with("event: rows\nid: 8\n") && !second.contains("unsupported-type"), "{second}");
    assert!(began.elapsed() >= Duration::from_millis(500), "a few events a second at most");

    // An older message that was processed again is no new row: what is shown is sent anew.
    node.clinical.processed.send_replace(Seq(17));
    let third = next(&mut stream).await.expect("rows");
    assert!(third.starts_with("event: page") && third.contains("unsupported-type"), "{third}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_to_read_is_counted() {
    let node = Arc::new(Node::default());
    let browser = signed_in(&node, true).await;
    let (_, mut stream) = open(&browser, "/live/events").await;
    next(&mut stream).await.expect("the empty page");
    for (numbers, more) in [(10..57_i64, "37 more"), (100..700, "more than 500 more")] {
        let last = Seq(numbers.end - 1);
        let rows = numbers
            .map(|number| row(number, Uuid::from_u128(number.unsigned_abs().into()), MessageState::Stored));
        node.clinical.rows.lock().expect("lock").extend(rows);
        node.clinical.processed.send_replace(last);
        let event = next(&mut stream).await.expect("rows");
        assert_eq!(event.matches("<th scope=\"row\">").count(), 10);
        assert!(event.contains(more), "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_list_is_filtered_as_its_page() {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    let browser = signed_in(&node, true).await;
    let page = browser.get("/live?state=routed").await.text;
    assert!(page.contains("data-live=\"/live/events?state=routed"));
    assert!(!browser.get("/live?before=2").await.text.contains("data-live"));
    let (_, mut stream) = open(&browser, "/live/events?state=routed&").await;
    let rows = next(&mut stream).await.expect("rows");
    assert!(rows.contains("routed") && !rows.contains("quarantined"));
    // Addresses of a row are those of the page, so that the focus stays on it.
    assert!(rows.contains("?state=routed\">") && page.contains("?state=routed\">"));
    assert_eq!(open(&browser, "/live/events?state=lost").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_live_list_ends_with_its_session_and_does_not_prolong_it() {
    let node = Arc::new(Node::default());
    let browser = signed_in(&node, true).await;
    let (_, mut stream) = open(&browser, "/live/events").await;
    next(&mut stream).await.expect("rows");
    advance(console::SESSION_IDLE_US);
    node.clinical.processed.send_replace(Seq(9));
    let event = next(&mut stream).await.expect("an event");
    assert!(event.starts_with("event: ended"), "{event}");
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn live_lists_are_bounded() {
    let browser = signed_in(&Arc::new(Node::default()), true).await;
    let mut open_lists = Vec::new();
    for _ in 0..32 {
        let (status, stream) = open(&browser, "/live/events").await;
        assert_eq!(status, StatusCode::OK);
        open_lists.push(stream);
    }
    assert_eq!(open(&browser, "/live/events").await.0, StatusCode::SERVICE_UNAVAILABLE);
    open_lists.pop();
    assert_eq!(open(&browser, "/live/events").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn signing_out_ends_a_live_list_before_its_next_rows() {
    let node = Arc::new(Node::default());
    let browser = signed_in(&node, true).await;
    let (_, mut stream) = open(&browser, "/live/events").await;
    next(&mut stream).await.expect("rows");
    let waiting = tokio::spawn(async move { next(&mut stream).await });
    tokio::task::yield_now().await;
    assert_eq!(browser.submit("/logout", "").await.status, StatusCode::OK);
    node.clinical.processed.send_replace(Seq(9));
    let event = waiting.await.expect("joined").expect("an event");
    assert!(event.starts_with("event: ended"), "{event}");
}
