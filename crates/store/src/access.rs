//! Records of reads and searches, in a file of their own so that no read waits for a write.

use async_trait::async_trait;

use crate::Result;
#[cfg(feature = "clinical")]
use crate::{JournalId, LedgerRow};

/// Keeps records of access.
#[async_trait]
pub trait Access: Send + Sync {
    /// One record of a read or search into `access.db`; returns after its commit (own group commit).
    ///
    /// # Errors
    /// The response must not be sent then.
    async fn record(&self, record: audit::Record) -> Result<()>;
}

/// Reads records of access back.
#[cfg(feature = "clinical")]
#[async_trait]
pub trait Accesses: Send + Sync {
    /// Records of access that name a message, newest first; with the leaf number once sealed.
    ///
    /// # Errors
    /// When a database cannot be read.
    async fn accesses_of(&self, message: JournalId, limit: usize) -> Result<Vec<LedgerRow>>;
}
