//! Dates, times and periods, and `_lastUpdated`: every prefix.

use fhir::DateMatch;
use serde_json::Value;
use store::Clause;

use super::Asked;
use super::draw::{DAY_US, Draw, MONTHS, PREFIXES, START_US};
use super::world::{World, updated_us};
use crate::samples::NOW_US;

/// A date asked for: its text and its interval in microseconds.
#[derive(Clone)]
pub struct Date {
    pub prefix: &'static str,
    text: String,
    low: i128,
    high: i128,
}

/// The interval of a stored date, by its text.
pub fn interval(text: &str) -> (i128, i128) {
    let part =
        |range: std::ops::Range<usize>| text.get(range).map(|part| part.parse::<i128>().expect("digits"));
    let Some(month) = part(5..7) else { return (START_US, START_US + 366 * DAY_US) };
    let month = usize::try_from(month).expect("a month");
    let first = START_US + MONTHS[..month - 1].iter().sum::<i128>() * DAY_US;
    let Some(day) = part(8..10) else { return (first, first + MONTHS[month - 1] * DAY_US) };
    let low = first + (day - 1) * DAY_US;
    if text.contains('T') { (low + 36_000_000_000, low + 36_001_000_000) } else { (low, low + DAY_US) }
}

impl Date {
    pub fn draw(draw: &mut Draw) -> Self {
        let prefix = draw.one(&PREFIXES);
        let (text, low, high) = draw.day();
        // Beyond the data types, a time may end with its minute and lack its zone: then it is UTC.
        match draw.seldom(6) {
            true if text.contains('T') => {
                let text = format!("{}T10:00", &text[..10]);
                Self { prefix, text, low, high: low + 60_000_000 }
            }
            _ => Self { prefix, text, low, high },
        }
    }

    pub fn value(&self) -> DateMatch {
        DateMatch::parse(&format!("{}{}", self.prefix, self.text), NOW_US).expect("a date")
    }

    /// What R4 says of a prefix.
    pub fn holds(&self, (from, until): (i128, i128)) -> bool {
        let (low, high) = (self.low, self.high);
        let (inside, above, below) = (low <= from && until <= high, until > high, from < low);
        match self.prefix {
            "" | "eq" => inside,
            "ne" => !inside,
            "gt" => above,
            "lt" => below,
            "ge" => inside || above,
            "le" => inside || below,
            "sa" => from >= high,
            "eb" => until <= low,
            _ => {
                let near = (i128::from(NOW_US) - (low + (high - low) / 2)).abs() / 10;
                from < high + near && until > low - near
            }
        }
    }
}

/// When an observation was effective.
fn effective(resource: &Value) -> Option<(i128, i128)> {
    if let Some(text) = resource["effectiveDateTime"].as_str() {
        return Some(interval(text));
    }
    let bound = |name: &str| resource["effectivePeriod"][name].as_str().map(interval);
    let (start, end) = (bound("start"), bound("end"));
    (start.is_some() || end.is_some())
        .then(|| (start.map_or(i128::MIN, |it| it.0), end.map_or(i128::MAX, |it| it.1)))
}

pub fn by_date(draw: &mut Draw) -> Asked {
    let asked = draw.some(Date::draw);
    let clause = Clause::Date { parameter: "date".into(), values: asked.iter().map(Date::value).collect() };
    let covers = asked.iter().map(|date| format!("date {}", date.prefix)).collect();
    Asked::several(clause, covers, move |resource: &Value, _: &World| {
        effective(resource).is_some_and(|held| asked.iter().any(|date| date.holds(held)))
    })
}

/// `_lastUpdated`: an instant.
pub fn by_change(draw: &mut Draw) -> Asked {
    let asked = draw.some(Date::draw);
    let clause = Clause::Updated(asked.iter().map(Date::value).collect());
    let covers = asked.iter().map(|date| format!("_lastUpdated {}", date.prefix)).collect();
    Asked::several(clause, covers, move |resource: &Value, _: &World| {
        let at = updated_us(resource);
        asked.iter().any(|date| date.holds((at, at + 1)))
    })
}
