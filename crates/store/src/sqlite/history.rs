//! Versions of resources, newest first.

use super::Sqlite;
use super::codes::{limit, unsigned};
use super::file::READ_ROWS_MAX;
use super::resources::stored;
use crate::sql::{Connection, query, query_scalar};
use crate::{History, HistoryPage, Result};

/// Versions of a type that are counted for a total.
const COUNTED_MAX: i64 = 1_000;

pub(super) const OF_ONE: &str = "SELECT * FROM (
    SELECT r.tid, r.id, v.version AS version, v.updated_us, v.deleted, v.patient, v.body,
    (SELECT o.hash FROM packages o WHERE o.pkg = v.pkg), v.version AS place
    FROM resource_versions v JOIN resources r ON r.rid = v.rid WHERE v.rid = ?1 AND v.version < ?2
    UNION ALL
    SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
    (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg), r.version
    FROM resources r WHERE r.rid = ?1 AND r.version > 0 AND r.version < ?2) AS versions
    ORDER BY place DESC LIMIT ?3";
pub(super) const OF_TYPE: &str =
    "SELECT r.tid, r.id, c.version, coalesce(v.updated_us, r.updated_us), coalesce(v.deleted, r.deleted),
    CASE WHEN v.rid IS NULL THEN r.patient ELSE v.patient END, coalesce(v.body, r.body), 
    (SELECT o.hash FROM packages o WHERE o.pkg = coalesce(v.pkg, r.pkg)), c.change
    FROM changes c CROSS JOIN resources r ON r.rid = c.rid
    LEFT JOIN resource_versions v ON v.rid = c.rid AND v.version = c.version
    WHERE c.tid = ?1 AND c.change < ?2 ORDER BY c.change DESC LIMIT ?3";

impl Sqlite {
    /// One page of a history, read in one transaction.
    pub(super) async fn versions(&self, history: &History) -> Result<Option<HistoryPage>> {
        let names = self.published.names();
        let Some(tid) = names.type_number(history.resource_type.as_str()) else {
            return Ok(history
                .id
                .is_none()
                .then(|| HistoryPage { total: Some(0), ..HistoryPage::default() }));
        };
        let mut connection = self.node.begin().await?;
        let of = match &history.id {
            None => Some(tid),
            Some(id) => {
                query_scalar("SELECT rid FROM resources WHERE id = ? AND tid = ? AND version > 0")
                    .bind(id)
                    .bind(tid)
                    .fetch_optional(&mut *connection)
                    .await?
            }
        };
        let Some(of) = of else { return Ok(None) };
        let count = history.count.min(READ_ROWS_MAX);
        let rows = query(if history.id.is_some() { OF_ONE } else { OF_TYPE })
            .bind(of)
            .bind(history.before.unwrap_or(i64::MAX))
            .bind(limit(count.saturating_add(1)))
            .fetch_all(&mut *connection)
            .await?;
        let shown = rows.get(..count).unwrap_or(&rows);
        let next = match shown.last() {
            Some(last) if rows.len() > count => Some(last.try_get(8)?),
            _ => None,
        };
        let versions = shown.iter().map(|row| stored(row, &names)).collect::<Result<Vec<_>>>()?;
        let total = total(history.id.is_some(), of, &mut connection).await?;
        connection.rollback().await?;
        Ok(Some(HistoryPage { versions, next, total }))
    }
}

async fn total(of_one: bool, of: i64, connection: &mut Connection) -> Result<Option<u64>> {
    let sql = if of_one {
        "SELECT count(*) + 1 FROM resource_versions WHERE rid = ?1 AND ?2 > 0"
    } else {
        "SELECT count(*) FROM (SELECT 1 FROM changes WHERE tid = ?1 LIMIT ?2) AS counted"
    };
    let counted: i64 = query_scalar(sql).bind(of).bind(COUNTED_MAX + 1).fetch_one(connection).await?;
    if !of_one && counted > COUNTED_MAX { Ok(None) } else { Ok(Some(unsigned(counted)?)) }
}
