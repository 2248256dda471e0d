//! Retention: which months of the journal there are, what keeps each, legal holds, and dropping whole months.

use async_trait::async_trait;

use crate::{Micros, Result, Seq};

/// Why a month stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeptFor {
    /// No retention is configured: months are kept for ever.
    Ever,
    /// It is not old enough, or the current or the previous month, into which the window of duplicates reaches.
    Recent,
    /// It is the newest there is: the journal goes on from its last position.
    Newest,
    /// A legal hold.
    Hold,
    /// Entries of it are not applied yet.
    Unapplied,
    /// Messages of it wait in quarantine.
    Quarantined,
    /// Deliveries of its messages did not arrive.
    Undelivered,
    /// An acknowledgment that was promised is not given yet.
    Promised,
}

impl KeptFor {
    /// Its code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ever => "no-retention",
            Self::Recent => "recent",
            Self::Newest => "newest",
            Self::Hold => "hold",
            Self::Unapplied => "unapplied",
            Self::Quarantined => "quarantined",
            Self::Undelivered => "undelivered",
            Self::Promised => "promised",
        }
    }
}

/// A month of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalMonth {
    /// `YYYY-MM`, UTC.
    pub month: String,
    /// Lowest and highest position in it; 0 when it is empty.
    pub first: Seq,
    /// As above.
    pub last: Seq,
    /// Size of its file, in bytes.
    pub bytes: u64,
    /// What keeps it, and how many of that there are; empty: it may go.
    pub kept: Vec<(KeptFor, u64)>,
    /// The holds on it.
    pub holds: Vec<i64>,
}

/// A month that goes: what its ledger record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// `YYYY-MM`, UTC.
    pub month: String,
    /// Its entries.
    pub entries: u64,
    /// Highest position in it.
    pub last: Seq,
    /// SHA-256 over the digests of its entries, in order.
    pub digest: [u8; 32],
}

/// What a legal hold is on.
#[derive(Clone, PartialEq, Eq)]
pub enum HoldOn {
    /// One month, `YYYY-MM`.
    Month(String),
    /// Every month with a message of the patients of this number. PHI.
    Patient(String),
}

impl std::fmt::Debug for HoldOn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Month(month) => write!(formatter, "Month({month})"),
            Self::Patient(value) => write!(formatter, "Patient({} bytes)", value.len()),
        }
    }
}

/// Why a hold may be placed or released. Codes, for a record holds no free text.
pub const HOLD_REASONS: [&str; 6] =
    ["litigation", "investigation", "audit", "complaint", "research", "ended"];

/// A legal hold; ground, kept when it is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub hold: i64,
    /// What it is on.
    pub on: HoldOn,
    /// Why, a code.
    pub reason: String,
    /// Who placed it.
    pub placed_by: String,
    /// When.
    pub placed_us: Micros,
}

/// A month that was read again, entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that are what was written.
    pub sound: u64,
    /// Positions of those that are not: their bytes do not fit their digest, or a column cannot be read.
    pub garbled: Vec<Seq>,
    /// A page of the file cannot be read; entries beyond the last that was read are not known.
    pub is_cut: bool,
}

/// Retention of one node's journal.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Every month, oldest first. `keep_months`: how many whole months before the current one stay; `None`: all.
    async fn months(&self, now_us: Micros, keep_months: Option<u32>) -> Result<Vec<JournalMonth>>;
    /// Counts and digests a month.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when there is none.
    async fn survey(&self, month: &str) -> Result<Dropped>;
    /// Commits the record and removes the month's file. A process that ends in between finishes at its next start.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when something keeps it now.
    async fn drop_month(&self, dropped: Dropped, now_us: Micros, record: audit::Record) -> Result<()>;
    /// Whether the bytes of what was received then were dropped.
    async fn is_dropped(&self, received_us: Micros) -> Result<bool>;
    /// Ids of the patients of a number, whose tokens the record of a hold names; empty: no message has the number.
    async fn patients_of(&self, value: &str) -> Result<Vec<String>>;
    /// Places a hold; its number. The record is of the same commit.
    async fn place_hold(&self, hold: Hold, record: audit::Record) -> Result<i64>;
    /// Holds that stand, oldest first.
    async fn holds(&self) -> Result<Vec<Hold>>;
    /// Ends a hold.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when none of this number stands.
    async fn release_hold(&self, hold: i64, by: &str, at_us: Micros, record: audit::Record) -> Result<()>;
    /// Reads every entry of a month against its digest.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when there is no such month.
    async fn verify_month(&self, month: &str) -> Result<Verified>;
}

/// Drops every month that nothing keeps; `record` makes the ledger's record of one. `None` from it ends the run.
///
/// # Errors
/// As [`Retention::drop_month`]; a month that something keeps meanwhile is passed over.
pub async fn drop_due(
    retention: &dyn Retention,
    keep_months: Option<u32>,
    now_us: Micros,
    record: &(dyn Fn(&Dropped) -> Option<audit::Record> + Send + Sync),
) -> Result<Vec<Dropped>> {
    let mut gone = Vec::new();
    for month in
        retention.months(now_us, keep_months).await?.into_iter().filter(|month| month.kept.is_empty())
    {
        let dropped = retention.survey(&month.month).await?;
        let Some(record) = record(&dropped) else { break };
        match retention.drop_month(dropped.clone(), now_us, record).await {
            Ok(()) => gone.push(dropped),
            Err(crate::Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}
