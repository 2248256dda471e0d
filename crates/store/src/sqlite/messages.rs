//! The message list, and requests to reprocess.

use async_trait::async_trait;
use fhir::ResourceType;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;

use super::Sqlite;
use super::codes::{bytes32, limit as bounded, message_state, message_state_number, small, unsigned, uuid};
use super::forward::forwards_of;
use super::node::entries::fold;
use super::node::job::Job;
use super::node::state::State;
use super::outbox::{DELIVERY_COLUMNS, delivery_row};
use crate::sql::{Connection, Row, Value, query, query_as, query_with};
use crate::{
    Error, JournalId, LedgerRow, MessageDetail, MessageFilter, MessageRow, MessageState, Messages, Micros,
    ResourceKey, Result, Seq,
};

const COLUMNS: &str =
    "SELECT m.seq, m.id, m.channel, m.received_us, m.processed_us, m.state, m.message_type, m.sender,
    m.reason, m.issues, m.package_hash, m.flags, m.leaves_mapped, m.leaves_total, m.parent,
    m.resolved_by FROM messages m";

const COLUMNS_BY_KEY: &str = "SELECT DISTINCT m.seq, m.id, m.channel, m.received_us, m.processed_us, m.state,
    m.message_type, m.sender, m.reason, m.issues, m.package_hash, m.flags, m.leaves_mapped, m.leaves_total, m.parent,
    m.resolved_by FROM message_keys k CROSS JOIN messages m ON m.seq = k.seq WHERE k.value = ?";

/// Held back or failed, and resolved by an edit; binds the numbers of both states.
const RESOLVED: &str = "resolved_by IS NOT NULL AND state IN (?, ?)";
/// Most edits of one message that are listed.
const CHILDREN_MAX: usize = 100;

#[async_trait]
impl Messages for Sqlite {
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<MessageRow>> {
        let place = Place::Older(before.map_or(i64::MAX, |seq| seq.0));
        let rows = self.rows_of(filter, place, limit).await?;
        rows.iter().map(message_row).collect()
    }

    async fn detail(&self, id: JournalId) -> Result<Option<MessageDetail>> {
        let mut connection = self.node.begin().await?;
        let row = query(AssertSqlSafe(format!("{COLUMNS} WHERE m.id = ?")))
            .bind(id.0.as_bytes().to_vec())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let row = message_row(&row)?;
        let resources = resources(row.seq, &mut connection).await?;
        let deliveries = query(AssertSqlSafe(format!("{DELIVERY_COLUMNS} WHERE seq = ? ORDER BY number")))
            .bind(row.seq.0)
            .fetch_all(&mut *connection)
            .await?;
        let deliveries = deliveries.iter().map(delivery_row).collect::<Result<_>>()?;
        let forwards = forwards_of(row.seq.0, &mut connection).await?;
        let records = records(id, &mut connection).await?;
        connection.rollback().await?;
        Ok(Some(MessageDetail { row, resources, deliveries, forwards, records }))
    }

    async fn neighbours(
        &self,
        filter: &MessageFilter,
        of: Seq,
    ) -> Result<(Option<JournalId>, Option<JournalId>)> {
        let mut beside = [None, None];
        for (found, place) in beside.iter_mut().zip([Place::Older(of.0), Place::Newer(of.0)]) {
            let rows = self.rows_of(filter, place, 1).await?;
            *found = rows.first().map(|row| Ok::<_, Error>(message_row(row)?.id)).transpose()?;
        }
        let [older, newer] = beside;
        Ok((older, newer))
    }

    async fn children(&self, parent: JournalId) -> Result<Vec<MessageRow>> {
        let rows = query(AssertSqlSafe(format!("{COLUMNS} WHERE m.parent = ? ORDER BY m.seq LIMIT ?")))
            .bind(parent.0.as_bytes().to_vec())
            .bind(bounded(CHILDREN_MAX))
            .fetch_all(&self.node)
            .await?;
        rows.iter().map(message_row).collect()
    }

    async fn counts(&self) -> Result<Vec<(MessageState, u64)>> {
        let rows: Vec<(i64, i64)> = query_as(AssertSqlSafe(format!(
            "SELECT state, count(*) FROM messages WHERE NOT ({RESOLVED}) GROUP BY state ORDER BY state"
        )))
        .bind(message_state_number(MessageState::Quarantined))
        .bind(message_state_number(MessageState::Error))
        .fetch_all(&self.node)
        .await?;
        rows.into_iter().map(|(state, count)| Ok((message_state(state)?, unsigned(count)?))).collect()
    }

