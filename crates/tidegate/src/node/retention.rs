//! Drops months of the journal, and rows of forwards, that are older than the configuration keeps.

use std::sync::Arc;
use std::time::Duration;

use audit::{Kind, Record};
use store::sqlite::Sqlite;
use store::{Dropped, Forwards as _};
use tokio::sync::watch;

use crate::config::Retention;
use crate::{clock, keys};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(3_600);
const DAY_US: i64 = 86_400_000_000;
/// Forwards removed in one transaction.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// Looks now and then until `stopped` turns true.
pub(super) async fn run(
    store: Arc<Sqlite>,
    node: String,
    keeps: Retention,
    mut stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let now_us = clock::now_us();
        let record = |dropped: &Dropped| record(&node, now_us, dropped).ok();
        match store::drop_due(&*store, Some(keeps.journal_months), now_us, &record).await {
            Ok(gone) => gone.iter().for_each(|one| {
                tracing::info!(month = one.month, count = one.entries, "a month of the journal was dropped");
            }),
            Err(error) => tracing::warn!(%error, "months of the journal could not be dropped"),
        }
        forget_delivered(&store, now_us, keeps.forward_days, &stopped).await;
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

/// A thousand at a time, so that what is written beside them does not wait for all.
async fn forget_delivered(store: &Sqlite, now_us: i64, days: u32, stopped: &watch::Receiver<bool>) {
    let before_us = now_us.saturating_sub(i64::from(days).saturating_mul(DAY_US));
    let mut count = 0;
    while !*stopped.borrow() {
        match store.forget_delivered(before_us, FORGOTTEN_AT_ONCE).await {
            Ok(0) => break,
            Ok(forgotten) => count += forgotten,
            Err(error) => {
                tracing::warn!(%error, "delivered forwards could not be removed");
                break;
            }
        }
    }
    if count > 0 {
        tracing::info!(count, "delivered forwards were removed");
    }
}

fn record(node: &str, now_us: store::Micros, dropped: &Dropped) -> Result<Record, audit::Error> {
    let Dropped { month, entries, last, digest } = dropped;
    Record::new(Kind::JournalDropped, clock::new_id(), node, now_us)
        .outcome("ok")
        .object("month", month)?
        .object("entries", &entries.to_string())?
        .object("last", &last.0.to_string())?
        .object("digest", &keys::to_hex(digest))
}
