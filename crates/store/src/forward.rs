//! Forwards: messages as received, on their way to destinations inside the hospital. The bytes stay in the journal.

use std::collections::HashSet;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{DeliveryState, JournalId, Micros, Result, Seq};

/// A lane that is shared with every other: what stands in it goes alone.
pub const EVERY_LANE: Uuid = Uuid::nil();

/// One message to forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewForward {
    /// Its own id; must be new.
    pub id: Uuid,
    /// The configured destination.
    pub destination: String,
    /// The journal entry.
    pub message: JournalId,
    /// Its position.
    pub seq: Seq,
    /// Its FIFO lanes, at least one: what shares a lane goes in the order in which it was queued.
    pub lanes: Vec<Uuid>,
    /// The residency decision that lets it go.
    pub decision_id: Uuid,
}

/// A forward as its worker claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its own id.
    pub id: Uuid,
    /// Its position among all forwards.
    pub number: i64,
    /// The journal entry whose bytes are sent.
    pub message: JournalId,
    /// The residency decision that let it go when it was queued.
    pub decision_id: Uuid,
    /// Attempts so far: times its bytes were on the wire.
    pub attempts: u32,
    /// When it was first tried.
    pub tried_us: Option<Micros>,
    /// When the destination said that it took it over (CA): it is not sent again.
    pub accepted_us: Option<Micros>,
}

/// A forward as the console shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardRow {
    /// Its own id.
    pub id: Uuid,
    /// Its position among all forwards.
    pub number: i64,
    /// Where to.
    pub destination: String,
    /// The journal entry.
    pub message: JournalId,
    /// Where it is; never superseded.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was queued.
    pub queued_us: Micros,
    /// Not before; 0 until the first failure.
    pub next_us: Micros,
    /// When the destination took it over (CA).
    pub accepted_us: Option<Micros>,
    /// When it was delivered or given up.
    pub settled_us: Option<Micros>,
    /// A code of ours.
    pub last_error: Option<String>,
    /// MSA-1 of the last answer.
    pub ack_code: Option<String>,
    /// ERR-3 of the last answer.
    pub error_code: Option<String>,
}

/// What became of a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardOutcome {
    /// The destination has it; nothing is outstanding.
    Delivered,
    /// The destination took it over and owes its outcome: pending, and not to be sent again.
    Accepted,
    /// To be tried again.
    Retry {
        /// Not before.
        next_us: Micros,
    },
    /// Not to be tried again, unless a person revives it.
    Dead,
}

/// How a forward is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardSettlement {
    /// Which.
    pub id: Uuid,
    /// What became of it.
    pub outcome: ForwardOutcome,
    /// Its bytes were on the wire for this.
    pub is_attempt: bool,
    /// When.
    pub at_us: Micros,
    /// A code of ours; `None` keeps the last one, but a delivery without one clears it.
    pub error: Option<String>,
    /// MSA-1 of the answer, if one came.
    pub ack_code: Option<String>,
    /// ERR-3 of the answer, if it had one.
    pub error_code: Option<String>,
}

/// How the forwards to one destination stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardBacklog {
    /// The destination.
    pub destination: String,
    /// Forwards that are to be sent.
    pub pending: u64,
    /// When the oldest of them was queued.
    pub oldest_us: Option<Micros>,
    /// Forwards that were given up.
    pub dead: u64,
}

/// The queue of forwards. Each destination has one worker, which holds in memory what it is sending.
#[async_trait]
pub trait Forwards: Send + Sync {
    /// Oldest first, `limit` rows: those before which nothing waits in any of their lanes. A row that waits for its time
    /// holds back what is behind it in its lanes, and so do rows that are held back. A pure read: a row comes again
    /// until it is settled, so that nothing is lost with the worker (at least once).
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn claim_forwards(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Forward>>;
    /// What the destination took over (CA) and owes an outcome for, oldest first. It is not claimed and holds nothing
    /// back.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn accepted_forwards(&self, destination: &str, limit: usize) -> Result<Vec<Forward>>;
    /// Settles one forward with its ledger records in one transaction.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when it is unknown or not pending; nothing is written then.
    async fn settle_forward(&self, settlement: ForwardSettlement, records: Vec<audit::Record>) -> Result<()>;
    /// Queues messages that were applied before, in the order given, with the records of the act.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] for an id that exists or a forward without a lane; nothing is written then.
    async fn queue_forwards(&self, forwards: Vec<NewForward>, records: Vec<audit::Record>) -> Result<()>;
    /// Destinations that have forwards which are not delivered, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn forward_backlogs(&self) -> Result<Vec<ForwardBacklog>>;
    /// Forwards that were given up, oldest first, from beyond a number on.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn dead_forwards(&self, destination: &str, after: i64, limit: usize) -> Result<Vec<ForwardRow>>;
    /// Makes a forward that was given up pending again, at its old place in its lanes, with the act's record. What the
    /// destination took over before is sent anew.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when it is unknown or not dead.
    async fn revive_forward(&self, id: Uuid, record: audit::Record) -> Result<()>;
    /// Removes forwards that were delivered before an instant, at most `limit`, and says how many: what was decided and
    /// delivered stays in the ledger. What waits, was taken over or was given up stays, and so does the last number.
    ///
    /// # Errors
    /// When the database cannot be written.
    async fn forget_delivered(&self, before_us: Micros, limit: usize) -> Result<u64>;
    /// Highest durable number; wakes the workers.
    fn forwards_queued(&self) -> tokio::sync::watch::Receiver<i64>;
}

/// Lanes in which something waits, while rows are looked at in their order.
#[derive(Debug, Default)]
pub(crate) struct Held(HashSet<Uuid>);

impl Held {
    /// Whether a row of these lanes may go; if not, its lanes are held too.
    pub(crate) fn passes(&mut self, lanes: &[Uuid], is_due: bool) -> bool {
        let is_behind = self.0.contains(&EVERY_LANE)
            || lanes.iter().any(|lane| self.0.contains(lane))
            || lanes.contains(&EVERY_LANE) && !self.0.is_empty();
        let passes = is_due && !is_behind;
        if !passes {
            self.0.extend(lanes);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn what_is_held_back_holds_back_in_all_of_its_lanes() {
        let mut held = Held::default();
        assert!(!held.passes(&[lane(1)], false), "it waits");
        assert!(held.passes(&[lane(2)], true), "another patient");
        assert!(!held.passes(&[lane(1), lane(3)], true), "a merge behind it");
        assert!(!held.passes(&[lane(3)], true), "the other side of that merge");
        assert!(held.passes(&[lane(4)], true));
    }

    #[test]
    fn what_stands_in_every_lane_goes_alone() {
        let mut held = Held::default();
        assert!(held.passes(&[EVERY_LANE], true));
        assert!(!held.passes(&[lane(1)], false));
        assert!(!held.passes(&[EVERY_LANE], true), "something waits before it");
        assert!(!held.passes(&[lane(2)], true), "it waits before everything");
    }
}
