//! Sign-ins that failed within a minute: of one name from one address, of one address, and of all. Who guesses closes the
//! sign-in for themselves, and for others only when very many guess at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::Micros;

use crate::auth::token_hash;

/// A minute, µs.
const WINDOW_US: Micros = 60 * 1_000_000;

/// How many sign-ins may fail within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInLimits {
    /// Of one name from one address.
    pub per_user: u32,
    /// Of one address, whatever the name.
    pub per_peer: u32,
    /// Of all. It bounds what is remembered, too.
    pub of_all: u32,
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self { per_user: 5, per_peer: 30, of_all: 1_000 }
    }
}

/// Who tries: an address, and the hash of the name that is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Trying {
    peer: IpAddr,
    name: [u8; 32],
}

impl Trying {
    /// `name`: as it is typed; it may be a person's, so only its hash is kept.
    pub(super) fn new(peer: IpAddr, name: &str) -> Self {
        Self { peer, name: token_hash(name) }
    }
}

/// The failures of the present minute.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began_us: Micros,
    users: HashMap<Trying, u32>,
    peers: HashMap<IpAddr, u32>,
    all: u32,
}

impl Failures {
    /// Whether too many failed to let this one try.
    pub(super) fn is_closed(&self, limits: SignInLimits, trying: Trying, now_us: Micros) -> bool {
        let window = self.window(now_us);
        let of = |count: Option<&u32>| count.copied().unwrap_or_default();
        of(window.users.get(&trying)) >= limits.per_user
            || of(window.peers.get(&trying.peer)) >= limits.per_peer
            || window.all >= limits.of_all
    }

    /// Counts one that failed.
    pub(super) fn count(&self, trying: Trying, now_us: Micros) {
        let mut window = self.window(now_us);
        let of_user = window.users.entry(trying).or_default();
        *of_user = of_user.saturating_add(1);
        let of_peer = window.peers.entry(trying.peer).or_default();
        *of_peer = of_peer.saturating_add(1);
        window.all = window.all.saturating_add(1);
    }

    /// The present minute. The maps are whole after a panic elsewhere: each change to one is one call.
    fn window(&self, now_us: Micros) -> MutexGuard<'_, Window> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..WINDOW_US).contains(&now_us.saturating_sub(window.began_us)) {
            *window = Window { began_us: now_us, ..Window::default() };
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SignInLimits = SignInLimits { per_user: 2, per_peer: 4, of_all: 7 };

    fn trying(peer: u8, name: &str) -> Trying {
        Trying::new(IpAddr::from([192, 0, 2, peer]), name)
    }

    #[test]
    fn who_guesses_closes_it_for_themselves() {
        let failures = Failures::default();
        let fail = |peer, name| failures.count(trying(peer, name), 0);
        let is_closed = |peer, name| failures.is_closed(LIMITS, trying(peer, name), 0);
        fail(1, "eve");
        assert!(!is_closed(1, "eve"));
        fail(1, "eve");
        assert!(is_closed(1, "eve") && !is_closed(1, "dr") && !is_closed(2, "eve"));
        fail(1, "a");
        fail(1, "b");
        assert!(is_closed(1, "dr") && !is_closed(2, "dr"));
        (0..3).for_each(|peer| fail(10 + peer, "eve"));
        assert!(is_closed(2, "dr"), "very many guess at once");
        assert!(!failures.is_closed(LIMITS, trying(1, "eve"), WINDOW_US), "a minute later");
    }
}
