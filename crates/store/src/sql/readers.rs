//! Connections that only read a file of SQLite. A statement is run whole on a thread of its own and answers with all its
//! rows at once: a driver that hands over each row by itself wakes its caller a hundred times for one page of a search.

mod read_rows;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, ToSql, params_from_iter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::read_rows::{Held, ReadRow};
use super::failure::{Unanswered, failure, not_ended};
use super::value::Value;

/// How a file is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub path: PathBuf,
    /// Most connections at once.
    pub connections: NonZeroU32,
    /// How long one waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement waits for the lock of a writer.
    pub busy_timeout: Duration,
    /// Connections that nobody asked for in this time are closed; `None`: they stay.
    pub idle: Option<Duration>,
    /// Prepared statements that a connection keeps.
    pub statements_kept: usize,
}

/// Connections to a file, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    reading: Reading,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(rusqlite::Connection, Instant)>>,
    is_closed: AtomicBool,
    is_swept: AtomicBool,
}

impl Readers {
    pub fn new(reading: Reading) -> Arc<Self> {
        let permits = usize::try_from(reading.connections.get()).unwrap_or(usize::MAX);
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            reading,
            idle: Mutex::default(),
            is_closed: AtomicBool::new(false),
            is_swept: AtomicBool::new(false),
        })
    }

    /// A connection, in a transaction from its first statement on when all that it reads is to be of one instant.
    ///
    /// # Errors
    /// `PoolClosed`; `PoolTimedOut`; what SQLite says when the file cannot be opened.
    pub async fn acquire(self: &Arc<Self>, at_one_instant: bool) -> Result<Reader, sqlx::Error> {
        if self.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(self.reading.acquire_timeout, permit)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let begin = if at_one_instant { Transaction::Wanted } else { Transaction::None };
        let connection = idle.map(|(connection, _)| Mutex::new(connection));
        Ok(Reader { readers: Arc::clone(self), connection, begin, here: false, _permit: permit })
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Closes all of them, once what is lent has come back.
    pub async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        // Fails when another call closed them before.
        let all = self.permits.acquire_many(self.reading.connections.get()).await;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.permits.close();
        drop(all);
    }

    fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
        // A reader of a write-ahead log writes the log's index, and nothing else.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(&self.reading.path, flags)?;
        connection.busy_timeout(self.reading.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(self.reading.statements_kept);
        // A statement that is run again with another limit is not prepared again for it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }

    fn take_back(self: &Arc<Self>, connection: rusqlite::Connection) {
        if self.is_closed() {
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
        if let Some(idle) = self.reading.idle
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.is_swept.swap(true, Ordering::AcqRel)
        {
            let readers = Arc::downgrade(self);
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(idle).await;
                    let Some(readers) = readers.upgrade() else { return };
                    if readers.sweep(idle) {
                        return;
                    }
                }
            });
        }
    }

    /// Closes what nobody asked for; whether none is left.
    fn sweep(&self, idle: Duration) -> bool {
        let mut kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, since)| since.elapsed() < idle);
        if kept.is_empty() {
            self.is_swept.store(false, Ordering::Release);
        }
        kept.is_empty()
    }
}

/// Whether what a connection reads is of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    /// It begins with the next statement.
    Wanted,
    Open,
}

/// A connection that is lent.
pub(crate) struct Reader {
    readers: Arc<Readers>,
    /// `None` until the first statement, while one runs, and after one that was given up. Nobody waits for the lock: it only
    /// lets a connection be part of what several threads may look at.
    connection: Option<Mutex<rusqlite::Connection>>,
    begin: Transaction,
    /// Whoever runs its statements may wait for them.
    here: bool,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// Runs its statements from here on where they are asked for: on a thread that may wait.
    pub fn stay_here(&mut self) {
        self.here = true;
    }

    /// As [`Reader::stay_here`], for a statement that takes less time than to wake a thread for it; whoever opens a connection
    /// for it waits beside.
    pub fn stay_here_if_open(&mut self) {
        self.here = self.connection.is_some();
    }

    /// What a statement reads.
    pub async fn read(&mut self, sql: String, values: Vec<Value>) -> Result<Vec<ReadRow>, sqlx::Error> {
        self.run(move |connection| rows(connection, &sql, &values)).await
    }

    /// Runs a statement; how many rows it wrote, of which a reader writes none.
    pub async fn execute(&mut self, sql: String, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let changed = statement.execute(params_from_iter(&values))?;
            Ok(u64::try_from(changed).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&rusqlite::Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, sqlx::Error> {
        let (lent, begin, readers) = (self.connection.take(), self.begin, Arc::clone(&self.readers));
        if lent.is_none() && begin == Transaction::Open {
            // It was lost with a statement that was given up, and its instant with it.
            return Err(Unanswered::GivenUp.into());
        }
        let statement = move || {
            let connection = match lent {
                Some(connection) => connection.into_inner().unwrap_or_else(PoisonError::into_inner),
                None => readers.open()?,
            };
            let began = match begin {
                Transaction::Wanted => connection.execute_batch("BEGIN"),
                Transaction::None | Transaction::Open => Ok(()),
            };
            let acted = began.and_then(|()| act(&connection));
            Ok::<_, rusqlite::Error>((connection, acted))
        };
        let ran = match self.here {
            true => statement(),
            false => tokio::task::spawn_blocking(statement).await.map_err(|error| not_ended(&error))?,
        };
        let (connection, acted) = ran.map_err(failure)?;
        if begin == Transaction::Wanted && !connection.is_autocommit() {
            self.begin = Transaction::Open;
        }
        self.connection = Some(Mutex::new(connection));
        acted.map_err(failure)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let connection = connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        // One that cannot end its transaction is closed.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            self.readers.take_back(connection);
        }
    }
}

fn rows(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<ReadRow>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    read_rows::read_all(columns, statement.query(params_from_iter(values))?)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
