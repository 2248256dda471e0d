//! Counts of leaves, the gaps that a sender is known for, and alerts on new ones.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::Sqlite;
use super::codes::{limit as bounded, unsigned, uuid};
use super::node::job::Job;
use super::node::state::State;
use crate::coverage::{ALERTS_OPEN_MAX, COVERAGE_DAYS_KEPT, DAY_US, Day, LEARNING_MESSAGES};
use crate::sql::{Connection, Row, Rows, query, query_as, query_scalar};
use crate::{
    Alert, AlertKind, CoverageDay, Coverages, Error, Gap, JournalId, MessageRow, Micros, PathCount, PathFate,
    Result,
};

const ALERTS: &str =
    "SELECT alert, kind, sender, message_type, path, message, day, acknowledged_by, acknowledged_us
    FROM alerts";

#[async_trait]
impl Coverages for Sqlite {
    async fn coverage(&self, since: Day) -> Result<Vec<CoverageDay>> {
        let mut connection = self.node.begin().await?;
        let messages: Vec<(i64, String, i64)> = query_as(
            "SELECT day, sender, CAST(sum(messages) AS BIGINT) FROM coverage_messages WHERE day >= ? GROUP BY day, sender",
        )
        .bind(since)
        .fetch_all(&mut *connection)
        .await?;
        let leaves: Vec<(i64, String, i64, i64)> = query_as(
            "SELECT day, sender, fate, CAST(sum(leaves) AS BIGINT) FROM coverage_paths WHERE day >= ? GROUP BY day, sender, fate",
        )
        .bind(since)
        .fetch_all(&mut *connection)
        .await?;
        connection.rollback().await?;
        let mut days: BTreeMap<(Day, String), (u64, [u64; 5])> = BTreeMap::new();
        for (day, sender, count) in messages {
            days.entry((day, sender)).or_default().0 = unsigned(count)?;
        }
        for (day, sender, fate, count) in leaves {
            let fate = fate_of(fate)?;
            let of_fate = days.entry((day, sender)).or_default();
            for (slot, _) in of_fate.1.iter_mut().zip(PathFate::ALL).filter(|(_, other)| *other == fate) {
                *slot = unsigned(count)?;
            }
        }
        let day = |((day, sender), (messages, leaves))| CoverageDay { day, sender, messages, leaves };
        Ok(days.into_iter().map(day).collect())
    }

    async fn gaps(&self, since: Day, limit: usize) -> Result<Vec<Gap>> {
        let rows = query(
            "SELECT sender, message_type, path, fate, CAST(sum(leaves) AS BIGINT) AS total, min(day), max(day) FROM coverage_paths
             WHERE day >= ? AND fate IN (?, ?) GROUP BY sender, message_type, path, fate
             ORDER BY total DESC, sender, message_type, path, fate LIMIT ?",
        )
        .bind(since)
        .bind(fate_number(PathFate::Unmapped))
        .bind(fate_number(PathFate::Rejected))
        .bind(bounded(limit))
        .fetch_all(&self.node)
        .await?;
        let gap = |row: &Row| {
            Ok(Gap {
                sender: row.try_get(0)?,
                message_type: row.try_get(1)?,
                path: row.try_get(2)?,
                fate: fate_of(row.try_get(3)?)?,
                leaves: unsigned(row.try_get(4)?)?,
                days: (row.try_get(5)?, row.try_get(6)?),
            })
        };
        rows.iter().map(gap).collect()
    }

    async fn alerts(&self, is_open: bool, limit: usize) -> Result<Vec<Alert>> {
        let condition = if is_open { "IS NULL" } else { "IS NOT NULL" };
        let sql = format!("{ALERTS} WHERE acknowledged_us {condition} ORDER BY alert DESC LIMIT ?");
        let rows = query(AssertSqlSafe(sql)).bind(bounded(limit)).fetch_all(&self.node).await?;
        rows.iter().map(alert).collect()
    }

    async fn alerts_after(&self, after: i64, limit: usize) -> Result<Vec<Alert>> {
        let sql = format!("{ALERTS} WHERE alert > ? ORDER BY alert LIMIT ?");
        let query = query(AssertSqlSafe(sql)).bind(after).bind(bounded(limit));
        query.fetch_all(&self.node).await?.iter().map(alert).collect()
    }

    async fn alerts_raised(&self) -> Result<i64> {
        let last: Option<i64> = query_scalar("SELECT max(alert) FROM alerts").fetch_one(&self.node).await?;
        Ok(last.unwrap_or(0))
    }

    async fn acknowledge(&self, alert: i64, by: &str, at_us: Micros, record: audit::Record) -> Result<()> {
        self.clinical()?;
        let by = by.to_owned();
        self.job(Acknowledge { alert, by, at_us }, [record]).await
    }
}

/// The stored form of a fate.
fn fate_number(fate: PathFate) -> i64 {
    match fate {
        PathFate::Mapped => 0,
        PathFate::Lossy => 1,
        PathFate::Ignored => 2,
        PathFate::Unmapped => 3,
        PathFate::Rejected => 4,
    }
}

