//! FHIR dates and times (R4, datatypes §2.24.0.1): calendar checks and the interval a partial date stands for.

const US_PER_SECOND: i64 = 1_000_000;
const US_PER_DAY: i64 = 86_400 * US_PER_SECOND;
/// Digits of a fraction that a microsecond can hold.
const FRACTION_DIGITS: u32 = 6;

/// How exact a date or time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// `2020`
    Year,
    /// `2020-05`
    Month,
    /// `2020-05-11`
    Day,
    /// `2020-05-11T16:32:15Z`
    Second,
    /// With a fraction of a second.
    Fraction,
}

/// A date or time as the half-open interval `[low_us, high_us)` of microseconds since 1970-01-01T00:00:00Z.
///
/// A date without a time is a civil day, month or year and counts as UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateInterval {
    /// First microsecond.
    pub low_us: i64,
    /// The microsecond after the last.
    pub high_us: i64,
    /// How exact it is.
    pub precision: Precision,
}

impl std::fmt::Debug for DateInterval {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DateInterval").field("precision", &self.precision).finish_non_exhaustive()
    }
}

/// Parses `date`, `dateTime` or `instant`; `None` when the text is none of them or no day of the calendar.
pub fn date_interval(text: &str) -> Option<DateInterval> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4).filter(|year| *year > 0)?;
    let month = parts.next().map(|part| digits(part, 2));
    let day = parts.next().map(|part| digits(part, 2));
    if parts.next().is_some() {
        return None;
    }
    match (month, day, time) {
        (None, None, None) => interval(days(year, 1, 1), days(year + 1, 1, 1), Precision::Year),
        (Some(month), None, None) => {
            let month = month.filter(|month| (1..=12).contains(month))?;
            let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
            interval(days(year, month, 1), next, Precision::Month)
        }
        (Some(month), Some(day), time) => {
            let month = month.filter(|month| (1..=12).contains(month))?;
            let day = day.filter(|day| (1..=days_in_month(year, month)).contains(day))?;
            let start = days(year, month, day);
            match time {
                None => interval(start, start + 1, Precision::Day),
                Some(time) => instant_interval(start, time),
            }
        }
        _ => None,
    }
}

/// Whether the text is a `time` (`HH:MM:SS` with an optional fraction).
pub(crate) fn is_time(text: &str) -> bool {
    clock(text).is_some()
}

fn interval(low_days: i64, high_days: i64, precision: Precision) -> Option<DateInterval> {
    Some(DateInterval { low_us: low_days * US_PER_DAY, high_us: high_days * US_PER_DAY, precision })
}

fn instant_interval(day: i64, time: &str) -> Option<DateInterval> {
    let zone_at = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone_at)?;
    let (offset_minutes, (us, width_us, precision)) = (zone_minutes(zone)?, clock(time)?);
    let low_us = day * US_PER_DAY + us - offset_minutes * 60 * US_PER_SECOND;
    Some(DateInterval { low_us, high_us: low_us + width_us, precision })
}

/// Microseconds of the day, the width of the stated precision, the precision.
fn clock(text: &str) -> Option<(i64, i64, Precision)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut parts = whole.split(':');
    let hour = digits(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 2).filter(|minute| *minute < 60)?;
    // 60 is a leap second, which the specification's pattern allows.
    let second = digits(parts.next()?, 2).filter(|second| *second <= 60)?;
    if parts.next().is_some() {
        return None;
    }
    let seconds_us = ((hour * 60 + minute) * 60 + second) * US_PER_SECOND;
    let Some(fraction) = fraction else { return Some((seconds_us, US_PER_SECOND, Precision::Second)) };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (mut us, mut width_us) = (0, US_PER_SECOND);
    for (digit, _) in fraction.bytes().zip(0..FRACTION_DIGITS) {
        width_us /= 10;
        us += i64::from(digit - b'0') * width_us;
    }
    Some((seconds_us + us, width_us, Precision::Fraction))
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let minutes = digits(hours, 2)? * 60 + digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar: years begin in March, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{Precision, date_interval};

    #[test]
    fn partial_dates_are_half_open_intervals() {
        for (text, low_us, high_us, precision) in [
            ("1970-01-01", 0, 86_400_000_000, Precision::Day),
            ("1970", 0, 31_536_000_000_000, Precision::Year),
            ("1969-12", -2_678_400_000_000, 0, Precision::Month),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000, 951_782_401_000_000, Precision::Second),
            ("2000-02-29T02:00:00.25+02:00", 951_782_400_250_000, 951_782_400_260_000, Precision::Fraction),
            (
                "2000-02-28T22:00:00.1234567-02:00",
                951_782_400_123_456,
                951_782_400_123_457,
                Precision::Fraction,
            ),
        ] {
            let interval = date_interval(text).unwrap();
            assert_eq!(
                (interval.low_us, interval.high_us, interval.precision),
                (low_us, high_us, precision),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20",
            "0000",
            "2020-13",
            "2020-00",
            "2020-02-30",
            "1900-02-29",
            "2020-1-01",
            "2020-01-01T",
            "2020-01-01T10:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T10:00:00",
            "2020-01-01T10:00:00.Z",
            "2020-01-01T10:00:00+15:00",
            "2020-01T10:00:00Z",
            "2020-01-01 ",
            "2020-01-01-01",
            "２０２０",
            "2020-01-01T10:00:00é",
        ] {
            assert!(date_interval(text).is_none(), "{text}");
        }
    }
}
