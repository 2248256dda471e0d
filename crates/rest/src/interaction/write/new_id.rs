//! Ids that the server gives to what clients create (R4, http §3.1.0.8): random, so that none can be guessed.

use uuid::Uuid;

/// A new logical id.
pub(in crate::interaction) fn new_id() -> String {
    Uuid::new_v4().to_string()
}
