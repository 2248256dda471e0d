//! Versions of resources, newest first: of one by its versions, of a type and of all by the changes.

use std::sync::Arc;

use super::Sqlite;
use super::codes::{limit, unsigned};
use super::file::READ_ROWS_MAX;
use super::node::names::{NO_TYPE, Names};
use super::resources::stored;
use crate::sql::{Connection, Row, query, query_scalar};
use crate::{EXAMINED_MAX, History, HistoryOf, HistoryPage, Micros, Result, SearchIndex};

/// Versions of a type or of all that are counted for a total.
const COUNTED_MAX: i64 = 1_000;

/// Versions of one resource: its number; below which place; from and until which instants it was made; at which none that
/// followed stood yet; how many.
pub(super) const OF_ONE: &str = "SELECT * FROM (
    SELECT r.tid, r.id, v.version AS version, v.updated_us AS made_us, v.deleted, v.patient, v.body,
    (SELECT o.hash FROM packages o WHERE o.pkg = v.pkg), v.version AS place
    FROM resource_versions v JOIN resources r ON r.rid = v.rid WHERE v.rid = ?1 AND v.version < ?2
    UNION ALL
    SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
    (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg), r.version
    FROM resources r WHERE r.rid = ?1 AND r.version > 0 AND r.version < ?2) AS versions
    WHERE made_us >= ?3 AND made_us < ?4
    AND (?5 < -9000000000000000000 OR (
        NOT EXISTS (SELECT 1 FROM resources n WHERE n.rid = ?1 AND n.version > place AND n.updated_us <= ?5)
        AND NOT EXISTS (SELECT 1 FROM resource_versions n WHERE n.rid = ?1 AND n.version > place AND n.updated_us <= ?5)))
    ORDER BY place DESC LIMIT ?6";

