//! The outbox.

use async_trait::async_trait;
use fhir::ResourceType;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;
use uuid::Uuid;

use super::Sqlite;
use super::codes::{bytes32, delivery_state, delivery_state_number, limit as bounded, small, unsigned, uuid};
use super::node::job::Job;
use super::node::state::State;
use crate::sql::{Connection, Row, query, query_as, query_scalar};
use crate::{
    Delivery, DeliveryRow, DeliveryState, Error, Micros, Outbox, ResourceBody, ResourceKey, Result, Sealed,
    Settlement, WithdrawalReason,
};

/// The columns of [`delivery_row`].
pub(super) const DELIVERY_COLUMNS: &str =
    "SELECT id, destination, resource_type, resource_id, released_id, version,
    state, attempts, next_us, last_error, delivered_us, body, actions, receipt FROM deliveries";

#[async_trait]
impl Outbox for Sqlite {
    async fn claim(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Delivery>> {
        // state = 0 is spelled out so that the partial indexes serve.
        let rows = query(
            "SELECT id, number, lane, resource_type, resource_id, released_id, version, attempts,
                sealed_for, decision_id, mac, body, revision, withdrawal, basis
             FROM deliveries d WHERE destination = ?1 AND state = 0 AND NOT EXISTS (
                SELECT 1 FROM deliveries w WHERE w.destination = ?1 AND w.lane = d.lane AND w.number <= d.number
                AND w.state = 0 AND w.next_us > 0 AND w.next_us > ?2)
             AND (d.withdrawal IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM deliveries s WHERE s.destination = ?1 AND s.lane = d.lane AND s.number < d.number
                AND s.state = 2 AND s.withdrawal IS NOT NULL))
             ORDER BY number LIMIT ?3",
        )
        .bind(destination)
        .bind(now_us)
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        rows.iter().map(delivery).collect()
    }

    async fn settle(&self, settlements: Vec<(Uuid, Settlement)>, records: Vec<audit::Record>) -> Result<()> {
        self.clinical()?;
        self.job(Settle { settlements }, records).await
    }

    async fn backlog(&self, destination: &str) -> Result<(u64, Option<Micros>)> {
        let (pending, oldest): (i64, Option<i64>) = query_as(
            "SELECT (SELECT count(*) FROM deliveries WHERE destination = ?1 AND state = 0),
                (SELECT queued_us FROM deliveries WHERE destination = ?1 AND state = 0 ORDER BY number LIMIT 1)",
        )
        .bind(destination)
        .fetch_one(&self.node)
        .await?;
        Ok((unsigned(pending)?, oldest))
    }

    async fn dead(&self, destination: &str, after: i64, limit: usize) -> Result<Vec<(i64, DeliveryRow)>> {
        let sql = format!(
            "{DELIVERY_COLUMNS} WHERE destination = ? AND state = 2 AND number > ? ORDER BY number LIMIT ?"
        )
        .replacen(" FROM deliveries", ", number FROM deliveries", 1);
        let rows = query(AssertSqlSafe(sql))
            .bind(destination)
            .bind(after)
            .bind(bounded(limit))
            .fetch_all(&self.node)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(14)?, delivery_row(row)?))).collect()
    }

    async fn revive(&self, id: Uuid, record: audit::Record) -> Result<()> {
        self.clinical()?;
        self.job(Revive { id }, [record]).await
    }

    fn queued(&self) -> watch::Receiver<i64> {
        self.published.queued.clone()
    }
}

fn key(resource_type: &str, id: String) -> Result<ResourceKey> {
    let resource_type = ResourceType::parse(resource_type).ok_or(Error::Corrupt("the type of a delivery"))?;
    Ok(ResourceKey { resource_type, id })
}

fn delivery(row: &Row) -> Result<Delivery> {
    Ok(Delivery {
        id: uuid(row.try_get(0)?)?,
        number: row.try_get(1)?,
        lane: row.try_get(2)?,
        resource: key(row.try_get(3)?, row.try_get(4)?)?,
        released_id: row.try_get(5)?,
        version: small(row.try_get(6)?)?,
        attempts: small(row.try_get(7)?)?,
        sealed: Sealed {
            destination: row.try_get(8)?,
            decision_id: uuid(row.try_get(9)?)?,
            mac: bytes32(row.try_get(10)?)?,
            bytes: row.try_get(11)?,
        },
        revision: small(row.try_get(12)?)?,
        withdrawal: reason(row.try_get(13)?)?,
        basis: row.try_get(14)?,
    })
}

