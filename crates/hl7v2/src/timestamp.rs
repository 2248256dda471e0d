//! Dates and times (TS, DTM, DT; HL7 v2.5.1 section 2.A.22): precision and offset exactly as sent.

use std::fmt;
use std::str::FromStr;

/// How far a timestamp goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2026`.
    Year,
    /// `202601`.
    Month,
    /// `20260102`.
    Day,
    /// `2026010203`.
    Hour,
    /// `202601020304`.
    Minute,
    /// `20260102030405`.
    Second,
    /// `20260102030405.6`.
    Fraction,
}

/// Why a text is no timestamp. Names the part, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Nothing but blanks.
    #[error("empty timestamp")]
    Empty,
    /// Not of the form `YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+/-ZZZZ]`.
    #[error("timestamp is not of the form YYYY[MM[DD[HH[MM[SS[.S]]]]]][+/-ZZZZ]")]
    Malformed,
    /// A part that no calendar or clock has: year 0, month 13, February 30, hour 24.
    #[error("timestamp has an impossible {0:?}")]
    Impossible(Precision),
    /// An offset beyond 14 hours, or with more than 59 minutes.
    #[error("timestamp has an impossible offset")]
    ImpossibleOffset,
}

/// An offset from UTC as sent; `-0000` keeps its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offset {
    is_negative: bool,
    hours: u8,
    minutes: u8,
}

impl Offset {
    /// `+00:00`.
    pub const UTC: Self = Self { is_negative: false, hours: 0, minutes: 0 };

    /// An offset of so many minutes east of Greenwich, for a site's zone. None beyond 14 hours.
    #[must_use]
    pub fn from_minutes(east: i16) -> Option<Self> {
        let total = east.unsigned_abs();
        let (hours, minutes) = (u8::try_from(total / 60).ok()?, u8::try_from(total % 60).ok()?);
        Self { is_negative: east < 0, hours, minutes }.checked()
    }

    /// Minutes east of Greenwich.
    #[must_use]
    pub fn minutes_east(self) -> i16 {
        let total = i16::from(self.hours) * 60 + i16::from(self.minutes);
        if self.is_negative { -total } else { total }
    }

    /// `+/-ZZZZ`, or the `Z` that some senders write.
    fn parse(text: &str) -> Result<Self, TimestampError> {
        if text == "Z" {
            return Ok(Self::UTC);
        }
        let (sign, digits) = text.split_at_checked(1).ok_or(TimestampError::Malformed)?;
        let is_negative = match sign {
            "+" => false,
            "-" => true,
            _ => return Err(TimestampError::Malformed),
        };
        if digits.len() != 4 {
            return Err(TimestampError::Malformed);
        }
        let mut digits = Digits(digits);
        let offset = Self { is_negative, hours: digits.take_two()?, minutes: digits.take_two()? };
        offset.checked().ok_or(TimestampError::ImpossibleOffset)
    }

    /// The bounds of a FHIR dateTime: 14:00, minutes to 59.
    fn checked(self) -> Option<Self> {
        (self.minutes < 60 && (self.hours < 14 || self.hours == 14 && self.minutes == 0)).then_some(self)
    }
}

/// `-05:00`, as FHIR writes it.
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}:{:02}", if self.is_negative { '-' } else { '+' }, self.hours, self.minutes)
    }
}

/// A date or time with the precision and the offset it was sent with. `Debug` prints the precision only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    fraction: Fraction,
    precision: Precision,
    offset: Option<Offset>,
}

/// A fraction of a second with its trailing zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Fraction {
    value: u32,
    digits: u8,
}

/// Most digits of a fraction; the standard has four.
const MAX_FRACTION_DIGITS: usize = 9;

/// A FHIR date or dateTime made from a timestamp.
#[derive(Clone, PartialEq, Eq)]
pub struct FhirTime {
    /// Text of the FHIR value.
    pub text: String,
    /// The value says more or less than what was sent: an hour without minutes was filled up, or a time without any
    /// offset was cut to its date.
    pub is_lossy: bool,
}

impl fmt::Debug for FhirTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FhirTime").field("is_lossy", &self.is_lossy).finish_non_exhaustive()
    }
}

