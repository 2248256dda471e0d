//! The outbox: released resources on their way, first in first out for each lane.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Micros, ResourceBody, ResourceKey, Result, Sealed};

/// A delivery as its worker claims it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its idempotency key.
    pub id: Uuid,
    /// Its position in the outbox.
    pub number: i64,
    /// Its FIFO lane.
    pub lane: String,
    /// The clinical resource.
    pub resource: ResourceKey,
    /// Its id at the destination.
    pub released_id: String,
    /// The version it was made from.
    pub version: u32,
    /// Attempts so far.
    pub attempts: u32,
    /// What leaves.
    pub sealed: Sealed,
}

/// A delivery as the console shows it.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// Its idempotency key.
    pub id: Uuid,
    /// Where to.
    pub destination: String,
    /// The clinical resource.
    pub resource: ResourceKey,
    /// Its id at the destination.
    pub released_id: String,
    /// The version it was made from.
    pub version: u32,
    /// Where it is.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// Not before; 0 until the first failure.
    pub next_us: Micros,
    /// A code.
    pub last_error: Option<String>,
    /// When the destination confirmed it.
    pub delivered_us: Option<Micros>,
    /// The released bytes.
    pub body: ResourceBody,
    /// What de-identification did: a JSON array of `{location, operation}`.
    pub actions: String,
    /// The destination's signed receipt.
    pub receipt: Option<String>,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be sent.
    Pending,
    /// Confirmed by the destination.
    Delivered,
    /// Given up; it does not block its lane.
    Dead,
    /// Overtaken by a newer version before it was sent; it does not block its lane.
    Superseded,
}

/// What became of an attempt.
#[derive(Clone)]
pub enum Settlement {
    /// The destination confirmed it.
    Delivered {
        /// Its signed receipt.
        receipt: String,
        /// When.
        at_us: Micros,
    },
    /// To be tried again.
    Retry {
        /// Not before.
        next_us: Micros,
        /// A code.
        error: String,
    },
    /// Never to be tried again.
    Dead {
        /// A code.
        error: String,
    },
}

/// The queue of deliveries. Each destination has one worker, which holds in memory what it is sending.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Oldest first; a lane appears only from its oldest pending row on, and not while that row waits for its time;
    /// `limit` rows. Of a lane, only the rows before its first waiting one. A pure read: a row comes again until it
    /// is settled, so that nothing is lost with the worker (at least once).
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn claim(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Delivery>>;
    /// Settles several deliveries with their ledger records in one transaction.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when one of them is unknown or not pending; nothing is written then.
    async fn settle(&self, settlements: Vec<(Uuid, Settlement)>, records: Vec<audit::Record>) -> Result<()>;
    /// (pending, when the oldest pending was queued) of a destination.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn backlog(&self, destination: &str) -> Result<(u64, Option<Micros>)>;
    /// Highest durable delivery number; wakes the workers.
    fn queued(&self) -> tokio::sync::watch::Receiver<i64>;
}
