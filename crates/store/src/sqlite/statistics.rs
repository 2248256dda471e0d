//! The dashboard's numbers, each from a covering index.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Sqlite;
use super::codes::{delivery_state, message_state, message_state_number, unsigned};
use crate::sql::{Connection, query_as, query_scalar};
use crate::{
    Backlog, Boundary, DeliveryState, Error, Feed, HeldGroup, MINUTE_US, MessageState, Micros, Minute,
    Result, Seq, Statistics, Waiting,
};

/// Most channels that are told of.
const CHANNELS_MAX: i64 = 64;
/// Most minutes of a window.
const MINUTES_MAX: i64 = 24 * 60;
/// Most messages whose latency is looked at, the newest of the window.
const LATENCIES_MAX: i64 = 5_000;
/// Most groups by reason and sender.
const GROUPS_MAX: i64 = 2_000;
/// Most journal entries that are counted as waiting.
const WAITING_MAX: i64 = 10_000;

/// Reads an index from one channel to the next.
const CHANNELS: &str = "WITH RECURSIVE c(channel) AS (SELECT min(channel) FROM messages
        UNION ALL SELECT (SELECT min(channel) FROM messages WHERE channel > c.channel) FROM c WHERE c.channel IS NOT NULL)
    SELECT channel, (SELECT max(received_us) FROM messages m WHERE m.channel = c.channel) FROM c
    WHERE channel IS NOT NULL LIMIT ?";

#[async_trait]
impl Statistics for Sqlite {
    async fn feeds(&self, since_us: Micros, until_us: Micros) -> Result<Vec<Feed>> {
        let mut connection = self.node.begin().await?;
        let channels: Vec<(String, i64)> =
            query_as(CHANNELS).bind(CHANNELS_MAX).fetch_all(&mut *connection).await?;
        let mut feeds = Vec::with_capacity(channels.len());
        for (channel, last_us) in channels {
            let minutes = minutes(&channel, since_us, until_us, &mut connection).await?;
            let latencies = latencies(&channel, since_us, until_us, &mut connection).await?;
            feeds.push(Feed {
                minutes,
                p50_us: percentile(&latencies, 50),
                p95_us: percentile(&latencies, 95),
                last_us,
                channel,
            });
        }
        connection.rollback().await?;
        Ok(feeds)
    }

    async fn waiting(&self) -> Result<Vec<Waiting>> {
        let applied: Option<i64> =
            query_scalar("SELECT max(seq) FROM messages").fetch_one(&self.node).await?;
        let rows = self.journaled_after(Seq(applied.unwrap_or(0)), WAITING_MAX).await?;
        let mut waiting: BTreeMap<String, (u64, Micros)> = BTreeMap::new();
        for (channel, count, oldest_us) in rows {
            let of_channel = waiting.entry(channel).or_insert((0, oldest_us));
            *of_channel = (of_channel.0 + count, of_channel.1.min(oldest_us));
        }
        let row = |(channel, (count, oldest_us))| Waiting { channel, count, oldest_us };
        Ok(waiting.into_iter().map(row).collect())
    }

