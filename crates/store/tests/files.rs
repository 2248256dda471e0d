//! The files of the SQLite adapter: rights, versions, damage, a full disk.

#![cfg(feature = "clinical")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sqlx::{AssertSqlSafe, ConnectOptions};
use store::sqlite::{Options, Role, Sqlite};
use store::{
    Appended, Arrival, Disposition, Error, Journal, JournalId, KeptFor, Ledger, Outbox, Retention, Seq,
};
use uuid::Uuid;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("store-files-{}", Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        assert!(std::fs::remove_dir_all(&self.0).is_ok(), "the folder of a test stays behind");
    }
}

fn options() -> Options {
    Options { synchronous_full: true, read_connections: 1, now_us: || 0 }
}

fn arrival(number: usize, size: usize) -> Arrival {
    Arrival {
        id: JournalId(Uuid::now_v7()),
        channel: "adt".into(),
        peer: "peer".into(),
        received_us: 1_795_392_000_000_000,
        bytes: Bytes::from(format!("{number:09}").repeat(size)),
        sender: None,
        disposition: Disposition::Accepted,
        acknowledgment: None,
        promise: None,
        parent: None,
        charset: None,
    }
}

/// Runs a statement on a closed store's file as another program would.
async fn tamper(path: &Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.expect("opens");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("changes");
    sqlx::Connection::close(connection).await.expect("closes");
}

async fn opened_and_closed(folder: &Path) {
    let store = Sqlite::open(folder, Role::Clinical, options()).await.expect("opens");
    Journal::append(&*store, arrival(1, 1)).await.expect("appends");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_newer_schema_refuses_to_open() {
    for file in ["node.db", "access.db", "journal/2026-11.db"] {
        let folder = Folder::new();
        opened_and_closed(&folder.0).await;
        tamper(&folder.0.join(file), "PRAGMA user_version = 99").await;
        let refused = Sqlite::open(&folder.0, Role::Clinical, options()).await;
        assert!(matches!(refused, Err(Error::NewerSchema)), "{file}: {refused:?}");
    }
}

#[tokio::test]
async fn a_folder_belongs_to_one_role() {
    let folder = Folder::new();
    opened_and_closed(&folder.0).await;
    let refused = Sqlite::open(&folder.0, Role::Portal, options()).await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn a_portal_takes_no_clinical_write() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Portal, options()).await.expect("opens");
    assert!(matches!(Journal::append(&*store, arrival(1, 1)).await, Err(Error::Unavailable(_))));
    assert!(matches!(Outbox::settle(&*store, Vec::new(), Vec::new()).await, Err(Error::Unavailable(_))));
    assert!(!folder.0.join("journal").exists());
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_folder_is_opened_once_at_a_time() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    let refused = Sqlite::open(&folder.0, Role::Clinical, options()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    store.close().await.expect("closes");
    opened_and_closed(&folder.0).await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_may_enter() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    Journal::append(&*store, arrival(1, 1)).await.expect("appends");
    let mut pending = vec![folder.0.clone()];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            pending
                .extend(std::fs::read_dir(&path).expect("lists").map(|entry| entry.expect("lists").path()));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 7, "databases, WALs and the lock: {files}");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_running_store_is_read_by_another_and_not_written() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    let sent = arrival(1, 1);
    Journal::append(&*store, sent.clone()).await.expect("appends");
    let record = audit::Record::new(audit::Kind::SignIn, Uuid::new_v4(), "node-1", 1);
    Ledger::append(&*store, vec![record]).await.expect("appends");
    let reader = Sqlite::open_reading(&folder.0, Role::Clinical, options()).await.expect("opens");
    assert_eq!(reader.read_entry(sent.id).await, Some(sent.bytes));
    assert_eq!(reader.unsealed(10).await.expect("reads").len(), 1);
    assert!(matches!(Journal::append(&*reader, arrival(2, 1)).await, Err(Error::Unavailable(_))));
    assert!(matches!(Ledger::append(&*reader, Vec::new()).await, Err(Error::Unavailable(_))));
    reader.close().await.expect("closes");
    Journal::append(&*store, arrival(3, 1)).await.expect("the writer goes on");
    store.close().await.expect("closes");
    let nowhere = folder.0.join("nowhere");
    assert!(Sqlite::open_reading(&nowhere, Role::Clinical, options()).await.is_err() && !nowhere.exists());
}

