//! Instants as FHIR and HTTP write them, exact or to the year.

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use store::Micros;

/// How precisely a role tells when a resource changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// To the µs.
    #[cfg_attr(not(feature = "clinical"), allow(dead_code))]
    Exact,
    /// The first instant of the year, in UTC: real-time delivery would otherwise tell the date of care.
    Year,
}

/// The instant at this precision; an instant outside of years 1 to 9999 is the epoch.
pub(crate) fn instant(at_us: Micros, precision: Precision) -> Timestamp {
    let exact = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::UNIX_EPOCH);
    let exact = if (1..=9999).contains(&year(exact)) { exact } else { Timestamp::UNIX_EPOCH };
    match precision {
        Precision::Exact => exact,
        Precision::Year => {
            let first = date(year(exact), 1, 1).at(0, 0, 0, 0);
            TimeZone::UTC.to_timestamp(first).unwrap_or(Timestamp::UNIX_EPOCH)
        }
    }
}

/// The first µs of the year of an instant.
pub(crate) fn year_start(at_us: Micros) -> Micros {
    instant(at_us, Precision::Year).as_microsecond()
}

/// A FHIR `instant` (R4, datatypes §2.24.0.1).
pub(crate) fn fhir_instant(at: Timestamp) -> String {
    if at.subsec_nanosecond() == 0 {
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        format!("{at:.6}")
    }
}

/// An HTTP date (RFC 9110 §5.6.7).
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads an HTTP date in the preferred form; `None` for any other text, which RFC 9110 §13.1.3 says to ignore.
pub(crate) fn from_http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn year(at: Timestamp) -> i16 {
    TimeZone::UTC.to_datetime(at).year()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Micros = 1_790_000_000_123_456;

    #[test]
    fn an_instant_is_written_with_its_microseconds() {
        assert_eq!(fhir_instant(instant(AT, Precision::Exact)), "2026-09-21T14:13:20.123456Z");
    }

    #[test]
    fn a_coarse_instant_is_the_first_of_its_year() {
        let coarse = instant(AT, Precision::Year);
        assert_eq!(fhir_instant(coarse), "2026-01-01T00:00:00Z");
        assert_eq!(http_date(coarse), "Thu, 01 Jan 2026 00:00:00 GMT");
    }

    #[test]
    fn an_http_date_reads_back() {
        let at = instant(1_790_000_000_000_000, Precision::Exact);
        assert_eq!(from_http_date(&http_date(at)), Some(at));
        assert_eq!(from_http_date("yesterday"), None);
    }

    #[test]
    fn an_impossible_instant_is_the_epoch() {
        assert_eq!(fhir_instant(instant(Micros::MAX, Precision::Exact)), "1970-01-01T00:00:00Z");
    }
}
