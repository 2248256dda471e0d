//! A clause of a search twice: as a test of one resource's index rows, and, where its rows lie together in the index, as
//! the statements that find them.

use std::collections::HashSet;

use fhir::{DateMatch, NumberMatch, Prefix, fold_string};
use sqlx::SqliteConnection;

use crate::sqlite::node::entries::{IndexRow, cut, fold};
use crate::sqlite::node::names::{NO_TYPE, Names};
use crate::sqlite::rows::Value;
use crate::{Clause, QuantityValue, Result, TextMatch, TokenValue};

/// Systems of one code beyond which they are not merged in order.
const MERGED_MAX: usize = 64;

/// A resource that may match.
pub(super) struct Candidate {
    pub rid: i64,
    pub id: String,
    pub updated_us: i64,
    pub rows: Vec<IndexRow>,
}

/// Statements that select `rid` of all resources that match a clause, and of no other; one may come several times. Each
/// text ends so that ` AND …` can follow.
pub(super) struct Driver {
    pub texts: Vec<(String, Vec<Value>)>,
    /// Each text gives its numbers in ascending order.
    pub ordered: bool,
}

impl Driver {
    fn new(texts: Vec<(String, Vec<Value>)>, ordered: bool) -> Self {
        Self { texts, ordered }
    }

    /// One text of all, each with a condition on `rid` at its end.
    pub fn joined(&self, by: &str, condition: &str, values: &[Value]) -> (String, Vec<Value>) {
        let mut bound = Vec::new();
        let texts: Vec<String> = self
            .texts
            .iter()
            .map(|(text, own)| {
                bound.extend(own.iter().cloned());
                bound.extend(values.iter().cloned());
                format!("{text}{condition}")
            })
            .collect();
        (texts.join(by), bound)
    }
}

/// A clause ready to run. Without a driver it can only be tested.
pub(super) struct Compiled {
    pub test: Test,
    pub driver: Option<Driver>,
}

/// What the index rows of a matching resource have. A parameter without a number has no value anywhere.
pub(super) enum Test {
    Id(HashSet<String>),
    Updated(Vec<DateMatch>),
    Token { pid: Option<i64>, values: Vec<(Option<i64>, Option<String>)>, not: bool },
    Reference { pid: Option<i64>, targets: HashSet<i64> },
    Date { pid: Option<i64>, values: Vec<DateMatch> },
    Text { pid: Option<i64>, values: Vec<String>, how: TextMatch },
    Uri { pid: Option<i64>, values: Vec<String> },
    Number { pid: Option<i64>, values: Vec<Quantity> },
    Missing { pid: Option<i64>, missing: bool },
}

/// A number with the unit it must have.
pub(super) struct Quantity {
    number: NumberMatch,
    sys: Option<i64>,
    unit: Option<String>,
}

impl Test {
    /// Whether a resource passes.
    pub fn holds(&self, candidate: &Candidate) -> bool {
        let any = |of: Option<i64>, test: &dyn Fn(&IndexRow) -> bool| {
            of.is_some_and(|pid| candidate.rows.iter().any(|row| row.parameter() == Some(pid) && test(row)))
        };
        match self {
            Self::Id(ids) => ids.contains(&candidate.id),
            Self::Updated(values) => {
                let at = candidate.updated_us;
                values.iter().any(|value| value.holds(at, at.saturating_add(1)))
            }
            Self::Token { pid, values, not } => not ^ any(*pid, &|row| token_holds(row, values)),
            Self::Reference { pid, targets } => any(
                *pid,
                &|row| matches!(row, IndexRow::Reference { target, .. } if targets.contains(target)),
            ),
            Self::Date { pid, values } => any(*pid, &|row| match row {
                IndexRow::Date { low_us, high_us, .. } => {
                    values.iter().any(|value| value.holds(*low_us, *high_us))
                }
                _ => false,
            }),
            Self::Text { pid, values, how } => any(*pid, &|row| text_holds(row, values, *how)),
            Self::Uri { pid, values } => {
                any(*pid, &|row| matches!(row, IndexRow::Uri { uri, .. } if values.contains(uri)))
            }
            Self::Number { pid, values } => any(*pid, &|row| number_holds(row, values)),
            Self::Missing { pid, missing } => *missing != any(*pid, &|_| true),
        }
    }
}