fn fate_of(number: i64) -> Result<PathFate> {
    let found = PathFate::ALL.into_iter().find(|fate| fate_number(*fate) == number);
    found.ok_or(Error::Corrupt("the fate of a path"))
}

/// The alert that the first leaf of this fate is.
fn kind_of(fate: PathFate) -> Option<AlertKind> {
    match fate {
        PathFate::Unmapped => Some(AlertKind::NewUnmapped),
        PathFate::Rejected => Some(AlertKind::NewRejected),
        PathFate::Mapped | PathFate::Lossy | PathFate::Ignored => None,
    }
}

/// The stored form of a kind.
fn kind_number(kind: AlertKind) -> i64 {
    match kind {
        AlertKind::NewUnmapped => 0,
        AlertKind::NewRejected => 1,
    }
}

fn alert(row: &Row) -> Result<Alert> {
    let kind: i64 = row.try_get(1)?;
    let kinds = [AlertKind::NewUnmapped, AlertKind::NewRejected];
    let by: Option<String> = row.try_get(7)?;
    let at_us: Option<Micros> = row.try_get(8)?;
    Ok(Alert {
        alert: row.try_get(0)?,
        kind: kinds
            .into_iter()
            .find(|one| kind_number(*one) == kind)
            .ok_or(Error::Corrupt("the kind of an alert"))?,
        sender: row.try_get(2)?,
        message_type: row.try_get(3)?,
        path: row.try_get(4)?,
        message: JournalId(uuid(row.try_get(5)?)?),
        day: row.try_get(6)?,
        acknowledged: by.zip(at_us),
    })
}

struct Acknowledge {
    alert: i64,
    by: String,
    at_us: Micros,
}

#[async_trait]
impl Job for Acknowledge {
    type Done = ();

    async fn run(&self, _: &mut State, connection: &mut Connection) -> Result<()> {
        let found: Option<(Option<i64>,)> = query_as("SELECT acknowledged_us FROM alerts WHERE alert = ?")
            .bind(self.alert)
            .fetch_optional(&mut *connection)
            .await?;
        let (before,) = found.ok_or(Error::NotFound)?;
        if before.is_some() {
            return Err(Error::Conflict("the alert was acknowledged before"));
        }
        query("UPDATE alerts SET acknowledged_by = ?, acknowledged_us = ? WHERE alert = ?")
            .bind(&self.by)
            .bind(self.at_us)
            .bind(self.alert)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }
}

/// The day on which a message was received.
pub(super) fn day_of(message: &MessageRow) -> Day {
    message.received_us.div_euclid(DAY_US)
}

/// Sender and type.
type Feed<'s> = (&'s str, &'s str);

/// Leaves by path and the number of their fate.
type Leaves<'s> = BTreeMap<(&'s str, i64), u64>;

/// The first leaf of a gap in a run.
struct First {
    message: Vec<u8>,
    day: Day,
    /// Messages of its feed in the run before it.
    before: u64,
}

