//! What is no message (a port scan, HTTP on the port, a refused connection) is journaled once a peer and minute, not once a
//! read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Peers remembered at once; when more come inside a minute, all are forgotten and may be journaled again.
const PEERS_MAX: usize = 10_000;
const US_PER_MINUTE: i64 = 60_000_000;

/// Which peers were journaled, in which minute, and how often not since.
#[derive(Default)]
pub struct JunkLog {
    peers: Mutex<HashMap<IpAddr, Minute>>,
}

struct Minute {
    number: i64,
    left_out: u64,
}

/// What to do with one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// The first of this peer in this minute: to be journaled. So many were left out since the last that was.
    First {
        /// How many.
        left_out: u64,
    },
    /// Another one: counted.
    Again,
}

impl JunkLog {
    /// Notes one more of `peer`.
    pub fn note(&self, peer: IpAddr, now_us: i64) -> Noted {
        let number = now_us.div_euclid(US_PER_MINUTE);
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= PEERS_MAX {
            peers.clear();
        }
        match peers.get_mut(&peer) {
            Some(minute) if minute.number == number => {
                minute.left_out += 1;
                Noted::Again
            }
            _ => {
                let before = peers.insert(peer, Minute { number, left_out: 0 });
                Noted::First { left_out: before.map_or(0, |minute| minute.left_out) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_a_peer_and_minute_and_a_count_of_the_others() {
        let (log, peer) = (JunkLog::default(), IpAddr::from([127, 0, 0, 1]));
        assert_eq!(log.note(peer, 0), Noted::First { left_out: 0 });
        assert_eq!(log.note(peer, 59_999_999), Noted::Again);
        assert_eq!(log.note(peer, 59_999_999), Noted::Again);
        assert_eq!(log.note(IpAddr::from([127, 0, 0, 2]), 59_999_999), Noted::First { left_out: 0 });
        assert_eq!(log.note(peer, 60_000_000), Noted::First { left_out: 2 });
    }
}
