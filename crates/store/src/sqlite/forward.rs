//! Forwards: claimed in the order of their lanes, settled, revived.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;
use uuid::Uuid;

use super::Sqlite;
use super::codes::{delivery_state, delivery_state_number, limit as bounded, small, unsigned, uuid};
use super::node::job::Job;
use super::node::state::{Counters, State};
use crate::forward::Held;
use crate::sql::{Connection, Row, Rows, query, query_as};
use crate::{
    DeliveryState, Error, Forward, ForwardBacklog, ForwardOutcome, ForwardRow, ForwardSettlement, Forwards,
    JournalId, Micros, NewForward, Result,
};

/// The columns of [`forward_row`].
pub(super) const FORWARD_COLUMNS: &str =
    "SELECT id, number, destination, message, state, attempts, queued_us,
    next_us, accepted_us, settled_us, last_error, ack_code, error_code FROM forwards";
const INSERT_FORWARDS: &str =
    "INSERT INTO forwards (number, id, destination, message, seq, decision_id, lanes, state,
    attempts, next_us, queued_us)";
/// Rows read at once when a worker claims.
const CLAIM_PAGE: usize = 256;
/// Rows looked at for one claim. Patients behind so many held rows wait until one of them goes.
const LOOKED_AT_MAX: usize = 100_000;
/// Bytes of a lane in its column.
const LANE_BYTES: usize = 16;

