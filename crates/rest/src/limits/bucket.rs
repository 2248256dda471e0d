//! A token bucket as one instant (the generic cell rate algorithm): when it would be full again. Pure.

/// How much a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run, 1 at least.
    pub per_second: u32,
    /// Requests at once after a silence, 1 at least.
    pub burst: u32,
}

/// What is left after a request, or when the next is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// Requests that may follow at once.
    pub(super) requests: u64,
    /// Seconds until the bucket is full.
    pub(super) full_in_s: u64,
}

/// Nanoseconds of a second.
const SECOND_NS: i64 = 1_000_000_000;

/// A bucket: the instant at which it is full, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full_at_ns: i64,
}

impl Bucket {
    /// Takes one request out of the bucket.
    ///
    /// # Errors
    /// Seconds, 1 at least, after which there is one, when there is none. Nothing is taken then.
    pub(super) fn take(&mut self, rate: Rate, now_us: i64) -> Result<Left, u64> {
        let now_ns = now_us.saturating_mul(1_000);
        let (one, all) = (rate.one_ns(), rate.all_ns());
        // A bucket that owes more than it holds is of a clock that was set back; it begins anew.
        let owed = self.full_at_ns.saturating_sub(now_ns);
        let owed = if owed > all { 0 } else { owed.max(0) };
        let full_at_ns = now_ns.saturating_add(owed).saturating_add(one);
        let beyond = full_at_ns.saturating_sub(now_ns).saturating_sub(all);
        if beyond > 0 {
            return Err(seconds(beyond).max(1));
        }
        self.full_at_ns = full_at_ns;
        let used = full_at_ns - now_ns;
        Ok(Left { requests: u64::try_from((all - used) / one).unwrap_or(0), full_in_s: seconds(used) })
    }

    /// Whether nothing is owed: a full bucket is as one that never was.
    pub(super) fn is_full(self, now_us: i64) -> bool {
        self.full_at_ns <= now_us.saturating_mul(1_000)
    }
}

impl Rate {
    /// Nanoseconds in which one request comes back.
    fn one_ns(self) -> i64 {
        (SECOND_NS / i64::from(self.per_second.max(1))).max(1)
    }

    /// Nanoseconds in which an empty bucket fills.
    fn all_ns(self) -> i64 {
        self.one_ns().saturating_mul(i64::from(self.burst.max(1)))
    }

    /// Seconds in which an empty bucket fills, 1 at least.
    pub(super) fn window_s(self) -> u64 {
        seconds(self.all_ns()).max(1)
    }
}

/// Whole seconds that hold so many nanoseconds.
fn seconds(ns: i64) -> u64 {
    u64::try_from(ns.saturating_add(SECOND_NS - 1) / SECOND_NS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    #[test]
    fn a_burst_then_one_each_interval() {
        let (mut bucket, now) = (Bucket::default(), 1_000_000_000);
        let left = |requests, full_in_s| Ok(Left { requests, full_in_s });
        assert_eq!(bucket.take(RATE, now), left(2, 1));
        assert_eq!(bucket.take(RATE, now), left(1, 1));
        assert_eq!(bucket.take(RATE, now), left(0, 1));
        assert_eq!(bucket.take(RATE, now), Err(1));
        assert_eq!(bucket.take(RATE, now + 99_999), Err(1));
        assert_eq!(bucket.take(RATE, now + 100_000), left(0, 1));
        assert!(!bucket.is_full(now + 399_999) && bucket.is_full(now + 400_000));
        assert_eq!(bucket.take(RATE, now + 1_000_000), left(2, 1));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut bucket = Bucket::default();
        let hour = 3_600 * 1_000_000;
        assert!((0..3).all(|_| bucket.take(RATE, hour).is_ok()) && bucket.take(RATE, hour).is_err());
        assert!((0..3).all(|_| bucket.take(RATE, 0).is_ok()) && bucket.take(RATE, 0).is_err());
    }

    #[test]
    fn a_slow_rate_says_how_long_to_wait() {
        let slow = Rate { per_second: 1, burst: 60 };
        let mut bucket = Bucket::default();
        assert!((0..60).all(|_| bucket.take(slow, 0).is_ok()));
        assert_eq!((bucket.take(slow, 0), slow.window_s()), (Err(1), 60));
    }

    proptest! {
        /// Over any time, no more is taken than the burst and what came back.
        #[test]
        fn no_more_is_taken_than_there_is(per_second in 1u32..2_000, burst in 1u32..500, steps in prop::collection::vec(0i64..200_000, 1..400)) {
            let (rate, mut bucket, mut now, mut taken) = (Rate { per_second, burst }, Bucket::default(), 0_i64, 0_u64);
            for step in steps {
                now += step;
                taken += u64::from(bucket.take(rate, now).is_ok());
            }
            let back = u64::try_from(now).expect("after 1970") * u64::from(per_second) / 1_000_000;
            // One more for an interval that is cut to whole nanoseconds.
            prop_assert!(taken <= u64::from(burst) + back + 1);
        }
    }
}
