//! Codes without a row in their table, as work: how often, from whom, in which messages; and when they are mapped, whom to
//! derive again.

use async_trait::async_trait;

use crate::coverage::Day;
use crate::{JournalId, Micros, Result};

/// Codes of one table and sender that are told apart; of a table that gets free text, the rest is one item.
pub const CODES_TOLD_APART_MAX: usize = 500;
/// Messages that an item names as examples, the newest ones.
pub const CODE_EXAMPLES_MAX: usize = 3;

/// A code that one message has and its table does not. The code is content: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct MissedCode {
    /// The code table.
    pub table: String,
    /// As sent; `None`: what is no code.
    pub code: Option<String>,
    /// URI of the code's system.
    pub system: Option<String>,
}

impl std::fmt::Debug for MissedCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MissedCode({})", self.table)
    }
}

/// Where a code is on its way into its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeState {
    /// The table has no row for it.
    Open,
    /// The package in force knows it, and not all of its messages are asked for again yet.
    Redriving,
    /// The package in force knows it.
    Mapped,
}

/// One code of one table and sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeItem {
    /// Its number.
    pub item: i64,
    /// What is missed.
    pub code: MissedCode,
    /// `APP|FACILITY`.
    pub sender: String,
    /// Messages that missed it.
    pub messages: u64,
    /// Days of receipt of the first and the last.
    pub days: (Day, Day),
    /// Where it is.
    pub state: CodeState,
    /// The newest messages that missed it, oldest first.
    pub examples: Vec<JournalId>,
}

/// What one call of [`CodeItems::redrive`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redriven {
    /// The item.
    pub item: i64,
    /// Requests to reprocess that were made.
    pub requested: u64,
    /// All of its messages are asked for; it is mapped.
    pub is_last: bool,
}

/// The work list of codes. Codes are counted with the messages ([`crate::WriteSet::missed_codes`]): each message once; a code
/// that is missed again after it was mapped is open again.
#[async_trait]
pub trait CodeItems: Send + Sync {
    /// Open items, most messages first; or those that are mapped, the latest seen first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn code_items(&self, is_open: bool, limit: usize) -> Result<Vec<CodeItem>>;
    /// Open items that were last found missing under another package than this, in the order of their numbers.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn unchecked(&self, package_hash: &str, limit: usize) -> Result<Vec<CodeItem>>;
    /// Enters whether this package knows these open items (item, is known), with the records of those that are; one
    /// transaction. What is known waits for [`CodeItems::redrive`].
    ///
    /// # Errors
    /// When the rows cannot be written.
    async fn checked(
        &self,
        package_hash: &str,
        items: &[(i64, bool)],
        records: Vec<audit::Record>,
    ) -> Result<()>;
    /// Asks for the next messages of an item that is known now: each patient by the last of its messages that missed the
    /// code, and each message that is held or has no patient by itself. `None`: no item waits for it.
    ///
    /// # Errors
    /// When the rows cannot be written.
    async fn redrive(&self, limit: usize, requested_by: &str, at_us: Micros) -> Result<Option<Redriven>>;
}