fn token_holds(row: &IndexRow, values: &[(Option<i64>, Option<String>)]) -> bool {
    let IndexRow::Token { code, sys, .. } = row else { return false };
    values.iter().any(|(asked_sys, asked)| {
        asked_sys.is_none_or(|asked| asked == *sys) && asked.as_ref().is_none_or(|asked| asked == code)
    })
}

fn text_holds(row: &IndexRow, values: &[String], how: TextMatch) -> bool {
    let IndexRow::Text { folded, text, .. } = row else { return false };
    let whole = if text.is_empty() { folded } else { text };
    values.iter().any(|value| match how {
        TextMatch::Start => folded.starts_with(value),
        TextMatch::Contains => folded.contains(value),
        TextMatch::Exact => whole == value,
    })
}

fn number_holds(row: &IndexRow, values: &[Quantity]) -> bool {
    let IndexRow::Number { sys, unit, bits, .. } = row else { return false };
    let number = f64::from_bits(bits.cast_unsigned());
    values.iter().any(|value| {
        value.sys.is_none_or(|asked| asked == *sys)
            && value.unit.as_ref().is_none_or(|asked| asked == unit)
            && value.number.holds(number)
    })
}

/// Prepares a clause.
pub(super) async fn compile(
    clause: &Clause,
    tid: i64,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Compiled> {
    let number = |parameter: &str| names.parameter_number(tid, parameter);
    Ok(match clause {
        Clause::Id(ids) => {
            let by_id = "SELECT rid FROM resources WHERE id = ? AND tid = ?";
            let texts = ids.iter().map(|id| (by_id.to_owned(), vec![id.as_str().into(), tid.into()]));
            let driver = Some(Driver::new(texts.collect(), true));
            Compiled { test: Test::Id(ids.iter().cloned().collect()), driver }
        }
        Clause::Updated(values) => {
            let texts = values.iter().flat_map(|value| updated(value, tid)).collect();
            Compiled { test: Test::Updated(values.clone()), driver: Some(Driver::new(texts, false)) }
        }
        Clause::Token { parameter, values, not } => {
            token(number(parameter), values, *not, names, connection).await?
        }
        Clause::Reference { parameter, values } => {
            reference(number(parameter), values, names, connection).await?
        }
        Clause::Date { parameter, values } => {
            let pid = number(parameter);
            let texts: Option<Vec<_>> = values.iter().map(|value| date(value, pid)).collect();
            let driver = texts.map(|texts| Driver::new(texts.into_iter().flatten().collect(), false));
            Compiled { test: Test::Date { pid, values: values.clone() }, driver }
        }
        Clause::Text { parameter, values, how } => text(number(parameter), values, *how),
        Clause::Uri { parameter, values } => {
            let (pid, values): (_, Vec<String>) =
                (number(parameter), values.iter().map(|uri| cut(uri)).collect());
            let by_uri = "SELECT rid FROM uri WHERE pid = ? AND uri = ?";
            let texts = values.iter().map(|uri| (by_uri.to_owned(), vec![pid.into(), uri.as_str().into()]));
            let driver = Some(Driver::new(texts.collect(), true));
            Compiled { test: Test::Uri { pid, values }, driver }
        }
        Clause::Number { parameter, values } => {
            let pid = number(parameter);
            let values: Vec<Quantity> =
                values.iter().filter_map(|value| Quantity::new(value, names)).collect();
            let texts = values.iter().flat_map(|value| value.texts(pid)).collect();
            Compiled { test: Test::Number { pid, values }, driver: Some(Driver::new(texts, false)) }
        }
        Clause::Missing { parameter, missing } => {
            Compiled { test: Test::Missing { pid: number(parameter), missing: *missing }, driver: None }
        }
    })
}

/// Statements for `_lastUpdated`, whose values are instants.
fn updated(value: &DateMatch, tid: i64) -> Vec<(String, Vec<Value>)> {
    let text = |condition: &str, bounds: &[i64]| {
        let text = format!(
            "SELECT rid FROM resources WHERE tid = ? AND version > 0 AND deleted = 0 AND {condition}"
        );
        (text, std::iter::once(tid).chain(bounds.iter().copied()).map(Value::from).collect())
    };
    let (low, high) = (value.low_us, value.high_us);
    match value.prefix {
        Prefix::Equal | Prefix::Approximate => {
            vec![text("updated_us >= ? AND updated_us < ?", &[low, high])]
        }
        Prefix::NotEqual => vec![text("updated_us < ?", &[low]), text("updated_us >= ?", &[high])],
        Prefix::Greater | Prefix::StartsAfter => vec![text("updated_us >= ?", &[high])],
        Prefix::Less | Prefix::EndsBefore => vec![text("updated_us < ?", &[low])],
        Prefix::GreaterOrEqual => vec![text("updated_us >= ?", &[low])],
        Prefix::LessOrEqual => vec![text("updated_us < ?", &[high])],
    }
}

/// Statements for a date parameter; none for `ap`, whose rows do not lie together.
fn date(value: &DateMatch, pid: Option<i64>) -> Option<Vec<(String, Vec<Value>)>> {
    let text = |condition: &str, bounds: &[i64]| {
        let text = format!("SELECT rid FROM dat WHERE pid = ? AND {condition}");
        (text, std::iter::once(pid.into()).chain(bounds.iter().map(|bound| (*bound).into())).collect())
    };
    let (low, high) = (value.low_us, value.high_us);
    Some(match value.prefix {
        Prefix::Equal => {
            vec![text("low_us >= ? AND low_us < ? AND high_us <= ?", &[low, high, high])]
        }
        Prefix::NotEqual => vec![text("low_us < ?", &[low]), text("high_us > ?", &[high])],
        Prefix::Greater => vec![text("high_us > ?", &[high])],
        Prefix::Less => vec![text("low_us < ?", &[low])],
        // What is inside, or reaches beyond, ends beyond the beginning.
        Prefix::GreaterOrEqual => {
            vec![text("high_us > ? AND (high_us > ? OR low_us >= ?)", &[low, high, low])]
        }
        Prefix::LessOrEqual => vec![text("low_us < ? AND (low_us < ? OR high_us <= ?)", &[high, low, high])],
        Prefix::StartsAfter => vec![text("low_us >= ?", &[high])],
        Prefix::EndsBefore => vec![text("high_us <= ?", &[low])],
        Prefix::Approximate => return None,
    })
}

fn text(pid: Option<i64>, values: &[String], how: TextMatch) -> Compiled {
    let whole = |value: &String| if how == TextMatch::Exact { cut(value) } else { fold_string(value) };
    let asked: Vec<String> = values.iter().map(whole).collect();
    let driver = match how {
        TextMatch::Start => {
            let starts = "SELECT rid FROM str WHERE pid = ? AND folded >= ? AND folded < ?";
            let texts = asked.iter().map(|start| {
                let end = format!("{start}{}", char::MAX);
                (starts.to_owned(), vec![pid.into(), start.as_str().into(), end.into()])
            });
            Some(Driver::new(texts.collect(), false))
        }
        TextMatch::Exact => {
            let equals = "SELECT rid FROM str WHERE pid = ? AND folded = ? AND text = ?";
            let texts = values.iter().zip(&asked).map(|(value, cut)| {
                let folded = fold_string(value);
                let text = if folded == *cut { String::new() } else { cut.clone() };
                (equals.to_owned(), vec![pid.into(), folded.into(), text.into()])
            });
            Some(Driver::new(texts.collect(), true))
        }
        TextMatch::Contains => None,
    };
    Compiled { test: Test::Text { pid, values: asked, how }, driver }
}

impl Quantity {
    /// `None` when no resource has the system.
    fn new(value: &QuantityValue, names: &Names) -> Option<Self> {
        let sys = match &value.system {
            None => None,
            Some(uri) => Some(names.system_number(uri)?),
        };
        Some(Self { number: value.number, sys, unit: value.unit.clone() })
    }

    fn texts(&self, pid: Option<i64>) -> Vec<(String, Vec<Value>)> {
        let NumberMatch { prefix, value, low, high } = self.number;
        let ranges: Vec<(&str, Vec<f64>)> = match prefix {
            Prefix::Equal => vec![("value >= ? AND value < ?", vec![low, high])],
            Prefix::NotEqual => vec![("value < ?", vec![low]), ("value >= ?", vec![high])],
            Prefix::Greater | Prefix::StartsAfter => vec![("value > ?", vec![value])],
            Prefix::Less | Prefix::EndsBefore => vec![("value < ?", vec![value])],
            Prefix::GreaterOrEqual => vec![("value >= ?", vec![value])],
            Prefix::LessOrEqual => vec![("value <= ?", vec![value])],
            Prefix::Approximate => vec![("value >= ? AND value <= ?", vec![low, high])],
        };
        let text = |(range, bounds): (&str, Vec<f64>)| {
            let mut text = format!("SELECT rid FROM num WHERE pid = ? AND {range}");
            let mut values: Vec<Value> = vec![pid.into()];
            values.extend(bounds.into_iter().map(Value::from));
            if let Some(sys) = self.sys {
                text.push_str(" AND sys = ?");
                values.push(sys.into());
            }
            if let Some(unit) = &self.unit {
                text.push_str(" AND unit = ?");
                values.push(unit.as_str().into());
            }
            (text, values)
        };
        ranges.into_iter().map(text).collect()
    }
}

const BY_CODE_AND_SYSTEM: &str = "SELECT rid FROM tok WHERE pid = ? AND code = ? AND sys = ?";
const BY_CODE: &str = "SELECT rid FROM tok WHERE pid = ? AND code = ?";
/// The systems of one code, found by skipping from one to the next.
const SYSTEMS_OF_CODE: &str = "WITH RECURSIVE found (sys) AS (
    SELECT min(sys) FROM tok WHERE pid = ?1 AND code = ?2
    UNION ALL SELECT (SELECT min(sys) FROM tok WHERE pid = ?1 AND code = ?2 AND sys > found.sys) FROM found
        WHERE found.sys IS NOT NULL LIMIT 66)
    SELECT sys FROM found WHERE sys IS NOT NULL";

