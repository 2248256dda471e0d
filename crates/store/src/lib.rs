//! Storage: ports, their row types, and adapters for SQLite and PostgreSQL.
//!
//! Every other crate reads and writes through the traits at this root; only this crate speaks SQL. A port says what is
//! durable when a call returns; an adapter keeps that promise and passes the one conformance suite
//! (`tests/conformance`).
//!
//! The store must never know what a message means, open a sealed release, read a clock, or put content into an error,
//! a log or a `Debug` text.
//!
//! ```text
//! FOLDER/                   0700; one process at a time (store.lock)
//!   journal/2026-11.db      messages received in that month (UTC), their acknowledgments     append-only
//!   node.db                 resources and index, messages, outbox, pseudonyms, ledger, arrivals
//!   access.db               records of reads and searches                                    append-only
//! ```
//!
//! The same ports stand on a database of PostgreSQL (`postgres`, a feature), where a schema is what a file is
//! here; statements are written once, in `sql`.
//!
//! Every file is SQLite in WAL mode with `synchronous=FULL`, written by one task with one connection (group commit: what
//! arrived during the last fsync goes into the next transaction), checkpointed by another and read through read-only
//! connections. Migrations are append-only; a file of a newer schema is refused.
//!
//! Invariants: a journal position is given once and never reused after it was acknowledged; a write set is written whole
//! or not at all, and no entry is applied twice; records are numbered by one sealer in the order they were committed.
//! Rows are verified where they are read: journal bytes against their digest, bodies against their frame, codes against
//! their tables; what does not hold is [`Error::Corrupt`], never a default.
//!
//! Without the feature `clinical`, journal, pseudonyms and outbox do not exist: neither their ports nor their tables.

mod access;
#[cfg(feature = "clinical")]
mod acknowledgments;
#[cfg(feature = "clinical")]
mod apply;
#[cfg(feature = "clinical")]
mod client_writes;
#[cfg(feature = "clinical")]
mod code_items;
mod condition;
#[cfg(feature = "clinical")]
mod coverage;
mod error;
#[cfg(feature = "clinical")]
mod forward;
#[cfg(feature = "clinical")]
mod identity;
mod ids;
mod intake;
#[cfg(feature = "clinical")]
mod journal;
mod ledger;
#[cfg(feature = "clinical")]
mod messages;
mod origin;
#[cfg(feature = "clinical")]
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
mod resources;
#[cfg(feature = "clinical")]
mod retention;
mod search;
mod search_index;
mod sql;
pub mod sqlite;
#[cfg(feature = "clinical")]
mod statistics;
mod verification;
#[cfg(feature = "clinical")]
mod withdrawal;

pub use access::Access;
#[cfg(feature = "clinical")]
pub use access::Accesses;
#[cfg(feature = "clinical")]
pub use acknowledgments::{AckStage, Acknowledgments, Later, NewLater, Promise, Promised};
#[cfg(feature = "clinical")]
pub use apply::{
    Apply, Cause, Key, NewDelivery, NewPseudonym, PATIENT_KEY, PatientAlias, SHARED_KEY, Sealed, WriteSet,
};
#[cfg(feature = "clinical")]
pub use client_writes::{
    ACTS_MAX, Act, ClientOutcome, ClientRefusal, ClientWrite, ClientWrites, Guard, GuardedSet,
    ResourceContent, Written,
};
#[cfg(feature = "clinical")]
pub use code_items::{
    CODE_EXAMPLES_MAX, CODES_TOLD_APART_MAX, CodeItem, CodeItems, CodeState, MissedCode, Redriven,
};
pub use condition::{Condition, FileCondition};
#[cfg(feature = "clinical")]
pub use coverage::{
    ALERTS_OPEN_MAX, Alert, AlertKind, COVERAGE_DAYS_KEPT, CoverageDay, Coverages, DAY_US, Day, Gap,
    LEARNING_MESSAGES, PathCount, PathFate,
};
pub use error::{Error, Result};
#[cfg(feature = "clinical")]
pub use forward::{
    EVERY_LANE, Forward, ForwardBacklog, ForwardOutcome, ForwardRow, ForwardSettlement, Forwards, NewForward,
};
#[cfg(feature = "clinical")]
pub use identity::{IdentityDecision, NewReview, PatientIdentifier, PatientIndex, Review, ReviewAnswer};
pub use ids::{JournalId, Micros, Seq};
pub use intake::{Arrived, Intake, IntakeWrite};
#[cfg(feature = "clinical")]
pub use journal::{
    AckOutcome, Appended, Arrival, Disposition, Entry, Journal, NewAcknowledgment, PAGE_BYTES_MAX, SenderKey,
    StoredAcknowledgment,
};
pub use ledger::{Ledger, LedgerRow, SealedLeaf, Unsealed};
#[cfg(feature = "clinical")]
pub use messages::{KeyTerm, MessageDetail, MessageFilter, MessageRow, MessageState, Messages};
pub use origin::{Origin, WriteMethod};
#[cfg(feature = "clinical")]
pub use outbox::{Delivery, DeliveryRow, DeliveryState, Outbox, Settlement};
pub use resources::{IndexEntry, ResourceBody, ResourceKey, ResourceVersion, Resources, Stored};
#[cfg(feature = "clinical")]
pub use retention::{
    Dropped, HOLD_REASONS, Hold, HoldOn, JournalMonth, KeptFor, Retention, Verified, drop_due,
};
pub use search::{
    Along, COUNTED_MAX, Clause, Drive, EXAMINED_MAX, History, HistoryOf, HistoryPage, INCLUDED_MAX, Ids,
    Include, LINKED_MAX, ORDERED_MAX, Page, PartValue, Position, QuantityValue, SORTED_MAX, Search, Sort,
    SortBy, SortValue, TextMatch, TokenValue, Total, TypedValue, UriMatch, Way,
};
pub use search_index::{IndexState, Indexing, KeptIndex, Pending, SearchIndex};
#[cfg(feature = "clinical")]
pub use statistics::{Backlog, Boundary, Feed, HeldGroup, MINUTE_US, Minute, Statistics, Waiting};
pub use verification::verify_ledger;
#[cfg(feature = "clinical")]
pub use withdrawal::{
    Answers, ConsentRequest, DecidedSet, Effect, Standing, Sweep, SweepCounts, SweepUnit, Unsettled,
    WithdrawalReason, Withdrawals,
};
