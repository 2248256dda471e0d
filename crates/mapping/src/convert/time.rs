//! DT, TM and DTM (v2.9 §2A.3.21–22) to date, dateTime, instant and time, at the precision sent.

use super::{Converted, Refused};
use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;

/// How exactly a time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
}

impl Precision {
    /// The word that conditions use.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Year => "year",
            Precision::Month => "month",
            Precision::Day => "day",
            Precision::Hour => "hour",
            Precision::Minute => "minute",
            Precision::Second => "second",
            Precision::Fraction => "fraction",
        }
    }

    /// The precision a word names.
    pub fn named(name: &str) -> Option<Precision> {
        [
            Precision::Year,
            Precision::Month,
            Precision::Day,
            Precision::Hour,
            Precision::Minute,
            Precision::Second,
            Precision::Fraction,
        ]
        .into_iter()
        .find(|precision| precision.name() == name)
    }
}

/// A DTM taken apart and checked against the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment<'t> {
    date: civil::Date,
    hour: i8,
    minute: i8,
    second: i8,
    /// Digits of the fraction.
    fraction: &'t str,
    pub precision: Precision,
    /// Seconds east of UTC, as sent.
    pub offset: Option<i32>,
}

/// Where a missing offset comes from: MSH-7's, then the site's zone.
#[derive(Clone, Copy, Default)]
pub(crate) struct Zones<'z> {
    pub message_offset: Option<i32>,
    pub site: Option<&'z TimeZone>,
}

const BAD_TIME: Refused = "not a date or time";

/// Reads `YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-ZZZZ]`.
pub(crate) fn moment(text: &str) -> Result<Moment<'_>, Refused> {
    let text = text.trim();
    if !text.is_ascii() {
        return Err(BAD_TIME);
    }
    let (stem, offset) = match text.find(['+', '-']) {
        Some(at) => (text.get(..at).unwrap_or(""), Some(offset(text.get(at..).unwrap_or(""))?)),
        None => (text, text.ends_with('Z').then_some(0)),
    };
    let stem = stem.strip_suffix('Z').unwrap_or(stem);
    let (digits, fraction) = stem.split_once('.').unwrap_or((stem, ""));
    if !digits.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        || (stem.contains('.') && (digits.len() != 14 || fraction.is_empty()))
    {
        return Err(BAD_TIME);
    }
    let precision = match (digits.len(), fraction.is_empty()) {
        (4, true) => Precision::Year,
        (6, true) => Precision::Month,
        (8, true) => Precision::Day,
        (10, true) => Precision::Hour,
        (12, true) => Precision::Minute,
        (14, true) => Precision::Second,
        (14, false) => Precision::Fraction,
        _ => return Err(BAD_TIME),
    };
    let two = |from: usize, missing: i8| -> i8 {
        digits.get(from..from + 2).and_then(|pair| pair.parse().ok()).unwrap_or(missing)
    };
    let year: i16 = digits.get(..4).and_then(|year| year.parse().ok()).ok_or(BAD_TIME)?;
    let date = civil::Date::new(year, two(4, 1), two(6, 1)).map_err(|_| "no such day")?;
    let (hour, minute, second) = (two(8, 0), two(10, 0), two(12, 0));
    if year == 0 || hour > 23 || minute > 59 || second > 59 {
        return Err("no such time");
    }
    Ok(Moment { date, hour, minute, second, fraction, precision, offset })
}

/// The seconds of `+HHMM` or `-HHMM`.
fn offset(text: &str) -> Result<i32, Refused> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, text.get(1..).unwrap_or("")),
        _ => (1, text.get(1..).unwrap_or("")),
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("not a time zone offset");
    }
    let number = |range: std::ops::Range<usize>| {
        digits.get(range).and_then(|part| part.parse::<i32>().ok()).unwrap_or(99)
    };
    let (hours, minutes) = (number(0..2), number(2..4));
    if hours > 14 || minutes > 59 {
        return Err("not a time zone offset");
    }
    Ok(sign * (hours * 3600 + minutes * 60))
}

