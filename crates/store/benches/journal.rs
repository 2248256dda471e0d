//! What the journal costs over SQLite itself: the raw one-writer limit and the adapter, alternating in one run, as ratios.
//! Absolute figures move with whatever else the disk does; the ratios are what is compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use store::sqlite::{Options, Role, Sqlite};
use store::{Arrival, Disposition, Journal, JournalId, NewAcknowledgment, SenderKey};
use uuid::Uuid;

const SLICE: Duration = Duration::from_millis(1_500);
const ROUNDS: usize = 3;
const MESSAGE_BYTES: usize = 2_000;
const WAITERS: usize = 64;

/// Rows written in a time.
struct Rate {
    rows: u64,
    elapsed: Duration,
}

impl Rate {
    fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.rows).unwrap_or(u32::MAX)) / self.elapsed.as_secs_f64()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("store-bench-{}", Uuid::new_v4()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(rounds(&folder));
    std::fs::remove_dir_all(&folder)?;
    outcome
}

async fn rounds(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let options = Options { synchronous_full: true, read_connections: 1, now_us: || 0 };
    let store = Sqlite::open(folder, Role::Clinical, options).await?;
    let mut raw = raw_connection(folder.join("raw.db")).await?;
    let mut ratios = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let one_raw = raw_rows(&mut raw, 1).await?.per_second();
        let one = appends(&store, 1).await?.per_second();
        let many_raw = raw_rows(&mut raw, WAITERS).await?.per_second();
        let many = appends(&store, WAITERS).await?.per_second();
        let line = format!(
            "round {round}: 1 waiter {one:.0}/s of {one_raw:.0} commits/s; {WAITERS} waiters {many:.0}/s of {many_raw:.0} rows/s"
        );
        print_line(&line);
        ratios.0.push(one / one_raw);
        ratios.1.push(many / many_raw);
    }
    print_line(&format!("median ratio, 1 waiter: {:.2} (goal 0.50)", median(ratios.0)));
    print_line(&format!("median ratio, {WAITERS} waiters: {:.2} (goal 0.25)", median(ratios.1)));
    store.close().await?;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a benchmark reports on stdout")]
fn print_line(line: &str) {
    println!("{line}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn raw_connection(path: PathBuf) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    let table = "CREATE TABLE rows (seq INTEGER PRIMARY KEY, sender INTEGER NOT NULL, bytes BLOB NOT NULL);
        CREATE INDEX rows_by_sender ON rows (sender)";
    sqlx::raw_sql(table).execute(&mut connection).await?;
    Ok(connection)
}

/// One writer without any queue: so many rows to a commit, in one text.
async fn raw_rows(connection: &mut SqliteConnection, rows: usize) -> Result<Rate, sqlx::Error> {
    let values = vec!["(?, ?)"; rows].join(",");
    let sql = format!("BEGIN IMMEDIATE; INSERT INTO rows (sender, bytes) VALUES {values}; COMMIT");
    let (start, mut written) = (Instant::now(), 0);
    while start.elapsed() < SLICE {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
        for _ in 0..rows {
            let [a, b, c, d, e, f, g, h, ..] = *Uuid::new_v4().as_bytes();
            query = query.bind(i64::from_be_bytes([a, b, c, d, e, f, g, h])).bind(vec![b'x'; MESSAGE_BYTES]);
        }
        query.execute(&mut *connection).await?;
        written += u64::try_from(rows).unwrap_or(0);
    }
    Ok(Rate { rows: written, elapsed: start.elapsed() })
}

async fn appends(store: &Arc<Sqlite>, waiters: usize) -> Result<Rate, Box<dyn std::error::Error>> {
    let written = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..waiters {
        let (store, written) = (Arc::clone(store), Arc::clone(&written));
        tasks.spawn(async move {
            while start.elapsed() < SLICE {
                store.append(arrival()).await?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), store::Error>(())
        });
    }
    for outcome in tasks.join_all().await {
        outcome?;
    }
    Ok(Rate { rows: written.load(Ordering::Relaxed), elapsed: start.elapsed() })
}

fn arrival() -> Arrival {
    let id = Uuid::now_v7();
    Arrival {
        id: JournalId(id),
        channel: "adt".into(),
        peer: "127.0.0.1:1".into(),
        received_us: 1_795_392_000_000_000,
        bytes: Bytes::from(vec![b'x'; MESSAGE_BYTES]),
        sender: Some(SenderKey {
            application: b"EMR".to_vec(),
            facility: b"HOSP".to_vec(),
            control_id: id.as_bytes().to_vec(),
        }),
        disposition: Disposition::Accepted,
        acknowledgment: Some(NewAcknowledgment {
            code: "AA".into(),
            bytes: Bytes::from(vec![b'a'; 150]),
            is_owed: true,
        }),
        promise: None,
        parent: None,
        charset: None,
    }
}
