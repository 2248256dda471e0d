//! Rows that lie together in an index table, and the statement that selects their resources. A clause that the index can
//! find is a list of them.

use crate::sql::Value;
use fhir::Limits;

/// Numbers in one list of a statement.
pub(super) const LISTED_MAX: usize = 1_000;

/// Part of an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Range {
    /// A resource by its id.
    Id { id: String, tid: i64 },
    /// Resources by number, at most [`LISTED_MAX`].
    Numbers(Vec<i64>),
    /// Live resources last changed from an instant until before another.
    Updated { tid: i64, from: Option<i64>, until: Option<i64> },
    /// A code, of one system or of any.
    Token { pid: Option<i64>, code: String, sys: Option<i64> },
    /// References to a resource.
    Target { pid: Option<i64>, target: i64 },
    /// References to any of these, at most [`LISTED_MAX`].
    Targets { pid: Option<i64>, targets: Vec<i64> },
    /// Intervals that lie so.
    Date { pid: Option<i64>, lie: Lie },
    /// Texts that begin so, folded.
    Start { pid: Option<i64>, folded: String },
    /// A whole text.
    Whole { pid: Option<i64>, folded: String, text: String },
    /// A uri.
    Uri { pid: Option<i64>, uri: String },
    /// Uris along the path of one.
    Along { pid: Option<i64>, uri: String },
    /// Numbers between limits, of a unit or of any.
    Number { pid: Option<i64>, limits: Limits, sys: Option<i64>, unit: Option<String> },
}

/// How an interval of the index lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Within these bounds.
    Inside(i64, i64),
    /// It begins before.
    BeginsBefore(i64),
    /// It ends after.
    EndsAfter(i64),
    /// Within the bounds or beyond the second.
    InsideOrAfter(i64, i64),
    /// Within the bounds or before the first.
    InsideOrBefore(i64, i64),
    /// It begins there or later.
    BeginsFrom(i64),
    /// It ends there or earlier.
    EndsBy(i64),
}

impl Range {
    /// Whether its statement gives numbers in ascending order.
    pub fn is_ordered(&self) -> bool {
        match self {
            Self::Id { .. } | Self::Target { .. } | Self::Whole { .. } | Self::Uri { .. } => true,
            Self::Token { sys, .. } => sys.is_some(),
            _ => false,
        }
    }

    /// The statement that selects `rid`, and its values. The text ends so that ` AND …` can follow.
    pub fn statement(&self) -> (String, Vec<Value>) {
        match self {
            Self::Id { id, tid } => (
                "SELECT rid FROM resources WHERE id = ? AND tid = ?".to_owned(),
                vec![id.as_str().into(), (*tid).into()],
            ),
            Self::Numbers(numbers) => {
                let (list, values) = list(numbers);
                (format!("SELECT rid FROM resources WHERE rid IN ({list})"), values)
            }
            Self::Updated { tid, from, until } => updated(*tid, *from, *until),
            Self::Token { pid, code, sys } => {
                let mut values = vec![(*pid).into(), code.as_str().into()];
                values.extend(sys.map(Value::from));
                let of_system = if sys.is_some() { " AND sys = ?" } else { "" };
                (format!("SELECT rid FROM tok WHERE pid = ? AND code = ?{of_system}"), values)
            }
            Self::Target { pid, target } => (
                "SELECT rid FROM ref WHERE pid = ? AND target = ?".to_owned(),
                vec![(*pid).into(), (*target).into()],
            ),
            Self::Targets { pid, targets } => {
                let (list, numbers) = list(targets);
                let values = std::iter::once((*pid).into()).chain(numbers).collect();
                (format!("SELECT rid FROM ref WHERE pid = ? AND target IN ({list})"), values)
            }
            Self::Date { pid, lie } => date(*pid, *lie),
            Self::Start { pid, folded } => (
                "SELECT rid FROM str WHERE pid = ? AND folded >= ? AND folded < ?".to_owned(),
                vec![(*pid).into(), folded.as_str().into(), format!("{folded}{}", char::MAX).into()],
            ),
            Self::Whole { pid, folded, text } => (
                "SELECT rid FROM str WHERE pid = ? AND folded = ? AND text = ?".to_owned(),
                vec![(*pid).into(), folded.as_str().into(), text.as_str().into()],
            ),
            Self::Uri { pid, uri } => (
                "SELECT rid FROM uri WHERE pid = ? AND uri = ?".to_owned(),
                vec![(*pid).into(), uri.as_str().into()],
            ),
            // `0` is the character after `/`.
            Self::Along { pid, uri } => (
                "SELECT rid FROM uri WHERE pid = ? AND uri >= ? AND uri < ?".to_owned(),
                vec![(*pid).into(), format!("{uri}/").into(), format!("{uri}0").into()],
            ),
            Self::Number { pid, limits, sys, unit } => number(*pid, limits, *sys, unit.as_deref()),
        }
    }
}