impl Moment<'_> {
    fn date_text(&self) -> String {
        let mut text = String::with_capacity(TEXT_LENGTH);
        self.write_date(self.precision, &mut text);
        text
    }

    fn clock_text(&self) -> String {
        let mut text = String::with_capacity(TEXT_LENGTH);
        self.write_clock(&mut text);
        text
    }

    /// Date, clock and offset: `2024-07-01T12:00:00+02:00`.
    fn full_text(&self, offset: i32) -> String {
        let mut text = String::with_capacity(TEXT_LENGTH);
        self.write_date(Precision::Day, &mut text);
        text.push('T');
        self.write_clock(&mut text);
        let minutes = offset.unsigned_abs() / 60;
        text.push(if offset < 0 { '-' } else { '+' });
        write_pair(minutes / 60, &mut text);
        text.push(':');
        write_pair(minutes % 60, &mut text);
        text
    }

    fn write_date(&self, precision: Precision, text: &mut String) {
        // A year of a moment has four digits.
        let year = u32::from(self.date.year().unsigned_abs());
        write_pair(year / 100, text);
        write_pair(year % 100, text);
        if precision >= Precision::Month {
            text.push('-');
            write_pair(self.date.month().unsigned_abs().into(), text);
        }
        if precision >= Precision::Day {
            text.push('-');
            write_pair(self.date.day().unsigned_abs().into(), text);
        }
    }

    fn write_clock(&self, text: &mut String) {
        for (mark, number) in [("", self.hour), (":", self.minute), (":", self.second)] {
            text.push_str(mark);
            write_pair(number.unsigned_abs().into(), text);
        }
        if !self.fraction.is_empty() {
            text.push('.');
            text.push_str(self.fraction);
        }
    }

    /// Seconds east of UTC: as sent, else MSH-7's, else the zone's on that day.
    fn resolved_offset(&self, zones: Zones<'_>) -> Option<i32> {
        let local = || self.date.at(self.hour, self.minute, self.second, 0);
        let from_zone = || {
            zones.site.and_then(|zone| {
                zone.to_ambiguous_timestamp(local()).compatible().ok().map(|at| zone.to_offset(at).seconds())
            })
        };
        self.offset.or(zones.message_offset).or_else(from_zone)
    }

    fn has_clock(&self) -> bool {
        self.precision >= Precision::Hour
    }
}

/// Most texts are no longer.
const TEXT_LENGTH: usize = 32;

/// A number below 100 in two digits.
fn write_pair(number: u32, text: &mut String) {
    let digit = |number: u32| char::from_digit(number % 10, 10).unwrap_or('0');
    text.extend([digit(number / 10), digit(number)]);
}

/// A FHIR date; the clock, if any, is not part of it and that is no loss of the date.
pub(crate) fn date(text: &str) -> Result<Converted, Refused> {
    Ok(Converted::exact(moment(text)?.date_text()))
}

/// A FHIR dateTime. Without any offset it is cut to its date; hours without minutes are filled.
pub(crate) fn date_time(text: &str, zones: Zones<'_>) -> Result<Converted, Refused> {
    let moment = moment(text)?;
    if !moment.has_clock() {
        return Ok(Converted::exact(moment.date_text()));
    }
    let Some(offset) = moment.resolved_offset(zones) else {
        return Ok(Converted {
            value: moment.date_text().into(),
            lossy: Some("no offset known: cut to the date"),
        });
    };
    let value: Value = moment.full_text(offset).into();
    let lossy = (moment.precision == Precision::Hour).then_some("minutes filled with zero");
    Ok(Converted { value, lossy })
}

/// A FHIR instant: minutes and an offset are needed; seconds that were not sent are zero.
pub(crate) fn instant(text: &str, zones: Zones<'_>) -> Result<Converted, Refused> {
    let moment = moment(text)?;
    if moment.precision < Precision::Minute {
        return Err("an instant needs minutes");
    }
    let offset = moment.resolved_offset(zones).ok_or("an instant needs an offset")?;
    let value = moment.full_text(offset).into();
    let lossy = (moment.precision == Precision::Minute).then_some("seconds filled with zero");
    Ok(Converted { value, lossy })
}

/// An instant at any cost: a missing clock is midnight, a missing offset UTC. For Provenance.recorded only.
pub(crate) fn filled_instant(text: &str, zones: Zones<'_>) -> Option<String> {
    let moment = moment(text).ok()?;
    Some(moment.full_text(moment.resolved_offset(zones).unwrap_or(0)))
}

