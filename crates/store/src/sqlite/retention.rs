//! Retention over the files of the journal, with holds and drops in `node.db`.

use async_trait::async_trait;

use super::Sqlite;
use super::codes::{delivery_state_number, message_state_number, unsigned};
use super::journal;
use super::month::Month;
use super::node::job::Job;
use super::node::state::State;
use crate::sql::{Connection, Row, query, query_scalar};
use crate::{
    DeliveryState, Dropped, Error, Hold, HoldOn, JournalMonth, KeptFor, MessageState, Micros, Result,
    Retention, Seq, Verified,
};

/// Kind of the key that holds a patient's number.
const PATIENT_NUMBER: &str = "patient-id";
/// All ids of the patients of a number: of its messages, whoever they were merged into, and all merged into those.
const PATIENTS: &str = "WITH RECURSIVE
    told (id) AS (SELECT DISTINCT p.patient FROM message_keys k JOIN message_patients p ON p.seq = k.seq
        WHERE k.value = ?1 AND k.kind = ?2),
    top (id) AS (SELECT id FROM told UNION SELECT a.patient FROM patient_aliases a JOIN top ON a.alias = top.id),
    same (id) AS (SELECT id FROM top UNION SELECT a.alias FROM patient_aliases a JOIN same ON a.patient = same.id)";

#[async_trait]
impl Retention for Sqlite {
    async fn months(&self, now_us: Micros, keep_months: Option<u32>) -> Result<Vec<JournalMonth>> {
        let mut months = self.journal_months().await?;
        let newest = months.iter().map(|month| month.month).max();
        let last = months.iter().map(|month| month.last).max();
        months.sort_by_key(|month| month.month);
        let held = self.held_months().await?;
        let mut connection = self.node.acquire().await?;
        let mut found = Vec::with_capacity(months.len());
        for file in months {
            let mut kept = Vec::new();
            match keep_months {
                None => kept.push((KeptFor::Ever, 1)),
                Some(keep) if file.month.before(Month::of(now_us)) <= i64::from(keep.max(1)) => {
                    kept.push((KeptFor::Recent, 1));
                }
                Some(_) => {}
            }
            let is_newest = newest == Some(file.month) || last == Some(file.last);
            kept.extend(is_newest.then_some((KeptFor::Newest, 1)));
            let holds: Vec<i64> =
                held.iter().filter(|(month, _)| *month == file.month).map(|(_, hold)| *hold).collect();
            let mut add = |why, count: u64| kept.extend((count > 0).then_some((why, count)));
            add(KeptFor::Hold, u64::try_from(holds.len()).unwrap_or(u64::MAX));
            let unapplied = file.last.saturating_sub(self.published_through().max(file.first - 1)).max(0);
            add(KeptFor::Unapplied, unsigned(unapplied)?);
            add(KeptFor::Quarantined, self.open_in_quarantine(file.month, &mut connection).await?);
            add(KeptFor::Undelivered, undelivered(file.month, &mut connection).await?);
            add(KeptFor::Promised, self.promised_in(file.month).await?);
            found.push(JournalMonth {
                month: file.month.name(),
                first: Seq(file.first),
                last: Seq(file.last),
                bytes: file.bytes,
                kept,
                holds,
            });
        }
        Ok(found)
    }

    async fn survey(&self, month: &str) -> Result<Dropped> {
        self.survey_month(Month::of_name(month).ok_or(Error::NotFound)?).await
    }

    async fn drop_month(&self, dropped: Dropped, now_us: Micros, record: audit::Record) -> Result<()> {
        let month = Month::of_name(&dropped.month).ok_or(Error::NotFound)?;
        let quarantined = quarantined(month, &mut *self.node.acquire().await?).await?.len();
        self.job(Drop { month, dropped, quarantined, now_us }, [record]).await?;
        self.remove_month(month).await?;
        self.job(FileGone { month }, None).await
    }

    async fn is_dropped(&self, received_us: Micros) -> Result<bool> {
        let found: i64 = query_scalar("SELECT count(*) FROM journal_drops WHERE month = ?")
            .bind(Month::of(received_us).name())
            .fetch_one(&self.node)
            .await?;
        Ok(found > 0)
    }

