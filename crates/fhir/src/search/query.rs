//! Values of a query: prefixes and dates with the precision they are written in (R4, search §3.1.1.4.3 to 7).

use crate::date::date_interval;

mod number;

pub use number::{Limits, NumberMatch};

const US_PER_MINUTE: i64 = 60_000_000;
/// `ap` takes this part of the distance from now to a date as near (R4 advises 10 %).
const NEAR_PART: i64 = 10;

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
    /// It has more digits than can be converted between units.
    Digits,
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