impl Timestamp {
    /// How far the timestamp goes.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The offset as sent.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.offset
    }

    /// Year, 1 to 9999.
    #[must_use]
    pub fn year(&self) -> u16 {
        self.year
    }

    /// Month, when sent.
    #[must_use]
    pub fn month(&self) -> Option<u8> {
        (self.precision >= Precision::Month).then_some(self.month)
    }

    /// Day of the month, when sent.
    #[must_use]
    pub fn day(&self) -> Option<u8> {
        (self.precision >= Precision::Day).then_some(self.day)
    }

    /// Hour, minute and second as far as sent; the rest zero. None for a date.
    #[must_use]
    pub fn time(&self) -> Option<(u8, u8, u8)> {
        (self.precision >= Precision::Hour).then_some((self.hour, self.minute, self.second))
    }

    /// A FHIR `date`: year, month and day as far as sent; a time is left away.
    #[must_use]
    pub fn to_fhir_date(&self) -> String {
        let mut text = format!("{:04}", self.year);
        for part in [self.month(), self.day()].into_iter().flatten() {
            text.push_str(&format!("-{part:02}"));
        }
        text
    }

    /// A FHIR `dateTime`. `default_offset` (that of MSH-7, or of the site) serves a time sent without one; without
    /// either the time is cut to its date. Precision is never invented, save the minutes of an hour sent alone, which
    /// FHIR demands: both are marked lossy. FHIR's schema wants seconds with minutes; they are `00`, as it allows.
    #[must_use]
    pub fn to_fhir_date_time(&self, default_offset: Option<Offset>) -> FhirTime {
        let date = self.to_fhir_date();
        if self.precision < Precision::Hour {
            return FhirTime { text: date, is_lossy: false };
        }
        match self.offset.or(default_offset) {
            None => FhirTime { text: date, is_lossy: true },
            Some(offset) => FhirTime {
                text: format!("{date}T{}{offset}", self.clock()),
                is_lossy: self.precision == Precision::Hour,
            },
        }
    }

    /// A FHIR `instant`; None when the timestamp has no seconds, or no offset is known.
    #[must_use]
    pub fn to_fhir_instant(&self, default_offset: Option<Offset>) -> Option<String> {
        let offset = self.offset.or(default_offset).filter(|_| self.precision >= Precision::Second)?;
        Some(format!("{}T{}{offset}", self.to_fhir_date(), self.clock()))
    }

    /// The timestamp in HL7's form, as sent.
    #[must_use]
    pub fn to_hl7(&self) -> String {
        let mut text = format!("{:04}", self.year);
        let parts = [
            (Precision::Month, self.month),
            (Precision::Day, self.day),
            (Precision::Hour, self.hour),
            (Precision::Minute, self.minute),
            (Precision::Second, self.second),
        ];
        for (_, part) in parts.iter().filter(|(precision, _)| self.precision >= *precision) {
            text.push_str(&format!("{part:02}"));
        }
        text.push_str(&self.fraction_text());
        if let Some(offset) = self.offset {
            text.push_str(&offset.to_string().replace(':', ""));
        }
        text
    }

    fn clock(&self) -> String {
        format!("{:02}:{:02}:{:02}{}", self.hour, self.minute, self.second, self.fraction_text())
    }

    fn fraction_text(&self) -> String {
        let Fraction { value, digits } = self.fraction;
        if digits == 0 { String::new() } else { format!(".{value:0width$}", width = usize::from(digits)) }
    }

    /// The parts of the calendar and clock lie in their ranges.
    fn check(&self) -> Result<(), TimestampError> {
        let impossible = |precision| Err(TimestampError::Impossible(precision));
        if self.year == 0 {
            return impossible(Precision::Year);
        }
        if !(1..=12).contains(&self.month) {
            return impossible(Precision::Month);
        }
        if !(1..=days_in(self.year, self.month)).contains(&self.day) {
            return impossible(Precision::Day);
        }
        match (self.hour, self.minute, self.second) {
            (24.., _, _) => impossible(Precision::Hour),
            (_, 60.., _) => impossible(Precision::Minute),
            (_, _, 60..) => impossible(Precision::Second),
            _ => Ok(()),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TimestampError::Empty);
        }
        let end = text.find(['+', '-', 'Z']).unwrap_or(text.len());
        let (value, offset) = text.split_at(end);
        let (whole, fraction) = value.split_once('.').map_or((value, None), |(whole, f)| (whole, Some(f)));
        let precision = match (whole.len(), fraction) {
            (4, None) => Precision::Year,
            (6, None) => Precision::Month,
            (8, None) => Precision::Day,
            (10, None) => Precision::Hour,
            (12, None) => Precision::Minute,
            (14, None) => Precision::Second,
            (14, Some(_)) => Precision::Fraction,
            _ => return Err(TimestampError::Malformed),
        };
        let mut digits = Digits(whole);
        let century = u16::from(digits.take_two()?);
        let year = century * 100 + u16::from(digits.take_two()?);
        let timestamp = Self {
            year,
            month: digits.take_two_or(1)?,
            day: digits.take_two_or(1)?,
            hour: digits.take_two_or(0)?,
            minute: digits.take_two_or(0)?,
            second: digits.take_two_or(0)?,
            fraction: fraction.map(Fraction::parse).transpose()?.unwrap_or_default(),
            precision,
            offset: if offset.is_empty() { None } else { Some(Offset::parse(offset)?) },
        };
        timestamp.check()?;
        Ok(timestamp)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timestamp").field("precision", &self.precision).finish_non_exhaustive()
    }
}

impl Fraction {
    fn parse(text: &str) -> Result<Self, TimestampError> {
        let is_digits = text.bytes().all(|b| b.is_ascii_digit());
        if text.is_empty() || text.len() > MAX_FRACTION_DIGITS || !is_digits {
            return Err(TimestampError::Malformed);
        }
        let value = text.parse().map_err(|_| TimestampError::Malformed)?;
        let digits = u8::try_from(text.len()).map_err(|_| TimestampError::Malformed)?;
        Ok(Self { value, digits })
    }
}

/// Digits taken two at a time.
struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn take_two(&mut self) -> Result<u8, TimestampError> {
        let (two, rest) = self.0.split_at_checked(2).ok_or(TimestampError::Malformed)?;
        self.0 = rest;
        if !two.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimestampError::Malformed);
        }
        two.parse().map_err(|_| TimestampError::Malformed)
    }

    fn take_two_or(&mut self, default: u8) -> Result<u8, TimestampError> {
        if self.0.is_empty() { Ok(default) } else { self.take_two() }
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
