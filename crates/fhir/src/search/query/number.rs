//! Numbers of a query with the precision they are written in, and the same in other units (R4, search §3.1.1.4.4, 4.11).

use super::{Prefix, QueryProblem};
use crate::search::Comparator;
use crate::search::units::{Ratio, comparable};

/// `ap` takes this part of a number as near (R4 advises 10 %).
const NEAR: f64 = 0.1;
/// Most characters of a number in a query.
const NUMBER_CHARS_MAX: usize = 32;
/// Largest exponent of a number in a query, either way.
const EXPONENT_MAX: i32 = 300;
/// Digits worked out of a division between units that does not come to an end.
const QUOTIENT_DIGITS: usize = 24;

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

/// Between which numbers the stored one must lie: each bound with whether it counts itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// From here up; `None`: however low.
    pub low: Option<(f64, bool)>,
    /// Up to here; `None`: however high.
    pub high: Option<(f64, bool)>,
}

impl Limits {
    const ALL: Self = Self { low: None, high: None };

    fn above(bound: f64, inclusive: bool) -> Self {
        Self { low: Some((bound, inclusive)), high: None }
    }

    fn below(bound: f64, inclusive: bool) -> Self {
        Self { low: None, high: Some((bound, inclusive)) }
    }

    /// Whether a number lies there.
    pub fn hold(&self, number: f64) -> bool {
        let above = |(bound, inclusive): (f64, bool)| number > bound || (inclusive && number == bound);
        let below = |(bound, inclusive): (f64, bool)| number < bound || (inclusive && number == bound);
        self.low.is_none_or(above) && self.high.is_none_or(below)
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
        let written = Written::parse(number).ok_or(QueryProblem::Value)?;
        Self::of(prefix, &written, Ratio::ONE)
    }

    /// As [`NumberMatch::parse`], once for each unit that the number can be compared in, with that unit: of a UCUM code
    /// that the table knows, every unit of its dimension; of another, itself alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn in_units(text: &str, unit: &str) -> Result<Vec<(String, Self)>, QueryProblem> {
        let (prefix, number) = Prefix::split(text)?;
        let written = Written::parse(number).ok_or(QueryProblem::Value)?;
        let units = comparable(unit);
        if units.is_empty() {
            return Ok(vec![(unit.to_owned(), Self::of(prefix, &written, Ratio::ONE)?)]);
        }
        let each =
            units.into_iter().map(|(unit, ratio)| Ok((unit.to_owned(), Self::of(prefix, &written, ratio)?)));
        each.collect()
    }

    fn of(prefix: Prefix, written: &Written, ratio: Ratio) -> Result<Self, QueryProblem> {
        let number = |halves: i128| written.number(halves, ratio).ok_or(QueryProblem::Digits);
        let (value, low, high) = (number(0)?, number(-1)?, number(1)?);
        if !(value.is_finite() && low.is_finite() && high.is_finite()) {
            return Err(QueryProblem::Value);
        }
        let (low, high) = match prefix {
            Prefix::Approximate => {
                let near = value.abs() * NEAR;
                (low.min(value - near), high.max(value + near))
            }
            _ => (low, high),
        };
        Ok(Self { prefix, value, low, high })
    }

    /// Where stored numbers must lie that are what was asked for; in any of these. `comparator`: of those that are only
    /// the bound of a value, which then stands for all that it can be (`<5`: everything below 5). `eq`: all of it inside;
    /// `gt` and `lt`: some of it above or below; `sa` and `eb`: all of it.
    pub fn limits(&self, comparator: Option<Comparator>) -> Vec<Limits> {
        let Self { prefix, value, low, high } = *self;
        match comparator {
            None => match prefix {
                Prefix::Equal => vec![Limits { low: Some((low, true)), high: Some((high, false)) }],
                Prefix::NotEqual => vec![Limits::below(low, false), Limits::above(high, true)],
                Prefix::Greater | Prefix::StartsAfter => vec![Limits::above(value, false)],
                Prefix::Less | Prefix::EndsBefore => vec![Limits::below(value, false)],
                Prefix::GreaterOrEqual => vec![Limits::above(value, true)],
                Prefix::LessOrEqual => vec![Limits::below(value, true)],
                Prefix::Approximate => vec![Limits { low: Some((low, true)), high: Some((high, true)) }],
            },
            Some(Comparator::Less | Comparator::LessOrEqual) => {
                let reached = comparator == Some(Comparator::LessOrEqual);
                match prefix {
                    Prefix::Equal | Prefix::StartsAfter => Vec::new(),
                    Prefix::NotEqual | Prefix::Less | Prefix::LessOrEqual => vec![Limits::ALL],
                    Prefix::Greater => vec![Limits::above(value, false)],
                    Prefix::GreaterOrEqual => vec![Limits::above(value, reached)],
                    Prefix::EndsBefore => vec![Limits::below(value, !reached)],
                    Prefix::Approximate => vec![Limits::above(low, reached)],
                }
            }
            Some(Comparator::Greater | Comparator::GreaterOrEqual) => {
                let reached = comparator == Some(Comparator::GreaterOrEqual);
                match prefix {
                    Prefix::Equal | Prefix::EndsBefore => Vec::new(),
                    Prefix::NotEqual | Prefix::Greater | Prefix::GreaterOrEqual => vec![Limits::ALL],
                    Prefix::Less => vec![Limits::below(value, false)],
                    Prefix::LessOrEqual => vec![Limits::below(value, reached)],
                    Prefix::StartsAfter => vec![Limits::above(value, !reached)],
                    Prefix::Approximate => vec![Limits::below(high, reached)],
                }
            }
        }
    }

    /// Whether a stored number is what was asked for.
    pub fn holds(&self, number: f64, comparator: Option<Comparator>) -> bool {
        self.limits(comparator).iter().any(|limits| limits.hold(number))
    }
}

