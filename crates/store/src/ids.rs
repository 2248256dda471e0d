//! Names of rows and instants.

use uuid::Uuid;

/// UUIDv7 of a journal entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JournalId(pub Uuid);

/// Position in the journal, over all monthly files; from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub i64);

/// µs since the epoch, UTC; always an argument, never read here.
pub type Micros = i64;
