//! PostgreSQL as the database of a node: its address, its schemas, its writers' sessions, and what it reports.
//!
//! ```text
//! DATABASE/                 encoding UTF8, collation C: texts are compared byte by byte
//!   NAME.*                  resources and index, messages, outbox, pseudonyms, ledger, arrivals
//!   NAME_access.*           records of reads and searches                                        append-only
//!   NAME_journal_2026_11.*  messages received in that month (UTC), their acknowledgments         append-only
//! ```
//!
//! Each schema has one writer with one connection that holds its advisory lock (group commit as on files); others read,
//! each page in one `REPEATABLE READ` transaction. A second process that would write is refused. Migrations are
//! append-only and run under a lock; a schema of a later release is refused.

mod address;
pub(crate) mod fault;
mod heartbeat;
mod inspection;
mod schema;
mod session;

pub use self::address::{Address, AddressError, Server, ServerTls};
pub(crate) use self::heartbeat::Heartbeat;
pub use self::inspection::{Inspection, SchemaFound, answers, inspect};
pub(crate) use self::schema::{ACCESS, PORTAL, Schema, check, migrate};
#[cfg(feature = "clinical")]
pub(crate) use self::schema::{CLINICAL, JOURNAL, drop_schema, schemas_of};
pub(crate) use self::session::Session;