/// Places for numbers, in few sizes, so that prepared statements are found again; the last number fills them up.
pub(super) fn list(numbers: &[i64]) -> (String, Vec<Value>) {
    let places = numbers.len().next_power_of_two();
    let last = numbers.last().copied();
    let filled = numbers.iter().copied().chain(std::iter::repeat_n(last, places).flatten()).take(places);
    let values: Vec<Value> = filled.map(Value::from).collect();
    (vec!["?"; values.len()].join(","), values)
}

fn updated(tid: i64, from: Option<i64>, until: Option<i64>) -> (String, Vec<Value>) {
    let mut text = "SELECT rid FROM resources WHERE tid = ? AND version > 0 AND deleted = 0".to_owned();
    let mut values = vec![tid.into()];
    for (bound, condition) in [(from, " AND updated_us >= ?"), (until, " AND updated_us < ?")] {
        if let Some(bound) = bound {
            text.push_str(condition);
            values.push(bound.into());
        }
    }
    (text, values)
}

fn date(pid: Option<i64>, lie: Lie) -> (String, Vec<Value>) {
    let (condition, bounds) = match lie {
        Lie::Inside(low, high) => ("low_us >= ? AND low_us < ? AND high_us <= ?", vec![low, high, high]),
        Lie::BeginsBefore(low) => ("low_us < ?", vec![low]),
        Lie::EndsAfter(high) => ("high_us > ?", vec![high]),
        // What is inside, or reaches beyond, ends beyond the beginning.
        Lie::InsideOrAfter(low, high) => {
            ("high_us > ? AND (high_us > ? OR low_us >= ?)", vec![low, high, low])
        }
        Lie::InsideOrBefore(low, high) => {
            ("low_us < ? AND (low_us < ? OR high_us <= ?)", vec![high, low, high])
        }
        Lie::BeginsFrom(high) => ("low_us >= ?", vec![high]),
        Lie::EndsBy(low) => ("high_us <= ?", vec![low]),
    };
    let values = std::iter::once(pid.into()).chain(bounds.into_iter().map(Value::from)).collect();
    (format!("SELECT rid FROM dat WHERE pid = ? AND {condition}"), values)
}

fn number(pid: Option<i64>, limits: &Limits, sys: Option<i64>, unit: Option<&str>) -> (String, Vec<Value>) {
    let mut text = "SELECT rid FROM num WHERE pid = ?".to_owned();
    let mut values: Vec<Value> = vec![pid.into()];
    for (bound, inclusive, exclusive) in [
        (limits.low, " AND value >= ?", " AND value > ?"),
        (limits.high, " AND value <= ?", " AND value < ?"),
    ] {
        if let Some((bound, itself)) = bound {
            text.push_str(if itself { inclusive } else { exclusive });
            values.push(bound.into());
        }
    }
    if let Some(sys) = sys {
        text.push_str(" AND sys = ?");
        values.push(sys.into());
    }
    if let Some(unit) = unit {
        text.push_str(" AND unit = ?");
        values.push(unit.into());
    }
    (text, values)
}
