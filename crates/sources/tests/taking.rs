//! Files and posts against a real journal, and against one that takes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use hl7v2::batch::{Splitter, Stretch};
use sources::folder::{Claim, FileIntake, Progress};
use sources::{BatchReply, MediaType, Posted, Receiver};
use store::sqlite::{Options, Role, Sqlite};
use store::{AckOutcome, Appended, Arrival, Entry, Error, Journal, JournalId, Micros, Result, Seq};
use tokio::sync::watch;
use uuid::Uuid;

const NOW_US: i64 = 1_767_323_045_000_000;
const FILE: &[u8] =
    b"words\rBHS|^~\\&|A|B\rMSH|^~\\&|A|B|||||ADT^A01|1|P|2.5.1\rMSH|^~\\&|A|B||||||2|P|2.5.1\r\
    MSH|^~\\&|A|B|||||ADT^A01|1|P|2.5.1\rBTS|3\r";

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A journal of a folder of its own, removed with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("tidegate-sources-{}-{number}", std::process::id())))
    }

    async fn journal(&self) -> Arc<Sqlite> {
        let options = Options { synchronous_full: true, read_connections: 1, now_us: || NOW_US };
        Sqlite::open(&self.0, Role::Clinical, options).await.expect("a store can be made")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder can be removed");
    }
}

fn receiver(journal: Arc<dyn Journal>) -> Receiver {
    Receiver {
        channel: "files".to_owned(),
        journal,
        batch_reply: BatchReply::Batch,
        rules: Arc::default(),
        later: None,
        now_us: || NOW_US,
        new_id: Uuid::now_v7,
        hl7_time: |_| "20260102030405+0000".to_owned(),
    }
}

fn stretches() -> Vec<Stretch> {
    let mut splitter = Splitter::new(1 << 20, 0);
    splitter.push(FILE);
    splitter.finish();
    std::iter::from_fn(|| splitter.next_stretch()).collect()
}

#[tokio::test]
async fn what_is_taken_again_after_a_crash_adds_nothing_and_is_answered_alike() {
    let place = Place::new();
    let store = place.journal().await;
    let begun = Progress::new(Claim { id: Uuid::now_v7(), at_us: NOW_US });
    let all = stretches();
    let take = |progress: Progress| {
        let (mut intake, all) = (FileIntake::new(receiver(store.clone()), progress), all.clone());
        async move {
            let mut answer = intake.take(&all).await.expect("the journal takes it");
            answer.extend(intake.finish());
            (answer, intake.progress().clone())
        }
    };
    let (answer, progress) = take(begun.clone()).await;
    // As if nothing of the first taking but the journal had lived on, whatever had been made durable of it.
    for half in [0, 2, 4] {
        let mut known = FileIntake::new(receiver(store.clone()), begun.clone());
        let mut again = known.take(&all[..half]).await.expect("the journal takes it");
        let mut resumed = FileIntake::new(receiver(store.clone()), known.progress().clone());
        again.extend(resumed.take(&all[half..]).await.expect("the journal takes it"));
        again.extend(resumed.finish());
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&answer));
        assert_eq!(resumed.progress(), &progress);
    }
    let counts = progress.counts;
    assert_eq!(
        (counts.messages, counts.accepted, counts.repeated, counts.refused, counts.strays),
        (3, 1, 1, 2, 1)
    );
    let entries = store.after(Seq(0), 100).await.expect("the journal can be read");
    let refused: Vec<_> = entries.iter().map(|entry| entry.refused.as_deref()).collect();
    assert_eq!(refused, [Some("stray"), None, Some("header")]);

    // Another taking of the same bytes is another file: what was accepted is repeated, what was refused is heard anew.
    let (_, other) = take(Progress::new(Claim { id: Uuid::now_v7(), at_us: NOW_US })).await;
    assert_eq!((other.counts.accepted, other.counts.repeated, other.counts.refused), (0, 2, 2));
    assert_eq!(store.after(Seq(0), 100).await.expect("the journal can be read").len(), 5);
    store.close().await.expect("it can be closed");
}

/// A journal that takes nothing.
struct Full;

#[async_trait]
impl Journal for Full {
    async fn append(&self, _: Arrival) -> Result<Appended> {
        Err(Error::Full)
    }
    async fn settle(&self, _: JournalId, _: AckOutcome) -> Result<()> {
        Err(Error::Full)
    }
    async fn read(&self, _: JournalId) -> Result<Option<Entry>> {
        Ok(None)
    }
    async fn after(&self, _: Seq, _: usize) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }
    async fn window(&self, _: Micros, _: Micros, _: Seq, _: usize) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }
    fn appended(&self) -> watch::Receiver<Seq> {
        watch::channel(Seq(0)).1
    }
}

#[tokio::test]
async fn what_is_not_stored_is_never_called_accepted() {
    let receiver = receiver(Arc::new(Full));
    let media_type = MediaType::read("application/hl7-v2").expect("a media type");
    let one = &b"MSH|^~\\&|A|B|||||ADT^A01|1|P|2.5.1\r"[..];
    let batch = [b"BHS|^~\\&|A|B\r", one, b"BTS|1\r"].concat();
    for body in [one.to_vec(), batch] {
        let posted = receiver.post("peer", media_type, Bytes::from(body)).await;
        let Posted::Acknowledged { bytes, entries, is_stored } = posted else { panic!("it is a message") };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!is_stored && entries.is_empty() && text.contains("\rMSA|AE|1"), "{text}");
        assert!(!text.contains("MSA|AA"), "{text}");
    }
    let begun = Progress::new(Claim { id: Uuid::now_v7(), at_us: NOW_US });
    let mut intake = FileIntake::new(receiver, begun.clone());
    assert!(intake.take(&stretches()).await.is_err());
    assert_eq!(intake.progress(), &begun, "nothing counts as taken that is not in the journal");
}
