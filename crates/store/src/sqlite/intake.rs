//! Intake at the portal.

use async_trait::async_trait;
use uuid::Uuid;

use super::Role;
use super::Sqlite;
use super::fault::unavailable;
use super::node::job::Job;
use super::node::plan::Plan;
use super::node::prepare::{Defined, PreparedRecord, PreparedVersion};
use super::node::state::State;
use crate::sql::{Connection, query, query_scalar};
use crate::{Arrived, Error, Intake, IntakeWrite, Micros, Result};

#[async_trait]
impl Intake for Sqlite {
    async fn arrive(&self, writes: Vec<IntakeWrite>) -> Result<Vec<Arrived>> {
        self.portal()?;
        let defined = self.defined();
        let writes = writes.into_iter().map(|write| Write::new(write, &defined)).collect::<Result<_>>()?;
        self.job(Arrive { writes }, None).await
    }

    async fn receipt(&self, idempotency_key: Uuid) -> Result<Option<String>> {
        self.portal()?;
        let mut connection = self.node.acquire().await?;
        receipt(idempotency_key, &mut connection).await
    }

    async fn keep_witness(&self, origin: &str, note: &str, size: u64, at_us: Micros) -> Result<()> {
        self.portal()?;
        let (origin, note) = (origin.to_owned(), note.to_owned());
        let size = i64::try_from(size).map_err(|_| Error::Conflict("a size beyond the range"))?;
        self.job(KeepWitness { origin, note, size, at_us }, None).await
    }

    async fn witness(&self, origin: &str) -> Result<Option<String>> {
        self.portal()?;
        let note =
            query_scalar("SELECT note FROM witnesses WHERE origin = ? ORDER BY size DESC, kept LIMIT 1")
                .bind(origin)
                .fetch_optional(&self.node)
                .await?;
        Ok(note)
    }
}

impl Sqlite {
    fn portal(&self) -> Result<()> {
        if self.role == Role::Portal { Ok(()) } else { Err(unavailable("this role takes no releases")) }
    }
}

async fn receipt(idempotency_key: Uuid, connection: &mut Connection) -> Result<Option<String>> {
    let receipt = query_scalar("SELECT receipt FROM arrivals WHERE idempotency_key = ?")
        .bind(idempotency_key.as_bytes().to_vec())
        .fetch_optional(connection)
        .await?;
    Ok(receipt)
}

struct Write {
    idempotency_key: Uuid,
    version: Option<PreparedVersion>,
    receipt: String,
    record: PreparedRecord,
}

impl Write {
    fn new(write: IntakeWrite, parameters: &Defined<'_>) -> Result<Self> {
        let prepared = |version| PreparedVersion::new(version, parameters);
        Ok(Self {
            idempotency_key: write.idempotency_key,
            version: write.version.map(prepared).transpose()?,
            receipt: write.receipt,
            record: PreparedRecord::new(&write.record),
        })
    }
}

struct Arrive {
    writes: Vec<Write>,
}

#[async_trait]
impl Job for Arrive {
    type Done = Vec<Arrived>;

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<Vec<Arrived>> {
        let versions = self.writes.iter().filter_map(|write| write.version.as_ref());
        let mut plan = Plan::load(versions, &mut state.names, connection).await?;
        let (mut arrived, mut records) = (Vec::with_capacity(self.writes.len()), Vec::new());
        for write in &self.writes {
            // An earlier write of this very call is found too: its row is in the open transaction.
            if let Some(receipt) = receipt(write.idempotency_key, connection).await? {
                arrived.push(Arrived::Duplicate { receipt });
                continue;
            }
            query("INSERT INTO arrivals (idempotency_key, receipt) VALUES (?, ?)")
                .bind(write.idempotency_key.as_bytes().to_vec())
                .bind(&write.receipt)
                .execute(&mut *connection)
                .await?;
            if let Some(version) = &write.version {
                store(version, &mut plan, state)?;
            }
            records.push(write.record.clone());
            arrived.push(Arrived::New);
        }
        plan.write(&mut state.counters, connection).await?;
        state.write_records(records.into_iter(), connection).await?;
        Ok(arrived)
    }

    fn weight(&self) -> (usize, usize) {
        let bytes = self.writes.iter().filter_map(|write| write.version.as_ref());
        (self.writes.len(), bytes.map(|version| version.weight().1).sum())
    }
}

/// Stores a version unless what is stored was made from it or a newer one.
fn store(version: &PreparedVersion, plan: &mut Plan, state: &mut State) -> Result<()> {
    let (stored, source) = plan.versions(&mut state.names, version.resource_type, &version.id);
    if version.version > source {
        plan.put(
            version,
            version.body.clone(),
            stored + 1,
            version.version,
            &mut state.names,
            &mut state.counters,
        )?;
    }
    Ok(())
}

struct KeepWitness {
    origin: String,
    note: String,
    size: i64,
    at_us: Micros,
}

#[async_trait]
impl Job for KeepWitness {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        query(
            "INSERT INTO witnesses (origin, size, kept, at_us, note)
             SELECT ?1, ?2, coalesce(max(kept), 0) + 1, ?3, ?4 FROM witnesses WHERE origin = ?1 AND size = ?2
             ON CONFLICT DO NOTHING",
        )
        .bind(&self.origin)
        .bind(self.size)
        .bind(self.at_us)
        .bind(&self.note)
        .execute(connection)
        .await?;
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        (1, self.note.len())
    }
}