    async fn patients_of(&self, value: &str) -> Result<Vec<String>> {
        let sql = sqlx::AssertSqlSafe(format!("{PATIENTS} SELECT id FROM same ORDER BY id"));
        Ok(query_scalar(sql).bind(value).bind(PATIENT_NUMBER).fetch_all(&self.node).await?)
    }

    async fn place_hold(&self, hold: Hold, record: audit::Record) -> Result<i64> {
        self.job(PlaceHold { hold }, [record]).await
    }

    async fn holds(&self) -> Result<Vec<Hold>> {
        holds(&mut *self.node.acquire().await?).await
    }

    async fn release_hold(&self, hold: i64, by: &str, at_us: Micros, record: audit::Record) -> Result<()> {
        let by = by.to_owned();
        self.job(ReleaseHold { hold, by, at_us }, [record]).await
    }

    async fn verify_month(&self, month: &str) -> Result<Verified> {
        self.verify(Month::of_name(month).ok_or(Error::NotFound)?).await
    }
}

impl Sqlite {
    /// The months that holds keep, with the hold.
    async fn held_months(&self) -> Result<Vec<(Month, i64)>> {
        held(&mut *self.node.acquire().await?).await
    }

    /// Messages of a month that wait in quarantine; what was refused waits for nobody.
    async fn open_in_quarantine(&self, month: Month, connection: &mut Connection) -> Result<u64> {
        let mut open = 0;
        for seq in quarantined(month, connection).await? {
            open += u64::from(!self.is_refused(month, seq).await?);
        }
        Ok(open)
    }
}

async fn holds(connection: &mut Connection) -> Result<Vec<Hold>> {
    let rows = query(
        "SELECT hold, month, patient, reason, placed_by, placed_us FROM journal_holds
         WHERE released_us IS NULL ORDER BY hold",
    )
    .fetch_all(connection)
    .await?;
    let read = |row: &Row| {
        let on = match (row.try_get::<Option<String>, _>(1)?, row.try_get::<Option<String>, _>(2)?) {
            (Some(month), None) => HoldOn::Month(month),
            (None, Some(patient)) => HoldOn::Patient(patient),
            _ => return Err(Error::Corrupt("a hold")),
        };
        let (reason, placed_by, placed_us) = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        Ok(Hold { hold: row.try_get(0)?, on, reason, placed_by, placed_us })
    };
    rows.iter().map(read).collect()
}

/// Each month that a hold keeps, with the hold.
async fn held(connection: &mut Connection) -> Result<Vec<(Month, i64)>> {
    let mut held = Vec::new();
    for Hold { hold, on, .. } in holds(connection).await? {
        match on {
            HoldOn::Month(month) => held.extend(Month::of_name(&month).map(|month| (month, hold))),
            HoldOn::Patient(value) => {
                let sql = format!(
                    "{PATIENTS} SELECT received_us FROM messages WHERE seq IN
                        (SELECT m.seq FROM same CROSS JOIN message_patients m ON m.patient = same.id)
                     UNION SELECT m.received_us FROM message_keys k JOIN messages m ON m.seq = k.seq
                        WHERE k.value = ?1 AND k.kind = ?2"
                );
                let received: Vec<i64> = query_scalar(sqlx::AssertSqlSafe(sql))
                    .bind(value)
                    .bind(PATIENT_NUMBER)
                    .fetch_all(&mut *connection)
                    .await?;
                held.extend(received.into_iter().map(|at| (Month::of(at), hold)));
            }
        }
    }
    held.sort_unstable();
    held.dedup();
    Ok(held)
}

/// Positions of the messages of a month that are in quarantine or error and not resolved.
async fn quarantined(month: Month, connection: &mut Connection) -> Result<Vec<i64>> {
    let (from, until) = month.span();
    query_scalar(
        "SELECT seq FROM messages WHERE state IN (?, ?) AND resolved_by IS NULL
         AND received_us >= ? AND received_us < ? ORDER BY seq",
    )
    .bind(message_state_number(MessageState::Quarantined))
    .bind(message_state_number(MessageState::Error))
    .bind(from)
    .bind(until)
    .fetch_all(connection)
    .await
}