    fn processed(&self) -> watch::Receiver<Seq> {
        self.published.processed.clone()
    }

    async fn request_reprocess(&self, ids: &[JournalId], requested_by: &str, at_us: Micros) -> Result<u64> {
        self.clinical()?;
        let (ids, requested_by) = (ids.to_vec(), requested_by.to_owned());
        self.job(RequestReprocess { ids, requested_by, at_us }, None).await
    }

    async fn claim_reprocess(&self, limit: usize) -> Result<Vec<(i64, JournalId)>> {
        let rows: Vec<(i64, Vec<u8>)> = query_as(
            "SELECT request, message FROM reprocess_requests WHERE outcome IS NULL ORDER BY request LIMIT ?",
        )
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        rows.into_iter().map(|(request, id)| Ok((request, JournalId(uuid(&id)?)))).collect()
    }

    async fn settle_reprocess(&self, request: i64, outcome: &str) -> Result<()> {
        self.clinical()?;
        let outcome = outcome.to_owned();
        self.job(SettleReprocess { request, outcome }, None).await
    }

    async fn reprocess_outcomes(&self, ids: &[JournalId]) -> Result<Vec<(JournalId, Option<String>)>> {
        let mut connection = self.node.begin().await?;
        let mut outcomes = Vec::new();
        for id in ids {
            let latest: Option<(Option<String>,)> = query_as(
                "SELECT outcome FROM reprocess_requests WHERE message = ? ORDER BY request DESC LIMIT 1",
            )
            .bind(id.0.as_bytes().to_vec())
            .fetch_optional(&mut *connection)
            .await?;
            outcomes.extend(latest.map(|(outcome,)| (*id, outcome)));
        }
        connection.rollback().await?;
        Ok(outcomes)
    }
}

/// From where the list is read.
enum Place {
    /// Below a position, newest first.
    Older(i64),
    /// Above a position, oldest first.
    Newer(i64),
}

impl Sqlite {
    /// Rows that a filter finds, from a place on.
    async fn rows_of(&self, filter: &MessageFilter, place: Place, limit: usize) -> Result<Vec<Row>> {
        let (comparison, order, seq) = match place {
            Place::Older(seq) => ("<", "DESC", seq),
            Place::Newer(seq) => (">", "ASC", seq),
        };
        // A key has few messages, so it drives whatever else is asked for.
        let (mut sql, mut values): (String, Vec<Value>) = match &filter.key {
            Some(key) => {
                let values = vec![fold(&key.value).into(), seq.into()];
                (format!("{COLUMNS_BY_KEY} AND k.seq {comparison} ?"), values)
            }
            None => (format!("{COLUMNS} WHERE m.seq {comparison} ?"), vec![seq.into()]),
        };
        for (condition, value) in conditions(filter) {
            sql.push_str(condition);
            values.push(value);
        }
        if filter.is_unresolved {
            sql.push_str(&format!(" AND NOT ({RESOLVED})"));
            values.push(message_state_number(MessageState::Quarantined).into());
            values.push(message_state_number(MessageState::Error).into());
        }
        sql.push_str(&format!(" ORDER BY m.seq {order} LIMIT ?"));
        values.push(bounded(limit).into());
        query_with(AssertSqlSafe(sql), values).fetch_all(&self.node).await
    }
}

