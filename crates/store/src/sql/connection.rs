//! Connections and pools of either database.

use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "postgres")]
use sqlx::Transaction;
#[cfg(feature = "postgres")]
use sqlx::pool::PoolConnection;
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnection, PgPool, Postgres};
use sqlx::{Connection as _, SqlStr, SqliteConnection};

use super::query::Query;
use super::readers::{Reader, Readers};
use super::row::Row;
use super::value::{Value, sqlite_arguments};
use crate::Result;

/// A future behind a pointer: whoever awaits it need not know what the databases' own are made of, neither when it runs nor
/// when it is compiled.
pub(crate) type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// One connection, for one statement after another.
pub(crate) struct Connection(Link);

enum Link {
    Sqlite(SqliteConnection),
    SqliteReading(Reader),
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
    #[cfg(feature = "postgres")]
    PostgresPooled(PoolConnection<Postgres>),
    #[cfg(feature = "postgres")]
    PostgresReading(Transaction<'static, Postgres>),
}

/// What a connection is one of.
pub(super) enum Native<'c> {
    Sqlite(&'c mut SqliteConnection),
    SqliteReading(&'c mut Reader),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connection")
    }
}

impl From<SqliteConnection> for Connection {
    fn from(connection: SqliteConnection) -> Self {
        Self(Link::Sqlite(connection))
    }
}

#[cfg(feature = "postgres")]
impl From<PgConnection> for Connection {
    fn from(connection: PgConnection) -> Self {
        Self(Link::Postgres(connection))
    }
}

impl Connection {
    pub(super) fn native(&mut self) -> Native<'_> {
        match &mut self.0 {
            Link::Sqlite(connection) => Native::Sqlite(connection),
            Link::SqliteReading(reader) => Native::SqliteReading(reader),
            #[cfg(feature = "postgres")]
            Link::Postgres(connection) => Native::Postgres(connection),
            #[cfg(feature = "postgres")]
            Link::PostgresPooled(connection) => Native::Postgres(connection),
            #[cfg(feature = "postgres")]
            Link::PostgresReading(connection) => Native::Postgres(connection),
        }
    }

    /// The connection of SQLite that it is.
    pub fn sqlite(&mut self) -> Option<&mut SqliteConnection> {
        match self.native() {
            Native::Sqlite(connection) => Some(connection),
            Native::SqliteReading(_) => None,
            #[cfg(feature = "postgres")]
            Native::Postgres(_) => None,
        }
    }

    /// The statement that begins a transaction that writes.
    pub fn begin(&mut self) -> &'static str {
        match self.native() {
            Native::Sqlite(_) | Native::SqliteReading(_) => "BEGIN IMMEDIATE",
            #[cfg(feature = "postgres")]
            Native::Postgres(_) => "BEGIN",
        }
    }

    /// Closes it, when it is no pool's.
    pub fn close(self) -> Boxed<'static, Result<()>> {
        Box::pin(async move {
            match self.0 {
                Link::Sqlite(connection) => connection.close().await?,
                #[cfg(feature = "postgres")]
                Link::Postgres(connection) => connection.close().await?,
                _ => {}
            }
            Ok(())
        })
    }

    fn run(&mut self, sql: SqlStr, values: Vec<Value>) -> Boxed<'_, Result<u64>> {
        Box::pin(async move {
            match self.native() {
                Native::Sqlite(connection) => {
                    let query = sqlx::query_with(sql, sqlite_arguments(values)?);
                    Ok(query.execute(connection).await?.rows_affected())
                }
                Native::SqliteReading(reader) => Ok(reader.execute(sql.as_str().to_owned(), values).await?),
                #[cfg(feature = "postgres")]
                Native::Postgres(connection) => {
                    super::postgres::execute(connection, sql.as_str(), values).await
                }
            }
        })
    }

    fn read(&mut self, sql: SqlStr, values: Vec<Value>) -> Boxed<'_, Result<Vec<Row>>> {
        Box::pin(async move {
            match self.native() {
                Native::Sqlite(connection) => {
                    let rows = sqlx::query_with(sql, sqlite_arguments(values)?).fetch_all(connection).await?;
                    Ok(rows.into_iter().map(Row::Sqlite).collect())
                }
                Native::SqliteReading(reader) => {
                    let rows = reader.read(sql.as_str().to_owned(), values).await?;
                    Ok(rows.into_iter().map(Row::Read).collect())
                }
                #[cfg(feature = "postgres")]
                Native::Postgres(connection) => {
                    super::postgres::fetch(connection, sql.as_str(), values).await
                }
            }
        })
    }
}

/// A connection that a pool lent, perhaps in a transaction that reads.
pub(crate) struct Lent(Connection);

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Lent {
    /// Ends its transaction.
    pub fn rollback(self) -> Boxed<'static, Result<()>> {
        Box::pin(async move {
            match self.0.0 {
                #[cfg(feature = "postgres")]
                Link::PostgresReading(transaction) => transaction.rollback().await?,
                // A reader of a file ends it when it is given back.
                _ => {}
            }
            Ok(())
        })
    }
}

