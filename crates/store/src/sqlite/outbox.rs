//! The outbox.

use async_trait::async_trait;
use fhir::ResourceType;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tokio::sync::watch;
use uuid::Uuid;

use super::Sqlite;
use super::codes::{bytes32, delivery_state, delivery_state_number, limit as bounded, small, unsigned, uuid};
use super::node::prepare::PreparedRecord;
use super::node::state::State;
use super::node::writer::Job;
use super::queue::{Reply, answer};
use crate::{
    Delivery, DeliveryRow, DeliveryState, Error, Micros, Outbox, ResourceBody, ResourceKey, Result, Sealed,
    Settlement,
};

/// The columns of [`delivery_row`].
pub(super) const DELIVERY_COLUMNS: &str =
    "SELECT id, destination, resource_type, resource_id, released_id, version,
    state, attempts, next_us, last_error, delivered_us, body, actions, receipt FROM deliveries";

#[async_trait]
impl Outbox for Sqlite {
    async fn claim(&self, destination: &str, now_us: Micros, limit: usize) -> Result<Vec<Delivery>> {
        // state = 0 is spelled out so that the partial indexes serve.
        let rows = sqlx::query(
            "SELECT id, number, lane, resource_type, resource_id, released_id, version, attempts,
                sealed_for, decision_id, mac, body
             FROM deliveries d WHERE destination = ?1 AND state = 0 AND NOT EXISTS (
                SELECT 1 FROM deliveries w WHERE w.destination = ?1 AND w.lane = d.lane AND w.number <= d.number
                AND w.state = 0 AND w.next_us > 0 AND w.next_us > ?2)
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
        let records = records.iter().map(PreparedRecord::new).collect();
        self.job(|reply| Settle { settlements, records, reply }).await
    }

    async fn backlog(&self, destination: &str) -> Result<(u64, Option<Micros>)> {
        let (pending, oldest): (i64, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM deliveries WHERE destination = ?1 AND state = 0),
                (SELECT queued_us FROM deliveries WHERE destination = ?1 AND state = 0 ORDER BY number LIMIT 1)",
        )
        .bind(destination)
        .fetch_one(&self.node)
        .await?;
        Ok((unsigned(pending)?, oldest))
    }

    fn queued(&self) -> watch::Receiver<i64> {
        self.published.queued.clone()
    }
}

fn key(resource_type: &str, id: String) -> Result<ResourceKey> {
    let resource_type = ResourceType::parse(resource_type).ok_or(Error::Corrupt("the type of a delivery"))?;
    Ok(ResourceKey { resource_type, id })
}

fn delivery(row: &SqliteRow) -> Result<Delivery> {
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
    })
}

/// A delivery as the console shows it.
pub(super) fn delivery_row(row: &SqliteRow) -> Result<DeliveryRow> {
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
    records: Vec<PreparedRecord>,
    reply: Reply<()>,
}

#[async_trait]
impl Job for Settle {
    async fn run(&mut self, state: &mut State, connection: &mut SqliteConnection) -> Result<()> {
        for (id, settlement) in &self.settlements {
            settle(*id, settlement, connection).await?;
        }
        state.write_records(self.records.iter().cloned(), connection).await
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        answer(self.reply, outcome);
    }

    fn weight(&self) -> (usize, usize) {
        (
            self.settlements.len() + self.records.len(),
            self.records.iter().map(|record| record.bytes.len()).sum(),
        )
    }
}

async fn settle(id: Uuid, settlement: &Settlement, connection: &mut SqliteConnection) -> Result<()> {
    let (state, next_us, delivered_us, error, receipt) = match settlement {
        Settlement::Delivered { receipt, at_us } => {
            (DeliveryState::Delivered, 0, Some(*at_us), None, Some(receipt))
        }
        Settlement::Retry { next_us, error } => (DeliveryState::Pending, *next_us, None, Some(error), None),
        Settlement::Dead { error } => (DeliveryState::Dead, 0, None, Some(error), None),
    };
    let done = sqlx::query(
        "UPDATE deliveries SET state = ?2, attempts = attempts + 1, next_us = ?3, delivered_us = ?4,
            last_error = coalesce(?5, last_error), receipt = ?6 WHERE id = ?1 AND state = 0",
    )
    .bind(id.as_bytes().to_vec())
    .bind(delivery_state_number(state))
    .bind(next_us)
    .bind(delivered_us)
    .bind(error)
    .bind(receipt)
    .execute(connection)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}
