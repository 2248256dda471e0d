//! What the database does without anything of ours around it, for benchmarks: the same build of SQLite, the same driver, the
//! same settings, and of reads the same file.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use tokio::task::JoinSet;

use super::fault::unavailable;
use super::file::{self, Settings};
use crate::sql::{Pool, Rows, query_as, query_scalar};
use crate::{Error, Result};

/// Keys that are read, over and over.
const KEYS: i64 = 10_000;
/// Rows of a range that is read in its order.
const RANGE_ROWS: i64 = 20;
/// The raw statements; each is one way to the database and back.
const BODY_OF_KEY: &str = "SELECT body FROM resources WHERE id = ? AND tid = ?";
const NEWEST_OF_PATIENT: &str = "SELECT r.body FROM comp c CROSS JOIN resources r ON r.rid = c.rid
    WHERE c.patient = ? AND c.tid = ? ORDER BY c.newness LIMIT ?";
const ALL_OF_PATIENT: &str =
    "SELECT r.body FROM comp c CROSS JOIN resources r ON r.rid = c.rid WHERE c.patient = ?";

/// What a file gives without us, a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadLimits {
    /// Bodies by type and id.
    pub points_per_s: f64,
    /// Pages of the newest 20 of one type of a patient, bodies and all.
    pub ranges_per_s: f64,
    /// Patients with every body of their compartment.
    pub compartments_per_s: f64,
}

/// Reads the file of a store for so long each, by so many at once. `ranged`: the type of which ranges are read.
///
/// # Errors
/// When it cannot be read, or holds no patient.
pub async fn reads(folder: &Path, ranged: &str, readers: u32, slice: Duration) -> Result<ReadLimits> {
    let settings = Settings { synchronous_full: true, pages_max: None, read_connections: readers };
    let pool = Pool::Sqlite(file::read_pool(&folder.join("node.db"), settings, None));
    let points: Vec<(String, i64)> = query_as(
        "SELECT id, tid FROM resources WHERE version > 0 AND rid % max(1, (SELECT max(rid) FROM resources) / ?1) = 0 LIMIT ?1",
    )
    .bind(KEYS)
    .fetch_all(&pool)
    .await?;
    let of_type = |name| query_scalar::<i64>("SELECT tid FROM resource_types WHERE name = ?").bind(name);
    let (patient, ranged) =
        (of_type("Patient").fetch_one(&pool).await?, of_type(ranged).fetch_one(&pool).await?);
    let patients: Vec<i64> = query_scalar("SELECT rid FROM resources WHERE tid = ? AND version > 0 LIMIT ?")
        .bind(patient)
        .bind(KEYS)
        .fetch_all(&pool)
        .await?;
    if patients.is_empty() || points.is_empty() {
        return Err(Error::NotFound);
    }
    let (points, patients) = (Arc::new(points), Arc::new(patients));
    let points_per_s = each(
        &pool,
        readers,
        slice,
        {
            let points = Arc::clone(&points);
            move |at| points.get(at % points.len()).cloned()
        },
        |pool, (id, tid): (String, i64)| async move {
            query_scalar::<Vec<u8>>(BODY_OF_KEY).bind(id).bind(tid).fetch_one(&pool).await.map(|_| ())
        },
    )
    .await?;
    let next = |patients: &Arc<Vec<i64>>| {
        let patients = Arc::clone(patients);
        move |at: usize| patients.get(at % patients.len()).copied()
    };
    let ranges_per_s = each(&pool, readers, slice, next(&patients), move |pool, patient| async move {
        let read = query_scalar::<Vec<u8>>(NEWEST_OF_PATIENT).bind(patient).bind(ranged).bind(RANGE_ROWS);
        read.fetch_all(&pool).await.map(|_| ())
    })
    .await?;
    let compartments_per_s = each(&pool, readers, slice, next(&patients), |pool, patient| async move {
        query_scalar::<Vec<u8>>(ALL_OF_PATIENT).bind(patient).fetch_all(&pool).await.map(|_| ())
    })
    .await?;
    pool.close().await;
    Ok(ReadLimits { points_per_s, ranges_per_s, compartments_per_s })
}

/// Repeats one read with the keys that `key` gives, by so many at once; how many a second.
async fn each<K, R>(
    pool: &Pool,
    readers: u32,
    slice: Duration,
    key: impl Fn(usize) -> Option<K> + Clone + Send + 'static,
    read: impl Fn(Pool, K) -> R + Clone + Send + 'static,
) -> Result<f64>
where
    K: Send + 'static,
    R: Future<Output = Result<()>> + Send,
{
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for reader in 0..readers.max(1) {
        let (pool, key, read) = (pool.clone(), key.clone(), read.clone());
        tasks.spawn(async move {
            let mut done = 0_usize;
            let first = usize::try_from(reader).unwrap_or_default() * 7_919;
            while begun.elapsed() < slice {
                let Some(key) = key(first + done * 31) else { break };
                read(pool.clone(), key).await?;
                done += 1;
            }
            Ok::<usize, Error>(done)
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        done += ended.map_err(|_| unavailable("a reader ended"))??;
    }
    Ok(rate(done, begun))
}

/// Rows of so many bytes that one connection makes durable a second, so many a commit, in a new file of `folder`.
///
/// # Errors
/// When the file cannot be written.
pub async fn inserts(folder: &Path, rows: usize, bytes: usize, slice: Duration) -> Result<f64> {
    let settings = Settings { synchronous_full: true, pages_max: None, read_connections: 1 };
    file::make_folder(folder)?;
    let path = folder.join("inserts.db");
    file::create(&path)?;
    let mut connection =
        file::options(&path, settings).pragma("wal_autocheckpoint", "1000").connect().await?;
    let table = "CREATE TABLE IF NOT EXISTS inserted (rid INTEGER PRIMARY KEY, body BLOB NOT NULL)";
    sqlx::raw_sql(table).execute(&mut connection).await?;
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(rid) FROM inserted").fetch_one(&mut connection).await?;
    let (begun, mut done, mut next) = (Instant::now(), 0, last.unwrap_or_default() + 1);
    while begun.elapsed() < slice {
        let mut inserted = Rows::insert("INSERT INTO inserted (rid, body)", 2);
        for _ in 0..rows {
            inserted.push([next.into(), vec![b'x'; bytes].into()]);
            next += 1;
        }
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        inserted.execute_on(&mut connection).await?;
        sqlx::query("COMMIT").execute(&mut connection).await?;
        done += rows;
    }
    let rate = rate(done, begun);
    sqlx::Connection::close(connection).await?;
    Ok(rate)
}

fn rate(done: usize, begun: Instant) -> f64 {
    f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
}
