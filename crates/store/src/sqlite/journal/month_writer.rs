//! One monthly file open for writing, with its checkpointer.

use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};

use super::files::MonthFile;
use super::parts::Rest;
use crate::Result;
use crate::sqlite::checkpoint::{Checkpointer, Load};
use crate::sqlite::fault::is_fatal;
use crate::sqlite::file::Settings;
use crate::sqlite::month::Month;
use crate::sqlite::rows::{Rows, run};
use crate::sqlite::watched::Watched;

/// The writing connection of a month.
pub(super) struct MonthWriter {
    month: Month,
    connection: SqliteConnection,
    load: Arc<Load>,
    checkpointer: Checkpointer,
}

impl MonthWriter {
    /// Takes the connection and starts the checkpointer.
    pub async fn start(
        connection: SqliteConnection,
        file: &MonthFile,
        settings: Settings,
        watched: Watched,
    ) -> Result<Self> {
        let load = Arc::new(Load::new(watched));
        let checkpointer = Checkpointer::start(file.path.clone(), settings, Arc::clone(&load)).await?;
        Ok(Self { month: file.month, connection, load, checkpointer })
    }

    /// Which month.
    pub fn month(&self) -> Month {
        self.month
    }

    /// The connection, for reading what is committed.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// One transaction of these rows, sent to SQLite as one text so that a commit costs one hand-over. What is large goes
    /// before it, in parts.
    ///
    /// # Errors
    /// When nothing of it is durable; after some of them the file is not to be written to any more.
    pub async fn commit(&mut self, tables: Vec<Rows>, large: &[Rest], size: usize) -> Result<()> {
        self.load.catch_up(&mut self.connection).await?;
        let committed = self.transact(tables, large).await;
        if committed.is_err() {
            // Most errors end the transaction themselves; then there is nothing to roll back, which is an error too.
            let rolled_back = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
            tracing::debug!(was_open = rolled_back.is_ok(), "a commit failed");
        }
        self.load.add(size);
        match committed {
            Ok(()) => {
                self.load.watched.took();
                Ok(())
            }
            Err(error) if is_fatal(&error) => {
                self.load.watched.fail();
                Err(error.into())
            }
            Err(error) => {
                let error = error.into();
                self.load.watched.judge(&error);
                Err(error)
            }
        }
    }

    async fn transact(&mut self, tables: Vec<Rows>, large: &[Rest]) -> Result<(), sqlx::Error> {
        const BEGIN: &str = "BEGIN IMMEDIATE;";
        let mut script = if large.is_empty() { BEGIN.to_owned() } else { String::new() };
        if !large.is_empty() {
            sqlx::query(BEGIN).execute(&mut self.connection).await?;
        }
        for rest in large {
            rest.write(&mut self.connection).await?;
        }
        let mut values = Vec::new();
        for (sql, arguments) in tables.into_iter().flat_map(Rows::into_statements) {
            script.push_str(&sql);
            script.push(';');
            values.extend(arguments);
        }
        script.push_str("COMMIT");
        run(&mut self.connection, script, values).await.map(drop)
    }

    /// Stops the checkpointer and closes the file.
    pub async fn close(self) {
        self.checkpointer.stop().await;
        if let Err(error) = self.connection.close().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a journal file did not close cleanly");
        }
    }
}