/// Changes: the type; below and above which change; how many are looked at; from and until which instants; at which no
/// version that followed stood yet; how many.
macro_rules! of_changes {
    ($of:literal) => {
        concat!(
            "SELECT r.tid, r.id, c.version, coalesce(v.updated_us, r.updated_us), coalesce(v.deleted, r.deleted),
    CASE WHEN v.rid IS NULL THEN r.patient ELSE v.patient END, coalesce(v.body, r.body),
    (SELECT o.hash FROM packages o WHERE o.pkg = coalesce(v.pkg, r.pkg)), c.change
    FROM (SELECT change, rid, version FROM changes WHERE ",
            $of,
            " AND change < ?2 AND change > ?3 ORDER BY change DESC LIMIT ?4) AS c
    CROSS JOIN resources r ON r.rid = c.rid
    LEFT JOIN resource_versions v ON v.rid = c.rid AND v.version = c.version
    WHERE coalesce(v.updated_us, r.updated_us) >= ?5 AND coalesce(v.updated_us, r.updated_us) < ?6
    AND (?7 < -9000000000000000000 OR (NOT (r.version > c.version AND r.updated_us <= ?7)
        AND NOT EXISTS (SELECT 1 FROM resource_versions n WHERE n.rid = c.rid AND n.version > c.version AND n.updated_us <= ?7)))
    ORDER BY c.change DESC LIMIT ?8"
        )
    };
}
/// The last of the changes that such a page looks at, and how many there are.
macro_rules! looked_at {
    ($of:literal) => {
        concat!(
            "SELECT coalesce(min(change), 0), count(*) FROM (SELECT change FROM changes WHERE ",
            $of,
            " AND change < ?2 AND change > ?3 ORDER BY change DESC LIMIT ?4) AS c"
        )
    };
}

pub(super) const OF_TYPE: &str = of_changes!("tid = ?1");
pub(super) const LOOKED_AT_OF_TYPE: &str = looked_at!("tid = ?1");
// The sign keeps the order of the changes from being sought by type.
pub(super) const OF_ALL: &str = of_changes!("+tid > ?1");
pub(super) const LOOKED_AT_OF_ALL: &str = looked_at!("+tid > ?1");

/// The instants of a history, open ends closed. Earlier than all is `i64::MIN`, by which the statements know that nobody asks
/// what stood.
struct Instants {
    from_us: Micros,
    until_us: Micros,
    /// No version that followed stood yet.
    stood_us: Micros,
}

impl Instants {
    fn of(history: &History) -> Self {
        let (stood_us, until_us) = history.at.unwrap_or((Micros::MIN, Micros::MAX));
        Self { from_us: history.since_us.unwrap_or(Micros::MIN), until_us, stood_us }
    }
}

impl Sqlite {
    /// One page of a history, read in one transaction.
    pub(super) async fn versions(&self, history: &History) -> Result<Option<HistoryPage>> {
        let (history, names) = (history.clone(), self.published.names());
        self.node
            .at_one_instant(move |connection| {
                Box::pin(async move { page(&history, names, connection).await })
            })
            .await
    }
}

async fn page(
    history: &History,
    names: Arc<Names>,
    connection: &mut Connection,
) -> Result<Option<HistoryPage>> {
    let number = |of: &HistoryOf| match of {
        HistoryOf::Resource(key) => names.type_number(key.resource_type.as_str()),
        HistoryOf::Type(of) => names.type_number(of.as_str()),
        HistoryOf::System => Some(NO_TYPE),
    };
    let found = match (&history.of, number(&history.of)) {
        (HistoryOf::Resource(key), Some(tid)) => {
            let rid = query_scalar("SELECT rid FROM resources WHERE id = ? AND tid = ? AND version > 0")
                .bind(&key.id)
                .bind(tid)
                .fetch_optional(&mut *connection)
                .await?;
            let Some(rid) = rid else { return Ok(None) };
            of_one(rid, history, &mut *connection).await?
        }
        (HistoryOf::Resource(_), None) => return Ok(None),
        (_, None) => return Ok(Some(HistoryPage { total: Some(0), ..HistoryPage::default() })),
        (_, Some(tid)) => of_changes(tid, history, &mut *connection).await?,
    };
    let names = named(&found.rows, names, connection).await?;
    let versions = found.rows.iter().map(|row| stored(row, &names)).collect::<Result<Vec<_>>>()?;
    let places = found.rows.iter().map(|row| row.try_get(8)).collect::<std::result::Result<_, _>>()?;
    let is_whole = history.before.is_none() && found.next.is_none();
    let total = match found.total {
        None if is_whole && history.count > 0 => u64::try_from(versions.len()).ok(),
        total => total,
    };
    Ok(Some(HistoryPage { places, versions, next: found.next, total }))
}

/// The names with those of these rows: what was committed a moment ago may have a type that is not published yet.
async fn named(rows: &[Row], names: Arc<Names>, connection: &mut Connection) -> Result<Arc<Names>> {
    for row in rows {
        if names.resource_type(row.try_get(0)?).is_err() {
            return Ok(Arc::new(Names::load(connection, SearchIndex::default()).await?));
        }
    }
    Ok(names)
}

/// The rows of a page.
struct Found {
    rows: Vec<Row>,
    next: Option<i64>,
    total: Option<u64>,
}

impl Found {
    /// Cuts the row that was read to know whether there are more.
    fn cut(mut rows: Vec<Row>, count: usize, total: Option<u64>) -> Result<Self> {
        let more = rows.len() > count;
        rows.truncate(count);
        let next = match rows.last() {
            Some(last) if more => Some(last.try_get(8)?),
            _ => None,
        };
        Ok(Self { rows, next, total })
    }
}

/// Versions of one resource.
async fn of_one(rid: i64, history: &History, connection: &mut Connection) -> Result<Found> {
    let count = history.count.min(READ_ROWS_MAX);
    let Instants { from_us, until_us, stood_us } = Instants::of(history);
    let rows = query(OF_ONE)
        .bind(rid)
        .bind(history.before.unwrap_or(i64::MAX))
        .bind(from_us)
        .bind(until_us)
        .bind(stood_us)
        .bind(limit(count.saturating_add(1)))
        .fetch_all(&mut *connection)
        .await?;
    let mut total = None;
    if history.since_us.is_none() && history.at.is_none() {
        let counted: i64 = query_scalar("SELECT count(*) + 1 FROM resource_versions WHERE rid = ?")
            .bind(rid)
            .fetch_one(connection)
            .await?;
        total = Some(unsigned(counted)?);
    }
    Found::cut(rows, count, total)
}

/// Versions of a type, or of all types.
async fn of_changes(tid: i64, history: &History, connection: &mut Connection) -> Result<Found> {
    let count = history.count.min(READ_ROWS_MAX);
    let by_time = history.since_us.is_some() || history.at.is_some();
    let is_all = tid == NO_TYPE;
    let above = match history.since_us {
        Some(since_us) => earlier_than(since_us, connection).await?,
        None => 0,
    };
    let window = limit(if by_time { EXAMINED_MAX } else { count.saturating_add(1) });
    let below = history.before.unwrap_or(i64::MAX);
    let Instants { from_us, until_us, stood_us } = Instants::of(history);
    let rows = query(if is_all { OF_ALL } else { OF_TYPE })
        .bind(tid)
        .bind(below)
        .bind(above)
        .bind(window)
        .bind(from_us)
        .bind(until_us)
        .bind(stood_us)
        .bind(limit(count.saturating_add(1)))
        .fetch_all(&mut *connection)
        .await?;
    let total = if by_time { None } else { total(tid, connection).await? };
    let mut found = Found::cut(rows, count, total)?;
    if by_time && found.next.is_none() {
        let (last, looked_at): (i64, i64) = {
            let sql = if is_all { LOOKED_AT_OF_ALL } else { LOOKED_AT_OF_TYPE };
            let row = query(sql).bind(tid).bind(below).bind(above).bind(window);
            let row = row.fetch_one(&mut *connection).await?;
            (row.try_get(0)?, row.try_get(1)?)
        };
        found.next = (looked_at == window && count > 0).then_some(last);
    }
    Ok(found)
}

/// The last change of which this and all before were made earlier than an instant; 0 when there is none.
async fn earlier_than(instant_us: Micros, connection: &mut Connection) -> Result<i64> {
    let last = query_scalar::<Option<i64>>("SELECT max(change) FROM changes");
    let (mut earlier, mut end) = (0, last.fetch_one(&mut *connection).await?.unwrap_or(0));
    while earlier < end {
        let middle = earlier + (end - earlier + 1) / 2;
        let latest: Option<i64> =
            query_scalar("SELECT latest_us FROM changes WHERE change <= ? ORDER BY change DESC LIMIT 1")
                .bind(middle)
                .fetch_optional(&mut *connection)
                .await?;
        if latest.is_none_or(|latest_us| latest_us < instant_us) {
            earlier = middle;
        } else {
            end = middle - 1;
        }
    }
    Ok(earlier)
}

/// How many versions there are of a type, or of all, where that costs little.
async fn total(tid: i64, connection: &mut Connection) -> Result<Option<u64>> {
    let sql = if tid == NO_TYPE {
        "SELECT count(*) FROM (SELECT 1 FROM changes WHERE +tid > ?1 LIMIT ?2) AS counted"
    } else {
        "SELECT count(*) FROM (SELECT 1 FROM changes WHERE tid = ?1 LIMIT ?2) AS counted"
    };
    let counted: i64 = query_scalar(sql).bind(tid).bind(COUNTED_MAX + 1).fetch_one(connection).await?;
    if counted > COUNTED_MAX { Ok(None) } else { Ok(Some(unsigned(counted)?)) }
}
