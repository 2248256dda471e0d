//! The ledger's rows. Records are read in the order they were committed; the highest sealed one of each file is the mark
//! beyond which records are unsealed.

use std::collections::HashMap;

use async_trait::async_trait;

use super::Sqlite;
use super::codes::{bytes32, limit as bounded, unsigned};
use super::node::job::{Job, OnlyRecords};
use super::node::state::State;
use crate::sql::{Connection, Row, Rows, query, query_as, query_scalar};
use crate::{Error, Ledger, LedgerRow, Micros, Result, SealedLeaf, Unsealed};

/// The number of `node.db` in a handle.
const NODE: u8 = 0;
/// The number of `access.db` in a handle.
const ACCESS: u8 = 1;

#[async_trait]
impl Ledger for Sqlite {
    async fn unsealed(&self, limit: usize) -> Result<Vec<Unsealed>> {
        let mut found = Vec::new();
        for file in [NODE, ACCESS] {
            let sealed = self.sealed_through(file).await?;
            let rows: Vec<(i64, Vec<u8>)> =
                query_as("SELECT record, bytes FROM records WHERE record > ? ORDER BY record LIMIT ?")
                    .bind(sealed)
                    .bind(bounded(limit.saturating_sub(found.len())))
                    .fetch_all(if file == NODE { &self.node } else { &self.access.pool })
                    .await?;
            found.extend(rows.into_iter().map(|(row, record)| Unsealed { handle: (file, row), record }));
        }
        Ok(found)
    }

    async fn seal(
        &self,
        leaves: Vec<SealedLeaf>,
        frontier: Vec<u8>,
        checkpoint: String,
        size: u64,
    ) -> Result<()> {
        self.job(Seal { leaves, frontier, checkpoint, size }, None).await
    }

    async fn frontier(&self) -> Result<Option<Vec<u8>>> {
        let frontier = query_scalar("SELECT frontier FROM checkpoints ORDER BY checkpoint DESC LIMIT 1")
            .fetch_optional(&self.node)
            .await?;
        Ok(frontier)
    }

    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<LedgerRow>> {
        let rows = query(
            "SELECT l.leaf, l.hash, l.file, l.record, r.bytes FROM leaves l
             LEFT JOIN records r ON l.file = 0 AND r.record = l.record
             WHERE l.leaf >= ? ORDER BY l.leaf LIMIT ?",
        )
        .bind(i64::try_from(from).unwrap_or(i64::MAX))
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        let mut accesses = self.access_records(&rows).await?;
        let mut leaves = Vec::with_capacity(rows.len());
        for row in rows {
            let record = match row.try_get::<u8, _>(2)? {
                NODE => row.try_get(4)?,
                ACCESS => accesses.remove(&row.try_get::<i64, _>(3)?),
                _ => return Err(Error::Corrupt("the file of a leaf")),
            };
            leaves.push(LedgerRow {
                leaf: Some(unsigned(row.try_get(0)?)?),
                hash: Some(bytes32(row.try_get(1)?)?),
                record: record.ok_or(Error::Corrupt("the record of a leaf is missing"))?,
            });
        }
        Ok(leaves)
    }

    async fn hashes(&self, from: u64, limit: usize) -> Result<Vec<[u8; 32]>> {
        let hashes: Vec<Vec<u8>> =
            query_scalar("SELECT hash FROM leaves WHERE leaf >= ? ORDER BY leaf LIMIT ?")
                .bind(i64::try_from(from).unwrap_or(i64::MAX))
                .bind(bounded(limit))
                .fetch_all(&self.node)
                .await?;
        hashes.into_iter().map(bytes32).collect()
    }

    async fn checkpoints(&self) -> Result<Vec<String>> {
        Ok(query_scalar("SELECT note FROM checkpoints ORDER BY checkpoint").fetch_all(&self.node).await?)
    }

    async fn latest_checkpoint(&self) -> Result<Option<(u64, String)>> {
        let last: Option<(i64, String)> =
            query_as("SELECT size, note FROM checkpoints ORDER BY checkpoint DESC LIMIT 1")
                .fetch_optional(&self.node)
                .await?;
        last.map(|(size, note)| Ok((unsigned(size)?, note))).transpose()
    }

    async fn append(&self, records: Vec<audit::Record>) -> Result<()> {
        self.job(OnlyRecords, records).await
    }

