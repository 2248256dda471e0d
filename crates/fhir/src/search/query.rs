//! Values of a query: prefixes, dates and numbers with the precision they are written in (R4, search §3.1.1.4.3 to 7).

use crate::date::date_interval;

const US_PER_MINUTE: i64 = 60_000_000;
/// `ap` takes this part of the distance from now to a date, and of a number, as near (R4 advises 10 %).
const NEAR_PART: i64 = 10;
const NEAR: f64 = 0.1;
/// Most characters of a number in a query.
const NUMBER_CHARS_MAX: usize = 32;
/// Largest exponent of a number in a query, either way.
const EXPONENT_MAX: i32 = 300;

/// How a value of a resource must lie to the value asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `eq`, also without a prefix: inside.
    Equal,
    /// `ne`: not inside.
    NotEqual,
    /// `gt`: some of it above.
    Greater,
    /// `lt`: some of it below.
    Less,
    /// `ge`: `gt` or `eq`.
    GreaterOrEqual,
    /// `le`: `lt` or `eq`.
    LessOrEqual,
    /// `sa`: all of it above.
    StartsAfter,
    /// `eb`: all of it below.
    EndsBefore,
    /// `ap`: near.
    Approximate,
}

/// Every prefix as it is written.
pub const PREFIXES: [(&str, Prefix); 9] = [
    ("eq", Prefix::Equal),
    ("ne", Prefix::NotEqual),
    ("gt", Prefix::Greater),
    ("lt", Prefix::Less),
    ("ge", Prefix::GreaterOrEqual),
    ("le", Prefix::LessOrEqual),
    ("sa", Prefix::StartsAfter),
    ("eb", Prefix::EndsBefore),
    ("ap", Prefix::Approximate),
];

/// Why a value of a query cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryProblem {
    /// It begins with letters that are no prefix.
    Prefix,
    /// It is no date or number.
    Value,
}

impl Prefix {
    /// The prefix and what follows it.
    ///
    /// # Errors
    /// [`QueryProblem::Prefix`] when the text begins with other letters.
    pub fn split(text: &str) -> Result<(Self, &str), QueryProblem> {
        for (name, prefix) in PREFIXES {
            if let Some(rest) = text.strip_prefix(name) {
                return Ok((prefix, rest));
            }
        }
        if text.starts_with(|first: char| first.is_alphabetic()) {
            return Err(QueryProblem::Prefix);
        }
        Ok((Self::Equal, text))
    }
}

/// A date asked for. PHI: `Debug` prints the prefix alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateMatch {
    /// How a stored date must lie to it.
    pub prefix: Prefix,
    /// First microsecond since 1970 in UTC; of [`Prefix::Approximate`], of what is near.
    pub low_us: i64,
    /// The microsecond after the last.
    pub high_us: i64,
}

impl std::fmt::Debug for DateMatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DateMatch({:?})", self.prefix)
    }
}

impl DateMatch {
    /// Reads `[prefix]date`: a year, month, day, or a time to the minute or finer; a time without a zone is UTC. `now_us`
    /// (µs since 1970, UTC) says how wide `ap` is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, now_us: i64) -> Result<Self, QueryProblem> {
        let (prefix, date) = Prefix::split(text)?;
        let (mut low_us, mut high_us) = interval(date).ok_or(QueryProblem::Value)?;
        if prefix == Prefix::Approximate {
            let middle = low_us + (high_us - low_us) / 2;
            let near = now_us.saturating_sub(middle).saturating_abs() / NEAR_PART;
            (low_us, high_us) = (low_us.saturating_sub(near), high_us.saturating_add(near));
        }
        Ok(Self { prefix, low_us, high_us })
    }

    /// Whether a stored interval `[low_us, high_us)` is what was asked for; open ends are the least and greatest `i64`.
    pub fn holds(&self, low_us: i64, high_us: i64) -> bool {
        let inside = self.low_us <= low_us && high_us <= self.high_us;
        match self.prefix {
            Prefix::Equal => inside,
            Prefix::NotEqual => !inside,
            Prefix::Greater => high_us > self.high_us,
            Prefix::Less => low_us < self.low_us,
            Prefix::GreaterOrEqual => inside || high_us > self.high_us,
            Prefix::LessOrEqual => inside || low_us < self.low_us,
            Prefix::StartsAfter => low_us >= self.high_us,
            Prefix::EndsBefore => high_us <= self.low_us,
            Prefix::Approximate => low_us < self.high_us && high_us > self.low_us,
        }
    }
}

