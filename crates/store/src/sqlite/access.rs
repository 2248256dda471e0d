//! `access.db`: its writer, with a group commit of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::Sqlite;
use super::checkpoint::{Checkpointer, Load};
use super::fault::again;
use super::file::{ACCESS, Settings, check_reader, open_writer, read_pool};
use super::node::prepare::PreparedRecord;
use super::queue::{Queue, Reply, Weighted, answer, fill};
use super::upkeep::Upkeep;
use super::watched::Watched;
use crate::sql::{Connection, Pool, Rows, query_scalar};
use crate::{Access, Result};

/// The open file.
#[derive(Debug)]
pub(super) struct AccessWriter {
    /// Its readers; the ledger reads it too.
    pub pool: Pool,
    queue: Queue<Request>,
    checkpointer: Mutex<Option<Checkpointer>>,
}

#[derive(Debug)]
struct Request {
    record: PreparedRecord,
    reply: Reply<()>,
}

impl Weighted for Request {
    fn weight(&self) -> (usize, usize) {
        (1, self.record.bytes.len())
    }
}

impl AccessWriter {
    /// Opens it.
    pub async fn open(path: &Path, settings: Settings, watched: Watched) -> Result<Self> {
        let connection = open_writer(path, ACCESS, settings).await?.into();
        let load = Arc::new(Load::new(watched));
        let checkpointer = Checkpointer::start(path.to_owned(), settings, Arc::clone(&load)).await?;
        let writer = Writer::new(connection, Upkeep::File(load)).await?;
        Ok(Self {
            pool: Pool::Sqlite(read_pool(path, settings, None)),
            queue: Queue::start(|receiver| writer.run(receiver)),
            checkpointer: Mutex::new(Some(checkpointer)),
        })
    }

    /// Of a schema of a server.
    #[cfg(feature = "postgres")]
    pub async fn of_server(connection: Connection, upkeep: Upkeep, pool: Pool) -> Result<Self> {
        let writer = Writer::new(connection, upkeep).await?;
        let queue = Queue::start(|receiver| writer.run(receiver));
        Ok(Self { pool, queue, checkpointer: Mutex::new(None) })
    }

    /// For reading alone.
    pub fn reading(pool: Pool) -> Self {
        Self { pool, queue: Queue::closed(), checkpointer: Mutex::new(None) }
    }

    /// Opens it for reading.
    pub async fn open_reading(path: &Path, settings: Settings) -> Result<Self> {
        let pool = read_pool(path, settings, None);
        check_reader(&pool, ACCESS).await?;
        Ok(Self::reading(Pool::Sqlite(pool)))
    }

    /// Commits what is queued, and closes.
    pub async fn close(&self) -> Result<()> {
        self.pool.close().await;
        let checkpointer = self.checkpointer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(checkpointer) = checkpointer {
            checkpointer.stop().await;
        }
        self.queue.close().await
    }
}

#[async_trait]
impl Access for Sqlite {
    async fn record(&self, record: audit::Record) -> Result<()> {
        let record = PreparedRecord::new(&record);
        self.access.queue.ask(|reply| Request { record, reply }).await
    }
}

struct Writer {
    connection: Connection,
    last: i64,
    upkeep: Upkeep,
}

impl Writer {
    async fn new(mut connection: Connection, upkeep: Upkeep) -> Result<Self> {
        let last = last(&mut connection).await?;
        Ok(Self { connection, last, upkeep })
    }

    async fn run(mut self, mut receiver: mpsc::Receiver<Request>) {
        while let Some(first) = receiver.recv().await {
            let mut batch = vec![first];
            // Whoever is about to ask as well does so first, as long as somebody does: one sync is for all of them, and the
            // next is a whole sync later.
            loop {
                let before = batch.len();
                tokio::task::yield_now().await;
                fill(&mut batch, &mut receiver);
                if batch.len() == before {
                    break;
                }
            }
            let outcome = self.write(&batch).await;
            for request in batch {
                answer(request.reply, outcome.as_ref().copied().map_err(again));
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "access.db did not close cleanly");
        }
    }

    async fn write(&mut self, batch: &[Request]) -> Result<()> {
        let outcome = self.try_to_write(batch).await;
        match &outcome {
            Ok(()) => self.upkeep.took(batch.iter().map(|request| request.weight().1).sum()),
            Err(error) => self.upkeep.judge_file(error),
        }
        outcome
    }

    async fn try_to_write(&mut self, batch: &[Request]) -> Result<()> {
        if self.upkeep.before_batch(&mut self.connection).await? {
            self.last = last(&mut self.connection).await?;
        }
        let mut rows = Rows::insert("INSERT INTO records (record, at_us, message, bytes)", 4);
        let mut last = self.last;
        for Request { record, .. } in batch {
            last += 1;
            let message = record.message.map(|id| id.as_bytes().to_vec());
            rows.push([last.into(), record.at_us.into(), message.into(), record.bytes.clone().into()]);
        }
        // A batch is one statement, which is a transaction: it closes at no more rows than a statement holds.
        rows.execute(&mut self.connection).await?;
        self.last = last;
        Ok(())
    }
}

async fn last(connection: &mut Connection) -> Result<i64> {
    let last: Option<i64> = query_scalar("SELECT max(record) FROM records").fetch_one(connection).await?;
    Ok(last.unwrap_or(0))
}
