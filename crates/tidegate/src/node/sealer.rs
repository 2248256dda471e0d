//! The one sealer of a node's ledger: numbers records, grows the Merkle tree, signs a checkpoint at most a second
//! or a thousand records later.

use std::sync::Arc;
use std::time::Duration;

use audit::{Frontier, Sealer, SigningKey};
use store::{Ledger, SealedLeaf};
use tokio::sync::watch;

/// How often the ledger is asked for unsealed records; well under the second that the ledger promises.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Why sealing stopped for a moment.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store did not take or give rows.
    #[error("the ledger's store failed")]
    Store(#[from] store::Error),
    /// The stored tree is not one.
    #[error("the ledger's tree cannot be read")]
    Tree(#[from] audit::Error),
}

/// Continues the ledger of `node` until `stop` turns true, and seals what is left before it returns.
pub async fn run(
    ledger: Arc<dyn Ledger>,
    node: String,
    key: SigningKey,
    now_us: fn() -> i64,
    mut stop: watch::Receiver<bool>,
) {
    let mut sealer = None;
    loop {
        let is_last = *stop.borrow();
        if let Err(error) = seal_all(&*ledger, &node, &key, now_us, &mut sealer).await {
            tracing::error!(%error, "sealing waits");
            sealer = None;
        }
        if is_last {
            return;
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

async fn seal_all(
    ledger: &dyn Ledger,
    node: &str,
    key: &SigningKey,
    now_us: fn() -> i64,
    sealer: &mut Option<Sealer>,
) -> Result<(), SealError> {
    if sealer.is_none() {
        *sealer = Some(open(ledger, node, &key.public()).await?);
    }
    let Some(sealer) = sealer else { return Ok(()) };
    loop {
        let records = ledger.unsealed(audit::SEAL_RECORDS_MAX).await?;
        if records.is_empty() {
            return Ok(());
        }
        let seal = sealer.prepare(records.iter().map(|unsealed| unsealed.record.as_slice()), now_us(), key);
        let leaves = records.iter().zip(&seal.hashes).zip(seal.first_leaf..);
        let leaves =
            leaves.map(|((unsealed, hash), leaf)| SealedLeaf { handle: unsealed.handle, leaf, hash: *hash });
        let (frontier, size) = (seal.frontier.to_bytes(), seal.checkpoint.size);
        ledger.seal(leaves.collect(), frontier, seal.note.clone(), size).await?;
        sealer.commit(&seal)?;
    }
}

async fn open(ledger: &dyn Ledger, node: &str, key: &audit::VerifyingKey) -> Result<Sealer, SealError> {
    let frontier = match ledger.frontier().await? {
        Some(bytes) => Frontier::from_bytes(&bytes)?,
        None => Frontier::default(),
    };
    let last_at_us = match ledger.latest_checkpoint().await? {
        Some((_, note)) => audit::Checkpoint::from_note(&note, key)?.at_us,
        None => 0,
    };
    Ok(Sealer::new(node, frontier, last_at_us))
}