/// The DTM that lies an amount of time after another, with the same offset; none without minutes, or of an unknown unit.
pub(crate) fn later(text: &str, amount: &str, unit: &str) -> Option<String> {
    let moment = moment(text).ok().filter(|moment| moment.precision >= Precision::Minute)?;
    let unit_seconds = match unit.trim().to_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "wk" | "week" | "weeks" => 604_800,
        _ => return None,
    };
    let seconds = amount.trim().parse::<i64>().ok()?.checked_mul(unit_seconds)?;
    let span = jiff::Span::new().try_seconds(seconds).ok()?;
    let at = moment.date.at(moment.hour, moment.minute, moment.second, 0).checked_add(span).ok()?;
    let offset = text.trim().find(['+', '-']).and_then(|from| text.trim().get(from..)).unwrap_or_default();
    Some(format!("{}{offset}", at.strftime("%Y%m%d%H%M%S")))
}

/// TM, or the clock of a DTM, as a FHIR time.
pub(crate) fn time(text: &str) -> Result<Converted, Refused> {
    let text = text.trim();
    let bare = text.split(['+', '-']).next().unwrap_or("");
    let digits = bare.split('.').next().unwrap_or("").len();
    let stamped = if digits <= 6 { format!("20000101{bare}") } else { text.to_owned() };
    let moment = moment(&stamped)?;
    if !moment.has_clock() {
        return Err("no time of day");
    }
    let lossy = (moment.precision == Precision::Hour).then_some("minutes filled with zero");
    Ok(Converted { value: moment.clock_text().into(), lossy })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: Result<Converted, Refused>) -> String {
        result.map_or_else(
            |refused| format!("!{refused}"),
            |c| {
                format!("{}{}", c.value.as_str().unwrap_or(""), if c.lossy.is_some() { " lossy" } else { "" })
            },
        )
    }

    #[test]
    fn precision_is_kept() {
        assert_eq!(shown(date("1970")), "1970");
        assert_eq!(shown(date("197003")), "1970-03");
        assert_eq!(shown(date_time("197003", Zones::default())), "1970-03");
        assert_eq!(shown(date("19700101-0500")), "1970-01-01");
    }

    #[test]
    fn a_duration_is_added_over_midnight_and_an_unknown_unit_is_not() {
        assert_eq!(later("202401312350-0500", "20", "MIN").as_deref(), Some("20240201001000-0500"));
        assert_eq!(later("20240131235000", "1", "h").as_deref(), Some("20240201005000"));
        for (start, amount, unit) in
            [("20240131", "20", "min"), ("202401312350", "20", "x"), ("202401312350", "a", "s")]
        {
            assert_eq!(later(start, amount, unit), None, "{start} {amount} {unit}");
        }
        assert_eq!(later("999912312359", "9223372036854775807", "s"), None);
    }

    #[test]
    fn offsets_come_from_value_then_message_then_zone() {
        let zone = TimeZone::get("America/Chicago").expect("zone database");
        let zones = Zones { message_offset: Some(-18000), site: Some(&zone) };
        assert_eq!(shown(date_time("202407011200+0200", zones)), "2024-07-01T12:00:00+02:00");
        assert_eq!(shown(date_time("202407011200", zones)), "2024-07-01T12:00:00-05:00");
        let zones = Zones { message_offset: None, site: Some(&zone) };
        assert_eq!(shown(date_time("202407011200", zones)), "2024-07-01T12:00:00-05:00");
        assert_eq!(shown(date_time("202401011200", zones)), "2024-01-01T12:00:00-06:00");
        assert_eq!(shown(date_time("202401011200", Zones::default())), "2024-01-01 lossy");
        assert_eq!(shown(date_time("2023110211", zones)), "2023-11-02T11:00:00-05:00 lossy");
    }

    #[test]
    fn impossible_days_and_short_instants_are_refused() {
        for bad in [
            "0000",
            "20230229",
            "202301012400",
            "2023010",
            "20230101120060",
            "x",
            "",
            "20230101.5",
            "2023+9900",
        ] {
            assert!(moment(bad).is_err(), "{bad}");
        }
        let zones = Zones { message_offset: Some(0), site: None };
        assert!(instant("2023010112", zones).is_err());
        assert!(instant("202301011200", Zones { message_offset: None, site: None }).is_err());
        assert_eq!(shown(instant("202301011200", zones)), "2023-01-01T12:00:00+00:00 lossy");
        assert_eq!(shown(instant("20230101120000.1234", zones)), "2023-01-01T12:00:00.1234+00:00");
        assert_eq!(shown(time("1530")), "15:30:00");
        assert_eq!(shown(time("20240101153000")), "15:30:00");
    }
}