#[async_trait]
impl Forwards for Sqlite {
    async fn claim_forwards(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Forward>> {
        let (mut held, mut found) = (Held::default(), Vec::new());
        let (mut after, mut looked_at) = (0, 0);
        while looked_at < LOOKED_AT_MAX {
            let rows = self.pending_forwards(destination, after).await?;
            for row in &rows {
                after = row.try_get(1)?;
                let next_us: i64 = row.try_get(8)?;
                if held.passes(&lanes(row.try_get(7)?)?, next_us <= now_us) {
                    found.push(forward(row)?);
                }
                if found.len() >= limit {
                    return Ok(found);
                }
            }
            if rows.len() < CLAIM_PAGE {
                break;
            }
            looked_at += rows.len();
        }
        Ok(found)
    }

    async fn accepted_forwards(&self, destination: &str, limit: usize) -> Result<Vec<Forward>> {
        let rows = query(
            "SELECT id, number, message, decision_id, attempts, tried_us, accepted_us FROM forwards
             WHERE destination = ? AND state = 0 AND accepted_us IS NOT NULL ORDER BY number LIMIT ?",
        )
        .bind(destination)
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        rows.iter().map(forward).collect()
    }

    async fn settle_forward(&self, settlement: ForwardSettlement, records: Vec<audit::Record>) -> Result<()> {
        self.clinical()?;
        self.job(SettleForward { settlement }, records).await
    }

    async fn queue_forwards(&self, forwards: Vec<NewForward>, records: Vec<audit::Record>) -> Result<()> {
        self.clinical()?;
        let queued_us = records.first().map_or(0, audit::Record::at_us);
        self.job(QueueForwards { forwards, queued_us }, records).await
    }

    async fn forward_backlogs(&self) -> Result<Vec<ForwardBacklog>> {
        let rows: Vec<(String, i64, Option<i64>, i64)> = query_as(
            "SELECT destination, count(*) FILTER (WHERE state = 0), min(queued_us) FILTER (WHERE state = 0),
                count(*) FILTER (WHERE state = 2)
             FROM (SELECT destination, state, queued_us FROM forwards WHERE state = 0
                UNION ALL SELECT destination, state, queued_us FROM forwards WHERE state = 2) AS open_or_dead
             GROUP BY destination ORDER BY destination",
        )
        .fetch_all(&self.node)
        .await?;
        let backlog = |(destination, pending, oldest_us, dead)| {
            Ok(ForwardBacklog { destination, pending: unsigned(pending)?, oldest_us, dead: unsigned(dead)? })
        };
        rows.into_iter().map(backlog).collect()
    }

    async fn dead_forwards(&self, destination: &str, after: i64, limit: usize) -> Result<Vec<ForwardRow>> {
        let sql = format!(
            "{FORWARD_COLUMNS} WHERE destination = ? AND state = 2 AND number > ? ORDER BY number LIMIT ?"
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(destination)
            .bind(after)
            .bind(bounded(limit))
            .fetch_all(&self.node)
            .await?;
        rows.iter().map(forward_row).collect()
    }

    async fn revive_forward(&self, id: Uuid, record: audit::Record) -> Result<()> {
        self.clinical()?;
        self.job(ReviveForward { id }, [record]).await
    }

    async fn forget_delivered(&self, before_us: Micros, limit: usize) -> Result<u64> {
        self.clinical()?;
        self.job(ForgetDelivered { before_us, limit: bounded(limit) }, None).await
    }

    fn forwards_queued(&self) -> watch::Receiver<i64> {
        self.published.forwarded.clone()
    }
}

impl Sqlite {
    async fn pending_forwards(&self, destination: &str, after: i64) -> Result<Vec<Row>> {
        let rows = query(
            "SELECT id, number, message, decision_id, attempts, tried_us, accepted_us, lanes, next_us FROM forwards
             WHERE destination = ? AND state = 0 AND accepted_us IS NULL AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(destination)
        .bind(after)
        .bind(bounded(CLAIM_PAGE))
        .fetch_all(&self.node)
        .await?;
        Ok(rows)
    }
}

/// Forwards of one message, oldest first.
pub(super) async fn forwards_of(seq: i64, connection: &mut Connection) -> Result<Vec<ForwardRow>> {
    let sql = format!("{FORWARD_COLUMNS} WHERE seq = ? ORDER BY number");
    let rows = query(AssertSqlSafe(sql)).bind(seq).fetch_all(connection).await?;
    rows.iter().map(forward_row).collect()
}

fn lanes(bytes: &[u8]) -> Result<Vec<Uuid>> {
    let (lanes, rest) = bytes.as_chunks::<LANE_BYTES>();
    if lanes.is_empty() || !rest.is_empty() {
        return Err(Error::Corrupt("the lanes of a forward"));
    }
    Ok(lanes.iter().map(|lane| Uuid::from_bytes(*lane)).collect())
}

fn forward(row: &Row) -> Result<Forward> {
    Ok(Forward {
        id: uuid(row.try_get(0)?)?,
        number: row.try_get(1)?,
        message: JournalId(uuid(row.try_get(2)?)?),
        decision_id: uuid(row.try_get(3)?)?,
        attempts: small(row.try_get(4)?)?,
        tried_us: row.try_get(5)?,
        accepted_us: row.try_get(6)?,
    })
}

fn forward_row(row: &Row) -> Result<ForwardRow> {
    Ok(ForwardRow {
        id: uuid(row.try_get(0)?)?,
        number: row.try_get(1)?,
        destination: row.try_get(2)?,
        message: JournalId(uuid(row.try_get(3)?)?),
        state: delivery_state(row.try_get(4)?)?,
        attempts: small(row.try_get(5)?)?,
        queued_us: row.try_get(6)?,
        next_us: row.try_get(7)?,
        accepted_us: row.try_get(8)?,
        settled_us: row.try_get(9)?,
        last_error: row.try_get(10)?,
        ack_code: row.try_get(11)?,
        error_code: row.try_get(12)?,
    })
}

/// Rows of forwards as they are queued.
pub(super) struct ForwardRows(Rows);

impl Default for ForwardRows {
    fn default() -> Self {
        Self(Rows::insert(INSERT_FORWARDS, 11))
    }
}

impl ForwardRows {
    /// Queues one.
    pub fn forward(&mut self, forward: &NewForward, queued_us: i64, counters: &mut Counters) {
        counters.forward += 1;
        let lanes: Vec<u8> = forward.lanes.iter().flat_map(|lane| *lane.as_bytes()).collect();
        self.0.push([
            counters.forward.into(),
            forward.id.as_bytes().to_vec().into(),
            forward.destination.as_str().into(),
            forward.message.0.as_bytes().to_vec().into(),
            forward.seq.0.into(),
            forward.decision_id.as_bytes().to_vec().into(),
            lanes.into(),
            delivery_state_number(DeliveryState::Pending).into(),
            0_i64.into(),
            0_i64.into(),
            queued_us.into(),
        ]);
    }

    /// Writes all of them.
    pub async fn write(self, connection: &mut Connection) -> Result<()> {
        self.0.execute(connection).await
    }
}

struct QueueForwards {
    forwards: Vec<NewForward>,
    queued_us: i64,
}

#[async_trait]
impl Job for QueueForwards {
    type Done = ();

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<()> {
        if self.forwards.iter().any(|forward| forward.lanes.is_empty()) {
            return Err(Error::Conflict("a forward without a lane"));
        }
        let mut rows = ForwardRows::default();
        for forward in &self.forwards {
            rows.forward(forward, self.queued_us, &mut state.counters);
        }
        rows.write(connection).await
    }

    fn weight(&self) -> (usize, usize) {
        (self.forwards.len(), 0)
    }
}

struct SettleForward {
    settlement: ForwardSettlement,
}

#[async_trait]
impl Job for SettleForward {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        settle(&self.settlement, connection).await
    }
}

async fn settle(settlement: &ForwardSettlement, connection: &mut Connection) -> Result<()> {
    let at_us = settlement.at_us;
    let (state, next_us, accepted_us, settled_us) = match settlement.outcome {
        ForwardOutcome::Delivered => (DeliveryState::Delivered, 0, None, Some(at_us)),
        ForwardOutcome::Accepted => (DeliveryState::Pending, 0, Some(at_us), None),
        ForwardOutcome::Retry { next_us } => (DeliveryState::Pending, next_us, None, None),
        ForwardOutcome::Dead => (DeliveryState::Dead, 0, None, Some(at_us)),
    };
    let done = query(
        "UPDATE forwards SET state = ?2, next_us = ?3, accepted_us = coalesce(?4, accepted_us), settled_us = ?5,
            attempts = attempts + ?6, tried_us = coalesce(tried_us, CASE WHEN ?6 = 1 THEN ?7 END),
            last_error = CASE WHEN ?2 = 1 THEN ?8 ELSE coalesce(?8, last_error) END, ack_code = coalesce(?9, ack_code),
            error_code = CASE WHEN ?9 IS NULL THEN error_code ELSE ?10 END
         WHERE id = ?1 AND state = 0",
    )
    .bind(settlement.id.as_bytes().to_vec())
    .bind(delivery_state_number(state))
    .bind(next_us)
    .bind(accepted_us)
    .bind(settled_us)
    .bind(settlement.is_attempt)
    .bind(at_us)
    .bind(&settlement.error)
    .bind(&settlement.ack_code)
    .bind(&settlement.error_code)
    .execute(connection)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

struct ReviveForward {
    id: Uuid,
}

#[async_trait]
impl Job for ReviveForward {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let done = query(
            "UPDATE forwards SET state = 0, attempts = 0, next_us = 0, tried_us = NULL, accepted_us = NULL,
                settled_us = NULL WHERE id = ? AND state = 2",
        )
        .bind(self.id.as_bytes().to_vec())
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        Ok(())
    }
}

struct ForgetDelivered {
    before_us: Micros,
    limit: i64,
}

#[async_trait]
impl Job for ForgetDelivered {
    type Done = u64;

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<u64> {
        // The last row stays, for a node that starts counts on from it.
        let done = query(
            "DELETE FROM forwards WHERE number IN (SELECT number FROM forwards WHERE state = 1 AND settled_us < ?1
                AND number < (SELECT max(number) FROM forwards) ORDER BY settled_us LIMIT ?2)",
        )
        .bind(self.before_us)
        .bind(self.limit)
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }

    fn weight(&self) -> (usize, usize) {
        (usize::try_from(self.limit).unwrap_or(usize::MAX), 0)
    }
}
