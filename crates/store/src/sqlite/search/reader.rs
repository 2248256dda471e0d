//! What a search reads, in one transaction: every statement of searching is here or in `range`.

use std::collections::{HashMap, HashSet};

use fhir::SearchKind;
use sqlx::AssertSqlSafe;

use super::newest::{Newest, Through};
use super::order::system_text;
use super::range::{LISTED_MAX, Range, list};
use super::test::Candidate;
use crate::sql::{Connection, Row, Rows, Value, query_scalar, query_with};
use crate::sqlite::body::unpack;
use crate::sqlite::node::entries::Entries;
use crate::sqlite::node::names::{NO_TYPE, Names};
use crate::sqlite::resources::stored;
use crate::{Error, Ids, Position, Result, SortValue, Stored};

/// Resources that are read at once without counting them first.
const FEW_MAX: usize = 256;
/// Columns of a candidate, first in every statement that reads some.
pub(super) const COLUMNS: &str = "r.rid, r.tid, r.id, r.updated_us, r.entries";
/// What [`stored`] reads, and after it what a candidate has beside.
pub(super) const WHOLE: &str = "r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
    (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg), r.rid, r.entries";
const LIVE: &str = "r.version > 0 AND r.deleted = 0";
/// Keeps PostgreSQL from walking over a table in the order of its numbers, in the hope of so many that match.
const APART: &str = " /*pg OFFSET 0 */";
/// Parts of one compound statement.
const PARTS_MAX: usize = 400;

/// A walk over more resources than are read at once, in the order of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// All of the type by number; of those without a value of the first sort key, too.
    Numbers,
    /// By their last change.
    Updates { descending: bool },
    /// By a parameter's values.
    Values { kind: SearchKind, pid: i64, descending: bool },
}

/// The connection of one search, with the names of its database.
pub(super) struct Reader<'c> {
    pub names: &'c Names,
    pub connection: &'c mut Connection,
    /// Resources that were read whole on the way, by number.
    whole: HashMap<i64, Row>,
    /// Resources of which the index was read.
    pub looked_at: usize,
}

impl<'c> Reader<'c> {
    pub fn new(names: &'c Names, connection: &'c mut Connection) -> Self {
        Self { names, connection, whole: HashMap::new(), looked_at: 0 }
    }
}

