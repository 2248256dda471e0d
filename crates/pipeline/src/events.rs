//! Everything this crate logs: ids, codes and counts, never content.

use store::{JournalId, Seq};

use crate::Error;

/// The pipeline gave up its uncommitted state and starts again from what is durable.
pub fn restarted(error: &Error, applied_through: Option<Seq>) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(%error, cause, applied_through = applied_through.map(|seq| seq.0), "pipeline starts again");
}

/// One message went to quarantine.
pub fn quarantined(id: JournalId, reason: &str) {
    tracing::warn!(message = %id.0, reason, "message quarantined");
}

/// An operator's reprocess ended.
pub fn reprocessed(id: JournalId, outcome: &str) {
    tracing::info!(message = %id.0, outcome, "message reprocessed");
}

/// An operator's reprocess changed nothing, because it failed.
pub fn reprocess_failed(id: JournalId, error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(message = %id.0, %error, cause, "reprocess failed");
}