/// What must hold beside the position, each with its one value.
fn conditions(filter: &MessageFilter) -> Vec<(&'static str, Value)> {
    let text = |condition, text: &Option<String>| text.as_ref().map(|text| (condition, text.as_str().into()));
    let kind = filter.key.as_ref().and_then(|key| key.kind);
    [
        filter.state.map(|state| (" AND m.state = ?", message_state_number(state).into())),
        kind.map(|kind| (" AND k.kind = ?", kind.into())),
        text(" AND m.channel = ?", &filter.channel),
        text(" AND m.reason = ?", &filter.reason),
        text(
            " AND ? IN (m.message_type, substr(m.message_type, 1, instr(m.message_type || '^', '^') - 1))",
            &filter.message_type,
        ),
        text(" AND ? IN (m.sender, substr(m.sender, 1, instr(m.sender || '|', '|') - 1))", &filter.sender),
        filter.since_us.map(|since| (" AND m.received_us >= ?", since.into())),
        filter.until_us.map(|until| (" AND m.received_us < ?", until.into())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn message_row(row: &Row) -> Result<MessageRow> {
    let id = |bytes: Vec<u8>| uuid(&bytes).map(JournalId);
    Ok(MessageRow {
        seq: Seq(row.try_get(0)?),
        id: id(row.try_get(1)?)?,
        channel: row.try_get(2)?,
        received_us: row.try_get(3)?,
        processed_us: row.try_get(4)?,
        state: message_state(row.try_get(5)?)?,
        message_type: row.try_get(6)?,
        sender: row.try_get(7)?,
        reason: row.try_get(8)?,
        issues: row.try_get(9)?,
        package_hash: row.try_get(10)?,
        flags: small(row.try_get(11)?)?,
        leaves_mapped: small(row.try_get(12)?)?,
        leaves_total: small(row.try_get(13)?)?,
        parent: row.try_get::<Option<Vec<u8>>, _>(14)?.map(id).transpose()?,
        resolved_by: row.try_get::<Option<Vec<u8>>, _>(15)?.map(id).transpose()?,
    })
}

async fn resources(seq: Seq, connection: &mut Connection) -> Result<Vec<(ResourceKey, u32)>> {
    let rows: Vec<(String, String, i64)> = query_as(
        "SELECT t.name, r.id, m.version FROM message_resources m JOIN resources r ON r.rid = m.rid
         JOIN resource_types t ON t.tid = r.tid WHERE m.seq = ? ORDER BY t.name, r.id, m.version",
    )
    .bind(seq.0)
    .fetch_all(connection)
    .await?;
    let key = |(name, id, version): (String, String, i64)| {
        let resource_type =
            ResourceType::parse(&name).ok_or(Error::Corrupt("the name of a resource type"))?;
        Ok((ResourceKey { resource_type, id }, small(version)?))
    };
    rows.into_iter().map(key).collect()
}

async fn records(message: JournalId, connection: &mut Connection) -> Result<Vec<LedgerRow>> {
    let rows = query(
        "SELECT l.leaf, l.hash, r.bytes FROM records r LEFT JOIN leaves l ON l.file = 0 AND l.record = r.record
         WHERE r.message = ? ORDER BY r.record",
    )
    .bind(message.0.as_bytes().to_vec())
    .fetch_all(connection)
    .await?;
    let row = |row: &Row| {
        let leaf = row.try_get::<Option<i64>, _>(0)?.map(unsigned).transpose()?;
        let hash = row.try_get::<Option<Vec<u8>>, _>(1)?.map(bytes32).transpose()?;
        Ok(LedgerRow { leaf, hash, record: row.try_get(2)? })
    };
    rows.iter().map(row).collect()
}

struct RequestReprocess {
    ids: Vec<JournalId>,
    requested_by: String,
    at_us: Micros,
}

#[async_trait]
impl Job for RequestReprocess {
    type Done = u64;

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<u64> {
        let mut requested = 0;
        for id in &self.ids {
            let made = query(
                "INSERT INTO reprocess_requests (message, requested_by, requested_us)
                 SELECT id, ?2, ?3 FROM messages WHERE id = ?1
                 ON CONFLICT (message) WHERE outcome IS NULL DO NOTHING",
            )
            .bind(id.0.as_bytes().to_vec())
            .bind(&self.requested_by)
            .bind(self.at_us)
            .execute(&mut *connection)
            .await?;
            requested += made.rows_affected();
        }
        Ok(requested)
    }

    fn weight(&self) -> (usize, usize) {
        (self.ids.len(), 0)
    }
}

struct SettleReprocess {
    request: i64,
    outcome: String,
}

#[async_trait]
impl Job for SettleReprocess {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let done = query("UPDATE reprocess_requests SET outcome = ? WHERE request = ? AND outcome IS NULL")
            .bind(&self.outcome)
            .bind(self.request)
            .execute(connection)
            .await?;
        if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
    }

    fn weight(&self) -> (usize, usize) {
        (1, self.outcome.len())
    }
}
