//! Who waits for an acknowledgment that is given later.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mllp::Line;
use store::JournalId;
use tokio::sync::oneshot;

/// Entries of a channel for which somebody waits at once. Beyond it an acknowledgment is durable all the same and given to
/// the resend; it does not reach the connection that the message came by.
pub const WAITING_MAX: usize = 65_536;
/// Connections that wait for one entry; a sender that repeats itself waits on each.
const WAITING_FOR_ONE_MAX: usize = 16;

/// One who waits.
pub(crate) enum Waiter {
    /// The handler of the frame itself, which answers with it.
    Reply(oneshot::Sender<Bytes>),
    /// The connection.
    Line(Line),
}

impl Waiter {
    fn is_gone(&self) -> bool {
        match self {
            Self::Reply(reply) => reply.is_closed(),
            Self::Line(line) => line.is_closed(),
        }
    }
}

/// Who waits for which entry.
#[derive(Default)]
pub(crate) struct Waiting {
    entries: Mutex<HashMap<JournalId, Vec<Waiter>>>,
}

impl Waiting {
    /// Notes one who waits; false: too many wait.
    pub fn add(&self, id: JournalId, waiter: Waiter) -> bool {
        let mut entries = self.lock();
        if entries.len() >= WAITING_MAX && !entries.contains_key(&id) {
            return false;
        }
        let waiters = entries.entry(id).or_default();
        waiters.retain(|waiter| !waiter.is_gone());
        let has_room = waiters.len() < WAITING_FOR_ONE_MAX;
        if has_room {
            waiters.push(waiter);
        }
        has_room
    }

    /// Those who wait for an entry; they wait no more.
    pub fn take(&self, id: JournalId) -> Vec<Waiter> {
        self.lock().remove(&id).unwrap_or_default()
    }

    /// Forgets those who have gone.
    pub fn forget_gone(&self, id: JournalId) {
        let mut entries = self.lock();
        if let Some(waiters) = entries.get_mut(&id) {
            waiters.retain(|waiter| !waiter.is_gone());
            if waiters.is_empty() {
                entries.remove(&id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JournalId, Vec<Waiter>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn those_who_wait_are_bounded_and_taken_once() {
        let (waiting, id) = (Waiting::default(), JournalId(Uuid::from_u128(1)));
        let mut kept = Vec::new();
        let mut wait = || {
            let (reply, receiver) = oneshot::channel();
            kept.push(receiver);
            waiting.add(id, Waiter::Reply(reply))
        };
        assert!((0..WAITING_FOR_ONE_MAX).all(|_| wait()));
        assert!(!wait());
        assert_eq!(waiting.take(id).len(), WAITING_FOR_ONE_MAX);
        assert!(waiting.take(id).is_empty());
    }

    #[test]
    fn those_who_have_gone_are_forgotten() {
        let (waiting, id) = (Waiting::default(), JournalId(Uuid::from_u128(1)));
        assert!(waiting.add(id, Waiter::Line(Line::default())));
        waiting.forget_gone(id);
        assert!(waiting.lock().is_empty());
    }
}
