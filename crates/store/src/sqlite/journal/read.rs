//! Reading the journal back, each row checked against its digest.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::files::{Files, MonthFile};
use super::marks::Salt;
use super::parts;
use crate::sql::{Pool, Row, query, query_as, query_scalar};
use crate::sqlite::codes::unsigned;
use crate::sqlite::file::READ_ROWS_MAX;
use crate::sqlite::month::Month;
use crate::{AckOutcome, Entry, Error, JournalId, Micros, Result, Seq, StoredAcknowledgment};

const MICROS_PER_SECOND: u64 = 1_000_000;

/// How much is read at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Entries.
    pub entries: usize,
    /// Bytes of messages, after which no further entry is read.
    pub bytes: usize,
}

/// Entries of one file.
struct Page {
    entries: Vec<Entry>,
    /// There may be more within the limit of entries.
    is_cut: bool,
}

impl Files {
    /// One entry: looked for in the month its id was made in, then in the others.
    pub async fn read(&self, id: JournalId, salt: &Salt) -> Result<Option<Entry>> {
        for file in self.candidates(id) {
            let row = query(
                "SELECT e.seq, e.id, e.received_us, e.channel, e.peer, e.refused, e.reused, e.digest, e.bytes,
                    a.code, a.bytes, o.outcome, e.parent, e.charset
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
            let seq: Option<i64> = query_scalar("SELECT seq FROM entries WHERE id = ?")
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
        most: Most,
        salt: &Salt,
    ) -> Result<Vec<Entry>> {
        let limit = most.entries.min(READ_ROWS_MAX);
        let most = Most { entries: limit, ..most };
        let mut files = self.newest_first();
        files.retain(|file| file.last() > after.0 && overlaps(file, from_us, until_us));
        files.sort_by_key(|file| file.first());
        let (mut entries, mut through): (Vec<Entry>, Seq) = (Vec::new(), Seq(i64::MAX));
        for file in files {
            if through.0 < file.first() {
                break;
            }
            let full = entries.len() >= limit;
            if full && entries.get(limit - 1).is_none_or(|last| last.seq.0 < file.first()) {
                break;
            }
            let page = page(&file, from_us, until_us, after, most, salt).await?;
            let last = page.entries.last().map(|entry| entry.seq).filter(|_| page.is_cut);
            through = last.map_or(through, |last| last.min(through));
            entries.extend(page.entries);
            entries.sort_by_key(|entry| entry.seq);
            // What lies behind a page that was cut may have others before it.
            entries.retain(|entry| entry.seq <= through);
            entries.truncate(limit);
        }
        Ok(entries)
    }

    /// Entries beyond a position, by channel: how many, and when the oldest was received. At most the first `limit`
    /// entries of each month are counted.
    pub async fn count_after(&self, after: Seq, limit: i64) -> Result<Vec<(String, u64, Micros)>> {
        let mut counts = Vec::new();
        for file in self.newest_first().into_iter().filter(|file| file.last() > after.0) {
            let rows: Vec<(String, i64, i64)> = query_as(
                "SELECT channel, count(*), min(received_us) FROM
                     (SELECT channel, received_us FROM entries WHERE seq > ? ORDER BY seq LIMIT ?) AS waiting GROUP BY channel",
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
    let most = Most { entries: 1, bytes: usize::MAX };
    let found = page(file, Micros::MIN, Micros::MAX, Seq(seq - 1), most, salt).await?;
    Ok(found.entries.first().is_some_and(|entry| entry.seq.0 == seq))
}

async fn page(
    file: &MonthFile,
    from_us: Micros,
    until_us: Micros,
    after: Seq,
    most: Most,
    salt: &Salt,
) -> Result<Page> {
    let Most { entries: limit, bytes: bytes_max } = most;
    let rows = query(
        "SELECT e.seq, e.id, e.received_us, e.channel, e.peer, e.refused, e.reused, e.digest, e.bytes,
            a.code, a.bytes, o.outcome, e.parent, e.charset
         FROM (SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM
            (SELECT seq, length(bytes) AS size FROM entries
             WHERE seq > ? AND received_us >= ? AND received_us < ? ORDER BY seq LIMIT ?) AS s) AS p
         CROSS JOIN entries e ON e.seq = p.seq LEFT JOIN acknowledgments a ON a.seq = e.seq
         LEFT JOIN acknowledgment_outcomes o ON o.seq = e.seq
         WHERE p.before < ? ORDER BY e.seq",
    )
    .bind(after.0)
    .bind(from_us)
    .bind(until_us)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX))
    .fetch_all(&file.pool)
    .await?;
    let (mut entries, mut bytes) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        if bytes >= bytes_max {
            break;
        }
        let entry = entry(&file.pool, &row, salt).await?;
        bytes += entry.bytes.len();
        entries.push(entry);
    }
    let is_cut = bytes >= bytes_max;
    Ok(Page { entries, is_cut })
}

async fn entry(pool: &Pool, row: &Row, salt: &Salt) -> Result<Entry> {
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
        charset: row.try_get(13)?,
    })
}

fn acknowledgment(row: &Row) -> Result<Option<StoredAcknowledgment>> {
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
