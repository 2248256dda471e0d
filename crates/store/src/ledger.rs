//! The ledger's rows: records written with their acts, numbered and hashed by one sealer.

use async_trait::async_trait;

use crate::{Micros, Result};

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Its leaf number; `None` until sealed.
    pub leaf: Option<u64>,
    /// Its leaf hash (RFC 6962, 2.1); `None` until sealed.
    pub hash: Option<[u8; 32]>,
    /// The record's bytes.
    pub record: Vec<u8>,
}

/// A record that has no leaf number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed {
    /// Opaque: which file and row.
    pub handle: (u8, i64),
    /// The record's bytes.
    pub record: Vec<u8>,
}

/// A record's place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedLeaf {
    /// The [`Unsealed::handle`].
    pub handle: (u8, i64),
    /// Its number.
    pub leaf: u64,
    /// Its leaf hash.
    pub hash: [u8; 32],
}

/// The ledger of one node.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records not yet numbered, of `node.db` then `access.db`, oldest first.
    ///
    /// # Errors
    /// When a database cannot be read.
    async fn unsealed(&self, limit: usize) -> Result<Vec<Unsealed>>;
    /// Numbers leaves, stores frontier and checkpoint note; one transaction. `size` is that of the tree after them;
    /// without leaves it is a fresh checkpoint of the same tree.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when numbers do not continue the log, or a record is left out or sealed twice;
    /// nothing is written then.
    async fn seal(
        &self,
        leaves: Vec<SealedLeaf>,
        frontier: Vec<u8>,
        checkpoint: String,
        size: u64,
    ) -> Result<()>;
    /// The frontier stored last.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn frontier(&self) -> Result<Option<Vec<u8>>>;
    /// Sealed records from this leaf on.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when a sealed record is missing.
    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<LedgerRow>>;
    /// Leaf hashes from this leaf on, for proofs.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn hashes(&self, from: u64, limit: usize) -> Result<Vec<[u8; 32]>> {
        let rows = self.leaves(from, limit).await?;
        Ok(rows.into_iter().filter_map(|row| row.hash).collect())
    }
    /// Every checkpoint note, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn checkpoints(&self) -> Result<Vec<String>>;
    /// Size and note of the last checkpoint.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn latest_checkpoint(&self) -> Result<Option<(u64, String)>>;
    /// Appends records that belong to no other write (node start, sign-in …). Durable on return.
    ///
    /// # Errors
    /// Nothing is written then.
    async fn append(&self, records: Vec<audit::Record>) -> Result<()>;
    /// How many records wait to be numbered, and when the oldest was made.
    ///
    /// # Errors
    /// When a database cannot be read.
    async fn unsealed_summary(&self) -> Result<(u64, Option<Micros>)>;
}
