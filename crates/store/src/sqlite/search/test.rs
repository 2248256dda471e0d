//! A clause as a test of one resource's index rows.

use std::collections::HashSet;

use fhir::{Comparator, DateMatch, NumberMatch};

use super::body::BodyTest;
use crate::sqlite::node::entries::{Entries, IndexRow};
use crate::{Ids, TextMatch};

/// A live resource that may match.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub rid: i64,
    pub tid: i64,
    pub id: String,
    pub updated_us: i64,
    pub entries: Entries,
}

impl Candidate {
    /// Whether a row of a parameter passes. A parameter without a number has no value anywhere.
    fn any(&self, of: Option<i64>, test: impl Fn(&IndexRow<&str>) -> bool) -> bool {
        of.is_some_and(|pid| self.entries.of(pid).any(|row| test(&row)))
    }

    /// Numbers of what its references of a parameter lead to.
    pub fn targets(&self, of: i64) -> impl Iterator<Item = i64> {
        self.entries.of(of).filter_map(|row| match row {
            IndexRow::Reference { target, .. } => Some(target),
            _ => None,
        })
    }
}

/// What a matching resource has.
#[derive(Debug)]
pub(super) enum Test {
    Ids(HashSet<String>),
    Numbers(HashSet<i64>),
    Updated(Vec<DateMatch>),
    Token {
        pid: Option<i64>,
        values: Vec<(Option<i64>, Option<String>)>,
        not: bool,
    },
    Reference {
        pid: Option<i64>,
        targets: HashSet<i64>,
    },
    Date {
        pid: Option<i64>,
        values: Vec<DateMatch>,
    },
    Text {
        pid: Option<i64>,
        values: Vec<String>,
        how: TextMatch,
    },
    Uri {
        pid: Option<i64>,
        whole: HashSet<String>,
        along: Vec<String>,
    },
    Number {
        pids: Vec<(i64, Option<Comparator>)>,
        values: Vec<Quantity>,
    },
    Missing {
        pids: Vec<i64>,
        missing: bool,
    },
    Any(Vec<Self>),
    All(Vec<Self>),
    None(Vec<Self>),
    /// Its own id is one of these.
    Among(Ids),
    /// References of a parameter lead to a resource of this type with one of these ids, stored or not.
    LeadsAmong {
        pid: i64,
        tid: Option<i64>,
        ids: Ids,
    },
    /// What the index does not hold.
    Body(BodyTest),
    /// References of a parameter lead to a resource of one of these types of which all tests hold.
    Leads {
        pid: i64,
        targets: Vec<(i64, Vec<Self>)>,
    },
    /// References of a parameter of a type lead here from a resource of which all tests hold.
    Led {
        pid: i64,
        tests: Vec<Self>,
    },
}

/// A number with the unit it must have.
#[derive(Debug)]
pub(super) struct Quantity {
    pub number: NumberMatch,
    pub sys: Option<i64>,
    pub unit: Option<String>,
}

impl Test {
    /// Whether a resource passes; `None` where its rows cannot say.
    pub fn holds(&self, candidate: &Candidate) -> Option<bool> {
        Some(match self {
            Self::Ids(ids) => ids.contains(&candidate.id),
            Self::Numbers(numbers) => numbers.contains(&candidate.rid),
            Self::Updated(values) => {
                let at = candidate.updated_us;
                values.iter().any(|value| value.holds(at, at.saturating_add(1)))
            }
            Self::Token { pid, values, not } => not ^ candidate.any(*pid, |row| token_holds(row, values)),
            Self::Reference { pid, targets } => candidate.any(
                *pid,
                |row| matches!(row, IndexRow::Reference { target, .. } if targets.contains(target)),
            ),
            Self::Date { pid, values } => candidate.any(*pid, |row| match row {
                IndexRow::Date { low_us, high_us, .. } => {
                    values.iter().any(|value| value.holds(*low_us, *high_us))
                }
                _ => false,
            }),
            Self::Text { pid, values, how } => candidate.any(*pid, |row| text_holds(row, values, *how)),
            Self::Uri { pid, whole, along } => candidate.any(*pid, |row| match row {
                IndexRow::Uri { uri, .. } => {
                    whole.contains(*uri) || along.iter().any(|of| goes_along(uri, of))
                }
                _ => false,
            }),
            Self::Number { pids, values } => pids.iter().any(|(pid, comparator)| {
                candidate.any(Some(*pid), |row| number_holds(row, values, *comparator))
            }),
            Self::Missing { pids, missing } => {
                *missing != pids.iter().any(|pid| candidate.any(Some(*pid), |_| true))
            }
            Self::Any(tests) => {
                let mut unknown = false;
                for test in tests {
                    match test.holds(candidate) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                return (!unknown).then_some(false);
            }
            Self::All(tests) => {
                let mut unknown = false;
                for test in tests {
                    match test.holds(candidate) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => unknown = true,
                    }
                }
                return (!unknown).then_some(true);
            }
            Self::None(tests) => {
                let mut unknown = false;
                for test in tests {
                    match test.holds(candidate) {
                        Some(true) => return Some(false),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                return (!unknown).then_some(true);
            }
            Self::Among(ids) => ids.0.contains(&candidate.id),
            Self::LeadsAmong { pid, .. } if candidate.targets(*pid).next().is_none() => false,
            Self::Body(_) | Self::Leads { .. } | Self::Led { .. } | Self::LeadsAmong { .. } => return None,
        })
    }
}

fn token_holds(row: &IndexRow<&str>, values: &[(Option<i64>, Option<String>)]) -> bool {
    let IndexRow::Token { code, sys, .. } = row else { return false };
    values.iter().any(|(asked_sys, asked)| {
        asked_sys.is_none_or(|asked| asked == *sys) && asked.as_ref().is_none_or(|asked| asked == code)
    })
}

fn text_holds(row: &IndexRow<&str>, values: &[String], how: TextMatch) -> bool {
    let IndexRow::Text { folded, text, .. } = row else { return false };
    let whole = if text.is_empty() { folded } else { text };
    values.iter().any(|value| match how {
        TextMatch::Start => folded.starts_with(value),
        TextMatch::Contains => folded.contains(value),
        TextMatch::Exact => whole == value,
    })
}

/// Whether a uri goes on along the path of another.
fn goes_along(uri: &str, of: &str) -> bool {
    uri.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'))
}

fn number_holds(row: &IndexRow<&str>, values: &[Quantity], comparator: Option<Comparator>) -> bool {
    let IndexRow::Number { sys, unit, bits, .. } = row else { return false };
    let number = f64::from_bits(bits.cast_unsigned());
    values.iter().any(|value| {
        value.sys.is_none_or(|asked| asked == *sys)
            && value.unit.as_ref().is_none_or(|asked| asked == unit)
            && value.number.holds(number, comparator)
    })
}
