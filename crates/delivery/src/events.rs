//! Everything this crate logs: destinations, ids, codes and counts, never content.

use uuid::Uuid;

use crate::LinkError;

/// The link did not carry a batch; its lanes wait.
pub fn link_failed(destination: &str, deliveries: usize, error: &LinkError) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(destination, deliveries, %error, cause, "link failed, deliveries wait");
}

/// A delivery will not be sent again without a person.
pub fn dead(destination: &str, delivery: Uuid, reason: &str) {
    tracing::error!(destination, %delivery, reason, "delivery stopped");
}

/// A delivery waits no more: its resource is decided again under the rules of today.
pub fn superseded(destination: &str, delivery: Uuid) {
    tracing::info!(destination, %delivery, "delivery superseded");
}

/// A receipt did not belong to what was sent; the delivery is sent again.
pub fn receipt_refused(destination: &str, delivery: Uuid, reason: &str) {
    tracing::error!(destination, %delivery, reason, "receipt refused");
}

/// The store could not be asked or told.
pub fn store_failed(destination: &str, error: &store::Error) {
    tracing::error!(destination, %error, "outbox not available");
}

/// The cloud node does not keep our checkpoint.
pub fn witness_failed(destination: &str, error: &LinkError) {
    tracing::warn!(destination, %error, "checkpoint not witnessed yet");
}

/// The partner of a destination cannot be reached, or broke off.
pub fn partner_failed(destination: &str, error: &mllp::Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(destination, %error, cause, "partner not reached, messages wait");
}

/// A message was not taken and waits for its next try.
pub fn forward_waits(destination: &str, delivery: Uuid, reason: &str) {
    tracing::warn!(destination, %delivery, reason, "message not taken, its patient waits");
}

/// A message will not be sent again without a person.
pub fn forward_dead(destination: &str, delivery: Uuid, reason: &str) {
    tracing::error!(destination, %delivery, reason, "message given up");
}

/// A reply that answers nothing awaited; late, or not ours.
pub fn reply_passed_over(destination: &str) {
    tracing::info!(destination, "reply passed over");
}
