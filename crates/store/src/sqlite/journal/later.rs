//! Acknowledgments given after the one of the arrival: how they are written, and read back.

use bytes::Bytes;
use sqlx::AssertSqlSafe;

use super::files::{Files, MonthFile};
use super::read::{id_of, outcome_number, outcome_of};
use crate::sql::{Row, Rows, query};
use crate::sqlite::file::READ_ROWS_MAX;
use crate::sqlite::month::Month;
use crate::sqlite::queue::Reply;
use crate::{AckOutcome, AckStage, Error, JournalId, Later, NewLater, Promise, Promised, Result, Seq};

const INSERT_PROMISES: &str = "INSERT INTO promises (seq, id, channel, promise)";
const INSERT_LATER: &str = "INSERT INTO later_acknowledgments (seq, stage, given_us, code, bytes)";
const KEEP_FIRST: &str = "ON CONFLICT (seq, stage) DO NOTHING";
const INSERT_OUTCOMES: &str = "INSERT INTO later_outcomes (seq, stage, outcome)";
const REPLACE_OUTCOME: &str = "ON CONFLICT (seq, stage) DO UPDATE SET outcome = excluded.outcome";

const PROMISED: &str = "SELECT p.seq, p.id, p.promise FROM promises p
    LEFT JOIN later_acknowledgments l ON l.seq = p.seq AND l.stage = 1
    WHERE p.seq > ? AND p.seq <= ? AND p.channel = ? AND l.seq IS NULL ORDER BY p.seq LIMIT ?";
const UNSENT: &str =
    "SELECT p.seq, p.id, p.promise, l.stage, l.given_us, l.code, l.bytes, o.outcome FROM promises p
    JOIN later_acknowledgments l ON l.seq = p.seq AND l.stage = 1
    LEFT JOIN later_outcomes o ON o.seq = l.seq AND o.stage = l.stage
    WHERE p.seq > ? AND p.channel = ? AND coalesce(o.outcome, 0) = 0 ORDER BY p.seq LIMIT ?";
const GIVEN: &str = "SELECT l.seq, NULL, NULL, l.stage, l.given_us, l.code, l.bytes, o.outcome
    FROM later_acknowledgments l LEFT JOIN later_outcomes o ON o.seq = l.seq AND o.stage = l.stage
    WHERE l.seq = ? ORDER BY l.stage";

/// An acknowledgment that waits for its commit.
#[derive(Debug)]
pub(super) struct Give {
    pub id: JournalId,
    pub given: NewLater,
    pub reply: Reply<()>,
}

/// One whose entry was found.
pub(super) struct Placed {
    pub month: Month,
    pub seq: i64,
    pub give: Give,
}

/// Rows of promises.
pub(super) fn promises() -> Rows {
    Rows::insert(INSERT_PROMISES, 4)
}

/// Adds the promise of an entry.
pub(super) fn push_promise(rows: &mut Rows, seq: i64, id: JournalId, channel: &str, promise: Promise) {
    rows.push([
        seq.into(),
        id.0.as_bytes().to_vec().into(),
        channel.into(),
        (promise == Promise::Application).into(),
    ]);
}

/// Rows of what is given in a month; the first of a stage stands.
pub(super) fn later(gives: &[Placed], month: Month) -> Rows {
    let mut rows = Rows::statement(INSERT_LATER, KEEP_FIRST, 5);
    for Placed { seq, give, .. } in gives.iter().filter(|placed| placed.month == month) {
        let NewLater { stage, given_us, code, bytes } = &give.given;
        rows.push([
            (*seq).into(),
            stage_number(*stage).into(),
            (*given_us).into(),
            code.as_str().into(),
            bytes.to_vec().into(),
        ]);
    }
    rows
}

/// Rows of outcomes.
pub(super) fn outcomes() -> Rows {
    Rows::statement(INSERT_OUTCOMES, REPLACE_OUTCOME, 3)
}

/// Adds an outcome.
pub(super) fn push_outcome(rows: &mut Rows, seq: i64, stage: AckStage, outcome: AckOutcome) {
    rows.push([seq.into(), stage_number(stage).into(), outcome_number(outcome).into()]);
}

impl Files {
    /// Promises of a channel beyond `after` and up to `through` that are not kept; ascending.
    pub async fn promised(
        &self,
        channel: &str,
        after: Seq,
        through: Seq,
        limit: usize,
    ) -> Result<Vec<Promised>> {
        let mut found = Vec::new();
        for file in self.beyond(after) {
            let rows = query(PROMISED)
                .bind(after.0)
                .bind(through.0)
                .bind(channel)
                .bind(bounded(limit))
                .fetch_all(&file.pool)
                .await?;
            for row in &rows {
                found.push(promised(row)?);
            }
        }
        found.sort_by_key(|promised| promised.seq);
        found.truncate(limit);
        Ok(found)
    }

    /// Final acknowledgments of a channel beyond `after` that are owed still; ascending.
    pub async fn unsent(&self, channel: &str, after: Seq, limit: usize) -> Result<Vec<(Promised, Later)>> {
        let mut found = Vec::new();
        for file in self.beyond(after) {
            let rows = query(AssertSqlSafe(UNSENT))
                .bind(after.0)
                .bind(channel)
                .bind(bounded(limit))
                .fetch_all(&file.pool)
                .await?;
            for row in &rows {
                found.push((promised(row)?, given(row)?));
            }
        }
        found.sort_by_key(|(promised, _)| promised.seq);
        found.truncate(limit);
        Ok(found)
    }

    /// What was given later for an entry.
    pub async fn given(&self, id: JournalId) -> Result<Vec<Later>> {
        let Some((month, seq)) = self.locate(id).await? else { return Ok(Vec::new()) };
        let Some(file) = self.get(month) else { return Ok(Vec::new()) };
        let rows = query(AssertSqlSafe(GIVEN)).bind(seq).fetch_all(&file.pool).await?;
        rows.iter().map(given).collect()
    }

    fn beyond(&self, after: Seq) -> Vec<std::sync::Arc<MonthFile>> {
        let mut files = self.newest_first();
        files.retain(|file| file.last() > after.0);
        files
    }
}

fn promised(row: &Row) -> Result<Promised> {
    let promise = match row.try_get::<i64, _>(2)? {
        0 => Promise::Original,
        1 => Promise::Application,
        _ => return Err(Error::Corrupt("the promise of an acknowledgment")),
    };
    Ok(Promised { seq: Seq(row.try_get(0)?), id: JournalId(id_of(row.try_get(1)?)?), promise })
}

fn given(row: &Row) -> Result<Later> {
    let stage = match row.try_get::<i64, _>(3)? {
        0 => AckStage::Interim,
        1 => AckStage::Final,
        _ => return Err(Error::Corrupt("the stage of an acknowledgment")),
    };
    let bytes = Bytes::from(row.try_get::<Vec<u8>, _>(6)?);
    let given = NewLater { stage, given_us: row.try_get(4)?, code: row.try_get(5)?, bytes };
    let outcome = row.try_get::<Option<i64>, _>(7)?.map_or(Ok(AckOutcome::Owed), outcome_of)?;
    Ok(Later { given, outcome })
}

fn stage_number(stage: AckStage) -> i64 {
    match stage {
        AckStage::Interim => 0,
        AckStage::Final => 1,
    }
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.min(READ_ROWS_MAX)).unwrap_or(i64::MAX)
}
