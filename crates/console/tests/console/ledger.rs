//! The ledger page on a ledger of real records: list, filters, one record's proof, and the verification.

use std::sync::Arc;

use async_trait::async_trait;
use audit::{Actor, Frontier, Kind, Record, Sealer, SigningKey, leaf_hash};
use axum::http::StatusCode;
use console::{Witness, WitnessError};
use uuid::Uuid;

use crate::browser::{Answer, Browser};
use crate::ports::{NODE, Node, START_US, console};

const TOKEN: &str = "00112233445566778899aabbccddeeff";

/// A witness that keeps a note, or does not answer.
struct Keeper(Option<String>);

#[async_trait]
impl Witness for Keeper {
    fn name(&self) -> &str {
        "portal"
    }
    async fn note(&self) -> Result<Option<String>, WitnessError> {
        self.0.clone().map(Some).ok_or_else(|| "closed".into())
    }
}

fn record(number: u32) -> Record {
    let kind = if number.is_multiple_of(3) { Kind::MessageViewed } else { Kind::MessageApplied };
    let record =
        Record::new(kind, Uuid::from_u128(number.into()), NODE, START_US + i64::from(number)).outcome("ok");
    match number.is_multiple_of(3) {
        true => record.actor(Actor::User("operator".to_owned())).patient_token(TOKEN),
        false => record,
    }
}

/// A signed ledger of so many records in the node; its key and its last note.
fn seal(node: &Node, records: u32) -> (SigningKey, String) {
    let key = SigningKey::generate(NODE).expect("key");
    let note = seal_by(&key, node, records);
    (key, note)
}

fn seal_by(key: &SigningKey, node: &Node, records: u32) -> String {
    let leaves: Vec<Vec<u8>> = (0..records).map(|number| record(number).to_bytes()).collect();
    let sealer = Sealer::new(NODE, Frontier::default(), 0);
    let seal = sealer.prepare(leaves.iter().map(Vec::as_slice), START_US, key);
    *node.leaves.lock().expect("lock") = leaves.iter().map(|leaf| (leaf.clone(), leaf_hash(leaf))).collect();
    *node.note.lock().expect("lock") = Some((seal.checkpoint.size, seal.note.clone()));
    seal.note
}

async fn browser(node: &Arc<Node>, key: &SigningKey, witness: Option<Keeper>) -> Browser {
    let mut parts = console(node, false);
    parts.ledger_key = Some(key.public());
    parts.witnesses = witness.into_iter().map(|keeper| Arc::new(keeper) as Arc<dyn Witness>).collect();
    let mut browser = Browser::new(parts);
    browser.sign_in().await;
    browser
}

