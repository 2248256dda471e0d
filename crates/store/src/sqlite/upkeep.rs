//! What a writer does around its transactions: checkpoints of a file, the session with a server.

use std::sync::Arc;

use super::checkpoint::Load;
use super::fault::is_damage;
#[cfg(feature = "postgres")]
use super::watched::Watched;
use crate::sql::{Boxed, Connection};
use crate::{Error, Result};

/// What a writer's database needs between two batches.
pub(super) enum Upkeep {
    /// A file.
    File(Arc<Load>),
    /// A database of a server.
    #[cfg(feature = "postgres")]
    Server(Box<crate::postgres::Session>, Watched),
}

impl Upkeep {
    /// Called between two batches. True: the connection is a new one, and what the writer knows is to be read again, for
    /// another process may have written meanwhile.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn before_batch<'f>(&'f mut self, connection: &'f mut Connection) -> Boxed<'f, Result<bool>> {
        Box::pin(async move {
            match self {
                Self::File(load) => {
                    load.catch_up(connection.sqlite()).await?;
                    Ok(false)
                }
                #[cfg(feature = "postgres")]
                Self::Server(session, _) => session.renew(connection).await,
            }
        })
    }

    /// A batch of about so many bytes is durable.
    pub fn took(&self, bytes: usize) {
        match self {
            Self::File(load) => {
                load.watched.took();
                load.add(bytes);
            }
            #[cfg(feature = "postgres")]
            Self::Server(_, watched) => watched.took(),
        }
    }

    /// A batch of a table that is only added to failed: a damaged page is the end of it.
    pub fn judge_file(&mut self, error: &Error) {
        match self {
            Self::File(load) if is_damage(error) => load.watched.fail(),
            _ => self.judge(error),
        }
    }

    /// A batch failed.
    pub fn judge(&mut self, error: &Error) {
        match self {
            Self::File(load) => load.watched.judge(error),
            #[cfg(feature = "postgres")]
            Self::Server(session, watched) => {
                session.judge(error);
                watched.judge(error);
            }
        }
    }
}