async fn token(
    pid: Option<i64>,
    asked: &[TokenValue],
    not: bool,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Compiled> {
    let (mut values, mut texts, mut ordered, mut drives) = (Vec::new(), Vec::new(), true, !not);
    for value in asked {
        let code = value.code.as_deref().map(fold);
        let system = match &value.system {
            None => None,
            Some(uri) => match names.system_number(uri) {
                Some(number) => Some(number),
                None => continue,
            },
        };
        values.push((system, code.clone()));
        let Some(code) = code else {
            drives = false;
            continue;
        };
        let systems: Vec<i64> = match system {
            Some(system) => vec![system],
            None if not => Vec::new(),
            None => {
                sqlx::query_scalar(SYSTEMS_OF_CODE).bind(pid).bind(&code).fetch_all(&mut *connection).await?
            }
        };
        if systems.len() > MERGED_MAX {
            ordered = false;
            texts.push((BY_CODE.to_owned(), vec![pid.into(), code.into()]));
        } else {
            let one = |system: i64| {
                (BY_CODE_AND_SYSTEM.to_owned(), vec![pid.into(), code.as_str().into(), system.into()])
            };
            texts.extend(systems.into_iter().map(one));
        }
    }
    let driver = drives.then(|| Driver::new(texts, ordered));
    Ok(Compiled { test: Test::Token { pid, values, not }, driver })
}

/// The targets of one id, whatever their type.
const TARGETS_OF_ID: &str = "SELECT rid FROM resources WHERE id = ?";
/// The target of one type and id, and of the id where the type is not known.
const TARGETS_OF_KEY: &str = "SELECT rid FROM resources WHERE id = ? AND tid IN (?, 0)";

async fn reference(
    pid: Option<i64>,
    values: &[(Option<String>, String)],
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Compiled> {
    let mut targets: HashSet<i64> = HashSet::new();
    for (resource_type, id) in values {
        let found: Vec<i64> = match resource_type {
            None => sqlx::query_scalar(TARGETS_OF_ID).bind(id).fetch_all(&mut *connection).await?,
            Some(name) => {
                let tid = names.type_number(name).unwrap_or(NO_TYPE);
                sqlx::query_scalar(TARGETS_OF_KEY).bind(id).bind(tid).fetch_all(&mut *connection).await?
            }
        };
        targets.extend(found);
    }
    let by_target = "SELECT rid FROM ref WHERE pid = ? AND target = ?";
    let texts = targets.iter().map(|target| (by_target.to_owned(), vec![pid.into(), (*target).into()]));
    let driver = Some(Driver::new(texts.collect(), true));
    Ok(Compiled { test: Test::Reference { pid, targets }, driver })
}
