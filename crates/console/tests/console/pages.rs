//! What holds for every page: headers, no inline code, own origin, names and landmarks.

use std::sync::Arc;

use axum::http::{Method, StatusCode};

use crate::browser::{Answer, Browser, signed_in};
use crate::ports::{CODE, Node, console};

#[cfg(feature = "clinical")]
const GROUP: &str = "/quarantine/group?state=quarantined&reason=unsupported-type";
#[cfg(not(feature = "clinical"))]
const GROUP: &str = "/";

const REVIEW: &str = "/reviews/00000000-0000-0000-0000-000000000015";

/// Every kind of answer of a console, with what was asked.
async fn every_answer() -> Vec<(String, Answer)> {
    let node = Arc::new(Node::default());
    let clinical = cfg!(feature = "clinical");
    #[cfg(feature = "clinical")]
    node.clinical.fill(&node);
    let stranger = Browser::new(console(&node, clinical));
    let browser = signed_in(&node, clinical).await;
    let mut urls = vec![
        "/".to_owned(),
        "/status".to_owned(),
        "/help".to_owned(),
        "/ledger".to_owned(),
        "/ledger/verify".to_owned(),
        "/logout".to_owned(),
        "/assets/unknown.css".to_owned(),
    ];
    let style = browser.get("/").await.text;
    urls.extend(["css", "js"].map(|kind| asset_url(&style, kind)));
    if clinical {
        urls.extend(
            [
                "/live",
                "/live?state=lost",
                "/reviews",
                REVIEW,
                "/coverage",
                "/codes",
                "/messages/none",
                "/quarantine",
                GROUP,
                "/search",
                "/search/none",
            ]
            .map(str::to_owned),
        );
        #[cfg(feature = "clinical")]
        urls.extend(crate::sample::ids().map(|id| format!("/messages/{id}")));
        #[cfg(feature = "clinical")]
        urls.extend(crate::sample::ids().map(|id| format!("/messages/{id}/edit")));
    }
    let mut answers = vec![
        ("login".to_owned(), stranger.get(&format!("/login?code={CODE}")).await),
        ("no session".to_owned(), stranger.get("/").await),
        ("bad code".to_owned(), stranger.post("/login", "code=x").await),
        ("put".to_owned(), browser.send(Method::PUT, "/", None).await),
        ("forged".to_owned(), browser.post("/logout", "").await),
    ];
    for url in urls {
        answers.push((url.clone(), browser.get(&url).await));
    }
    #[cfg(feature = "clinical")]
    for query in ["query=mrn:MRN-4711", "query=mnr:1"] {
        let answer = browser.submit("/search", query).await;
        let location = answer.header("location").to_owned();
        if !location.is_empty() {
            answers.push((location.clone(), browser.get(&location).await));
        }
        answers.push((query.to_owned(), answer));
    }
    #[cfg(feature = "clinical")]
    for id in crate::sample::ids() {
        let url = format!("/messages/{id}/reveal");
        answers.push((url.clone(), browser.submit(&url, "reason=audit").await));
    }
    answers
}

fn asset_url(page: &str, kind: &str) -> String {
    let end = page.find(&format!(".{kind}\"")).expect("linked") + kind.len() + 1;
    let start = page[..end].rfind('"').expect("quoted") + 1;
    page[start..end].to_owned()
}

#[tokio::test]
async fn every_answer_forbids_foreign_and_inline_code() {
    for (asked, answer) in every_answer().await {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'"] {
            assert!(policy.contains(part), "{asked}");
        }
        for part in ["base-uri 'none'", "frame-ancestors 'none'", "connect-src 'self'"] {
            assert!(policy.contains(part), "{asked}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http:"), "{asked}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{asked}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{asked}");
    }
}

#[tokio::test]
async fn nothing_but_assets_may_be_cached() {
    for (asked, answer) in every_answer().await {
        let is_asset = asked.starts_with("/assets/") && answer.status == StatusCode::OK;
        let cached = answer.header("cache-control");
        match is_asset {
            true => assert_eq!(cached, "public, max-age=31536000, immutable", "{asked}"),
            false => assert_eq!(cached, "no-store", "{asked}"),
        }
    }
}

