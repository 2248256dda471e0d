//! The session of a writer: one connection that holds the lock of its schema.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::sql::{Boxed, Connection, query_scalar};
use crate::sqlite::unavailable;
use crate::{Error, Result};

/// How long the lock is waited for: the server notices the end of a session a moment later.
const LOCK_TRIES: u32 = 50;
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// Keeps a writer connected. While it holds the lock nobody else writes, and a commit on its connection proves that it
/// does: a session that lost the lock lost the connection with it.
pub(crate) struct Session {
    options: PgConnectOptions,
    schema: String,
    is_broken: bool,
}

impl Session {
    /// Connects, and takes the lock.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when another process has it.
    pub fn open<'f>(options: PgConnectOptions, schema: String) -> Boxed<'f, Result<(Self, Connection)>> {
        Box::pin(async move {
            let session = Self { options, schema, is_broken: false };
            let connection = session.connect().await?;
            Ok((session, connection))
        })
    }

    async fn connect(&self) -> Result<Connection> {
        let connection: PgConnection = self.options.connect().await?;
        let mut connection = Connection::from(connection);
        for _ in 0..LOCK_TRIES {
            let is_ours: bool =
                query_scalar("SELECT pg_try_advisory_lock(hashtextextended('tidegate writer ' || ?, 0))")
                    .bind(&self.schema)
                    .fetch_one(&mut connection)
                    .await?;
            if is_ours {
                return Ok(connection);
            }
            tokio::time::sleep(LOCK_WAIT).await;
        }
        Err(unavailable("another process writes to the database"))
    }

    /// Connects anew after an error; whether it did.
    ///
    /// # Errors
    /// When the server is away, or another process took over.
    pub fn renew<'f>(&'f mut self, connection: &'f mut Connection) -> Boxed<'f, Result<bool>> {
        Box::pin(async move {
            if !self.is_broken {
                return Ok(false);
            }
            *connection = self.connect().await?;
            self.is_broken = false;
            Ok(true)
        })
    }

    /// After an error that says nothing of the write itself, nobody knows what the connection still is.
    pub fn judge(&mut self, error: &Error) {
        self.is_broken |= matches!(error, Error::Unavailable(_));
    }
}
