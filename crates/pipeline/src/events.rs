//! Everything this crate logs: ids, codes and counts, never content.

use store::{Alert, JournalId, Redriven, Seq};

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

/// A client's change could not be made; messages go on.
pub fn client_failed(request: uuid::Uuid, error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(id = %request, %error, cause, "a client's change failed");
}

/// A sender started to use a field that nobody maps, or with a value that cannot be used.
pub fn new_field(alert: &Alert) {
    let Alert { alert, kind, path, message, .. } = alert;
    tracing::warn!(alert, kind = kind.as_str(), path, message = %message.0, "a sender uses a new field");
}

/// Messages that missed a code are processed again, because the package in force knows it.
pub fn redriven(done: &Redriven) {
    let Redriven { item, requested, is_last } = done;
    tracing::info!(item, requested, is_last, "a code is mapped, its messages are processed again");
}
