//! The outbox: released resources on their way, first in first out for each lane.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Micros, ResourceBody, ResourceKey, Result, Sealed, WithdrawalReason};

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
    /// Counts what is sent under this released id; the destination keeps the highest.
    pub revision: u32,
    /// Why, when it is a withdrawal.
    pub withdrawal: Option<WithdrawalReason>,
    /// Policy and profiles it was decided under.
    pub basis: String,
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
    /// Given up. Content does not block its lane; a withdrawal keeps later content of its lane back.
    Dead,
    /// Overtaken before it was sent: by a withdrawal, or by a change of policy. It does not block its lane.
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
    /// Not to be tried again, unless a person revives it.
    Dead {
        /// A code.
        error: String,
    },
    /// Decided under rules that are not in force any more: a sweep decides its resource again.
    Superseded {
        /// A code.
        error: String,
    },
}

/// The queue of deliveries. Each destination has one worker, which holds in memory what it is sending.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Oldest first; a lane appears only from its oldest pending row on, and not while that row waits for its time;
    /// `limit` rows. Of a lane, only the rows before its first waiting one, and behind a withdrawal that is dead, only
    /// withdrawals. A pure read: a row comes again until it
    /// is settled, so that nothing is lost with the worker (at least once).
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn claim(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Delivery>>;
    /// Settles several deliveries with their ledger records in one transaction.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when one of them is unknown or settled already; nothing is written then. One that was
    /// superseded on its way is settled as delivered when it was, and stays superseded otherwise.
    async fn settle(&self, settlements: Vec<(Uuid, Settlement)>, records: Vec<audit::Record>) -> Result<()>;
    /// (pending, when the oldest pending was queued) of a destination.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn backlog(&self, destination: &str) -> Result<(u64, Option<Micros>)>;
    /// Deliveries that were given up, oldest first, from beyond a number on.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn dead(&self, destination: &str, after: i64, limit: usize) -> Result<Vec<(i64, DeliveryRow)>>;
    /// Makes a delivery that was given up pending again, at its old place in its lane, with the act's record.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when it is unknown or not dead; [`crate::Error::Conflict`] when it is content
    /// and something newer was queued under its released id. A withdrawal always may: it lets its lane go on.
    async fn revive(&self, id: Uuid, record: audit::Record) -> Result<()>;
    /// Highest durable delivery number; wakes the workers.
    fn queued(&self) -> tokio::sync::watch::Receiver<i64>;
}