    async fn held(&self) -> Result<Vec<HeldGroup>> {
        type Row = (Option<String>, i64, String, i64, i64, i64, i64);
        let rows: Vec<Row> = query_as(
            "SELECT reason, state, sender, count(*), min(received_us), max(received_us), max(seq)
             FROM messages INDEXED BY messages_held WHERE state IN (5, 6) AND resolved_by IS NULL
             GROUP BY reason, state, sender ORDER BY reason, state, sender LIMIT ?",
        )
        .bind(GROUPS_MAX)
        .fetch_all(&self.node)
        .await?;
        let mut groups: Vec<HeldGroup> = Vec::new();
        for (reason, state, sender, count, first_us, last_us, newest) in rows {
            let (state, count) = (message_state(state)?, unsigned(count)?);
            let known = groups.last_mut().filter(|group| group.reason == reason && group.state == state);
            match known {
                Some(group) => {
                    group.count += count;
                    group.first_us = group.first_us.min(first_us);
                    group.last_us = group.last_us.max(last_us);
                    group.newest = group.newest.max(Seq(newest));
                    group.senders.push((sender, count));
                }
                None => {
                    let senders = vec![(sender, count)];
                    groups.push(HeldGroup {
                        reason,
                        state,
                        count,
                        first_us,
                        last_us,
                        newest: Seq(newest),
                        senders,
                    });
                }
            }
        }
        groups.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.last_us)));
        groups.iter_mut().for_each(|group| group.senders.sort_by_key(|(_, count)| std::cmp::Reverse(*count)));
        Ok(groups)
    }

    async fn boundary(&self, since_us: Micros, refused: &str) -> Result<Boundary> {
        let mut connection = self.node.begin().await?;
        let kept = [MessageState::Stored, MessageState::Routed].map(message_state_number);
        let channels: Vec<(String, i64)> =
            query_as(CHANNELS).bind(CHANNELS_MAX).fetch_all(&mut *connection).await?;
        let (mut stored, mut first) = (0, None::<i64>);
        for (channel, _) in channels {
            let (count, seq): (i64, Option<i64>) = query_as(
                "SELECT count(*) FILTER (WHERE state IN (?, ?)), min(seq) FROM messages
                 WHERE channel = ? AND received_us >= ?",
            )
            .bind(kept[0])
            .bind(kept[1])
            .bind(channel)
            .bind(since_us)
            .fetch_one(&mut *connection)
            .await?;
            stored += unsigned(count)?;
            first = [first, seq].into_iter().flatten().min();
        }
        let refused: i64 = query_scalar(
            "SELECT count(*) FROM messages INDEXED BY messages_held
             WHERE state IN (5, 6) AND resolved_by IS NULL AND reason >= ? AND reason < ? AND received_us >= ?",
        )
        .bind(refused)
        .bind(format!("{refused}\u{10ffff}"))
        .bind(since_us)
        .fetch_one(&mut *connection)
        .await?;
        let refused = unsigned(refused)?;
        let with = match first {
            Some(first) => with_deliveries(first, &mut connection).await?,
            None => Vec::new(),
        };
        connection.rollback().await?;
        let of = |state| with.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
        Ok(Boundary {
            kept: stored + refused,
            sent: of(DeliveryState::Delivered),
            blocked: refused + of(DeliveryState::Dead),
            queued: of(DeliveryState::Pending),
        })
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>> {
        let rows: Vec<(String, i64, i64)> = query_as(
            "SELECT p.destination, p.pending, d.queued_us
             FROM (SELECT destination, count(*) AS pending, min(number) AS first FROM deliveries WHERE state = 0
                   GROUP BY destination) p JOIN deliveries d ON d.number = p.first ORDER BY p.destination",
        )
        .fetch_all(&self.node)
        .await?;
        let row =
            |(destination, count, oldest_us)| Ok(Backlog { destination, count: unsigned(count)?, oldest_us });
        rows.into_iter().map(row).collect()
    }
}

async fn minutes(
    channel: &str,
    since_us: Micros,
    until_us: Micros,
    connection: &mut Connection,
) -> Result<Vec<Minute>> {
    let length = until_us.saturating_sub(since_us).div_euclid(MINUTE_US).clamp(0, MINUTES_MAX);
    let rows: Vec<(i64, i64, i64)> = query_as(
        "SELECT (received_us - ?1) / ?2, count(*), count(*) FILTER (WHERE state IN (5, 6)) FROM messages
         WHERE channel = ?3 AND received_us >= ?1 AND received_us < ?1 + ?2 * ?4 GROUP BY 1",
    )
    .bind(since_us)
    .bind(MINUTE_US)
    .bind(channel)
    .bind(length)
    .fetch_all(connection)
    .await?;
    let length = usize::try_from(length).map_err(|_| Error::Corrupt("a number"))?;
    let mut minutes = vec![Minute::default(); length];
    for (minute, received, held) in rows {
        let place = usize::try_from(minute).ok().and_then(|minute| minutes.get_mut(minute));
        if let Some(place) = place {
            *place = Minute { received: unsigned(received)?, held: unsigned(held)? };
        }
    }
    Ok(minutes)
}

/// From received to processed, ascending.
async fn latencies(
    channel: &str,
    since_us: Micros,
    until_us: Micros,
    connection: &mut Connection,
) -> Result<Vec<Micros>> {
    let mut latencies: Vec<i64> = query_scalar(
        "SELECT processed_us - received_us FROM messages WHERE channel = ? AND received_us >= ? AND received_us < ?
             AND reprocessed = 0 ORDER BY received_us DESC LIMIT ?",
    )
    .bind(channel)
    .bind(since_us)
    .bind(until_us)
    .bind(LATENCIES_MAX)
    .fetch_all(connection)
    .await?;
    latencies.sort_unstable();
    Ok(latencies)
}

/// The value that so many of a hundred do not exceed (nearest rank).
fn percentile(ascending: &[Micros], of_hundred: usize) -> Option<Micros> {
    let rank = (ascending.len() * of_hundred).div_ceil(100);
    ascending.get(rank.checked_sub(1)?).copied()
}

/// How many messages from `first` on have a delivery in each state.
async fn with_deliveries(first: i64, connection: &mut Connection) -> Result<Vec<(DeliveryState, u64)>> {
    let rows: Vec<(i64, i64)> = query_as(
        "SELECT state, count(*) FROM (SELECT DISTINCT seq, state FROM deliveries WHERE seq >= ?) AS told GROUP BY state",
    )
    .bind(first)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(state, count)| Ok((delivery_state(state)?, unsigned(count)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!((percentile(&[7], 50), percentile(&[7], 95)), (Some(7), Some(7)));
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 95)), (Some(50), Some(95)));
        assert_eq!(percentile(&[1, 2, 3], 50), Some(2));
    }
}
