//! Instants as people read them: ISO 8601, UTC.

use jiff::Timestamp;
use store::Micros;

/// An instant in two precisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instant {
    /// For `datetime` attributes.
    pub(crate) exact: String,
    /// For the eye, to the second.
    pub(crate) text: String,
}

/// The instant of these µs since the epoch; one that cannot be written is a dash.
pub(crate) fn instant(at_us: Micros) -> Instant {
    match Timestamp::from_microsecond(at_us) {
        Ok(at) => Instant {
            exact: at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
            text: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        },
        Err(_) => Instant { exact: "-".to_owned(), text: "-".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_iso_8601_in_utc() {
        let Instant { exact, text } = instant(1_709_251_199_500_000);
        assert_eq!((exact.as_str(), text.as_str()), ("2024-02-29T23:59:59.500000Z", "2024-02-29 23:59:59"));
        assert_eq!(instant(i64::MAX).text, "-");
    }
}
