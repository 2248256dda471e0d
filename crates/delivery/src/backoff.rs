//! How long to wait before a delivery is sent again: exponential, with jitter, bounded.

use std::time::Duration;

/// Exponential backoff with full jitter above the half.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// Wait after `attempts` failures (1 = the first). `random` is uniform; it picks between half and whole.
    pub fn wait(&self, attempts: u32, random: u64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        let whole = self.first.saturating_mul(1 << doublings).min(self.max);
        let half = whole / 2;
        let span = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros(random % span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_bounded_and_differ() {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) };
        assert!(backoff.wait(1, 0) >= Duration::from_millis(50));
        assert!(backoff.wait(1, u64::MAX) <= Duration::from_millis(100));
        assert!(backoff.wait(40, u64::MAX) <= Duration::from_secs(1));
        assert_ne!(backoff.wait(5, 1), backoff.wait(5, 400_000));
    }
}
