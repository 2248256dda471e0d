//! Requests that are refused before anybody is known, or because their client asks too often: recorded so that a flood of
//! them does not fill the disk.
//!
//! Of each source and minute the first, second, fourth, eighth … refusal has a record, which says how many there were until
//! then. So the records of a minute grow with the logarithm of what came, none waits in memory for its minute to end, and
//! the number that is told is never less than half of what was.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit::{Actor, Kind, Record};
use store::{Access, Micros};

use crate::audit::commit;
use crate::edge::RequestId;
use crate::outcome::Failure;

/// Sources that are told apart within a minute; all others are one.
pub const REFUSED_SOURCES_MAX: usize = 256;
/// A minute, µs.
const WINDOW_US: Micros = 60 * 1_000_000;
/// Who asks where nobody is known, in records.
const NOBODY: &str = "unknown";

/// Where refused requests come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A peer without a token that is believed.
    Peer(IpAddr),
    /// A client that is known.
    Client(String),
    /// All for which there is no place in this minute.
    Others,
}

/// A source, and the code under which it is refused.
type Key = (Source, &'static str);

/// The refusals of a surface, and where they are recorded.
pub(crate) struct Refusals {
    /// Those of the present minute.
    window: Mutex<Window>,
    access: Arc<dyn Access>,
    node: String,
    now_us: fn() -> Micros,
}

impl Refusals {
    /// `node`: this node's name in records.
    pub(crate) fn new(access: Arc<dyn Access>, node: String, now_us: fn() -> Micros) -> Self {
        Self { window: Mutex::default(), access, node, now_us }
    }

    /// Counts a refused request, and commits the record that is owed of it.
    ///
    /// # Errors
    /// 503 when one is owed and not committed.
    pub(crate) async fn record(
        &self,
        request: RequestId,
        (source, peer): (Source, IpAddr),
        outcome: &'static str,
    ) -> Result<(), Failure> {
        let now_us = (self.now_us)();
        let Some((source, count)) = self.window().count(source, outcome, now_us) else { return Ok(()) };
        let name = match &source {
            Source::Client(name) => name.clone(),
            Source::Peer(_) | Source::Others => NOBODY.to_owned(),
        };
        let record = Record::new(Kind::AccessRefused, request.0, &self.node, now_us)
            .outcome(outcome)
            .actor(Actor::Client(name));
        let record = if source == Source::Others { record } else { record.network(peer) };
        let committed = commit(&*self.access, record.object("count", &count.to_string())).await;
        committed.inspect_err(|_| self.window().forget(source, outcome))
    }

    /// The map is whole after a panic elsewhere: each change to it is one call.
    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was refused within a minute.
#[derive(Debug, Default)]
struct Window {
    began_us: Micros,
    counts: HashMap<Key, u64>,
}

impl Window {
    /// Counts a refusal. When a record is owed: of which source, and how many there were in this minute.
    fn count(&mut self, source: Source, outcome: &'static str, now_us: Micros) -> Option<(Source, u64)> {
        if !(0..WINDOW_US).contains(&now_us.saturating_sub(self.began_us)) {
            *self = Self { began_us: now_us, counts: HashMap::new() };
        }
        let mut key = (source, outcome);
        if !self.counts.contains_key(&key) && self.counts.len() >= REFUSED_SOURCES_MAX {
            key.0 = Source::Others;
        }
        let count = self.counts.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        count.is_power_of_two().then_some((key.0, *count))
    }

    /// The record that was owed is not committed: the next refusal of this source owes one again.
    fn forget(&mut self, source: Source, outcome: &'static str) {
        self.counts.remove(&(source, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> Source {
        Source::Peer(IpAddr::from([192, 0, 2, number]))
    }

    #[test]
    fn records_grow_with_the_logarithm_of_a_flood() {
        let mut refusals = Window::default();
        let owed: Vec<u64> = (0..1_000)
            .filter_map(|_| refusals.count(peer(1), "unauthenticated", 5))
            .map(|(_, count)| count)
            .collect();
        assert_eq!(owed, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(refusals.count(peer(2), "unauthenticated", 6), Some((peer(2), 1)));
        assert_eq!(refusals.count(peer(1), "throttled", 6), Some((peer(1), 1)));
        assert_eq!(refusals.count(peer(1), "unauthenticated", 5 + WINDOW_US), Some((peer(1), 1)));
    }

    #[test]
    fn what_is_not_recorded_is_owed_again() {
        let mut refusals = Window::default();
        assert_eq!(refusals.count(peer(1), "not-found", 0), Some((peer(1), 1)));
        refusals.forget(peer(1), "not-found");
        assert_eq!(refusals.count(peer(1), "not-found", 0), Some((peer(1), 1)));
    }

    #[test]
    fn beyond_so_many_sources_the_rest_is_one() {
        let mut refusals = Window::default();
        let of = |number: usize| Source::Client(number.to_string());
        for number in 0..REFUSED_SOURCES_MAX {
            assert_eq!(refusals.count(of(number), "throttled", 0), Some((of(number), 1)));
        }
        let beyond = (0..100).filter_map(|number| refusals.count(of(1_000 + number), "throttled", 0));
        let counts: Vec<(Source, u64)> = beyond.collect();
        assert_eq!(counts.len(), 7, "{counts:?}");
        assert!(counts.iter().all(|(source, _)| *source == Source::Others));
    }
}
