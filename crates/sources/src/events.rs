//! Everything this crate logs: channels, ids, codes and counts, never content.

use store::JournalId;

/// A message came again; its stored acknowledgment was given again.
pub fn duplicate(channel: &str, of: JournalId) {
    tracing::info!(channel, message = %of.0, "repetition answered from the journal");
}

/// The journal did not take an entry; the sender was asked to send again.
pub fn not_stored(channel: &str, error: &store::Error) {
    tracing::error!(channel, %error, "not stored, refused with AE");
}

/// The outcome of an acknowledgment could not be noted.
pub fn not_settled(channel: &str, entry: JournalId, error: &store::Error) {
    tracing::warn!(channel, message = %entry.0, %error, "acknowledgment outcome not noted");
}

/// MSH-15 or MSH-16 holds a value that is not of table 0155.
pub fn unknown_condition(channel: &str, entry: JournalId) {
    tracing::warn!(channel, message = %entry.0, "unknown acknowledgment condition counts as empty");
}

/// Acknowledgments that are given later wait for the store.
pub fn promises_wait(channel: &str, error: &store::Error) {
    tracing::error!(channel, %error, "acknowledgments owed later wait");
}

/// The address of application acknowledgments could not be reached.
pub fn not_reached(channel: &str, error: &mllp::Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let reason = error.tls_failure().map(mllp::TlsFailure::code).unwrap_or_default();
    tracing::warn!(channel, %error, cause, reason, "application acknowledgment not sent, tried again");
}

/// A listener stopped; `cut` connections did not end in time.
pub fn drained(channel: &str, cut: usize) {
    tracing::info!(channel, cut, "listener drained");
}

/// So many more of a peer's bytes outside of frames, or of its refused connections, had no journal entry of their own.
pub fn left_out(channel: &str, peer: std::net::IpAddr, count: u64) {
    tracing::warn!(channel, %peer, count, "more of the same peer was counted only");
}
