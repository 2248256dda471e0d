//! Bytes that are no frame (a port scan, HTTP on the port) are journaled once a peer and minute, not once a read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Peers remembered at once; when more come inside a minute, all are forgotten and may be journaled again.
const PEERS_MAX: usize = 10_000;
const US_PER_MINUTE: i64 = 60_000_000;

/// Which peers were journaled for junk, and in which minute.
#[derive(Default)]
pub struct JunkLog {
    minutes: Mutex<HashMap<IpAddr, i64>>,
}

impl JunkLog {
    /// Is this the first junk of `peer` in this minute?
    pub fn is_first(&self, peer: IpAddr, now_us: i64) -> bool {
        let minute = now_us.div_euclid(US_PER_MINUTE);
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= PEERS_MAX {
            minutes.clear();
        }
        minutes.insert(peer, minute) != Some(minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_a_peer_and_minute() {
        let (log, peer) = (JunkLog::default(), IpAddr::from([127, 0, 0, 1]));
        assert!(log.is_first(peer, 0));
        assert!(!log.is_first(peer, 59_999_999));
        assert!(log.is_first(peer, 60_000_000));
        assert!(log.is_first(IpAddr::from([127, 0, 0, 2]), 60_000_000));
    }
}
