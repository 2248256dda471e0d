//! Intake at the portal: released resources that arrive.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Micros, ResourceVersion, Result};

/// One released resource that arrived; stored with its receipt and record in one transaction.
#[derive(Debug)]
pub struct IntakeWrite {
    /// The sender's delivery id.
    pub idempotency_key: Uuid,
    /// The resource with the on-prem version number; `None`: arrived, not to be stored.
    pub version: Option<ResourceVersion>,
    /// The signed receipt to answer with.
    pub receipt: String,
    /// The act's audit record.
    pub record: audit::Record,
}

/// What became of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// Receipt and record are stored; the resource too, unless a newer one is.
    New,
    /// It arrived before: answer with this receipt. Nothing was written.
    Duplicate {
        /// The stored receipt.
        receipt: String,
    },
}

/// Takes what the on-prem node releases.
#[async_trait]
pub trait Intake: Send + Sync {
    /// `version.version` is the on-prem version; an older or equal one than stored is acknowledged and not written.
    /// The portal assigns its own consecutive version numbers. One transaction for all; results in the order given.
    ///
    /// # Errors
    /// Nothing is written then.
    async fn arrive(&self, writes: Vec<IntakeWrite>) -> Result<Vec<Arrived>>;
    /// The receipt of an arrival.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn receipt(&self, idempotency_key: Uuid) -> Result<Option<String>>;
    /// A checkpoint of the peer's ledger, kept as witness. Every note is kept once, so two notes of one size stay as
    /// evidence; what they prove is the caller's to judge.
    ///
    /// # Errors
    /// When it cannot be written.
    async fn keep_witness(&self, origin: &str, note: &str, size: u64, at_us: Micros) -> Result<()>;
    /// The largest checkpoint kept of an origin; of several of that size, the one kept first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn witness(&self, origin: &str) -> Result<Option<String>>;
}
