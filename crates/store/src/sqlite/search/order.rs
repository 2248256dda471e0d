//! The order of matches.

use std::cmp::Ordering;

use super::test::Candidate;
use crate::sqlite::node::entries::IndexRow;
use crate::sqlite::node::names::Names;
use crate::{Position, Sort, SortBy, SortValue};

/// A sort key with the number of its parameter.
pub(super) struct Key {
    by: By,
    pub descending: bool,
}

enum By {
    Id,
    Updated,
    /// None: no resource has a value.
    Parameter(Option<i64>),
}

/// The sort keys of a search.
pub(super) struct Order(Vec<Key>);

impl Order {
    /// Looks the parameters up.
    pub fn new(sort: &[Sort], tid: i64, names: &Names) -> Self {
        let key = |sort: &Sort| Key {
            by: match &sort.by {
                SortBy::Id => By::Id,
                SortBy::Updated => By::Updated,
                SortBy::Parameter(code) => By::Parameter(names.parameter_number(tid, code)),
            },
            descending: sort.descending,
        };
        Self(sort.iter().map(key).collect())
    }

    /// Where a resource stands.
    pub fn position(&self, candidate: &Candidate) -> Position {
        let keys = self.0.iter().map(|key| key.value(candidate)).collect();
        Position { keys, number: candidate.rid }
    }

    /// Whether a position has a value for each key, as those of this search do.
    pub fn fits(&self, position: &Position) -> bool {
        position.keys.len() == self.0.len()
    }

    /// Whether two stand equal by the first key.
    pub fn same_first(one: &Position, other: &Position) -> bool {
        one.keys.first() == other.keys.first()
    }

    /// Which comes first.
    pub fn compare(&self, one: &Position, other: &Position) -> Ordering {
        let pairs = self.0.iter().zip(one.keys.iter().zip(&other.keys));
        let by_key = pairs.map(|(key, (one, other))| match (one, other) {
            (SortValue::Missing, SortValue::Missing) => Ordering::Equal,
            (SortValue::Missing, _) => Ordering::Greater,
            (_, SortValue::Missing) => Ordering::Less,
            _ if key.descending => other.cmp(one),
            _ => one.cmp(other),
        });
        let backwards = self.0.first().is_some_and(|key| key.descending)
            && one.keys.first().is_some_and(|value| *value != SortValue::Missing);
        let by_number = one.number.cmp(&other.number);
        let tie = if backwards { by_number.reverse() } else { by_number };
        by_key.fold(Ordering::Equal, Ordering::then).then(tie)
    }
}

impl Key {
    fn value(&self, candidate: &Candidate) -> SortValue {
        let at = candidate.updated_us;
        match self.by {
            By::Id => SortValue::Text(candidate.id.clone(), String::new()),
            By::Updated => SortValue::Interval(at, at),
            By::Parameter(None) => SortValue::Missing,
            By::Parameter(Some(pid)) => {
                let own = candidate.entries.of(pid).filter_map(value);
                let chosen = if self.descending { own.max() } else { own.min() };
                chosen.unwrap_or(SortValue::Missing)
            }
        }
    }
}

/// What a row is sorted by; the same order as that of its table.
fn value(row: IndexRow<&str>) -> Option<SortValue> {
    match row {
        IndexRow::Date { low_us, high_us, .. } => Some(SortValue::Interval(low_us, high_us)),
        IndexRow::Text { folded, text, .. } => Some(SortValue::Text(folded.to_owned(), text.to_owned())),
        IndexRow::Token { code, sys, .. } => Some(SortValue::Text(code.to_owned(), system_text(sys))),
        IndexRow::Uri { uri, .. } => Some(SortValue::Text(uri.to_owned(), String::new())),
        IndexRow::Number { bits, .. } => {
            // The bits of negative numbers run backwards.
            Some(SortValue::Number(if bits < 0 { bits ^ i64::MAX } else { bits }))
        }
        // What is referred to, in the order in which it was first spoken of.
        IndexRow::Reference { target, .. } => Some(SortValue::Number(target)),
        IndexRow::Compartment { .. } => None,
    }
}

/// The number of a system as a text of the same order.
pub(super) fn system_text(sys: i64) -> String {
    format!("{sys:019}")
}
