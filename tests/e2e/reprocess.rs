//! Quarantine and reprocess: what no mapping knew is applied when one does, and nothing old overwrites what is newer.

use std::path::{Path, PathBuf};

use harness::folder::copy;
use harness::{Pair, Person, Surface, TempFolder, stored};
use serde_json::json;
use store::{Journal as _, JournalId, MessageRow, MessageState, Messages as _, Seq};
use tidegate::config::Config;

/// The base package without `ADT^A03`, below the pair's folder.
fn package_without_discharge(folder: &TempFolder) -> PathBuf {
    let mappings = folder.join("mappings");
    copy(&harness::root().join("mappings"), &mappings).expect("mappings can be copied");
    for file in ["messages/ADT_A03.yaml", "messages/ADT_A03.test.yaml"] {
        std::fs::remove_file(mappings.join(file)).expect("the discharge has a mapping");
    }
    mappings
}

fn change(config: &mut Config, folder: &TempFolder) {
    config.mappings = Some(package_without_discharge(folder));
}

async fn row(store: &store::sqlite::Sqlite, id: JournalId) -> MessageRow {
    store.detail(id).await.expect("a message can be read").expect("it is there").row
}

/// Requests a reprocess of `ids` while the node is stopped, starts it and waits until none is open.
async fn reprocess(pair: &mut Pair, ids: &[JournalId]) {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let made = store
        .request_reprocess(ids, "operator", tidegate::clock::now_us())
        .await
        .expect("requests can be made");
    assert_eq!(usize::try_from(made).ok(), Some(ids.len()));
    stored::close(store).await;
    pair.start_onprem().await;
    settled(pair, ids).await;
    pair.start_onprem().await;
}

