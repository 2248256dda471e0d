//! Reading the journal back, each row checked against its digest.

use std::sync::Arc;

use bytes::Bytes;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};
use uuid::Uuid;

use super::files::{Files, MonthFile};
use super::marks::Salt;
use super::parts;
use crate::sqlite::codes::unsigned;
use crate::sqlite::file::READ_ROWS_MAX;
use crate::sqlite::month::Month;
use crate::{AckOutcome, Entry, Error, JournalId, Micros, Result, Seq, StoredAcknowledgment};

const MICROS_PER_SECOND: u64 = 1_000_000;

impl Files {
    /// One entry: looked for in the month its id was made in, then in the others.
    pub async fn read(&self, id: JournalId, salt: &Salt) -> Result<Option<Entry>> {
        for file in self.candidates(id) {
            let row = sqlx::query(
                "SELECT e.seq, e.id, e.received_us, e.channel, e.peer, e.refused, e.reused, e.digest, e.bytes,
                    a.code, a.bytes, o.outcome, e.parent
                 FROM entries e LEFT JOIN acknowledgments a ON a.seq = e.seq
                 LEFT JOIN acknowledgment_outcomes o ON o.seq = e.seq WHERE e.id = ?",
            )
            .bind(id.0.as_bytes().to_vec())
            .fetch_optional(&file.pool)
            .await?;
            if let Some(row) = row {
                return entry(&file.pool, &row, salt).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Where an entry is.
    pub async fn locate(&self, id: JournalId) -> Result<Option<(Month, i64)>> {
        for file in self.candidates(id) {
            let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM entries WHERE id = ?")
                .bind(id.0.as_bytes().to_vec())
                .fetch_optional(&file.pool)
                .await?;
            if let Some(seq) = seq {
                return Ok(Some((file.month, seq)));
            }
        }
        Ok(None)
    }

    /// Entries received in a time beyond a position. Months whose clocks overlapped are merged by position.
    pub async fn window(
        &self,
        from_us: Micros,
        until_us: Micros,
        after: Seq,
        limit: usize,
        salt: &Salt,
    ) -> Result<Vec<Entry>> {
        let limit = limit.min(READ_ROWS_MAX);
        let mut files = self.newest_first();
        files.retain(|file| file.last() > after.0 && overlaps(file, from_us, until_us));
        files.sort_by_key(|file| file.first());
        let mut entries: Vec<Entry> = Vec::new();
        for file in files {
            let full = entries.len() >= limit;
            if full && entries.get(limit - 1).is_none_or(|last| last.seq.0 < file.first()) {
                break;
            }
            entries.extend(page(&file, from_us, until_us, after, limit, salt).await?);
            entries.sort_by_key(|entry| entry.seq);
            entries.truncate(limit);
        }
        Ok(entries)
    }

    /// Entries beyond a position, by channel: how many, and when the oldest was received. At most the first `limit`
    /// entries of each month are counted.
    pub async fn count_after(&self, after: Seq, limit: i64) -> Result<Vec<(String, u64, Micros)>> {
        let mut counts = Vec::new();
        for file in self.newest_first().into_iter().filter(|file| file.last() > after.0) {
            let rows: Vec<(String, i64, i64)> = sqlx::query_as(
                "SELECT channel, count(*), min(received_us) FROM
                     (SELECT channel, received_us FROM entries WHERE seq > ? ORDER BY seq LIMIT ?) GROUP BY channel",
            )
            .bind(after.0)
            .bind(limit)
            .fetch_all(&file.pool)
            .await?;
            for (channel, count, oldest_us) in rows {
                counts.push((channel, unsigned(count)?, oldest_us));
            }
        }
        Ok(counts)
    }

    fn candidates(&self, id: JournalId) -> Vec<Arc<MonthFile>> {
        let made = made_in(id.0);
        let mut files = self.newest_first();
        files.sort_by_key(|file| Some(file.month) != made);
        files
    }
}

fn overlaps(file: &MonthFile, from_us: Micros, until_us: Micros) -> bool {
    let from = from_us == Micros::MIN || Month::of(from_us) <= file.month;
    from && (until_us == Micros::MAX || file.month <= Month::of(until_us))
}

/// Whether the entry at a position is what was written; `false` when it is not there any more.
pub(super) async fn one(file: &MonthFile, seq: i64, salt: &Salt) -> Result<bool> {
    let found = page(file, Micros::MIN, Micros::MAX, Seq(seq - 1), 1, salt).await?;
    Ok(found.first().is_some_and(|entry| entry.seq.0 == seq))
}

async fn page(
    file: &MonthFile,
    from_us: Micros,
    until_us: Micros,
    after: Seq,
    limit: usize,
    salt: &Salt,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query(
        "SELECT e.seq, e.id, e.received_us, e.channel, e.peer, e.refused, e.reused, e.digest, e.bytes,
            a.code, a.bytes, o.outcome, e.parent
         FROM entries e LEFT JOIN acknowledgments a ON a.seq = e.seq
         LEFT JOIN acknowledgment_outcomes o ON o.seq = e.seq
         WHERE e.seq > ? AND e.received_us >= ? AND e.received_us < ? ORDER BY e.seq LIMIT ?",
    )
    .bind(after.0)
    .bind(from_us)
    .bind(until_us)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&file.pool)
    .await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        entries.push(entry(&file.pool, &row, salt).await?);
    }
    Ok(entries)
}

async fn entry(pool: &SqlitePool, row: &SqliteRow, salt: &Salt) -> Result<Entry> {
    let (digest, mut bytes): (Vec<u8>, Vec<u8>) = (row.try_get(7)?, row.try_get(8)?);
    parts::complete(pool, row.try_get(0)?, &mut bytes).await?;
    if salt.digest(&bytes).as_slice() != digest {
        return Err(Error::Corrupt("the bytes of a journal entry"));
    }
    Ok(Entry {
        seq: Seq(row.try_get(0)?),
        id: JournalId(id_of(row.try_get(1)?)?),
        received_us: row.try_get(2)?,
        channel: row.try_get(3)?,
        peer: row.try_get(4)?,
        refused: row.try_get(5)?,
        control_id_reused: row.try_get(6)?,
        bytes: Bytes::from(bytes),
        acknowledgment: acknowledgment(row)?,
        parent: row.try_get::<Option<Vec<u8>>, _>(12)?.map(|id| id_of(&id).map(JournalId)).transpose()?,
    })
}

fn acknowledgment(row: &SqliteRow) -> Result<Option<StoredAcknowledgment>> {
    let (code, bytes): (Option<String>, Option<Vec<u8>>) = (row.try_get(9)?, row.try_get(10)?);
    let (Some(code), Some(bytes)) = (code, bytes) else { return Ok(None) };
    let outcome = row.try_get::<Option<i64>, _>(11)?.map_or(Ok(AckOutcome::Owed), outcome_of)?;
    Ok(Some(StoredAcknowledgment { code, bytes: Bytes::from(bytes), outcome }))
}

/// A stored UUID.
pub(super) fn id_of(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| Error::Corrupt("an id"))
}

/// The outcome of a stored number.
pub(super) fn outcome_of(number: i64) -> Result<AckOutcome> {
    [AckOutcome::Owed, AckOutcome::Sent, AckOutcome::Undelivered, AckOutcome::NotOwed]
        .into_iter()
        .find(|outcome| outcome_number(*outcome) == number)
        .ok_or(Error::Corrupt("the outcome of an acknowledgment"))
}

/// The stored form of an outcome.
pub(super) fn outcome_number(outcome: AckOutcome) -> i64 {
    match outcome {
        AckOutcome::Owed => 0,
        AckOutcome::Sent => 1,
        AckOutcome::Undelivered => 2,
        AckOutcome::NotOwed => 3,
    }
}

/// The month in which a UUIDv7 was made.
fn made_in(id: Uuid) -> Option<Month> {
    let (seconds, _) = id.get_timestamp()?.to_unix();
    Some(Month::of(i64::try_from(seconds.checked_mul(MICROS_PER_SECOND)?).ok()?))
}
