//! What the writer of `node.db` knows without asking: the last number of each sequence, and the names.

use super::names::Names;
use super::prepare::PreparedRecord;
use crate::sql::{Connection, Rows, query_scalar};
use crate::{Result, SearchIndex};

/// The last number given of each sequence; put back when a transaction is rolled back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct Counters {
    pub rid: i64,
    pub change: i64,
    /// The latest instant of a change; it never falls, whatever a clock does.
    pub latest_us: i64,
    pub record: i64,
    pub delivery: i64,
    pub forward: i64,
    /// The highest applied journal position.
    pub applied: i64,
    /// The lowest journal position whose write set was refused and has not been written since. No later one is
    /// admitted, for what is beyond [`Counters::applied`] is all that will ever be asked for again.
    pub refused: Option<i64>,
}

impl Counters {
    /// The write set of this position was refused; of one that is applied already that means nothing.
    pub fn refuse(&mut self, seq: i64) {
        if seq > self.applied {
            self.refused = Some(self.refused.map_or(seq, |refused| refused.min(seq)));
        }
    }

    /// The write set of this position was written.
    #[cfg(feature = "clinical")]
    pub fn apply(&mut self, seq: i64) {
        self.applied = seq;
        self.refused = self.refused.filter(|refused| *refused > seq);
    }
}

/// The writer's knowledge.
#[derive(Debug)]
pub(in crate::sqlite) struct State {
    pub counters: Counters,
    pub names: Names,
}

impl State {
    /// Reads it from the database.
    pub async fn load(connection: &mut Connection, clinical: bool, index: SearchIndex) -> Result<Self> {
        let names = Names::load(connection, index).await?;
        let mut counters = Counters {
            rid: last(connection, "SELECT max(rid) FROM resources").await?,
            change: last(connection, "SELECT max(change) FROM changes").await?,
            latest_us: latest(connection).await?,
            record: last(connection, "SELECT max(record) FROM records").await?,
            ..Counters::default()
        };
        if clinical {
            counters.delivery = last(connection, "SELECT max(number) FROM deliveries").await?;
            counters.forward = last(connection, "SELECT max(number) FROM forwards").await?;
            counters.applied = last(connection, "SELECT max(seq) FROM messages").await?;
        }
        Ok(Self { counters, names })
    }

    /// Writes audit records.
    pub async fn write_records(
        &mut self,
        records: impl Iterator<Item = PreparedRecord>,
        connection: &mut Connection,
    ) -> Result<()> {
        let mut rows = Rows::put("INSERT INTO records (record, at_us, message, bytes)", 4);
        for record in records {
            self.counters.record += 1;
            let message = record.message.map(|id| id.as_bytes().to_vec());
            rows.push([
                self.counters.record.into(),
                record.at_us.into(),
                message.into(),
                record.bytes.into(),
            ]);
        }
        rows.execute(connection).await
    }
}

async fn last(connection: &mut Connection, sql: &'static str) -> Result<i64> {
    Ok(query_scalar::<Option<i64>>(sql).fetch_one(connection).await?.unwrap_or(0))
}

async fn latest(connection: &mut Connection) -> Result<i64> {
    let last = "SELECT latest_us FROM changes ORDER BY change DESC LIMIT 1";
    Ok(query_scalar(last).fetch_optional(connection).await?.unwrap_or(0))
}
