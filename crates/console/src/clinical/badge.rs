//! How the states of messages, deliveries and acknowledgments look.

use store::{AckOutcome, DeliveryState, MessageState};

pub(crate) use crate::badge::Badge;
use crate::badge::new;

/// Every state of a message, as filters offer them.
pub(crate) const STATES: [MessageState; 7] = [
    MessageState::Received,
    MessageState::Translated,
    MessageState::Stored,
    MessageState::Routed,
    MessageState::Filtered,
    MessageState::Quarantined,
    MessageState::Error,
];

/// How a message's state looks.
pub(crate) fn badge(state: MessageState) -> Badge {
    match state {
        MessageState::Received => new("\u{25cb}", "received", "wait"),
        MessageState::Translated => new("\u{25d0}", "translated", "wait"),
        MessageState::Stored => new("\u{25a0}", "stored", "good"),
        MessageState::Routed => new("\u{2714}", "routed", "good"),
        MessageState::Filtered => new("\u{2212}", "filtered", "mute"),
        MessageState::Quarantined => new("\u{26a0}", "quarantined", "bad"),
        MessageState::Error => new("\u{2716}", "error", "bad"),
    }
}

/// How a refused entry of the journal looks.
pub(crate) const REFUSED: Badge = new("\u{2298}", "refused", "bad");

/// How a delivery's state looks.
pub(crate) fn delivery(state: DeliveryState) -> Badge {
    match state {
        DeliveryState::Pending => new("\u{25cb}", "pending", "wait"),
        DeliveryState::Delivered => new("\u{2714}", "delivered", "good"),
        DeliveryState::Dead => new("\u{2716}", "given up", "bad"),
        DeliveryState::Superseded => new("\u{21bb}", "superseded", "mute"),
    }
}

/// How an acknowledgment's outcome looks.
pub(crate) fn acknowledgment(outcome: AckOutcome) -> Badge {
    match outcome {
        AckOutcome::Owed => new("\u{25cb}", "owed", "wait"),
        AckOutcome::Sent => new("\u{2714}", "sent", "good"),
        AckOutcome::Undelivered => new("\u{26a0}", "undelivered", "bad"),
        AckOutcome::NotOwed => new("\u{2212}", "not owed", "mute"),
    }
}