impl Reader<'_> {
    /// Live resources of a type.
    pub async fn live(&mut self, tid: i64) -> Result<usize> {
        let live: Option<i64> = query_scalar("SELECT live FROM type_counts WHERE tid = ?")
            .bind(tid)
            .fetch_optional(&mut *self.connection)
            .await?;
        usize::try_from(live.unwrap_or(0)).map_err(|_| Error::Corrupt("a count"))
    }

    /// The systems of one code, at most two more than a search merges.
    pub async fn systems_of(&mut self, pid: i64, code: &str) -> Result<Vec<i64>> {
        query_scalar(SYSTEMS_OF_CODE).bind(pid).bind(code).fetch_all(&mut *self.connection).await
    }

    /// Numbers of what may be referred to by an id: of one type or of any, and of the id where no type is known.
    pub async fn numbers_of(&mut self, id: &str, tid: Option<i64>) -> Result<Vec<i64>> {
        Ok(match tid {
            None => query_scalar(TARGETS_OF_ID).bind(id).fetch_all(&mut *self.connection).await?,
            Some(tid) => {
                query_scalar(TARGETS_OF_KEY).bind(id).bind(tid).fetch_all(&mut *self.connection).await?
            }
        })
    }

    /// How many rows there are in these parts, counted no further than one beyond `most`.
    pub async fn count(&mut self, ranges: &[Range], most: usize) -> Result<usize> {
        let mut counted = 0;
        for part in ranges.chunks(PARTS_MAX) {
            let (sql, values) = count_statement(part, most.saturating_sub(counted));
            counted += self.scalar(sql, values).await?;
            if counted > most {
                break;
            }
        }
        Ok(counted)
    }

    /// The live resources that these parts select, each once, by number, when they are few; `None` when they are not.
    pub async fn few(&mut self, ranges: &[Range]) -> Result<Option<Vec<Candidate>>> {
        if ranges.is_empty() || ranges.len() > PARTS_MAX {
            return Ok(None);
        }
        let (sql, values) = few_statement(ranges);
        let rows = query_with(AssertSqlSafe(sql), values).fetch_all(&mut *self.connection).await?;
        self.looked_at += rows.len();
        if rows.len() > FEW_MAX {
            return Ok(None);
        }
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.try_get(5)? {
                found.push(candidate(row)?);
            }
        }
        found.sort_unstable_by_key(|candidate: &Candidate| candidate.rid);
        Ok(Some(found))
    }

    /// How many resources they select, counted no further than one beyond `most`.
    pub async fn count_distinct(&mut self, ranges: &[Range], most: usize) -> Result<usize> {
        if ranges.len() > PARTS_MAX {
            return Ok(self.numbers(ranges, most).await?.len());
        }
        if ranges.is_empty() {
            return Ok(0);
        }
        let (sql, values) = distinct_statement(ranges, most);
        self.scalar(format!("SELECT count(*) FROM ({sql}) AS d"), values).await
    }

    async fn scalar(&mut self, sql: String, values: Vec<Value>) -> Result<usize> {
        let query = query_with(AssertSqlSafe(sql), values);
        let row = query.fetch_one(&mut *self.connection).await?;
        usize::try_from(row.try_get::<i64, _>(0)?).map_err(|_| Error::Corrupt("a count"))
    }

    /// The resources that they select, each once, ascending; no more than one beyond `most`.
    pub async fn numbers(&mut self, ranges: &[Range], most: usize) -> Result<Vec<i64>> {
        let mut numbers: Vec<i64> = Vec::new();
        for part in ranges.chunks(PARTS_MAX) {
            let (sql, values) = distinct_statement(part, most);
            let query = query_with(AssertSqlSafe(sql), values);
            for row in query.fetch_all(&mut *self.connection).await? {
                numbers.push(row.try_get(0)?);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers.truncate(most.saturating_add(1));
        Ok(numbers)
    }

    /// Live resources that ordered parts select, each once, by number beyond `after`; of one type or of any.
    pub async fn merged(
        &mut self,
        ranges: &[Range],
        tid: Option<i64>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Candidate>> {
        let (sql, values) = merged_statement(COLUMNS, ranges, tid, after, limit);
        in_order(self.candidates(sql, values).await?)
    }

    /// As [`Reader::merged`], of any type, read whole.
    pub async fn merged_whole(&mut self, ranges: &[Range], limit: usize) -> Result<Vec<Candidate>> {
        let (sql, values) = merged_statement(WHOLE, ranges, None, 0, limit);
        let rows = query_with(AssertSqlSafe(sql), values).fetch_all(&mut *self.connection).await?;
        in_order(rows.into_iter().map(|row| self.keep(row)).collect::<Result<_>>()?)
    }

    /// A candidate of a row of [`WHOLE`], which is kept for when its body is wanted.
    fn keep(&mut self, row: Row) -> Result<Candidate> {
        let candidate = Candidate {
            rid: row.try_get(8)?,
            tid: row.try_get(0)?,
            id: row.try_get(1)?,
            updated_us: row.try_get(3)?,
            entries: Entries::new(row.try_get(9)?)?,
        };
        self.looked_at += 1;
        self.whole.insert(candidate.rid, row);
        Ok(candidate)
    }

    /// Up to `limit` candidates of a walk after a position, each with the value that it walks by.
    pub async fn walk(
        &mut self,
        walk: Walk,
        tid: i64,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<(Candidate, Option<SortValue>)>> {
        let (sql, values) = walk.statement(tid, after, limit)?;
        let query = query_with(AssertSqlSafe(sql), values);
        let rows = query.fetch_all(&mut *self.connection).await?;
        self.looked_at += rows.len();
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = match walk {
                Walk::Values { kind: SearchKind::Date, .. } => {
                    Some(SortValue::Interval(row.try_get(5)?, row.try_get(6)?))
                }
                Walk::Values { kind: SearchKind::Token, .. } => {
                    Some(SortValue::Text(row.try_get(5)?, system_text(row.try_get(6)?)))
                }
                Walk::Values { .. } => Some(SortValue::Text(row.try_get(5)?, row.try_get(6)?)),
                Walk::Numbers | Walk::Updates { .. } => None,
            };
            found.push((candidate(row)?, key));
        }
        Ok(found)
    }

    /// Up to `limit` of a patient's newest beyond one, read whole, each with where it stands.
    pub async fn newest(
        &mut self,
        newest: Newest,
        through: Through,
        limit: usize,
    ) -> Result<Vec<(Through, Candidate)>> {
        let (sql, values) = newest_statement(newest, through, limit);
        let rows = query_with(AssertSqlSafe(sql), values).fetch_all(&mut *self.connection).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let newness = row.try_get(10)?;
            let candidate = self.keep(row)?;
            found.push((Through { newness, rid: candidate.rid }, candidate));
        }
        Ok(found)
    }

    /// The live ones among these, in ascending order of their numbers.
    pub async fn load(&mut self, numbers: &[i64]) -> Result<Vec<Candidate>> {
        let mut found = Vec::with_capacity(numbers.len());
        for part in numbers.chunks(LISTED_MAX) {
            let (sql, values) = load_statement(part);
            found.extend(self.candidates(sql, values).await?);
        }
        found.sort_unstable_by_key(|candidate: &Candidate| candidate.rid);
        found.dedup_by_key(|candidate| candidate.rid);
        Ok(found)
    }

    async fn candidates(&mut self, sql: String, values: Vec<Value>) -> Result<Vec<Candidate>> {
        let query = query_with(AssertSqlSafe(sql), values);
        let rows = query.fetch_all(&mut *self.connection).await?;
        self.looked_at += rows.len();
        rows.iter().map(candidate).collect()
    }

    /// What refers to these by a parameter: (target, what refers), no more than one beyond `most`.
    pub async fn sources(&mut self, pid: i64, targets: &[i64], most: usize) -> Result<Vec<(i64, i64)>> {
        let mut found = Vec::new();
        for part in targets.chunks(LISTED_MAX) {
            let left = most.saturating_add(1).saturating_sub(found.len());
            if left == 0 {
                break;
            }
            let (sql, values) = sources_statement(pid, part, left);
            let query = query_with(AssertSqlSafe(sql), values);
            for row in query.fetch_all(&mut *self.connection).await? {
                found.push((row.try_get(0)?, row.try_get(1)?));
            }
        }
        Ok(found)
    }

    /// Those of these resources, stored or only referred to, that have one of these ids, and this type or none that is known.
    pub async fn among(
        &mut self,
        mut numbers: Vec<i64>,
        tid: Option<i64>,
        ids: &Ids,
    ) -> Result<HashSet<i64>> {
        numbers.sort_unstable();
        let mut found = HashSet::new();
        for part in numbers.chunks(LISTED_MAX) {
            let (places, values) = list(part);
            let sql = format!("SELECT r.rid, r.tid, r.id FROM resources r WHERE r.rid IN ({places})");
            let query = query_with(AssertSqlSafe(sql), values);
            for row in query.fetch_all(&mut *self.connection).await? {
                let (of, id): (i64, String) = (row.try_get(1)?, row.try_get(2)?);
                if (of == NO_TYPE || Some(of) == tid) && ids.0.contains(&id) {
                    found.insert(row.try_get(0)?);
                }
            }
        }
        Ok(found)
    }

    /// The bytes of these resources.
    pub async fn bodies(&mut self, numbers: &[i64]) -> Result<HashMap<i64, Vec<u8>>> {
        let mut found = HashMap::with_capacity(numbers.len());
        for part in numbers.chunks(LISTED_MAX) {
            let (places, values) = list(part);
            let sql = format!("SELECT r.rid, r.body FROM resources r WHERE r.rid IN ({places})");
            let query = query_with(AssertSqlSafe(sql), values);
            for row in query.fetch_all(&mut *self.connection).await? {
                found.insert(row.try_get(0)?, unpack(row.try_get(1)?)?);
            }
        }
        Ok(found)
    }

    /// The current versions of these resources in this order; of what is not stored, nothing.
    pub async fn stored(&mut self, numbers: &[i64]) -> Result<Vec<Stored>> {
        let mut asked = Rows::statement(STORED, ") AND r.version > 0", 1);
        let mut read = HashMap::with_capacity(numbers.len());
        for number in numbers {
            match self.whole.get(number) {
                Some(row) => {
                    read.insert(*number, stored(row, self.names)?);
                }
                None => asked.push([(*number).into()]),
            }
        }
        if !asked.is_empty() {
            for row in asked.fetch(&mut *self.connection).await? {
                read.insert(row.try_get::<i64, _>(8)?, stored(&row, self.names)?);
            }
        }
        Ok(numbers.iter().filter_map(|number| read.remove(number)).collect())
    }
}

/// The systems of one code, found by skipping from one to the next.
const SYSTEMS_OF_CODE: &str = "WITH RECURSIVE found (sys) AS (
    SELECT min(sys) FROM tok WHERE pid = ?1 AND code = ?2
    UNION ALL SELECT (SELECT min(sys) FROM tok WHERE pid = ?1 AND code = ?2 AND sys > found.sys) FROM found
        WHERE found.sys IS NOT NULL)
    SELECT sys FROM found WHERE sys IS NOT NULL LIMIT 66";
