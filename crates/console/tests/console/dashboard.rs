//! The first page: feeds, boundary, what waits, nodes, and the tour of a demo.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use axum::http::StatusCode;
use console::{Guide, GuideError};

use crate::browser::{Browser, signed_in};
use crate::ports::{Node, console};

async fn filled() -> Browser {
    let node = Arc::new(Node::default());
    node.clinical.fill(&node);
    signed_in(&node, true).await
}

#[tokio::test]
async fn a_node_without_messages_says_how_to_send_one() {
    let page = signed_in(&Arc::new(Node::default()), true).await.get("/").await.text;
    assert!(page.contains("No message was processed yet.") && page.contains("tidegate send"));
    assert!(page.contains("Nothing waits for a person.") && !page.contains("<svg class=\"spark\""));
}

#[tokio::test]
async fn feeds_are_told_in_numbers_drawings_and_words() {
    let page = filled().await.get("/").await.text;
    for part in [
        "aria-label=\"200 messages in the last hour, at most 23 in a minute\"",
        "<td class=\"number\">12 ms</td><td class=\"number\">48 ms</td>",
        "</span> held</span> 2 (1.0 %)",
        "quiet for 2 h 5 min",
        "</span> waiting</span> 7, oldest 3 min",
        "href=\"/live?channel=lab%20%26%20co\"",
        "<caption>Messages in five minutes</caption>",
        "<td class=\"number\">35</td><td class=\"number\">0</td>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("2.0 s ago"), "a feed that runs is not called quiet");
}

#[tokio::test]
async fn the_boundary_and_the_nodes_are_on_the_first_page() {
    let page = filled().await.get("/").await.text;
    for part in [
        "<p class=\"value\">41</p>",
        "<p class=\"value good\">38</p>",
        "<p class=\"value bad\">2</p>",
        "6 resources on the way, oldest 9 min",
        "ledger sealed to 7 records",
        "3 messages on the way, oldest",
        "2 messages given up",
        "No mapping for this message type",
        "All 3 causes",
        "1 question about who is who",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[tokio::test]
async fn feeds_are_there_for_programs() {
    let answer = filled().await.get("/dashboard.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let feeds: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!(feeds[0]["received"], 200);
    assert_eq!((&feeds[1]["waiting"], &feeds[1]["p50_us"]), (&7.into(), &serde_json::Value::Null));
}

struct Scene(AtomicU32);

#[async_trait]
impl Guide for Scene {
    async fn break_something(&self) -> Result<u32, GuideError> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(3),
            _ => Err("the listener is closed".into()),
        }
    }
}

#[tokio::test]
async fn the_tour_is_there_where_it_is_given() {
    let node = Arc::new(Node::default());
    let plain = signed_in(&node, true).await;
    assert!(!plain.get("/").await.text.contains("Break something"));
    assert_eq!(plain.submit("/guide/break", "").await.status, StatusCode::NOT_FOUND);

    let mut parts = console(&node, true);
    parts.guide = Some(Arc::new(Scene(AtomicU32::new(0))));
    let mut browser = Browser::new(parts);
    browser.sign_in().await;
    assert!(browser.get("/").await.text.contains("Break something"));
    assert_eq!(browser.post("/guide/break", "").await.status, StatusCode::FORBIDDEN);
    let broken = browser.submit("/guide/break", "").await;
    assert!(broken.text.contains("3 synthetic messages") && broken.text.contains("href=\"/quarantine\""));
    let failed = browser.submit("/guide/break", "").await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!failed.text.contains("listener is closed"));
}
