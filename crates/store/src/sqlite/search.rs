//! Searching: the clause with the fewest rows drives, the others are probed by resource number, pages follow that number.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::Sqlite;
use super::codes::unsigned;
use super::file::READ_ROWS_MAX;
use super::node::entries::fold;
use super::node::names::Names;
use super::resources::stored;
use super::rows::{Value, arguments};
use crate::{Clause, Error, Page, Result, Search, TokenValue};

/// How far the rows of a clause are counted before it drives; up to so many, a total is cheap.
const COUNTED_MAX: i64 = 1_000;
/// Values of one clause beyond which they are not merged in order but sorted.
const MERGED_MAX: usize = 64;

/// One clause as sources of resource numbers: SQL texts, each with its values, that select `rid`. A resource matches
/// when any source has it. No source: nothing matches.
struct Sources {
    texts: Vec<(&'static str, Vec<Value>)>,
}

impl Sources {
    /// One text of all sources, each restricted by `restriction` on `rid`.
    fn joined(&self, by: &str, restriction: &str, values: &[Value]) -> (String, Vec<Value>) {
        let mut bound = Vec::new();
        let texts: Vec<String> = self
            .texts
            .iter()
            .map(|(text, own)| {
                bound.extend(own.iter().cloned());
                bound.extend(values.iter().cloned());
                format!("{text}{restriction}")
            })
            .collect();
        (texts.join(by), bound)
    }
}

impl Sqlite {
    /// One page of a search, read in one transaction.
    pub(super) async fn page(&self, search: &Search) -> Result<Page> {
        let names = self.published.names();
        let none = Page { matches: Vec::new(), next: None, total: Some(0) };
        let Some(tid) = names.type_number(search.resource_type.as_str()) else { return Ok(none) };
        let mut connection = self.node.begin().await?;
        let mut clauses = Vec::with_capacity(search.clauses.len());
        for clause in &search.clauses {
            let Some(sources) = sources(clause, tid, &names, &mut connection).await? else { return Ok(none) };
            let rows = count(&sources, &mut connection).await?;
            clauses.push((rows, sources));
        }
        clauses.sort_by_key(|(rows, _)| *rows);
        let page = read(search, tid, &clauses, &names, &mut connection).await;
        connection.rollback().await?;
        page
    }
}

async fn read(
    search: &Search,
    tid: i64,
    clauses: &[(i64, Sources)],
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Page> {
    let count = search.count.min(READ_ROWS_MAX);
    let (from, values) = matching(tid, clauses, search.after.unwrap_or(0));
    let order = if clauses.is_empty() { "ORDER BY r.rid" } else { "" };
    let columns = "r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body, r.rid";
    let sql = format!("SELECT {columns} {from} {order} LIMIT {}", count + 1);
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_all(&mut *connection).await?;
    if !rows.is_sorted_by_key(|row| row.try_get::<i64, _>(7).ok()) {
        return Err(Error::Corrupt("the order of a page"));
    }
    let shown = rows.get(..count).unwrap_or(&rows);
    let next = match shown.last() {
        Some(last) if rows.len() > count => Some(last.try_get(7)?),
        _ => None,
    };
    let matches = shown.iter().map(|row| stored(row, names)).collect::<Result<Vec<_>>>()?;
    let total = total(search, tid, clauses, connection).await?;
    Ok(Page { matches, next, total })
}

/// The rows that match beyond a resource number in ascending order of it, from `FROM` on. The sources of the driver are
/// merged in order (`LIMIT -1` keeps SQLite from sorting later instead), so that a page reads no more of it than it needs.
fn matching(tid: i64, clauses: &[(i64, Sources)], after: i64) -> (String, Vec<Value>) {
    let (mut from, mut values) = match clauses.first() {
        Some((_, driver)) => {
            let (union, values) = driver.joined(" UNION ", " AND rid > ?", &[after.into()]);
            let merged = format!("{union} ORDER BY 1 LIMIT -1");
            (format!("FROM ({merged}) AS d CROSS JOIN resources r ON r.rid = d.rid WHERE r.tid = ?"), values)
        }
        None => ("FROM resources r WHERE r.rid > ? AND r.tid = ?".to_owned(), vec![after.into()]),
    };
    values.push(tid.into());
    from.push_str(" AND r.version > 0 AND r.deleted = 0");
    for (_, probe) in clauses.iter().skip(1) {
        let (any, own) = probe.joined(" UNION ALL ", " AND rid = r.rid", &[]);
        from.push_str(&format!(" AND EXISTS ({any})"));
        values.extend(own);
    }
    (from, values)
}

async fn total(
    search: &Search,
    tid: i64,
    clauses: &[(i64, Sources)],
    connection: &mut SqliteConnection,
) -> Result<Option<u64>> {
    let (sql, values) = match clauses.first() {
        Some((rows, _)) if *rows > COUNTED_MAX => return Ok(None),
        Some(_) => {
            let (from, values) = matching(tid, clauses, 0);
            (format!("SELECT count(*) {from}"), values)
        }
        None if search.clauses.is_empty() => {
            ("SELECT coalesce(sum(live), 0) FROM type_counts WHERE tid = ?".to_owned(), vec![tid.into()])
        }
        None => return Ok(None),
    };
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_one(connection).await?;
    Ok(Some(unsigned(row.try_get(0)?)?))
}

/// How many rows a clause has, counted no further than [`COUNTED_MAX`].
async fn count(sources: &Sources, connection: &mut SqliteConnection) -> Result<i64> {
    let (all, values) = sources.joined(" UNION ALL ", "", &[]);
    let sql = format!("SELECT count(*) FROM ({all} LIMIT {})", COUNTED_MAX + 1);
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// The sources of a clause; `None` when nothing can match.
async fn sources(
    clause: &Clause,
    tid: i64,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Option<Sources>> {
    let mut texts = Vec::new();
    match clause {
        Clause::Id(ids) => {
            for id in ids {
                texts.push((BY_ID, vec![id.as_str().into(), tid.into()]));
            }
        }
        Clause::Token { parameter, values } => {
            let Some(pid) = names.parameter_number(tid, parameter) else { return Ok(None) };
            for value in values {
                token(value, pid, names, connection, &mut texts).await?;
            }
        }
        Clause::Reference { parameter, values } => {
            let Some(pid) = names.parameter_number(tid, parameter) else { return Ok(None) };
            for (resource_type, id) in values {
                for target in targets(resource_type.as_deref(), id, names, connection).await? {
                    texts.push((BY_TARGET, vec![pid.into(), target.into()]));
                }
            }
        }
    }
    Ok((!texts.is_empty()).then_some(Sources { texts }))
}

const BY_ID: &str = "SELECT rid FROM resources WHERE id = ? AND tid = ?";
const BY_TARGET: &str = "SELECT rid FROM ref WHERE pid = ? AND target = ?";
const BY_CODE_AND_SYSTEM: &str = "SELECT rid FROM tok WHERE pid = ? AND code = ? AND sys = ?";
const BY_CODE: &str = "SELECT rid FROM tok WHERE pid = ? AND code = ?";
const BY_SYSTEM: &str = "SELECT rid FROM tok WHERE pid = ? AND sys = ?";
const BY_PARAMETER: &str = "SELECT rid FROM tok WHERE pid = ?";
/// The systems of one code, found by skipping from one to the next.
const SYSTEMS_OF_CODE: &str = "WITH RECURSIVE found (sys) AS (
    SELECT min(sys) FROM tok WHERE pid = ?1 AND code = ?2
    UNION ALL SELECT (SELECT min(sys) FROM tok WHERE pid = ?1 AND code = ?2 AND sys > found.sys) FROM found
        WHERE found.sys IS NOT NULL LIMIT 66)
    SELECT sys FROM found WHERE sys IS NOT NULL";
/// The targets of one id, whatever their type.
const TARGETS_OF_ID: &str = "SELECT rid FROM resources WHERE id = ?";
/// The target of one type and id, and of the id where the type is not known.
const TARGETS_OF_KEY: &str = "SELECT rid FROM resources WHERE id = ? AND tid IN (?, 0)";

async fn token(
    value: &TokenValue,
    pid: i64,
    names: &Names,
    connection: &mut SqliteConnection,
    texts: &mut Vec<(&'static str, Vec<Value>)>,
) -> Result<()> {
    let code = value.code.as_deref().map(fold);
    let system = match &value.system {
        None => None,
        Some(uri) => match names.system_number(uri) {
            Some(number) => Some(number),
            None => return Ok(()),
        },
    };
    match (code, system) {
        (Some(code), Some(system)) => {
            texts.push((BY_CODE_AND_SYSTEM, vec![pid.into(), code.into(), system.into()]));
        }
        (Some(code), None) => {
            let systems: Vec<i64> =
                sqlx::query_scalar(SYSTEMS_OF_CODE).bind(pid).bind(&code).fetch_all(connection).await?;
            if systems.len() > MERGED_MAX {
                texts.push((BY_CODE, vec![pid.into(), code.into()]));
            } else {
                let one =
                    |system: i64| (BY_CODE_AND_SYSTEM, vec![pid.into(), code.as_str().into(), system.into()]);
                texts.extend(systems.into_iter().map(one));
            }
        }
        (None, Some(system)) => texts.push((BY_SYSTEM, vec![pid.into(), system.into()])),
        (None, None) => texts.push((BY_PARAMETER, vec![pid.into()])),
    }
    Ok(())
}

async fn targets(
    resource_type: Option<&str>,
    id: &str,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Vec<i64>> {
    let Some(name) = resource_type else {
        return Ok(sqlx::query_scalar(TARGETS_OF_ID).bind(id).fetch_all(connection).await?);
    };
    let tid = names.type_number(name).unwrap_or(super::node::names::NO_TYPE);
    Ok(sqlx::query_scalar(TARGETS_OF_KEY).bind(id).bind(tid).fetch_all(connection).await?)
}