/// The stored reason of a withdrawal.
fn reason(code: Option<String>) -> Result<Option<WithdrawalReason>> {
    let unknown = Error::Corrupt("the reason of a withdrawal");
    code.map(|code| WithdrawalReason::parse(&code).ok_or(unknown)).transpose()
}

/// A delivery as the console shows it.
pub(super) fn delivery_row(row: &Row) -> Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: uuid(row.try_get(0)?)?,
        destination: row.try_get(1)?,
        resource: key(row.try_get(2)?, row.try_get(3)?)?,
        released_id: row.try_get(4)?,
        version: small(row.try_get(5)?)?,
        state: delivery_state(row.try_get(6)?)?,
        attempts: small(row.try_get(7)?)?,
        next_us: row.try_get(8)?,
        last_error: row.try_get(9)?,
        delivered_us: row.try_get(10)?,
        body: ResourceBody::new(row.try_get(11)?),
        actions: row.try_get(12)?,
        receipt: row.try_get(13)?,
    })
}

struct Settle {
    settlements: Vec<(Uuid, Settlement)>,
}

#[async_trait]
impl Job for Settle {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        for (id, settlement) in &self.settlements {
            settle(*id, settlement, connection).await?;
        }
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        (self.settlements.len(), 0)
    }
}

async fn settle(id: Uuid, settlement: &Settlement, connection: &mut Connection) -> Result<()> {
    let (state, next_us, delivered_us, error, receipt) = match settlement {
        Settlement::Delivered { receipt, at_us } => {
            (DeliveryState::Delivered, 0, Some(*at_us), None, Some(receipt))
        }
        Settlement::Retry { next_us, error } => (DeliveryState::Pending, *next_us, None, Some(error), None),
        Settlement::Dead { error } => (DeliveryState::Dead, 0, None, Some(error), None),
        Settlement::Superseded { error } => (DeliveryState::Superseded, 0, None, Some(error), None),
    };
    let is_delivered = state == DeliveryState::Delivered;
    // What was superseded while it was on its way stays so, unless it arrived.
    let done = query(
        "UPDATE deliveries SET state = CASE WHEN state = 0 OR ?7 = 1 THEN ?2 ELSE state END, attempts = attempts + 1,
            next_us = ?3, delivered_us = ?4, last_error = coalesce(?5, last_error), receipt = ?6
         WHERE id = ?1 AND state IN (0, 3) AND delivered_us IS NULL",
    )
    .bind(id.as_bytes().to_vec())
    .bind(delivery_state_number(state))
    .bind(next_us)
    .bind(delivered_us)
    .bind(error)
    .bind(receipt)
    .bind(is_delivered)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    match settlement {
        Settlement::Dead { .. } | Settlement::Superseded { .. } => unsettle(id, connection).await,
        Settlement::Delivered { .. } | Settlement::Retry { .. } => Ok(()),
    }
}

/// What did not arrive changed nothing there: a withdrawal that died leaves what stood, and of content that died it is
/// not known what stands.
async fn unsettle(id: Uuid, connection: &mut Connection) -> Result<()> {
    query(
        "UPDATE standings SET content = NULL, stands = 1
         FROM (SELECT destination, released_id, revision FROM deliveries WHERE id = ?) AS d
         WHERE standings.destination = d.destination AND standings.released_id = d.released_id
         AND standings.revision = d.revision",
    )
    .bind(id.as_bytes().to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

struct Revive {
    id: Uuid,
}

#[async_trait]
impl Job for Revive {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let id = self.id.as_bytes().to_vec();
        let may_go: Option<bool> = query_scalar(
            "SELECT d.withdrawal IS NOT NULL OR NOT EXISTS (SELECT 1 FROM standings s WHERE s.destination = d.destination
                AND s.released_id = d.released_id AND s.revision > d.revision)
             FROM deliveries d WHERE d.id = ? AND d.state = 2",
        )
        .bind(&id)
        .fetch_optional(&mut *connection)
        .await?;
        match may_go {
            None => return Err(Error::NotFound),
            Some(false) => return Err(Error::Conflict("something newer was sent under its id")),
            Some(true) => {}
        }
        query("UPDATE deliveries SET state = 0, attempts = 0, next_us = 0 WHERE id = ?")
            .bind(&id)
            .execute(&mut *connection)
            .await?;
        query(
            "UPDATE standings SET stands = CASE WHEN d.withdrawal IS NULL THEN 1 ELSE 0 END
             FROM (SELECT destination, released_id, revision, withdrawal FROM deliveries WHERE id = ?) AS d
             WHERE standings.destination = d.destination AND standings.released_id = d.released_id
             AND standings.revision = d.revision",
        )
        .bind(&id)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }
}
