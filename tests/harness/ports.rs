//! Free ports for stories that run side by side.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the system takes ports for outgoing connections, so that none of them is in the way.
const FIRST: u16 = 18_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback address nobody listens on, given once by this process.
///
/// # Panics
/// When no port is free.
pub fn free() -> SocketAddr {
    let start = u16::try_from(std::process::id() * 61 % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("a bound listener has an address");
        }
    }
    panic!("no port is free");
}

/// The first of `count` loopback addresses in a row that nobody listens on, given once by this process.
///
/// # Panics
/// When there is no such row.
pub fn run(count: u16) -> SocketAddr {
    for _ in 0..COUNT {
        let first = free();
        let is_free = |after: u16| TcpListener::bind(("127.0.0.1", first.port() + after)).is_ok();
        if (1..count).all(is_free) {
            // The ports after the first are this run's: nobody else gets them.
            NEXT.fetch_add(count - 1, Ordering::Relaxed);
            return first;
        }
    }
    panic!("no row of ports is free");
}