/// The targets of one id, whatever their type.
const TARGETS_OF_ID: &str = "SELECT rid FROM resources WHERE id = ?";
/// The target of one type and id, and of the id where the type is not known.
const TARGETS_OF_KEY: &str = "SELECT rid FROM resources WHERE id = ? AND tid IN (?, 0)";

/// The statement of [`Reader::stored`], up to the numbers; its columns are the first of [`WHOLE`].
const STORED: &str = "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
    (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg), r.rid FROM resources r WHERE r.rid IN (";

fn in_order(found: Vec<Candidate>) -> Result<Vec<Candidate>> {
    if found.is_sorted_by_key(|candidate| candidate.rid) {
        Ok(found)
    } else {
        Err(Error::Corrupt("the order of a page"))
    }
}

/// One text of all parts, each with a condition on `rid` at its end.
fn joined(ranges: &[Range], by: &str, condition: &str, values: &[Value]) -> (String, Vec<Value>) {
    let mut bound = Vec::new();
    let text = |range: &Range| {
        let (text, own) = range.statement();
        bound.extend(own.into_iter().chain(values.iter().cloned()));
        format!("{text}{condition}")
    };
    let texts: Vec<String> = ranges.iter().map(text).collect();
    (texts.join(by), bound)
}

/// The statement of [`Reader::count`].
pub(super) fn count_statement(ranges: &[Range], most: usize) -> (String, Vec<Value>) {
    let (all, values) = joined(ranges, " UNION ALL ", "", &[]);
    (format!("SELECT count(*) FROM ({all} LIMIT {}) AS d", most.saturating_add(1)), values)
}

/// The statement of [`Reader::few`]: with whether each is live, for what is not counts among the few as well.
pub(super) fn few_statement(ranges: &[Range]) -> (String, Vec<Value>) {
    let (all, values) = joined(ranges, " UNION ALL ", "", &[]);
    let sql = format!(
        "SELECT {COLUMNS}, ({LIVE}) FROM (SELECT DISTINCT rid FROM ({all}{APART}) AS u LIMIT {}) AS d
         CROSS JOIN resources r ON r.rid = d.rid",
        FEW_MAX + 1
    );
    (sql, values)
}

/// The statement of [`Reader::numbers`].
pub(super) fn distinct_statement(ranges: &[Range], most: usize) -> (String, Vec<Value>) {
    let (all, values) = joined(ranges, " UNION ALL ", "", &[]);
    let sql = format!("SELECT DISTINCT rid FROM ({all}{APART}) AS d LIMIT {}", most.saturating_add(1));
    (sql, values)
}

/// The statement of [`Reader::merged`].
pub(super) fn merged_statement(
    columns: &str,
    ranges: &[Range],
    tid: Option<i64>,
    after: i64,
    limit: usize,
) -> (String, Vec<Value>) {
    let (union, mut values) = joined(ranges, " UNION ", " AND rid > ?", &[after.into()]);
    values.extend(tid.map(Value::from));
    let of_type = if tid.is_some() { "r.tid = ? AND " } else { "" };
    // `LIMIT -1` keeps SQLite from sorting later what it can merge.
    let sql = format!(
        "SELECT {columns} FROM ({union} ORDER BY 1 LIMIT -1) AS d CROSS JOIN resources r ON r.rid = d.rid
         WHERE {of_type}{LIVE} /*pg ORDER BY d.rid */ LIMIT {limit}"
    );
    (sql, values)
}

/// The statement of [`Reader::newest`].
pub(super) fn newest_statement(newest: Newest, through: Through, limit: usize) -> (String, Vec<Value>) {
    let sql = format!(
        "SELECT {WHOLE}, c.newness FROM comp c CROSS JOIN resources r ON r.rid = c.rid
         WHERE c.patient = ? AND c.tid = ? AND (c.newness, c.rid) > (?, ?)
         ORDER BY c.newness, c.rid LIMIT {limit}"
    );
    (sql, [newest.patient, newest.tid, through.newness, through.rid].map(Value::from).to_vec())
}

/// The statement of [`Reader::load`].
pub(super) fn load_statement(numbers: &[i64]) -> (String, Vec<Value>) {
    let (places, values) = list(numbers);
    (format!("SELECT {COLUMNS} FROM resources r WHERE r.rid IN ({places}) AND {LIVE}"), values)
}

/// The statement of [`Reader::sources`].
pub(super) fn sources_statement(pid: i64, targets: &[i64], most: usize) -> (String, Vec<Value>) {
    let (places, numbers) = list(targets);
    let sql = format!("SELECT target, rid FROM ref WHERE pid = ? AND target IN ({places}) LIMIT {}", most);
    (sql, std::iter::once(pid.into()).chain(numbers).collect())
}

impl Walk {
    /// Whether values of a kind lie in the order of a sort key.
    pub fn follows(kind: SearchKind) -> bool {
        matches!(kind, SearchKind::Date | SearchKind::Token | SearchKind::String)
    }

    /// The statement for up to `limit` candidates after a position.
    pub fn statement(self, tid: i64, after: Option<&Position>, limit: usize) -> Result<(String, Vec<Value>)> {
        Ok(match self {
            Self::Numbers => {
                let number = after.map_or(0, |after| after.number);
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
                        if descending {
                            "AND (r.updated_us, r.rid) < (?, ?)"
                        } else {
                            "AND (r.updated_us, r.rid) > (?, ?)"
                        }
                    }
                    Some(_) => return Err(Error::Corrupt("a position of a search")),
                    None => "",
                };
                let way = if descending { "DESC" } else { "ASC" };
                let sql = format!(
                    "SELECT {COLUMNS} FROM resources r WHERE r.tid = ? AND {LIVE} {beyond}
                     ORDER BY r.updated_us {way}, r.rid {way} LIMIT {limit}"
                );
                (sql, values)
            }
            Self::Values { kind, pid, descending } => values_statement(kind, pid, descending, after, limit)?,
        })
    }
}

fn values_statement(
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

fn candidate(row: &Row) -> Result<Candidate> {
    Ok(Candidate {
        rid: row.try_get(0)?,
        tid: row.try_get(1)?,
        id: row.try_get(2)?,
        updated_us: row.try_get(3)?,
        entries: Entries::new(row.try_get(4)?)?,
    })
}
