//! Codes of the ports as numbers of the tables.

#[cfg(feature = "clinical")]
use crate::{DeliveryState, MessageState};
use crate::{Error, Result};

/// The stored form of a message's state.
#[cfg(feature = "clinical")]
pub(super) fn message_state_number(state: MessageState) -> i64 {
    match state {
        MessageState::Received => 0,
        MessageState::Translated => 1,
        MessageState::Stored => 2,
        MessageState::Routed => 3,
        MessageState::Filtered => 4,
        MessageState::Quarantined => 5,
        MessageState::Error => 6,
    }
}

/// The state of a stored number.
#[cfg(feature = "clinical")]
pub(super) fn message_state(number: i64) -> Result<MessageState> {
    use MessageState::{Error as Failed, Filtered, Quarantined, Received, Routed, Stored, Translated};
    [Received, Translated, Stored, Routed, Filtered, Quarantined, Failed]
        .into_iter()
        .find(|state| message_state_number(*state) == number)
        .ok_or(Error::Corrupt("the state of a message"))
}

/// The stored form of a delivery's state. Indexes name the number of `Pending`.
#[cfg(feature = "clinical")]
pub(super) fn delivery_state_number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Dead => 2,
        DeliveryState::Superseded => 3,
    }
}

/// The state of a stored number.
#[cfg(feature = "clinical")]
pub(super) fn delivery_state(number: i64) -> Result<DeliveryState> {
    [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Superseded]
        .into_iter()
        .find(|state| delivery_state_number(*state) == number)
        .ok_or(Error::Corrupt("the state of a delivery"))
}

/// A stored hash, MAC or secret.
pub(super) fn bytes32(bytes: Vec<u8>) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::Corrupt("a column of 32 bytes"))
}

/// A stored UUID.
#[cfg(feature = "clinical")]
pub(super) fn uuid(bytes: &[u8]) -> Result<uuid::Uuid> {
    uuid::Uuid::from_slice(bytes).map_err(|_| Error::Corrupt("an id"))
}

/// A stored number that is never negative.
pub(super) fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| Error::Corrupt("a number"))
}

/// A stored small number.
pub(super) fn small(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::Corrupt("a number"))
}

/// A limit as SQL takes it, bounded.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit.min(super::file::READ_ROWS_MAX)).unwrap_or(i64::MAX)
}
