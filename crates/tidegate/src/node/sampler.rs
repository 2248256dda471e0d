//! Samples what the node knows of itself into the gauges of `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use rest::{Gauges, Sample};
use store::sqlite::Sqlite;
use store::{Ledger, Micros, Resources};
use tokio::sync::watch;

use crate::config::Role;

/// Between two samples; a scrape every fifteen seconds sees each.
const INTERVAL: Duration = Duration::from_secs(10);

/// Samples until `stopped` turns true.
pub(super) async fn run(
    store: Arc<Sqlite>,
    role: Role,
    gauges: Gauges,
    now_us: fn() -> Micros,
    mut stopped: watch::Receiver<bool>,
) {
    let (condition, index) = (store.condition(), store.search_index());
    while !*stopped.borrow() {
        let now = *condition.borrow();
        gauges.show_condition(now);
        gauges.show_index(&index);
        match sample(&store, role, now_us()).await {
            Ok(sample) => gauges.show(&sample),
            Err(error) => {
                gauges.failed();
                tracing::warn!(%error, "the node's numbers cannot be sampled");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            changed = stopped.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn sample(store: &Arc<Sqlite>, role: Role, now_us: Micros) -> store::Result<Sample> {
    let (unsealed, oldest) = store.unsealed_summary().await?;
    let sealed = store.latest_checkpoint().await?.map_or(0, |(size, _)| size);
    let resources = Resources::counts(&**store).await?;
    let sample = Sample {
        at_s: seconds(now_us),
        resources: resources.into_iter().map(|(kind, number)| (kind.as_str().to_owned(), number)).collect(),
        ledger_sealed: sealed,
        ledger_unsealed: unsealed,
        ledger_unsealed_age_s: oldest.map_or(0.0, |oldest| seconds(now_us - oldest)),
        ..Sample::default()
    };
    match role {
        #[cfg(feature = "clinical")]
        Role::Clinical => {
            let mut sample = sample;
            clinical::add(&mut sample, store, now_us).await?;
            Ok(sample)
        }
        #[cfg(not(feature = "clinical"))]
        Role::Clinical => Ok(sample),
        // Its database has none of the tables that are left.
        Role::Portal => Ok(sample),
    }
}

/// µs as seconds; exact for a few hundred years.
#[allow(clippy::cast_precision_loss, reason = "µs since the epoch stay under 2^53 until the year 2255")]
fn seconds(us: Micros) -> f64 {
    us as f64 / 1e6
}

#[cfg(feature = "clinical")]
mod clinical {
    use rest::{FeedSample, OutgoingSample, QueueSample, Sample};
    use store::sqlite::Sqlite;
    use store::{
        Coverages, Feed, Forwards, MINUTE_US, MessageState, Messages, Micros, Statistics, WithdrawalReason,
        Withdrawals,
    };

    use super::seconds;

    const HOUR_US: Micros = 60 * MINUTE_US;
    const DAY_US: Micros = 24 * HOUR_US;
    /// Most requests about consent that are counted.
    const REQUESTS_MAX: usize = 1_000;

    /// Adds what only the on-prem side knows.
    pub(super) async fn add(sample: &mut Sample, store: &Sqlite, now_us: Micros) -> store::Result<()> {
        let feeds = store.feeds(now_us - HOUR_US, now_us).await?;
        sample.feeds = feeds.iter().map(feed).collect();
        let queue = |name: String, count, oldest_us: Micros| QueueSample {
            name,
            count,
            oldest_age_s: seconds(now_us - oldest_us),
        };
        let waiting = store.waiting().await?.into_iter();
        sample.waiting = waiting.map(|w| queue(w.channel, w.count, w.oldest_us)).collect();
        let backlogs = store.backlogs().await?.into_iter();
        sample.backlogs = backlogs.map(|b| queue(b.destination, b.count, b.oldest_us)).collect();
        let forwards = store.forward_backlogs().await?.into_iter();
        let forwards = forwards.filter(|backlog| backlog.pending > 0);
        sample
            .backlogs
            .extend(forwards.map(|b| queue(b.destination, b.pending, b.oldest_us.unwrap_or(now_us))));
        let counts = Messages::counts(store).await?;
        let held = |state| counts.iter().find(|(other, _)| *other == state).map_or(0, |(_, number)| *number);
        sample.held =
            vec![("quarantined", held(MessageState::Quarantined)), ("error", held(MessageState::Error))];
        let boundary = store.boundary(now_us - DAY_US, pipeline::RELEASE_REFUSED).await?;
        sample.boundary = vec![
            ("kept", boundary.kept),
            ("sent", boundary.sent),
            ("blocked", boundary.blocked),
            ("queued", boundary.queued),
        ];
        sample.outgoing = outgoing(store, now_us).await?;
        sample.new_fields = u64::try_from(store.alerts_raised().await?).unwrap_or_default();
        Ok(())
    }

    /// What is taken back, and what was given up.
    async fn outgoing(store: &Sqlite, now_us: Micros) -> store::Result<OutgoingSample> {
        let mut sample = OutgoingSample::default();
        for one in store.unsettled().await? {
            sample.withdrawals.push(QueueSample {
                name: one.destination.clone(),
                count: one.withdrawals,
                oldest_age_s: one.oldest_us.map_or(0.0, |oldest_us| seconds(now_us - oldest_us)),
            });
            sample.dead.push((one.destination.clone(), "content", one.dead_content));
            sample.dead.push((one.destination, "withdrawal", one.dead_withdrawals));
        }
        for one in store.forward_backlogs().await? {
            sample.dead.push((one.destination, "message", one.dead));
        }
        let withdrawn = store.withdrawn_since(now_us - DAY_US).await?;
        let of =
            |reason| withdrawn.iter().find(|(other, _)| *other == reason).map_or(0, |(_, number)| *number);
        sample.withdrawn = WithdrawalReason::ALL.map(|reason| (reason.as_str(), of(reason))).to_vec();
        if let Some(sweep) = store.sweeps(1).await?.into_iter().next() {
            let counts = sweep.counts;
            sample.swept = vec![
                ("released", counts.released),
                ("withdrawn", counts.withdrawn),
                ("refused", counts.refused),
            ];
            let is_running = sweep.ended.is_none();
            sample.sweep_running_s = if is_running { seconds(now_us - sweep.begun_us) } else { 0.0 };
        }
        let requests = store.consent_requests(REQUESTS_MAX).await?;
        let oldest_us = requests.first().map(|(_, request)| request.requested_us);
        let count = u64::try_from(requests.len()).unwrap_or(u64::MAX);
        sample.consent = (count, oldest_us.map_or(0.0, |oldest_us| seconds(now_us - oldest_us)));
        Ok(sample)
    }

    fn feed(feed: &Feed) -> FeedSample {
        FeedSample {
            channel: feed.channel.clone(),
            last_s: seconds(feed.last_us),
            received: feed.minutes.iter().map(|minute| minute.received).sum(),
            held: feed.minutes.iter().map(|minute| minute.held).sum(),
            latency_s: feed.p50_us.zip(feed.p95_us).map(|(p50, p95)| (seconds(p50), seconds(p95))),
        }
    }
}
