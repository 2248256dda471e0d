//! Walks over more resources than are sorted in memory: each follows an index in the order of the search.

use fhir::SearchKind;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::clauses::{Candidate, Driver};
use super::order::system_text;
use crate::sqlite::node::entries::decode;
use crate::sqlite::rows::{Value, arguments};
use crate::{Error, Position, Result, SortValue};

/// Columns of a candidate, first in every statement.
const COLUMNS: &str = "r.rid, r.id, r.updated_us, r.entries";
const LIVE: &str = "r.version > 0 AND r.deleted = 0";

/// A walk.
pub(super) enum Scan<'a> {
    /// In the order of resource numbers: what a driver with ordered texts selects, or all of the type.
    Numbers(Option<&'a Driver>),
    /// In the order of their last change.
    Updates { descending: bool },
    /// In the order of a parameter's values.
    Values { kind: SearchKind, pid: i64, descending: bool },
    /// After the values: all of the type by number, of which those without a value count.
    Missing,
}

impl Scan<'_> {
    /// The statement for up to `limit` candidates after a position.
    pub fn statement(
        &self,
        tid: i64,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(String, Vec<Value>)> {
        let number = after.map_or(0, |after| after.number);
        Ok(match self {
            Self::Numbers(Some(driver)) => {
                let (union, mut values) = driver.joined(" UNION ", " AND rid > ?", &[number.into()]);
                values.push(tid.into());
                // `LIMIT -1` keeps SQLite from sorting later what it can merge.
                let merged = format!("{union} ORDER BY 1 LIMIT -1");
                let sql = format!(
                    "SELECT {COLUMNS} FROM ({merged}) AS d CROSS JOIN resources r ON r.rid = d.rid
                     WHERE r.tid = ? AND {LIVE} LIMIT {limit}"
                );
                (sql, values)
            }
            Self::Numbers(None) | Self::Missing => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM resources r WHERE r.tid = ? AND {LIVE} AND r.rid > ?
                     ORDER BY r.rid LIMIT {limit}"
                );
                (sql, vec![tid.into(), number.into()])
            }
            Self::Updates { descending } => {
                let mut values = vec![tid.into()];
                let beyond = match after.and_then(|after| after.keys.first().map(|key| (key, after.number))) {
                    Some((SortValue::Interval(at, _), number)) => {
                        values.extend([(*at).into(), number.into()]);
                        if *descending {
                            "AND (r.updated_us, r.rid) < (?, ?)"
                        } else {
                            "AND (r.updated_us, r.rid) > (?, ?)"
                        }
                    }
                    Some(_) => return Err(Error::Corrupt("a position of a search")),
                    None => "",
                };
                let way = if *descending { "DESC" } else { "ASC" };
                let sql = format!(
                    "SELECT {COLUMNS} FROM resources r WHERE r.tid = ? AND {LIVE} {beyond}
                     ORDER BY r.updated_us {way}, r.rid {way} LIMIT {limit}"
                );
                (sql, values)
            }
            Self::Values { kind, pid, descending } => values(*kind, *pid, *descending, after, limit)?,
        })
    }

    /// Up to `limit` candidates after a position.
    pub async fn read(
        &self,
        tid: i64,
        after: Option<&Position>,
        limit: usize,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<(Candidate, Option<SortValue>)>> {
        let (sql, values) = self.statement(tid, after, limit)?;
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_all(connection).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let candidate = candidate(row)?;
            let key = match self {
                Self::Values { kind: SearchKind::Date, .. } => {
                    Some(SortValue::Interval(row.try_get(4)?, row.try_get(5)?))
                }
                Self::Values { kind: SearchKind::Token, .. } => {
                    Some(SortValue::Text(row.try_get(4)?, system_text(row.try_get(5)?)))
                }
                Self::Values { .. } => Some(SortValue::Text(row.try_get(4)?, row.try_get(5)?)),
                _ => None,
            };
            found.push((candidate, key));
        }
        let by_number = |scan: &Self| matches!(scan, Self::Numbers(_) | Self::Missing);
        if by_number(self) && !found.is_sorted_by_key(|(candidate, _)| candidate.rid) {
            return Err(Error::Corrupt("the order of a page"));
        }
        Ok(found)
    }
}

/// Whether values of a kind lie in the order of a sort key.
pub(super) fn has_order(kind: SearchKind) -> bool {
    matches!(kind, SearchKind::Date | SearchKind::Token | SearchKind::String)
}

fn values(
    kind: SearchKind,
    pid: i64,
    descending: bool,
    after: Option<&Position>,
    limit: usize,
) -> Result<(String, Vec<Value>)> {
    let (table, first, second) = match kind {
        SearchKind::Date => ("dat", "low_us", "high_us"),
        SearchKind::Token => ("tok", "code", "sys"),
        _ => ("str", "folded", "text"),
    };
    let (than, way) = if descending { ("<", "DESC") } else { (">", "ASC") };
    let mut values = vec![pid.into()];
    let beyond = match after {
        None => String::new(),
        Some(after) => {
            match (after.keys.first(), kind) {
                (Some(SortValue::Interval(low, high)), SearchKind::Date) => {
                    values.extend([(*low).into(), (*high).into()]);
                }
                (Some(SortValue::Text(code, system)), SearchKind::Token) => {
                    let system = system.parse::<i64>();
                    let system = system.map_err(|_| Error::Corrupt("a position of a search"))?;
                    values.extend([code.as_str().into(), system.into()]);
                }
                (Some(SortValue::Text(folded, text)), _) => {
                    values.extend([folded.as_str().into(), text.as_str().into()]);
                }
                _ => return Err(Error::Corrupt("a position of a search")),
            }
            values.push(after.number.into());
            format!("AND (v.{first}, v.{second}, v.rid) {than} (?, ?, ?)")
        }
    };
    let sql = format!(
        "SELECT {COLUMNS}, v.{first}, v.{second} FROM {table} v CROSS JOIN resources r ON r.rid = v.rid
         WHERE v.pid = ? {beyond} ORDER BY v.{first} {way}, v.{second} {way}, v.rid {way} LIMIT {limit}"
    );
    Ok((sql, values))
}

/// All that a driver selects, each once, in no order.
pub(super) async fn all(
    driver: &Driver,
    tid: i64,
    connection: &mut SqliteConnection,
) -> Result<Vec<Candidate>> {
    let (sql, values) = all_statement(driver, tid);
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_all(connection).await?;
    rows.iter().map(candidate).collect()
}

/// The statement of [`all`].
pub(super) fn all_statement(driver: &Driver, tid: i64) -> (String, Vec<Value>) {
    let (union, mut values) = driver.joined(" UNION ALL ", "", &[]);
    values.push(tid.into());
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT DISTINCT rid FROM ({union})) AS d CROSS JOIN resources r ON r.rid = d.rid
         WHERE r.tid = ? AND {LIVE}"
    );
    (sql, values)
}

fn candidate(row: &sqlx::sqlite::SqliteRow) -> Result<Candidate> {
    Ok(Candidate {
        rid: row.try_get(0)?,
        id: row.try_get(1)?,
        updated_us: row.try_get(2)?,
        rows: decode(row.try_get(3)?)?,
    })
}