/// Waits until the ledger has a record of each reprocess: the node is asked by stopping it, which drains nothing of
/// this, so it is stopped only when a second look shows the state.
async fn settled(pair: &mut Pair, ids: &[JournalId]) {
    for _ in 0..60 {
        pair.stop_onprem().await;
        let store = stored::clinical(&pair.onprem_config.data).await;
        let open = store.claim_reprocess(ids.len()).await.expect("requests can be read");
        stored::close(store).await;
        if open.is_empty() {
            return;
        }
        pair.start_onprem().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    panic!("the requests are not served");
}

async fn encounter_shows(surface: &Surface, status: &str) {
    surface.shows("Encounter", "/status", json!(status)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_without_mapping_waits_for_one() {
    let mut pair = Pair::start_with("reprocess", change).await;
    let person = Person::new(61);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("Q-1")).await;
    sender.accepted(&person.a03("Q-2")).await;
    let here = pair.here();
    here.counted("Patient", 1).await;
    drop(sender);
    let discharge = quarantined(&mut pair, "unsupported-type").await;

    // The same package again: still nothing to do with it.
    reprocess(&mut pair, &[discharge]).await;
    encounter_shows(&here, "in-progress").await;
    pair.stop_onprem().await;
    pair.onprem_config.mappings = Some(harness::root().join("mappings"));
    reprocess(&mut pair, &[discharge]).await;
    encounter_shows(&here, "finished").await;
    encounter_shows(&pair.there(), "finished").await;
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let row = row(&store, discharge).await;
    assert_eq!((row.state, row.reason), (MessageState::Routed, None));
    stored::close(store).await;
}

/// Stops the node when the message of this reason is there.
async fn quarantined(pair: &mut Pair, reason: &str) -> JournalId {
    for _ in 0..60 {
        pair.stop_onprem().await;
        let store = stored::clinical(&pair.onprem_config.data).await;
        let found =
            stored::messages(&store).await.into_iter().find(|row| row.reason.as_deref() == Some(reason));
        stored::close(store).await;
        if let Some(row) = found {
            assert_eq!(row.state, MessageState::Quarantined);
            return row.id;
        }
        pair.start_onprem().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    panic!("no message of reason {reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_message_never_overwrites_what_is_newer() {
    let mut pair = Pair::start("old").await;
    let person = Person::new(62);
    let here = pair.here();
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("O-1")).await;
    sender.accepted(&person.oru("O-2", &[("2823-3", "5.90", "F")])).await;
    sender.accepted(&person.a08("O-3", &[]).replace(&person.given, "Philomena")).await;
    sender.accepted(&person.oru("O-4", &[("2823-3", "4.10", "C")])).await;
    sender.accepted(&person.a03("O-5").replace(&person.given, "Philomena")).await;
    encounter_shows(&here, "finished").await;
    encounter_shows(&pair.there(), "finished").await;
    drop(sender);
    pair.stop_onprem().await;
    let before = everything(&pair.onprem_config.data).await;

    // Every message of the window again, the oldest first: what stands is what all of them say together.
    let store = stored::clinical(&pair.onprem_config.data).await;
    let window = store.window(0, i64::MAX, Seq(0), 100).await.expect("a window can be read");
    stored::close(store).await;
    let ids: Vec<_> = window.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 5);
    reprocess(&mut pair, &ids).await;
    let by_number = format!("Patient?identifier={}", person.number);
    let patient = here.only(&by_number).await.expect("the patient");
    assert_eq!(patient["name"][0]["given"][0], json!("Philomena"));
    pair.stop_onprem().await;
    let after = everything(&pair.onprem_config.data).await;
    assert_eq!(before, after, "the same package says the same: no version was written");
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    assert!(rows.iter().all(|row| row.reason.is_none()), "{rows:?}");
    assert_eq!(stored::count_records(&store, audit::Kind::MessageReprocessed).await, 5);
    stored::close(store).await;
}

/// Every resource's type, id and version.
async fn everything(data: &Path) -> Vec<String> {
    let store = stored::clinical(data).await;
    let mut all = Vec::new();
    for row in stored::messages(&store).await {
        let detail = store.detail(row.id).await.expect("a message can be read").expect("it is there");
        all.extend(
            detail
                .resources
                .iter()
                .map(|(key, version)| format!("{}/{} {version}", key.resource_type, key.id)),
        );
    }
    stored::close(store).await;
    all.sort();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_with_a_merge_says_again_what_stands() {
    let mut pair = Pair::start("window").await;
    let survivor = Person::new(63);
    let retired = Person {
        number: "7799063".into(),
        street: "3 Elsewhere Lane".into(),
        phone: "(212)555-0163^PRN^PH".into(),
        visit: "VQ888063".into(),
        order: "FQ999063".into(),
        ..survivor.clone()
    };
    let here = pair.here();
    let mut sender = pair.sender().await;
    sender.accepted(&survivor.a01("W-1")).await;
    sender.accepted(&retired.a01("W-2")).await;
    let merge = survivor.a40(&retired.number, "W-3");
    let short = format!("PID|1||{}^^^HARBOR&2.16.840.1.113883.3.9999.1&ISO^MR", survivor.number);
    sender.accepted(&merge.replace(&survivor.pid(), &short)).await;
    sender.accepted(&retired.oru("W-4", &[("2823-3", "5.90", "F")]).replace(&retired.pid(), &short)).await;
    here.counted("Observation", 1).await;
    drop(sender);
    pair.stop_onprem().await;
    let before = everything(&pair.onprem_config.data).await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let ids: Vec<_> = stored::messages(&store).await.iter().map(|row| row.id).collect();
    stored::close(store).await;
    reprocess(&mut pair, &ids).await;
    let patient = here.only(&format!("Patient?identifier={}", survivor.number)).await.expect("the survivor");
    assert!(patient.to_string().contains(&survivor.street), "the survivor keeps what its own messages said");
    assert!(!patient.to_string().contains(&retired.street));
    here.counted("Encounter", 2).await;
    pair.stop_onprem().await;
    assert_eq!(before, everything(&pair.onprem_config.data).await, "no version was written");
}