/// The interval of a date; beyond the data types, a time may end with the minute and lack its zone.
fn interval(text: &str) -> Option<(i64, i64)> {
    if let Some(found) = date_interval(text) {
        return Some((found.low_us, found.high_us));
    }
    let (date, time) = text.split_once('T')?;
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let zone = if zone.is_empty() { "Z" } else { zone };
    if clock.len() == "HH:MM".len() {
        let low = date_interval(&format!("{date}T{clock}:00{zone}"))?.low_us;
        return Some((low, low + US_PER_MINUTE));
    }
    date_interval(&format!("{date}T{clock}{zone}")).map(|found| (found.low_us, found.high_us))
}

/// A number asked for. PHI: `Debug` prints the prefix alone.
#[derive(Clone, Copy, PartialEq)]
pub struct NumberMatch {
    /// How a stored number must lie to it.
    pub prefix: Prefix,
    /// The number itself; order prefixes compare with it.
    pub value: f64,
    /// Least number that counts as equal, or near.
    pub low: f64,
    /// The first number beyond.
    pub high: f64,
}

impl std::fmt::Debug for NumberMatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NumberMatch({:?})", self.prefix)
    }
}

impl NumberMatch {
    /// Reads `[prefix]number`. `100` means 99.5 to 100.5, `100.00` means 99.995 to 100.005, `1e2` means 95 to 105; with an
    /// order prefix the number is exact.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, QueryProblem> {
        let (prefix, number) = Prefix::split(text)?;
        let (value, low, high) = precise(number).ok_or(QueryProblem::Value)?;
        let (low, high) = match prefix {
            Prefix::Approximate => {
                let near = value.abs() * NEAR;
                (low.min(value - near), high.max(value + near))
            }
            _ => (low, high),
        };
        Ok(Self { prefix, value, low, high })
    }

    /// Whether a stored number is what was asked for.
    pub fn holds(&self, number: f64) -> bool {
        let inside = self.low <= number && number < self.high;
        match self.prefix {
            Prefix::Equal => inside,
            Prefix::NotEqual => !inside,
            Prefix::Greater | Prefix::StartsAfter => number > self.value,
            Prefix::Less | Prefix::EndsBefore => number < self.value,
            Prefix::GreaterOrEqual => number >= self.value,
            Prefix::LessOrEqual => number <= self.value,
            Prefix::Approximate => self.low <= number && number <= self.high,
        }
    }
}

/// The number, and its bounds at half of its last digit: each worked out in decimal, then rounded once.
fn precise(text: &str) -> Option<(f64, f64, f64)> {
    if text.len() > NUMBER_CHARS_MAX {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
        None => (text, None),
    };
    if exponent.is_some_and(|exponent| exponent.abs() > EXPONENT_MAX) {
        return None;
    }
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let ends_with_point = unsigned.contains('.') && fraction.is_empty();
    if whole.is_empty() || ends_with_point || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // `1e2` is 95 to 105 in the specification: an exponent without a fraction counts one digit more.
    let (fraction, digits) = match (exponent, fraction) {
        (Some(_), "") => ("0", 1),
        _ => (fraction, i32::try_from(fraction.len()).ok()?),
    };
    let scaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = if mantissa.starts_with('-') { -scaled } else { scaled }.checked_mul(10)?;
    let power = exponent.unwrap_or(0) - digits - 1;
    let number = |scaled: i128| format!("{scaled}e{power}").parse::<f64>().ok().filter(|it| it.is_finite());
    Some((number(scaled)?, number(scaled.checked_sub(5)?)?, number(scaled.checked_add(5)?)?))
}