/// A decimal as it is written: `tenths` of its last digit, times ten to the `power`.
struct Written {
    tenths: i128,
    power: i32,
}

impl Written {
    fn parse(text: &str) -> Option<Self> {
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
        let tenths = if mantissa.starts_with('-') { -scaled } else { scaled }.checked_mul(10)?;
        Some(Self { tenths, power: exponent.unwrap_or(0) - digits - 1 })
    }

    /// The number with so many halves of its last digit more, in another unit: worked out in decimal, then rounded once.
    /// `None` where it has too many digits.
    fn number(&self, halves: i128, ratio: Ratio) -> Option<f64> {
        let tenths = self.tenths.checked_add(halves.checked_mul(5)?)?;
        let sign = if tenths < 0 { "-" } else { "" };
        let scaled = tenths.unsigned_abs().checked_mul(ratio.over)?;
        let (mut quotient, mut rest, mut power) = (scaled / ratio.under, scaled % ratio.under, self.power);
        for _ in 0..QUOTIENT_DIGITS {
            if rest == 0 {
                break;
            }
            let next = rest.checked_mul(10)?;
            let Some(longer) = quotient.checked_mul(10).and_then(|it| it.checked_add(next / ratio.under))
            else {
                break;
            };
            (quotient, rest, power) = (longer, next % ratio.under, power - 1);
        }
        format!("{sign}{quotient}e{power}").parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::NumberMatch;
    use crate::search::QueryProblem;

    fn bounds(text: &str, unit: &str, of: &str) -> Option<(f64, f64, f64)> {
        let units = NumberMatch::in_units(text, unit).unwrap();
        units.into_iter().find(|(code, _)| code == of).map(|(_, it)| (it.low, it.value, it.high))
    }

    #[test]
    fn a_number_is_the_same_in_every_unit_of_its_dimension() {
        assert_eq!(bounds("100", "kg", "g"), Some((99_500.0, 100_000.0, 100_500.0)));
        assert_eq!(bounds("100", "kg", "kg"), Some((99.5, 100.0, 100.5)));
        assert_eq!(bounds("5.4", "mg", "g"), Some((0.00535, 0.0054, 0.00545)));
        assert_eq!(bounds("90", "s", "min"), Some((89.5 / 60.0, 1.5, 90.5 / 60.0)));
        assert_eq!(bounds("-1.0", "[in_i]", "cm"), Some((-2.667, -2.54, -2.413)));
        assert_eq!(bounds("1e2", "mg/dL", "g/L"), Some((0.95, 1.0, 1.05)));
        assert_eq!(bounds("5", "mmol/L", "mg/dL"), None, "of another dimension");
        assert_eq!(bounds("5", "no unit", "no unit"), Some((4.5, 5.0, 5.5)));
        assert_eq!(bounds("5", "no unit", "mg"), None);
    }

    #[test]
    fn what_cannot_be_converted_is_said() {
        let long = "1234567890123456789012345678";
        assert!(NumberMatch::parse(long).is_ok());
        assert!(NumberMatch::in_units(long, "no unit").is_ok());
        assert_eq!(NumberMatch::in_units(long, "kg").map(|_| ()), Err(QueryProblem::Digits));
        assert_eq!(NumberMatch::parse("1e300").map(|_| ()), Ok(()));
        assert_eq!(NumberMatch::parse("99e307").map(|_| ()), Err(QueryProblem::Value));
    }
}