/// Deliveries of a month's messages that are pending or were given up, and messages that a partner still gets: their
/// bytes are read from the journal when they are sent.
async fn undelivered(month: Month, connection: &mut Connection) -> Result<u64> {
    let (from, until) = month.span();
    let count: i64 = query_scalar(
        "SELECT (SELECT count(*) FROM deliveries d JOIN messages m ON m.seq = d.seq WHERE d.state IN (?1, ?2)
            AND m.received_us >= ?3 AND m.received_us < ?4)
         + (SELECT count(*) FROM forwards f JOIN messages m ON m.seq = f.seq WHERE f.state IN (?1, ?2)
            AND m.received_us >= ?3 AND m.received_us < ?4)",
    )
    .bind(delivery_state_number(DeliveryState::Pending))
    .bind(delivery_state_number(DeliveryState::Dead))
    .bind(from)
    .bind(until)
    .fetch_one(connection)
    .await?;
    unsigned(count)
}

/// Finishes drops that a process began and did not end: their records are written, their files are to go.
pub(super) async fn finish_drops(home: &journal::Home, connection: &mut Connection) -> Result<()> {
    let open: Vec<String> = query_scalar("SELECT month FROM journal_drops WHERE file_gone = 0")
        .fetch_all(&mut *connection)
        .await?;
    for month in open.iter().filter_map(|month| Month::of_name(month)) {
        home.remove(month).await?;
        file_gone(month, connection).await?;
        tracing::info!(month = month.name(), "the file of a dropped month was removed at the start");
    }
    Ok(())
}

async fn file_gone(month: Month, connection: &mut Connection) -> Result<()> {
    query("UPDATE journal_drops SET file_gone = 1 WHERE month = ?")
        .bind(month.name())
        .execute(connection)
        .await?;
    Ok(())
}

struct Drop {
    month: Month,
    dropped: Dropped,
    /// In quarantine when it was looked at, the refused included.
    quarantined: usize,
    now_us: Micros,
}

#[async_trait]
impl Job for Drop {
    type Done = ();

    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<()> {
        // Asked again in the transaction: what keeps it may have come since.
        let is_held = held(connection).await?.iter().any(|(month, _)| *month == self.month);
        let quarantined = quarantined(self.month, connection).await?.len();
        let is_kept = is_held || quarantined != self.quarantined;
        if is_kept
            || undelivered(self.month, connection).await? > 0
            || state.counters.applied < self.dropped.last.0
        {
            return Err(Error::Conflict("the month is kept"));
        }
        let Dropped { entries, last, digest, .. } = &self.dropped;
        query(
            "INSERT INTO journal_drops (month, entries, last, digest, dropped_us, file_gone)
             VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (month) DO UPDATE SET file_gone = 0",
        )
        .bind(self.month.name())
        .bind(i64::try_from(*entries).unwrap_or(i64::MAX))
        .bind(last.0)
        .bind(digest.to_vec())
        .bind(self.now_us)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }
}

struct FileGone {
    month: Month,
}

#[async_trait]
impl Job for FileGone {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        file_gone(self.month, connection).await
    }
}

struct PlaceHold {
    hold: Hold,
}

#[async_trait]
impl Job for PlaceHold {
    type Done = i64;

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<i64> {
        let (month, patient) = match &self.hold.on {
            HoldOn::Month(month) => (Some(month), None),
            HoldOn::Patient(value) => (None, Some(value)),
        };
        query_scalar(
            "INSERT INTO journal_holds (month, patient, reason, placed_by, placed_us) VALUES (?, ?, ?, ?, ?) RETURNING hold",
        )
        .bind(month)
        .bind(patient)
        .bind(&self.hold.reason)
        .bind(&self.hold.placed_by)
        .bind(self.hold.placed_us)
        .fetch_one(&mut *connection)
        .await
    }
}

struct ReleaseHold {
    hold: i64,
    by: String,
    at_us: Micros,
}

#[async_trait]
impl Job for ReleaseHold {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let released = query(
            "UPDATE journal_holds SET released_by = ?, released_us = ? WHERE hold = ? AND released_us IS NULL",
        )
        .bind(&self.by)
        .bind(self.at_us)
        .bind(self.hold)
        .execute(&mut *connection)
        .await?;
        if released.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        Ok(())
    }
}
