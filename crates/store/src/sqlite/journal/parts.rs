//! Large messages in parts. A value that is bound, and the row that SQLite makes of it, cost the size of the value each; a
//! message in parts costs them for one part at a time.

use bytes::Bytes;

use crate::Result;
use crate::sql::{Connection, Pool, query, query_scalar};

/// What an entry itself holds at most; the rest of a message lies in parts of this size.
pub(super) const PART_BYTES: usize = 1 << 20;

/// The part of a message that its entry holds.
pub(super) fn first(bytes: &[u8]) -> &[u8] {
    bytes.get(..PART_BYTES).unwrap_or(bytes)
}

/// What lies beyond the first part of a message.
pub(super) struct Rest {
    seq: i64,
    bytes: Bytes,
}

impl Rest {
    /// Of a message that is longer than one part.
    pub fn of(seq: i64, bytes: &Bytes) -> Option<Self> {
        (bytes.len() > PART_BYTES).then(|| Self { seq, bytes: bytes.clone() })
    }

    /// Writes it into the open transaction, a part at a time: no more than one of them is copied at any moment.
    pub async fn write(&self, connection: &mut Connection) -> Result<()> {
        for (part, number) in self.bytes.chunks(PART_BYTES).zip(0_i64..).skip(1) {
            query("INSERT INTO parts (seq, number, bytes) VALUES (?, ?, ?)")
                .bind(self.seq)
                .bind(number)
                .bind(part.to_vec())
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

/// Adds to the first part of an entry what lies beyond it.
pub(super) async fn complete(pool: &Pool, seq: i64, bytes: &mut Vec<u8>) -> Result<()> {
    if bytes.len() < PART_BYTES {
        return Ok(());
    }
    let rest: Option<i64> =
        query_scalar("SELECT CAST(sum(length(bytes)) AS BIGINT) FROM parts WHERE seq = ?")
            .bind(seq)
            .fetch_one(pool)
            .await?;
    bytes.reserve_exact(usize::try_from(rest.unwrap_or_default()).unwrap_or_default());
    for number in 1_i64.. {
        let part: Option<Vec<u8>> = query_scalar("SELECT bytes FROM parts WHERE seq = ? AND number = ?")
            .bind(seq)
            .bind(number)
            .fetch_optional(pool)
            .await?;
        match part {
            Some(part) => bytes.extend_from_slice(&part),
            None => break,
        }
    }
    Ok(())
}
