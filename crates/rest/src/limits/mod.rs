//! How much each client may ask for: a token bucket and a daily quota for each client that is known, a token bucket for each
//! peer that is not. All of it is in memory, and each map has a named end.

mod accounts;
mod bucket;
mod fields;
mod peer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, header};
use fhir::IssueCode;
use store::Micros;

use self::accounts::Accounts;
pub use self::bucket::Rate;
pub(crate) use self::fields::Fields;
pub(crate) use self::peer::{Peer, peer_of};
use crate::outcome::Failure;

/// Clients whose buckets are kept at once; with as many that owe, all others share one bucket.
pub const CLIENTS_MAX: usize = 10_000;
/// Peers without a token whose buckets are kept at once; with as many that owe, all others share one bucket.
pub const PEERS_MAX: usize = 10_000;
/// A day, µs.
pub(super) const DAY_US: Micros = 86_400 * 1_000_000;

/// What a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Its bucket.
    pub rate: Rate,
    /// Requests of a day, which begins at midnight UTC; `None`: any number.
    pub per_day: Option<u64>,
}

/// The limits of a surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of a client that is named nowhere else.
    pub client: Allowance,
    /// Of clients by name.
    pub clients: BTreeMap<String, Allowance>,
    /// Of a peer without a token that is believed.
    pub peer: Rate,
}

impl Default for Limits {
    /// Far above what a portal asks, and far below what stops a node.
    fn default() -> Self {
        Self {
            client: Allowance { rate: Rate { per_second: 1_000, burst: 10_000 }, per_day: None },
            clients: BTreeMap::new(),
            peer: Rate { per_second: 20, burst: 400 },
        }
    }
}

/// Which limit was met; the label of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    /// The bucket of a client.
    Rate,
    /// Its day.
    Day,
    /// The bucket of a peer.
    Peer,
}

impl Limited {
    /// The label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Day => "day",
            Self::Peer => "peer",
        }
    }
}

/// A request that is one too many.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) limit: Limited,
    /// Seconds after which one is taken again.
    pub(crate) retry_after_s: u64,
    pub(crate) fields: Fields,
}

impl Refused {
    /// 429 with what the client needs to wait (RFC 6585 §4, RFC 9110 §10.2.3).
    pub(crate) fn failure(&self) -> Failure {
        let text = match self.limit {
            Limited::Rate => "this client asks too often",
            Limited::Day => "the requests of this client for today are used up",
            Limited::Peer => "too many requests without a token come from this address",
        };
        let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, IssueCode::Throttled, text);
        let failure = failure.header(header::RETRY_AFTER, self.retry_after_s.into());
        self.fields.on(failure)
    }
}

/// Limits in force, with what has been asked so far. Clones share it; Debug tells the limits.
#[derive(Clone)]
pub struct Limiter {
    limits: Arc<Limits>,
    clients: Arc<Mutex<Accounts<String>>>,
    peers: Arc<Mutex<Accounts<IpAddr>>>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.limits.fmt(formatter)
    }
}

impl Limiter {
    /// Nothing has been asked yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits: Arc::new(limits), clients: Arc::default(), peers: Arc::default() }
    }

    /// Requests of each client on the day of `now_us`, to be kept across a restart; of clients with a quota alone.
    pub fn used_on_day(&self, now_us: Micros) -> Vec<(String, u64)> {
        let clients = lock(&self.clients);
        let used = clients.iter().map(|(client, account)| (client, account.used_on(day(now_us))));
        used.filter(|(_, used)| *used > 0).map(|(client, used)| (client.clone(), used)).collect()
    }

    /// Counts what was asked on the day of `now_us` before a restart.
    pub fn resume(&self, used: impl IntoIterator<Item = (String, u64)>, now_us: Micros) {
        let mut clients = lock(&self.clients);
        for (client, used) in used.into_iter().take(CLIENTS_MAX) {
            clients.of(&client, CLIENTS_MAX, now_us).resume(day(now_us), used);
        }
    }

    /// Takes one request of a client.
    ///
    /// # Errors
    /// [`Refused`] when it is one too many.
    pub(crate) fn client(&self, name: &str, now_us: Micros) -> Result<Fields, Refused> {
        let allowance = self.limits.clients.get(name).unwrap_or(&self.limits.client);
        lock(&self.clients).of(name, CLIENTS_MAX, now_us).take(allowance, now_us)
    }

    /// Takes one request of a peer without a token that is believed.
    ///
    /// # Errors
    /// [`Refused`] when it is one too many.
    pub(crate) fn peer(&self, peer: IpAddr, now_us: Micros) -> Result<Fields, Refused> {
        let allowance = Allowance { rate: self.limits.peer, per_day: None };
        let taken = lock(&self.peers).of(&peer, PEERS_MAX, now_us).take(&allowance, now_us);
        taken.map_err(|refused| Refused { limit: Limited::Peer, ..refused })
    }
}

/// A map is whole after a panic elsewhere: each change to it is one call.
fn lock<K>(accounts: &Mutex<Accounts<K>>) -> std::sync::MutexGuard<'_, Accounts<K>> {
    accounts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Days since 1970, UTC.
fn day(now_us: Micros) -> i64 {
    now_us.div_euclid(DAY_US)
}

/// Puts the fields of what is left on an answer.
pub(crate) fn tell(fields: &Fields, headers: &mut HeaderMap) {
    for (name, value) in fields.each() {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