/// Connections that only read.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(Arc<Readers>),
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

/// A page is read from one state of the database.
#[cfg(feature = "postgres")]
const READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Pool {
    /// A connection.
    pub fn acquire(&self) -> Boxed<'_, Result<Lent>> {
        Box::pin(async move {
            Ok(Lent(Connection(match self {
                Self::Sqlite(pool) => Link::SqliteReading(pool.acquire(false).await?),
                #[cfg(feature = "postgres")]
                Self::Postgres(pool) => Link::PostgresPooled(pool.acquire().await?),
            })))
        })
    }

    /// A connection in a transaction: all that it reads is of one instant.
    pub fn begin(&self) -> Boxed<'_, Result<Lent>> {
        Box::pin(async move {
            Ok(Lent(Connection(match self {
                Self::Sqlite(pool) => Link::SqliteReading(pool.acquire(true).await?),
                #[cfg(feature = "postgres")]
                Self::Postgres(pool) => Link::PostgresReading(pool.begin_with(READING).await?),
            })))
        })
    }

    /// The first row of a statement that looks one thing up by its key. On a file it is read where it is asked for: it takes
    /// less time than to wake a thread for it.
    pub fn look_up(&self, query: Query) -> Boxed<'_, Result<Option<Row>>> {
        Box::pin(async move {
            let mut lent = self.acquire().await?;
            if let Native::SqliteReading(reader) = lent.native() {
                reader.stay_here_if_open();
            }
            query.fetch_optional(&mut *lent).await
        })
    }

    /// What several statements read of one instant. On a file all of them run on one thread beside, one after another, with
    /// nobody to wake in between.
    pub async fn at_one_instant<T: Send + 'static>(
        &self,
        read: impl for<'c> FnOnce(&'c mut Connection) -> Boxed<'c, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut lent = self.begin().await?;
        let is_of_file = match lent.native() {
            Native::SqliteReading(reader) => {
                reader.stay_here();
                true
            }
            _ => false,
        };
        let whole = async move {
            let found = read(&mut lent).await;
            lent.rollback().await?;
            found
        };
        if !is_of_file {
            return whole.await;
        }
        let runtime = tokio::runtime::Handle::current();
        let ran = tokio::task::spawn_blocking(move || runtime.block_on(whole)).await;
        ran.map_err(|error| super::failure::not_ended(&error))?
    }

    /// What a few short statements read of one instant; on a file, where it is asked for, as with [`Pool::look_up`].
    pub async fn at_one_instant_here<T: Send + 'static>(
        &self,
        read: impl for<'c> FnOnce(&'c mut Connection) -> Boxed<'c, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut lent = self.begin().await?;
        if let Native::SqliteReading(reader) = lent.native() {
            reader.stay_here_if_open();
        }
        let found = read(&mut lent).await;
        lent.rollback().await?;
        found
    }

    /// Whether they are closed.
    #[cfg(feature = "clinical")]
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite(pool) => pool.is_closed(),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Closes all of them.
    pub fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            match self {
                Self::Sqlite(pool) => pool.close().await,
                #[cfg(feature = "postgres")]
                Self::Postgres(pool) => pool.close().await,
            }
        })
    }
}

/// What a statement can run on: a connection, or any of a pool.
pub(crate) trait On: Send {
    /// Runs a statement; how many rows it wrote.
    fn execute<'f>(self, sql: SqlStr, values: Vec<Value>) -> Boxed<'f, Result<u64>>
    where
        Self: 'f;
    /// Runs a statement; what it read.
    fn fetch<'f>(self, sql: SqlStr, values: Vec<Value>) -> Boxed<'f, Result<Vec<Row>>>
    where
        Self: 'f;
}

impl On for &mut Connection {
    fn execute<'f>(self, sql: SqlStr, values: Vec<Value>) -> Boxed<'f, Result<u64>>
    where
        Self: 'f,
    {
        self.run(sql, values)
    }

    fn fetch<'f>(self, sql: SqlStr, values: Vec<Value>) -> Boxed<'f, Result<Vec<Row>>>
    where
        Self: 'f,
    {
        self.read(sql, values)
    }
}

impl On for &Pool {
    fn execute<'f>(self, sql: SqlStr, values: Vec<Value>) -> Boxed<'f, Result<u64>>
    where
        Self: 'f,
    {
        Box::pin(async move { self.acquire().await?.run(sql, values).await })
    }

    fn fetch<'f>(self, sql: SqlStr, values: Vec<Value>) -> Boxed<'f, Result<Vec<Row>>>
    where
        Self: 'f,
    {
        Box::pin(async move { self.acquire().await?.read(sql, values).await })
    }
}
