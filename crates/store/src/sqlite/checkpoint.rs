//! The checkpointer: moves the WAL into the database beside the writer, so that no commit pays for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::fault::unavailable;
use super::file::{Settings, open_checkpointer};
use super::watched::Watched;
use crate::{Error, Result};

/// Written bytes after which a checkpoint is made though the writer is busy (4,000 pages of 4 KiB).
const CHECKPOINT_BYTES: u64 = 16 << 20;
/// Frames in the WAL beyond which the writer must wait for a checkpoint, or the WAL would never begin anew.
const CATCH_UP_FRAMES: i64 = 16_384;
/// How often the checkpointer looks; a file that was not written for so long is idle.
const TICK: Duration = Duration::from_millis(500);

/// What writer and checkpointer tell each other.
#[derive(Debug)]
pub(super) struct Load {
    written: AtomicU64,
    catch_up: AtomicBool,
    /// How the file is.
    pub watched: Watched,
}

impl Load {
    /// Nothing was written yet.
    pub fn new(watched: Watched) -> Self {
        Self { written: AtomicU64::new(0), catch_up: AtomicBool::new(false), watched }
    }

    /// The writer committed about so many bytes.
    pub fn add(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).max(1);
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Called by the writer between two batches: finishes the checkpoint while nothing is added.
    ///
    /// # Errors
    /// When the file is not to be written to any more, because of this checkpoint or before it.
    pub async fn catch_up(&self, connection: Option<&mut SqliteConnection>) -> Result<()> {
        if self.catch_up.swap(false, Ordering::Relaxed)
            && let Some(connection) = connection
            && let Err(error) = checkpoint(connection).await
        {
            self.checkpoint_failed(&error);
        }
        if self.watched.has_failed() {
            return Err(unavailable("a file failed to write; restart the node after its disk is checked"));
        }
        Ok(())
    }

    /// A full disk is waited for; after an error of the device the pages that it lost look clean.
    fn checkpoint_failed(&self, error: &Error) {
        self.watched.judge(error);
        tracing::warn!(error = error as &dyn std::error::Error, "a checkpoint failed");
    }
}

/// A running checkpointer of one file.
#[derive(Debug)]
pub(super) struct Checkpointer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts one.
    pub async fn start(path: PathBuf, settings: Settings, load: Arc<Load>) -> Result<Self> {
        let connection = open_checkpointer(&path, settings).await?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self { stop, task: tokio::spawn(run(connection, load, stopped)) })
    }

    /// Ends it; the last connection that closes moves the rest of the WAL.
    pub async fn stop(self) {
        drop(self.stop);
        if self.task.await.is_err() {
            tracing::error!("a checkpointer ended before it was stopped");
        }
    }
}

async fn run(mut connection: SqliteConnection, load: Arc<Load>, mut stopped: oneshot::Receiver<()>) {
    let (mut seen, mut done) = (0, 0);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep(TICK) => {}
        }
        let written = load.written.load(Ordering::Relaxed);
        let idle = written == seen;
        seen = written;
        if load.watched.has_failed() || written == done || (!idle && written - done < CHECKPOINT_BYTES) {
            continue;
        }
        match checkpoint(&mut connection).await {
            Ok(left) => {
                done = written;
                load.catch_up.store(left > CATCH_UP_FRAMES, Ordering::Relaxed);
            }
            Err(error) => load.checkpoint_failed(&error),
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "a checkpointer did not close cleanly");
    }
}

/// Moves what it can without waiting for anyone; returns the frames of the WAL when it is not empty after all.
async fn checkpoint(connection: &mut SqliteConnection) -> Result<i64> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(1)?)
}
