//! Verifying the ledger of a node, beside the node that writes it.

use audit::{Verdict, Verification, VerifyingKey};

use crate::{Error, Ledger, Micros, Result};

/// Leaves read and hashed at a time.
const PAGE_LEAVES: usize = 1_000;

/// Reads the whole ledger and compares it with its checkpoints and with those that `witnesses` kept (signed notes,
/// obtained before this call). Records that are sealed meanwhile are left to the next time. Hashing runs beside the
/// asynchronous tasks; `progress` is told how many records were read. Needs 32 bytes of memory for each record.
///
/// # Errors
/// When a record cannot be read; [`Error::Corrupt`] when a sealed one is missing.
pub async fn verify_ledger(
    ledger: &dyn Ledger,
    key: VerifyingKey,
    witnesses: &[String],
    now_us: Micros,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Verdict> {
    let mut verification = Verification::new(key);
    let notes = ledger.checkpoints().await?;
    // The size is the second line (C2SP tlog-checkpoint). One that cannot be read ends nothing early.
    let sealed: u64 = notes.last().map_or(0, |note| size_of(note).unwrap_or(u64::MAX));
    let mut next = 0;
    while next < sealed {
        let before = next;
        (verification, next) = page(ledger, verification, next, sealed).await?;
        if next == before {
            break;
        }
        progress(next);
    }
    // Leaves and their checkpoint are one transaction: what is beyond and has none was put there.
    if ledger.latest_checkpoint().await?.is_none_or(|(size, _)| size <= sealed) {
        (verification, _) = page(ledger, verification, next, u64::MAX).await?;
    }
    let (count, oldest) = ledger.unsealed_summary().await?;
    let witnesses = witnesses.to_vec();
    blocking(move || {
        notes.iter().for_each(|note| verification.checkpoint(note));
        verification.unsealed(count, oldest, now_us);
        witnesses.iter().for_each(|note| verification.witness(note));
        verification.finish()
    })
    .await
}

async fn page(
    ledger: &dyn Ledger,
    mut verification: Verification,
    from: u64,
    until: u64,
) -> Result<(Verification, u64)> {
    let rows = ledger.leaves(from, PAGE_LEAVES).await?;
    blocking(move || {
        let mut next = from;
        for row in rows {
            let leaf = row.leaf.unwrap_or(next);
            if leaf >= until {
                break;
            }
            match row.hash {
                Some(hash) => verification.record_with_hash(leaf, &row.record, hash),
                None => verification.record(leaf, &row.record),
            }
            next = leaf + 1;
        }
        (verification, next)
    })
    .await
}

fn size_of(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Unavailable(error.into()))
}
