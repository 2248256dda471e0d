//! Reading resources.

use async_trait::async_trait;
use fhir::ResourceType;

use super::Sqlite;
use super::body::unpack;
use super::codes::{small, unsigned};
use super::node::names::Names;
use crate::sql::{Row, Rows, query, query_as};
use crate::{
    Error, History, HistoryPage, Origin, Page, ResourceBody, ResourceKey, Resources, Result, Search, Stored,
};

#[async_trait]
impl Resources for Sqlite {
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>> {
        let names = self.published.names();
        let Some(tid) = names.type_number(key.resource_type.as_str()) else { return Ok(None) };
        let asked = query(
            "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body, (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg)
             FROM resources r
             WHERE id = ? AND tid = ? AND version > 0",
        );
        let row = self.node.look_up(asked.bind(&key.id).bind(tid)).await?;
        row.map(|row| stored(&row, &names)).transpose()
    }

    async fn read_all(&self, keys: &[ResourceKey]) -> Result<Vec<Stored>> {
        let names = self.published.names();
        let mut asked = Rows::statement(
            "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
                (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg) FROM (",
            ") AS asked CROSS JOIN resources r ON r.id = asked.column1 AND r.tid = asked.column2
             WHERE r.version > 0",
            2,
        );
        for key in keys {
            if let Some(tid) = names.type_number(key.resource_type.as_str()) {
                asked.push([key.id.as_str().into(), tid.into()]);
            }
        }
        let mut connection = self.node.acquire().await?;
        asked.fetch(&mut connection).await?.iter().map(|row| stored(row, &names)).collect()
    }

    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>> {
        let names = self.published.names();
        let Some(tid) = names.type_number(key.resource_type.as_str()) else { return Ok(None) };
        let row = query(
            "SELECT r.tid, r.id, v.version, v.updated_us, v.deleted, v.patient, v.body,
                (SELECT o.hash FROM packages o WHERE o.pkg = v.pkg)
             FROM resources r JOIN resource_versions v ON v.rid = r.rid AND v.version = ?3
             WHERE r.id = ?1 AND r.tid = ?2
             UNION ALL
             SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
                (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg)
             FROM resources r WHERE r.id = ?1 AND r.tid = ?2 AND r.version = ?3 AND ?3 > 0",
        )
        .bind(&key.id)
        .bind(tid)
        .bind(version)
        .fetch_optional(&self.node)
        .await?;
        row.map(|row| stored(&row, &names)).transpose()
    }

    async fn search(&self, search: &Search) -> Result<Page> {
        self.page(search).await
    }

    async fn history(&self, history: &History) -> Result<Option<HistoryPage>> {
        self.versions(history).await
    }

    async fn newest_change(&self, of: ResourceType) -> Result<i64> {
        // By name: a type that another node has just stored for the first time may not be published here yet.
        let newest = query(
            "SELECT max(change) FROM changes WHERE tid = (SELECT tid FROM resource_types WHERE name = ?)",
        );
        let row = self.node.look_up(newest.bind(of.as_str())).await?;
        let change: Option<i64> = row.map_or(Ok(None), |row| row.try_get(0))?;
        Ok(change.unwrap_or(0))
    }

    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>> {
        let names = self.published.names();
        let rows: Vec<(i64, i64)> =
            query_as("SELECT tid, live FROM type_counts WHERE live > 0").fetch_all(&self.node).await?;
        let mut counts = Vec::with_capacity(rows.len());
        for (tid, live) in rows {
            counts.push((names.resource_type(tid)?, unsigned(live)?));
        }
        counts.sort_unstable();
        Ok(counts)
    }
}

/// A row that begins with `tid, id, version, updated_us, deleted, patient, body, origin`.
pub(super) fn stored(row: &Row, names: &Names) -> Result<Stored> {
    Ok(Stored {
        key: ResourceKey { resource_type: names.resource_type(row.try_get(0)?)?, id: row.try_get(1)? },
        version: small(row.try_get(2)?)?,
        updated_us: row.try_get(3)?,
        deleted: row.try_get(4)?,
        patient: row.try_get(5)?,
        origin: Origin::parse(row.try_get(7)?).ok_or(Error::Corrupt("the origin of a version"))?,
        body: ResourceBody::new(unpack(row.try_get(6)?)?),
    })
}