/// What a run of messages adds.
#[derive(Default)]
pub(super) struct CoverageCounts<'s> {
    messages: BTreeMap<(Feed<'s>, Day), u64>,
    leaves: BTreeMap<(Day, Feed<'s>), Leaves<'s>>,
    gaps: BTreeMap<(Feed<'s>, &'s str, AlertKind), First>,
    seen: HashMap<Feed<'s>, u64>,
}

impl<'s> CoverageCounts<'s> {
    /// Counts a message.
    pub fn count(&mut self, message: &'s MessageRow, paths: &'s [PathCount]) {
        let (day, feed) = (day_of(message), (message.sender.as_str(), message.message_type.as_str()));
        let before = self.seen.get(&feed).copied().unwrap_or_default();
        self.seen.insert(feed, before + 1);
        *self.messages.entry((feed, day)).or_default() += 1;
        let leaves = self.leaves.entry((day, feed)).or_default();
        for one in paths {
            *leaves.entry((one.path.as_str(), fate_number(one.fate))).or_default() += u64::from(one.leaves);
            if let Some(kind) = kind_of(one.fate) {
                let first = || First { message: message.id.0.as_bytes().to_vec(), day, before };
                self.gaps.entry((feed, one.path.as_str(), kind)).or_insert_with(first);
            }
        }
    }

    /// Writes the counts, and alerts on gaps that are new to their sender.
    pub async fn write(mut self, connection: &mut Connection) -> Result<()> {
        let Some(newest) = self.leaves.keys().map(|(day, _)| *day).max() else { return Ok(()) };
        prune(newest, connection).await?;
        self.forget_known(connection).await?;
        for (feed, before) in self.learned(connection).await? {
            self.raise(feed, before, connection).await?;
        }
        self.add(connection).await
    }

    /// Leaves the gaps that the sender is not known for yet.
    async fn forget_known(&mut self, connection: &mut Connection) -> Result<()> {
        let mut asked = Rows::statement(
            "SELECT g.sender, g.message_type, g.path, g.kind FROM (",
            ") AS asked CROSS JOIN known_gaps g ON g.sender = asked.column1 AND g.message_type = asked.column2
             AND g.path = asked.column3 AND g.kind = asked.column4",
            4,
        );
        for ((sender, message_type), path, kind) in self.gaps.keys() {
            asked.push([(*sender).into(), (*message_type).into(), (*path).into(), kind_number(*kind).into()]);
        }
        let mut known: HashSet<(String, String, String, i64)> = HashSet::new();
        for row in asked.fetch(connection).await? {
            known.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?));
        }
        self.gaps.retain(|((sender, message_type), path, kind), _| {
            let (sender, message_type, path) =
                ((*sender).to_owned(), (*message_type).to_owned(), (*path).to_owned());
            !known.contains(&(sender, message_type, path, kind_number(*kind)))
        });
        Ok(())
    }

    /// How many messages came before this run, of each feed with a new gap.
    async fn learned(&self, connection: &mut Connection) -> Result<Vec<(Feed<'s>, u64)>> {
        let mut feeds: Vec<Feed<'s>> = self.gaps.keys().map(|(feed, ..)| *feed).collect();
        feeds.dedup();
        let mut learned = Vec::new();
        for feed in feeds {
            let before: Option<i64> = query_scalar(
                "SELECT CAST(sum(messages) AS BIGINT) FROM coverage_messages WHERE sender = ? AND message_type = ?",
            )
            .bind(feed.0)
            .bind(feed.1)
            .fetch_one(&mut *connection)
            .await?;
            learned.push((feed, unsigned(before.unwrap_or(0))?));
        }
        Ok(learned)
    }

    /// Enters the new gaps of a feed; those of a feed that is learned are alerts, as long as not too many stand open.
    async fn raise(&self, feed: Feed<'s>, before: u64, connection: &mut Connection) -> Result<()> {
        let open: i64 = query_scalar(
            "SELECT count(*) FROM alerts WHERE sender = ? AND message_type = ? AND acknowledged_us IS NULL",
        )
        .bind(feed.0)
        .bind(feed.1)
        .fetch_one(&mut *connection)
        .await?;
        let mut room = ALERTS_OPEN_MAX.saturating_sub(usize::try_from(open).unwrap_or(usize::MAX));
        let mut known = Rows::insert("INSERT INTO known_gaps (sender, message_type, path, kind)", 4);
        let mut alerts =
            Rows::insert("INSERT INTO alerts (kind, sender, message_type, path, message, day)", 6);
        for ((_, path, kind), first) in self.gaps.iter().filter(|((other, ..), _)| *other == feed) {
            let kind = kind_number(*kind);
            if before + first.before >= LEARNING_MESSAGES {
                // One that finds no room stays new, and is an alert when there is.
                let Some(rest) = room.checked_sub(1) else { continue };
                room = rest;
                let message = first.message.clone().into();
                alerts.push([
                    kind.into(),
                    feed.0.into(),
                    feed.1.into(),
                    (*path).into(),
                    message,
                    first.day.into(),
                ]);
            }
            known.push([feed.0.into(), feed.1.into(), (*path).into(), kind.into()]);
        }
        known.execute(connection).await?;
        alerts.execute(connection).await
    }

    async fn add(self, connection: &mut Connection) -> Result<()> {
        let mut messages = Rows::statement(
            "INSERT INTO coverage_messages (sender, message_type, day, messages)",
            "ON CONFLICT (sender, message_type, day) DO UPDATE SET messages = coverage_messages.messages + excluded.messages",
            4,
        );
        for (((sender, message_type), day), count) in self.messages {
            messages.push([sender.into(), message_type.into(), day.into(), number(count).into()]);
        }
        let mut paths = Rows::statement(
            "INSERT INTO coverage_paths (day, sender, message_type, path, fate, leaves)",
            "ON CONFLICT (day, sender, message_type, path, fate) DO UPDATE SET leaves = coverage_paths.leaves + excluded.leaves",
            6,
        );
        for ((day, (sender, message_type)), leaves) in self.leaves {
            for ((path, fate), count) in leaves {
                let count = number(count).into();
                paths.push([day.into(), sender.into(), message_type.into(), path.into(), fate.into(), count]);
            }
        }
        messages.execute(connection).await?;
        paths.execute(connection).await
    }
}

/// Drops what is too old, when the first message of a day comes.
async fn prune(newest: Day, connection: &mut Connection) -> Result<()> {
    let is_begun: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM coverage_paths WHERE day = ?)")
        .bind(newest)
        .fetch_one(&mut *connection)
        .await?;
    if !is_begun {
        for sql in ["DELETE FROM coverage_paths WHERE day < ?", "DELETE FROM coverage_messages WHERE day < ?"]
        {
            query(sql).bind(newest - COVERAGE_DAYS_KEPT).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
