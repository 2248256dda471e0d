//! One month open for writing.

use super::home::Home;
use super::parts::Rest;
use crate::sql::{Connection, Rows, query, run_on};
use crate::sqlite::checkpoint::Checkpointer;
use crate::sqlite::month::Month;
use crate::sqlite::upkeep::Upkeep;
use crate::{Error, Result};

/// The writing connection of a month.
pub(super) struct MonthWriter {
    month: Month,
    connection: Connection,
    upkeep: Upkeep,
    checkpointer: Option<Checkpointer>,
}

impl MonthWriter {
    /// Takes the connection and starts the checkpointer.
    pub async fn start(home: &Home, month: Month, connection: Connection, upkeep: Upkeep) -> Result<Self> {
        let checkpointer = home.checkpointer(month, &upkeep).await?;
        Ok(Self { month, connection, upkeep, checkpointer })
    }

    /// Which month.
    pub fn month(&self) -> Month {
        self.month
    }

    /// The connection, for reading what is committed.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Called before a batch. True: the connection is a new one, and what the writer knows is to be read again.
    ///
    /// # Errors
    /// When nothing can be written.
    pub async fn renew(&mut self) -> Result<bool> {
        self.upkeep.before_batch(&mut self.connection).await
    }

    /// One transaction of these rows. What is large goes before them, in parts.
    ///
    /// # Errors
    /// When nothing of it is durable; after some of them the month is not to be written to any more.
    pub async fn commit(&mut self, tables: Vec<Rows>, large: &[Rest], size: usize) -> Result<()> {
        let committed = self.write(tables, large).await;
        match &committed {
            Ok(()) => self.upkeep.took(size),
            Err(error) => {
                // Most errors end the transaction themselves; then there is nothing to roll back, which is an error too.
                let rolled_back = query("ROLLBACK").execute(&mut self.connection).await;
                tracing::debug!(was_open = rolled_back.is_ok(), "a commit failed");
                self.upkeep.judge_file(error);
            }
        }
        committed
    }

    async fn write(&mut self, tables: Vec<Rows>, large: &[Rest]) -> Result<()> {
        let begin = self.connection.begin();
        if large.is_empty()
            && let Some(connection) = self.connection.sqlite()
        {
            // As one text, so that a commit costs one hand-over.
            let (mut script, mut values) = (format!("{begin};"), Vec::new());
            for (sql, arguments) in tables.into_iter().flat_map(Rows::into_statements) {
                script.push_str(&sql);
                script.push(';');
                values.extend(arguments);
            }
            script.push_str("COMMIT");
            run_on(connection, script, values).await.map_err(Error::from)?;
            return Ok(());
        }
        query(begin).execute(&mut self.connection).await?;
        for rest in large {
            rest.write(&mut self.connection).await?;
        }
        for rows in tables.into_iter().filter(|rows| !rows.is_empty()) {
            rows.execute(&mut self.connection).await?;
        }
        query("COMMIT").execute(&mut self.connection).await?;
        Ok(())
    }

    /// Stops the checkpointer and closes the connection.
    pub async fn close(self) {
        if let Some(checkpointer) = self.checkpointer {
            checkpointer.stop().await;
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a month of the journal did not close cleanly"
            );
        }
    }
}