    async fn unsealed_summary(&self) -> Result<(u64, Option<Micros>)> {
        let (mut total, mut oldest) = (0, None::<Micros>);
        for file in [NODE, ACCESS] {
            let sealed = self.sealed_through(file).await?;
            let (count, first): (i64, Option<i64>) =
                query_as("SELECT count(*), min(at_us) FROM records WHERE record > ?")
                    .bind(sealed)
                    .fetch_one(if file == NODE { &self.node } else { &self.access.pool })
                    .await?;
            total += unsigned(count)?;
            oldest = [oldest, first].into_iter().flatten().min();
        }
        Ok((total, oldest))
    }
}

impl Sqlite {
    async fn sealed_through(&self, file: u8) -> Result<i64> {
        let mut connection = self.node.acquire().await?;
        sealed_through(file, &mut connection).await
    }

    /// The records of `access.db` that these leaves number.
    async fn access_records(&self, leaves: &[Row]) -> Result<HashMap<i64, Vec<u8>>> {
        let mut asked = Rows::statement("SELECT record, bytes FROM records WHERE record IN (", ")", 1);
        for leaf in leaves {
            if leaf.try_get::<u8, _>(2)? == ACCESS {
                asked.push([leaf.try_get::<i64, _>(3)?.into()]);
            }
        }
        let mut connection = self.access.pool.acquire().await?;
        let mut records = HashMap::new();
        for row in asked.fetch(&mut connection).await? {
            records.insert(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(records)
    }
}

#[cfg(feature = "clinical")]
#[async_trait]
impl crate::Accesses for Sqlite {
    async fn accesses_of(&self, message: crate::JournalId, limit: usize) -> Result<Vec<LedgerRow>> {
        let records: Vec<(i64, Vec<u8>)> =
            query_as("SELECT record, bytes FROM records WHERE message = ? ORDER BY record DESC LIMIT ?")
                .bind(message.0.as_bytes().to_vec())
                .bind(bounded(limit))
                .fetch_all(&self.access.pool)
                .await?;
        let mut asked =
            Rows::statement("SELECT record, leaf, hash FROM leaves WHERE file = 1 AND record IN (", ")", 1);
        records.iter().for_each(|(record, _)| asked.push([(*record).into()]));
        let mut connection = self.node.acquire().await?;
        let mut sealed = HashMap::new();
        for row in asked.fetch(&mut connection).await? {
            let (leaf, hash) = (unsigned(row.try_get(1)?)?, bytes32(row.try_get(2)?)?);
            sealed.insert(row.try_get::<i64, _>(0)?, (leaf, hash));
        }
        let row = |(record, bytes): (i64, Vec<u8>)| {
            let (leaf, hash) = sealed.get(&record).copied().unzip();
            LedgerRow { leaf, hash, record: bytes }
        };
        Ok(records.into_iter().map(row).collect())
    }
}

async fn sealed_through(file: u8, connection: &mut Connection) -> Result<i64> {
    let last: Option<i64> = query_scalar("SELECT max(record) FROM leaves WHERE file = ?")
        .bind(file)
        .fetch_one(connection)
        .await?;
    Ok(last.unwrap_or(0))
}

struct Seal {
    leaves: Vec<SealedLeaf>,
    frontier: Vec<u8>,
    checkpoint: String,
    size: u64,
}

#[async_trait]
impl Job for Seal {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let mut sealed = [sealed_through(NODE, connection).await?, sealed_through(ACCESS, connection).await?];
        let next: i64 =
            query_scalar("SELECT coalesce(max(leaf) + 1, 0) FROM leaves").fetch_one(&mut *connection).await?;
        let mut next = unsigned(next)?;
        let mut rows = Rows::insert("INSERT INTO leaves (leaf, file, record, hash)", 4);
        for SealedLeaf { handle: (file, record), leaf, hash } in &self.leaves {
            let last = sealed.get_mut(usize::from(*file)).ok_or(Error::Conflict("the file of a leaf"))?;
            if *leaf != next || *record != *last + 1 {
                return Err(Error::Conflict("a leaf number or record that does not follow the last"));
            }
            *last = *record;
            rows.push([
                signed(*leaf)?.into(),
                i64::from(*file).into(),
                (*record).into(),
                hash.to_vec().into(),
            ]);
            next += 1;
        }
        if self.size != next {
            return Err(Error::Conflict("the size of the tree and its leaves differ"));
        }
        rows.execute(connection).await?;
        query("INSERT INTO checkpoints (size, note, frontier) VALUES (?, ?, ?)")
            .bind(signed(self.size)?)
            .bind(&self.checkpoint)
            .bind(&self.frontier)
            .execute(connection)
            .await?;
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        (self.leaves.len() + 1, self.frontier.len() + self.checkpoint.len())
    }
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::Conflict("a number beyond the range"))
}