/// Starts a verification and waits for its end.
async fn verified(browser: &Browser) -> Answer {
    let started = browser.submit("/ledger/verify", "").await;
    assert_eq!((started.status, started.header("location")), (StatusCode::SEE_OTHER, "/ledger/verify"));
    for _ in 0..2_000 {
        let page = browser.get("/ledger/verify").await;
        if page.header("refresh").is_empty() {
            return page;
        }
        assert!(page.text.contains("<progress"), "{}", page.text);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the verification does not end");
}

#[tokio::test]
async fn a_node_without_a_key_shows_its_ledger_and_offers_no_verification() {
    let node = Arc::new(Node::default());
    seal(&node, 3);
    let mut browser = Browser::new(console(&node, false));
    browser.sign_in().await;
    let page = browser.get("/ledger").await.text;
    assert!(page.contains("key not known here") && !page.contains("Verify the whole ledger"));
    assert_eq!(browser.submit("/ledger/verify", "").await.status, StatusCode::NOT_FOUND);
    assert!(browser.get("/ledger/verify").await.text.contains("Nothing was verified here"));
}

#[tokio::test]
async fn records_are_newest_first_filtered_and_paged() {
    let node = Arc::new(Node::default());
    let (key, _) = seal(&node, 130);
    let browser = browser(&node, &key, None).await;
    let page = browser.get("/ledger").await.text;
    assert!(page.contains("<p class=\"value\">130</p>") && page.contains("</span> signed</span>"));
    let (newest, next) =
        (page.find("/ledger/records/129\"").expect("newest"), page.find("/ledger/records/128\""));
    assert!(Some(newest) < next && page.contains("Looked through records 80 to 129"));
    let mut seen = 0;
    let mut url = "/ledger?kind=message.viewed&user=operator".to_owned();
    for _ in 0..4 {
        let page = browser.get(&url).await.text;
        seen += page.matches("<th scope=\"row\">").count();
        assert!(!page.contains(">message.applied</a>"));
        match page.split("<a href=\"").find(|link| link.contains("rel=\"next\"")) {
            Some(link) => {
                url = link.split('"').next().expect("url").replace("&#38;", "&").replace("&amp;", "&")
            }
            None => break,
        }
    }
    assert_eq!(seen, 44);
    for wrong in ["?kind=message.lost", "?user=a%20b", "?before=x"] {
        assert_eq!(browser.get(&format!("/ledger{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn records_about_a_patient_are_found_by_token_and_the_search_is_recorded() {
    let node = Arc::new(Node::default());
    let (key, _) = seal(&node, 9);
    let browser = browser(&node, &key, None).await;
    assert_eq!(browser.post("/ledger/patient", "patient=x").await.status, StatusCode::FORBIDDEN);
    let answer = browser.submit("/ledger/patient", &format!("patient={TOKEN}")).await;
    let location = answer.header("location").to_owned();
    assert!(location.starts_with("/ledger/found/") && !location.contains(TOKEN));
    let page = browser.get(&location).await.text;
    assert_eq!(page.matches("<th scope=\"row\">").count(), 3);
    assert!(!page.contains(TOKEN));
    {
        let access = node.access.lock().expect("lock");
        assert_eq!(access[0].kind(), Kind::ResourceSearched);
        assert_eq!(access[0].patient_tokens(), [TOKEN]);
    }
    assert_eq!(browser.get("/ledger/found/none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.submit("/ledger/patient", "patient=").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_record_is_shown_with_a_proof_that_notices_a_change() {
    let node = Arc::new(Node::default());
    let (key, _) = seal(&node, 9);
    let browser = browser(&node, &key, None).await;
    let page = browser.get("/ledger/records/6").await.text;
    assert!(
        page.contains("</span> in the signed tree</span>")
            && page.contains(TOKEN)
            && page.contains("user operator")
    );
    assert_eq!(page.matches("<li class=\"hash\">").count(), 4);
    assert!(!page.contains("<dt>Time</dt>"), "a portal node tells no exact times");
    node.leaves.lock().expect("lock")[6].0 = record(1).to_bytes();
    assert!(browser.get("/ledger/records/6").await.text.contains("</span> not in the signed tree</span>"));
    for leaf in ["9", "x", "-1"] {
        assert_eq!(browser.get(&format!("/ledger/records/{leaf}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_whole_ledger_verifies_with_and_without_its_witness() {
    let node = Arc::new(Node::default());
    let (key, note) = seal(&node, 2_500);
    let alone = browser(&node, &key, None).await;
    assert_eq!(alone.post("/ledger/verify", "").await.status, StatusCode::FORBIDDEN);
    let page = verified(&alone).await.text;
    assert!(page.contains("The ledger is whole.") && page.contains("not witnessed"), "{page}");
    let page = verified(&browser(&node, &key, Some(Keeper(Some(note)))).await).await.text;
    assert!(page.contains("The ledger is whole.") && page.contains("Witnessed to 2500"), "{page}");
    let page = verified(&browser(&node, &key, Some(Keeper(None))).await).await.text;
    assert!(page.contains("does not answer") && page.contains("not witnessed") && !page.contains("closed"));
}

#[tokio::test]
async fn the_first_bad_record_is_named() {
    let node = Arc::new(Node::default());
    let (key, note) = seal(&node, 2_500);
    node.leaves.lock().expect("lock")[1_288].0 = record(7).to_bytes();
    let page = verified(&browser(&node, &key, None).await).await.text;
    assert!(
        page.contains("The ledger is broken.") && page.contains("<a href=\"/ledger/records/1288\">1288</a>")
    );

    // Cut off with its checkpoints: only the witness can tell.
    seal_by(&key, &node, 40);
    let page = verified(&browser(&node, &key, None).await).await.text;
    assert!(page.contains("The ledger is whole."));
    let page = verified(&browser(&node, &key, Some(Keeper(Some(note)))).await).await.text;
    assert!(page.contains("The ledger is broken.") && page.contains("covers 2500"), "{page}");
}
