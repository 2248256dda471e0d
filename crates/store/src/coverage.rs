//! What became of the leaves of messages, by sender and day, and alerts when a sender starts to use a field that nobody
//! maps. Paths and counts, never a value.

use async_trait::async_trait;

use crate::{JournalId, Micros, Result};

/// Days since the epoch, UTC.
pub type Day = i64;
/// A day, in µs.
pub const DAY_US: Micros = 86_400 * 1_000_000;
/// Messages of one sender and type before a new gap is an alert: until then what it sends is only learned.
pub const LEARNING_MESSAGES: u64 = 100;
/// Alerts of one sender and type that stand open at once; a field beyond that is alerted when some are acknowledged.
pub const ALERTS_OPEN_MAX: usize = 50;
/// Days whose counts are kept.
pub const COVERAGE_DAYS_KEPT: i64 = 400;

/// What became of a populated leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathFate {
    /// Its value is in a resource, or decided one.
    Mapped,
    /// Part of it is.
    Lossy,
    /// Left out on purpose.
    Ignored,
    /// No rule reads it.
    Unmapped,
    /// A rule read it and could not use it.
    Rejected,
}

impl PathFate {
    /// Every fate, in declaration order.
    pub const ALL: [Self; 5] = [Self::Mapped, Self::Lossy, Self::Ignored, Self::Unmapped, Self::Rejected];
}

/// Leaves of one message at one path with one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathCount {
    /// v2 path without repetitions, `PID-3.4`.
    pub path: String,
    /// What became of them.
    pub fate: PathFate,
    /// How many.
    pub leaves: u32,
}

/// One sender on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageDay {
    /// The day of receipt.
    pub day: Day,
    /// `APP|FACILITY`.
    pub sender: String,
    /// Messages counted.
    pub messages: u64,
    /// Their leaves, in the order of [`PathFate::ALL`].
    pub leaves: [u64; 5],
}

/// A path of a sender that is not mapped, or whose values cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// `APP|FACILITY`.
    pub sender: String,
    /// `ADT^A01`.
    pub message_type: String,
    /// The path.
    pub path: String,
    /// [`PathFate::Unmapped`] or [`PathFate::Rejected`].
    pub fate: PathFate,
    /// Leaves since the day asked for.
    pub leaves: u64,
    /// First and last day of these.
    pub days: (Day, Day),
}

/// Why an alert was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlertKind {
    /// A sender uses a field that nobody maps.
    NewUnmapped,
    /// A sender uses a field with a value that cannot be used.
    NewRejected,
}

impl AlertKind {
    /// A code for logs and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewUnmapped => "new-unmapped-field",
            Self::NewRejected => "new-rejected-field",
        }
    }
}

/// A sender started to use a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its number; they ascend.
    pub alert: i64,
    /// Why.
    pub kind: AlertKind,
    /// `APP|FACILITY`.
    pub sender: String,
    /// `ADT^A01`.
    pub message_type: String,
    /// The path.
    pub path: String,
    /// The first message that has it.
    pub message: JournalId,
    /// The day of its receipt.
    pub day: Day,
    /// Who acknowledged it, and when.
    pub acknowledged: Option<(String, Micros)>,
}

/// Reads coverage and alerts. Both are counted with the messages ([`crate::WriteSet::coverage`]): each message once, when
/// it is first translated; processing it again adds nothing.
#[async_trait]
pub trait Coverages: Send + Sync {
    /// Every sender on every day from `since` on that has any, by day and sender.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn coverage(&self, since: Day) -> Result<Vec<CoverageDay>>;
    /// What is unmapped or rejected since a day, most leaves first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn gaps(&self, since: Day, limit: usize) -> Result<Vec<Gap>>;
    /// Alerts, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn alerts(&self, is_open: bool, limit: usize) -> Result<Vec<Alert>>;
    /// Alerts beyond a number, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn alerts_after(&self, alert: i64, limit: usize) -> Result<Vec<Alert>>;
    /// How many alerts were ever raised; as many as the number of the last.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn alerts_raised(&self) -> Result<i64>;
    /// Acknowledges an alert, with the act's record; one transaction.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when it is unknown, [`crate::Error::Conflict`] when somebody acknowledged it before.
    async fn acknowledge(&self, alert: i64, by: &str, at_us: Micros, record: audit::Record) -> Result<()>;
}