#[tokio::test]
async fn closing_leaves_no_wal() {
    let folder = Folder::new();
    opened_and_closed(&folder.0).await;
    for folder in [folder.0.clone(), folder.0.join("journal")] {
        for entry in std::fs::read_dir(folder).expect("lists") {
            let name = entry.expect("lists").file_name().into_string().expect("a name");
            assert!(!name.ends_with("-wal"), "{name}");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_without_closing() {
    let folder = Folder::new();
    let copy = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    let sent = arrival(1, 100);
    Journal::append(&*store, sent.clone()).await.expect("appends");
    // What a crash leaves: the files as they are, WAL and all.
    std::fs::create_dir_all(copy.0.join("journal")).expect("makes");
    for name in ["node.db", "node.db-wal", "access.db", "journal/2026-11.db", "journal/2026-11.db-wal"] {
        if folder.0.join(name).exists() {
            std::fs::copy(folder.0.join(name), copy.0.join(name)).expect("copies");
        }
    }
    store.close().await.expect("closes");
    let after = Sqlite::open(&copy.0, Role::Clinical, options()).await.expect("opens");
    assert_eq!(after.read_entry(sent.id).await, Some(sent.bytes));
    after.close().await.expect("closes");
}

/// `Journal::read`, for the name is `Resources`' too.
trait ReadEntry {
    async fn read_entry(&self, id: JournalId) -> Option<Bytes>;
}

impl ReadEntry for Sqlite {
    async fn read_entry(&self, id: JournalId) -> Option<Bytes> {
        Journal::read(self, id).await.expect("reads").map(|entry| entry.bytes)
    }
}

#[tokio::test]
async fn changed_bytes_of_an_entry_are_reported() {
    let folder = Folder::new();
    opened_and_closed(&folder.0).await;
    tamper(&folder.0.join("journal/2026-11.db"), "UPDATE entries SET bytes = x'00' WHERE seq = 1").await;
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    let read = store.after(Seq(0), 10).await;
    assert!(matches!(read, Err(Error::Corrupt(_))), "{read:?}");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_journal_of_another_node_is_refused() {
    let (folder, other) = (Folder::new(), Folder::new());
    opened_and_closed(&folder.0).await;
    opened_and_closed(&other.0).await;
    std::fs::copy(other.0.join("journal/2026-11.db"), folder.0.join("journal/2026-10.db")).expect("copies");
    let refused = Sqlite::open(&folder.0, Role::Clinical, options()).await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_acknowledged_is_lost() {
    let folder = Folder::new();
    let store = Sqlite::open_limited(&folder.0, Role::Clinical, options(), Some(64)).await.expect("opens");
    let mut kept = Vec::new();
    let full = loop {
        let sent = arrival(kept.len(), 2_200);
        match Journal::append(&*store, sent.clone()).await {
            Ok(Appended::New { seq, .. }) => {
                kept.push(sent.id);
                assert_eq!(seq.0, i64::try_from(kept.len()).expect("few"));
            }
            other => break other,
        }
        assert!(kept.len() < 100, "the file grows beyond its limit");
    };
    assert!(matches!(full, Err(Error::Full)), "{full:?}");
    assert!(matches!(Journal::append(&*store, arrival(0, 2_200)).await, Err(Error::Full)));
    Journal::append(&*store, arrival(0, 1)).await.expect("what fits is taken");
    store.close().await.expect("closes");
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    for id in &kept {
        assert!(store.read_entry(*id).await.is_some());
    }
    Journal::append(&*store, arrival(0, 2_200)).await.expect("space was made");
    store.close().await.expect("closes");
}

/// The files as a crash leaves them.
fn crashed(folder: &Path) -> Folder {
    let copy = Folder::new();
    std::fs::create_dir_all(copy.0.join("journal")).expect("makes");
    for name in ["node.db", "node.db-wal", "access.db", "journal/2026-11.db", "journal/2026-11.db-wal"] {
        if folder.join(name).exists() {
            std::fs::copy(folder.join(name), copy.0.join(name)).expect("copies");
        }
    }
    copy
}

#[tokio::test]
async fn a_torn_tail_of_the_log_costs_only_what_was_not_acknowledged() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    let mut kept = Vec::new();
    for number in 0..5 {
        kept.push(arrival(number, 700));
        Journal::append(&*store, kept[number].clone()).await.expect("appends");
    }
    let log = "journal/2026-11.db-wal";
    let durable = std::fs::metadata(folder.0.join(log)).expect("is there").len();
    // This one is in the middle of its commit: whatever of it the disk has is not acknowledged.
    let last = arrival(9, 700);
    Journal::append(&*store, last.clone()).await.expect("appends");
    let whole = std::fs::read(folder.0.join(log)).expect("is there");
    let from = usize::try_from(durable).expect("small");
    assert!(whole.len() > from, "the commit made the log longer");
    let (mut torn, mut garbled) = (0, 0);
    for cut in (from..whole.len()).step_by(1_021) {
        for is_garbled in [false, true] {
            let copy = crashed(&folder.0);
            let mut bytes = whole.clone();
            match is_garbled {
                true => bytes[cut] ^= 0x20,
                false => bytes.truncate(cut),
            }
            std::fs::write(copy.0.join(log), bytes).expect("writes");
            let after = Sqlite::open(&copy.0, Role::Clinical, options()).await.expect("opens");
            let entries = after.after(Seq(0), 10).await.expect("reads");
            let found: Vec<_> = entries.iter().map(|entry| (entry.id, entry.bytes.clone())).collect();
            let acknowledged: Vec<_> = kept.iter().map(|sent| (sent.id, sent.bytes.clone())).collect();
            assert_eq!(found[..5], acknowledged[..], "cut at {cut}");
            assert!(found.len() == 5 || found[5] == (last.id, last.bytes.clone()), "cut at {cut}");
            *(if is_garbled { &mut garbled } else { &mut torn }) += usize::from(found.len() == 5);
            after.close().await.expect("closes");
        }
    }
    assert!(torn > 5 && garbled > 5, "the tail was lost whole: {torn} torn, {garbled} garbled");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_garbled_page_of_a_month_is_found_and_its_entry_named() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    for number in 1..=5 {
        Journal::append(&*store, arrival(number, 700)).await.expect("appends");
    }
    assert_eq!(store.verify_month("2026-11").await.expect("reads").sound, 5);
    store.close().await.expect("closes");
    let path = folder.0.join("journal/2026-11.db");
    let mut bytes = std::fs::read(&path).expect("is there");
    let third = b"000000003000000003";
    let at =
        bytes.windows(third.len()).position(|window| window == third).expect("its bytes are in the file");
    bytes[at] ^= 0x01;
    std::fs::write(&path, bytes).expect("writes");
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    assert!(matches!(store.after(Seq(0), 10).await, Err(Error::Corrupt(_))));
    let verified = store.verify_month("2026-11").await.expect("reads");
    assert_eq!((verified.sound, verified.garbled, verified.is_cut), (4, vec![Seq(3)], false));
    assert!(matches!(store.verify_month("2026-10").await, Err(Error::NotFound)));
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_drop_that_was_cut_off_is_finished_at_the_next_start() {
    let folder = Folder::new();
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    // 2024-11: long before the others.
    let old = Arrival { received_us: 1_732_000_000_000_000, ..arrival(1, 10) };
    Journal::append(&*store, old).await.expect("appends");
    Journal::append(&*store, arrival(2, 10)).await.expect("appends");
    let now_us = 1_795_392_000_000_000;
    let months = store.months(now_us, Some(2)).await.expect("reads");
    let why = |at: usize| months[at].kept.iter().map(|(why, _)| *why).collect::<Vec<_>>();
    assert_eq!((months[0].month.as_str(), months[1].month.as_str()), ("2024-11", "2026-11"));
    assert_eq!(why(0), [KeptFor::Unapplied], "nothing of it was applied");
    assert_eq!(why(1), [KeptFor::Recent, KeptFor::Newest, KeptFor::Unapplied]);
    let dropped = store.survey("2024-11").await.expect("reads");
    assert_eq!((dropped.entries, dropped.last), (1, Seq(1)));
    let record = audit::Record::new(audit::Kind::JournalDropped, Uuid::new_v4(), "node-1", 1);
    let refused = store.drop_month(dropped, now_us, record).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    store.close().await.expect("closes");
    // As a process leaves it that ended between the record and the file.
    let begun = "INSERT INTO journal_drops VALUES ('2024-11', 1, 1, x'00', 1, 0)";
    tamper(&folder.0.join("node.db"), begun).await;
    assert!(folder.0.join("journal/2024-11.db").exists());
    let store = Sqlite::open(&folder.0, Role::Clinical, options()).await.expect("opens");
    assert!(!folder.0.join("journal/2024-11.db").exists());
    let entries = store.after(Seq(0), 10).await.expect("reads");
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [Seq(2)]);
    let next = Journal::append(&*store, arrival(3, 10)).await.expect("appends");
    assert_eq!(next, Appended::New { seq: Seq(3), control_id_reused: false }, "positions go on");
    store.close().await.expect("closes");
}
