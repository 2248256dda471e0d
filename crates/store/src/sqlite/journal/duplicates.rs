//! Which arrivals were heard before: in the last seven days, in this file or its neighbour, or in the same batch.

use std::collections::HashMap;

use bytes::Bytes;

use super::files::Files;
use super::known::Known;
use super::read::id_of;
use super::write::Append;
use crate::sql::{Connection, Rows};
use crate::sqlite::month::Month;
use crate::{JournalId, Micros, Result};

/// How long after it an entry makes its like a duplicate.
const WINDOW_US: Micros = 7 * 86_400 * 1_000_000;

/// What an arrival is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not heard before; `reused` with other bytes.
    New { reused: bool },
    /// An entry that is durable.
    Stored { of: JournalId, acknowledgment: Option<Bytes> },
    /// The arrival at this place of the same batch.
    SameBatch { at: usize },
}

impl Verdict {
    /// Whether it becomes a row.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::New { .. })
    }
}

/// A durable entry of a sender and control id.
struct Heard {
    id: JournalId,
    received_us: Micros,
    digest: Vec<u8>,
    acknowledgment: Option<Bytes>,
}

/// Judges a batch of one month. What was surely never heard is not asked for.
pub(super) async fn judge(
    appends: &[Append],
    connection: &mut Connection,
    month: Month,
    files: &Files,
    known: &Known,
) -> Result<Vec<Verdict>> {
    let mut others: Vec<_> =
        neighbours(appends, month).into_iter().filter_map(|before| files.get(before)).collect();
    let months: Vec<Month> = others.iter().map(|file| file.month).chain([month]).collect();
    let mut senders: Vec<i64> = appends.iter().filter_map(|append| append.marks.sender).collect();
    senders.retain(|sender| known.may_hold(*sender, &months));
    senders.sort_unstable();
    senders.dedup();
    if senders.is_empty() {
        others.clear();
    }
    let mut stored = heard(&senders, connection).await?;
    for file in others {
        let mut reader = file.pool.acquire().await?;
        for (sender, entries) in heard(&senders, &mut reader).await? {
            stored.entry(sender).or_default().extend(entries);
        }
    }
    let mut batch: HashMap<i64, Vec<usize>> = HashMap::new();
    let mut verdicts = Vec::with_capacity(appends.len());
    for (at, append) in appends.iter().enumerate() {
        let verdict = verdict(append, &stored, &batch, appends);
        if let (true, Some(sender)) = (verdict.is_new(), append.marks.sender) {
            batch.entry(sender).or_default().push(at);
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

fn verdict(
    append: &Append,
    stored: &HashMap<i64, Vec<Heard>>,
    batch: &HashMap<i64, Vec<usize>>,
    appends: &[Append],
) -> Verdict {
    let Some(sender) = append.marks.sender else { return Verdict::New { reused: false } };
    let received_us = append.arrival.received_us;
    let in_window = |other: Micros| received_us.abs_diff(other) <= WINDOW_US.unsigned_abs();
    let mut reused = false;
    for heard in stored.get(&sender).into_iter().flatten().filter(|heard| in_window(heard.received_us)) {
        if heard.digest == append.marks.digest {
            return Verdict::Stored { of: heard.id, acknowledgment: heard.acknowledgment.clone() };
        }
        reused = true;
    }
    for &at in batch.get(&sender).into_iter().flatten() {
        let Some(other) = appends.get(at).filter(|other| in_window(other.arrival.received_us)) else {
            continue;
        };
        if other.marks.digest == append.marks.digest {
            return Verdict::SameBatch { at };
        }
        reused = true;
    }
    Verdict::New { reused }
}

/// The other months that the window reaches into.
fn neighbours(appends: &[Append], month: Month) -> Vec<Month> {
    let instants = appends.iter().map(|append| append.arrival.received_us);
    let mut months: Vec<Month> = instants
        .flat_map(|at| [at.saturating_sub(WINDOW_US), at.saturating_add(WINDOW_US)])
        .map(Month::of)
        .filter(|other| *other != month)
        .collect();
    months.sort_unstable();
    months.dedup();
    months
}

async fn heard(senders: &[i64], connection: &mut Connection) -> Result<HashMap<i64, Vec<Heard>>> {
    let mut rows = Rows::statement(
        "SELECT e.sender, e.id, e.received_us, e.digest, a.bytes FROM (",
        ") AS asked CROSS JOIN entries e ON e.sender = asked.column1
         LEFT JOIN acknowledgments a ON a.seq = e.seq WHERE e.sender IS NOT NULL ORDER BY e.seq",
        1,
    );
    senders.iter().for_each(|sender| rows.push([(*sender).into()]));
    let mut heard: HashMap<i64, Vec<Heard>> = HashMap::new();
    for row in rows.fetch(connection).await? {
        let acknowledgment: Option<Vec<u8>> = row.try_get(4)?;
        heard.entry(row.try_get(0)?).or_default().push(Heard {
            id: JournalId(id_of(row.try_get(1)?)?),
            received_us: row.try_get(2)?,
            digest: row.try_get(3)?,
            // Empty: none was owed.
            acknowledgment: acknowledgment.filter(|bytes| !bytes.is_empty()).map(Bytes::from),
        });
    }
    Ok(heard)
}
