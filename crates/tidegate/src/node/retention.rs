//! Drops months of the journal that are older than the configuration keeps.

use std::sync::Arc;
use std::time::Duration;

use audit::{Kind, Record};
use store::Dropped;
use store::sqlite::Sqlite;
use tokio::sync::watch;

use crate::{clock, keys};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// Looks now and then until `stopped` turns true.
pub(super) async fn run(
    store: Arc<Sqlite>,
    node: String,
    keep_months: u32,
    mut stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let now_us = clock::now_us();
        let record = |dropped: &Dropped| record(&node, now_us, dropped).ok();
        match store::drop_due(&*store, Some(keep_months), now_us, &record).await {
            Ok(gone) => gone.iter().for_each(|one| {
                tracing::info!(month = one.month, count = one.entries, "a month of the journal was dropped");
            }),
            Err(error) => tracing::warn!(%error, "months of the journal could not be dropped"),
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

fn record(node: &str, now_us: store::Micros, dropped: &Dropped) -> Result<Record, audit::Error> {
    let Dropped { month, entries, last, digest } = dropped;
    Record::new(Kind::JournalDropped, clock::new_id(), node, now_us)
        .outcome("ok")
        .object("month", month)?
        .object("entries", &entries.to_string())?
        .object("last", &last.0.to_string())?
        .object("digest", &keys::to_hex(digest))
}
