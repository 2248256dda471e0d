//! One message's life after the journal: translate, apply, release, quarantine, reprocess.
//!
//! The pipeline follows the journal in `seq` order. Translation is pure and runs on several threads; applying is
//! serial, because what a message means depends on what stands. One message is one [`store::WriteSet`]: resources,
//! business keys, deliveries, pseudonyms and its ledger record are written in one transaction, or none of them.
//!
//! What this crate must never do: open a socket, read a clock or a random source of its own (both are arguments, see
//! [`Environment`]), put message content into an error, an event or a message row, or apply an old message over
//! newer state: a reprocess re-derives the whole patient from the journal (see [`reprocess`]).

mod apart;
mod client;
mod consent;
mod continuation;
pub mod derive;
mod desk;
mod difference;
mod events;
mod follow;
mod forward;
mod id;
mod identifiers;
mod identity;
mod index;
mod kept;
mod linking;
mod merge;
mod owner;
mod packages;
mod prefetch;
mod records;
mod rehearsal;
mod release;
mod reprocess;
mod row;
mod shared;
mod standing;
mod state;
mod stuck;
mod surroundings;
mod sweep;
mod translate;
mod visit;
mod worklist;
mod year;

pub use desk::Desk;
pub use difference::{Alteration, Difference};
pub use follow::{Pipeline, RELEASE_REFUSED};
pub use forward::again as forward_again;
pub use packages::Packages;
pub use rehearsal::{Foreseen, Outcome, Rehearsal};
pub use release::Release;
pub use row::{FLAG_CONTROL_ID_REUSED, FLAG_KNOWN_HERE_ONLY, FLAG_SAID_OTHERWISE};
pub use translate::{Translated, translate};

use std::sync::Arc;

/// What the shell lends the pipeline: clock, randomness, the site's secret namespace, and the audit token key.
#[derive(Clone)]
pub struct Environment {
    /// Microseconds since the epoch, UTC.
    pub now_us: fn() -> i64,
    /// Fills the buffer from the system's random source.
    pub fill_random: fn(&mut [u8]),
    /// This node's name, as it stands in the ledger.
    pub node: String,
    /// Secret UUIDv5 namespace of the site.
    pub namespace: uuid::Uuid,
    /// Makes the tokens under which the ledger knows patients.
    pub patient_token: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// The ports the pipeline stands on.
#[derive(Clone)]
pub struct Ports {
    /// Where messages come from.
    pub journal: Arc<dyn store::Journal>,
    /// Where their effects go.
    pub apply: Arc<dyn store::Apply>,
    /// Current state.
    pub resources: Arc<dyn store::Resources>,
    /// Message rows and reprocess requests.
    pub messages: Arc<dyn store::Messages>,
    /// Whose number is whose, and what persons said about it.
    pub index: Arc<dyn store::PatientIndex>,
    /// What stands where, sweeps, and requests about consent.
    pub withdrawals: Arc<dyn store::Withdrawals>,
    /// Alerts on fields that nobody maps.
    pub coverage: Arc<dyn store::Coverages>,
    /// Codes that wait for a row in their table.
    pub codes: Arc<dyn store::CodeItems>,
}

/// Why the pipeline had to stop and start again from what is durable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not take or give a row.
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// A stored resource is not JSON.
    #[error("a stored resource cannot be read")]
    Body(#[source] serde_json::Error),
    /// A translation thread died; the message is quarantined, the thread is not the message's fault.
    #[error("a translation did not finish")]
    Translation,
    /// Working out a client's change panicked (a defect, not data).
    #[error("a client's change could not be worked out")]
    Client,
    /// A withdrawal could not be made (a defect, not data).
    #[error("a withdrawal was refused")]
    Withdrawal(#[from] residency::Refusal),
    /// A record could not be built from codes (a defect, not data).
    #[error("a ledger record was refused")]
    Record(#[from] audit::Error),
}

impl Error {
    /// A store that is away or full is no message's fault and is waited for, however long.
    pub(crate) fn is_waited_for(&self) -> bool {
        matches!(self, Self::Store(store::Error::Unavailable(_) | store::Error::Full))
    }
}
