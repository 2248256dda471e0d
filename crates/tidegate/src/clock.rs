//! The clock and the random source: read here and nowhere below.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

/// Microseconds since the epoch, UTC.
pub fn now_us() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

/// Fills `buffer` from the system's random source.
///
/// # Panics
/// When the system has no randomness to give: nothing that needs a key may go on then.
#[allow(clippy::expect_used, reason = "ids and keys without randomness would be a silent disaster")]
pub fn fill_random(buffer: &mut [u8]) {
    SystemRandom::new().fill(buffer).expect("the system's random source answers");
}

/// A UUIDv7.
pub fn new_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}

/// `bytes` random bytes as hexadecimal digits.
pub fn random_hex(bytes: usize) -> String {
    let mut buffer = zeroize::Zeroizing::new(vec![0; bytes]);
    fill_random(&mut buffer);
    crate::keys::to_hex(&buffer)
}

/// This year, UTC; a clock beyond all calendars counts as the last year, so that nobody seems young.
pub fn year_now() -> i32 {
    let now = jiff::Timestamp::from_microsecond(now_us());
    now.map_or(i32::MAX, |now| i32::from(jiff::tz::TimeZone::UTC.to_datetime(now).year()))
}

/// An instant as HL7 v2 writes it: `20260102030405+0000`.
#[cfg(feature = "clinical")]
pub fn hl7_time(at_us: i64) -> String {
    jiff::Timestamp::from_microsecond(at_us)
        .map(|at| at.strftime("%Y%m%d%H%M%S+0000").to_string())
        .unwrap_or_default()
}