#[tokio::test]
async fn no_page_holds_inline_code_or_a_foreign_address() {
    for (asked, answer) in every_answer().await {
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        let page = answer.text.to_ascii_lowercase();
        assert!(!page.contains("<style") && !page.contains(" style="), "{asked}");
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script src=\"/assets/").count(),
            "{asked}"
        );
        for handler in [" onclick=", " onload=", " onerror=", " onsubmit=", "javascript:"] {
            assert!(!tags(&page).any(|tag| tag.contains(handler)), "{asked}: {handler}");
        }
        for attribute in ["href=\"", "src=\"", "action=\""] {
            for target in page.split(attribute).skip(1) {
                let is_own = ["/", "#", "data:,\""].iter().any(|start| target.starts_with(start));
                assert!(is_own && !target.starts_with("//"), "{asked}");
            }
        }
    }
}

/// The insides of tags.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.split('<').skip(1).filter_map(|rest| rest.split('>').next())
}

#[tokio::test]
async fn every_page_has_language_landmarks_and_captions() {
    for (asked, answer) in every_answer().await {
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        let page = &answer.text;
        assert!(
            page.contains("<html lang=\"en\">") && page.contains("<a class=\"skip\" href=\"#main\">"),
            "{asked}"
        );
        assert_eq!(page.matches("<main id=\"main\"").count(), 1, "{asked}");
        assert_eq!(page.matches("<h1").count(), 1, "{asked}");
        assert_eq!(page.matches("<table").count(), page.matches("<caption>").count(), "{asked}");
        assert!(
            !tags(page).any(|tag| tag.starts_with("th>") || tag == "th"),
            "{asked}: a header without scope"
        );
        let controls = page.matches("<select").count() + page.matches("<input name=").count();
        assert_eq!(controls, page.matches("<label").count(), "{asked}: a control without label");
    }
}

#[tokio::test]
async fn every_table_is_balanced() {
    for (asked, answer) in every_answer().await {
        for tag in ["table", "tr", "div", "section", "details", "span", "form"] {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            let opened =
                tags(&answer.text).filter(|inside| inside.split([' ', '\n']).next() == Some(tag)).count();
            assert_eq!(opened, answer.text.matches(&close).count(), "{asked}: {open}");
        }
    }
}

#[tokio::test]
async fn the_status_page_counts_what_the_node_holds() {
    let page = signed_in(&Arc::new(Node::default()), false).await.get("/").await.text;
    assert!(page.contains("role <strong>portal</strong>"));
    for count in
        ["<td class=\"number\">3</td>", "<td class=\"number\">41</td>", "<td class=\"number\">44</td>"]
    {
        assert!(page.contains(count), "{count}");
    }
    assert!(page.contains("<code>ROOT=</code>") && page.contains("2 records wait"));
    assert!(page.contains("ward VLAN"));
}

#[tokio::test]
async fn a_portal_console_has_no_messages_and_no_exact_times() {
    let browser = signed_in(&Arc::new(Node::default()), false).await;
    let page = browser.get("/").await.text;
    assert!(!page.contains("/live") && !page.contains("1790000000000001") && !page.contains("the oldest of"));
    for url in ["/live", "/messages/018f0000-0000-7000-8000-000000000001", "/live"] {
        assert_eq!(browser.get(url).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_console_leaves_the_fallback_to_the_shell() {
    let router = console::router(console(&Arc::new(Node::default()), false));
    let router = axum::Router::new().merge(router).fallback(|| async { StatusCode::IM_A_TEAPOT });
    let browser = Browser { router, cookie: None, site: None };
    assert_eq!(browser.get("/unknown").await.status, StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let browser = signed_in(&Arc::new(Node::default()), false).await;
    let answer = browser.post("/logout", &format!("token={}", "x".repeat(20_000))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
