//! What the latest checkpoint says, and what witnesses keep.

use audit::Checkpoint;

use crate::Error;
use crate::badge::{Badge, new};
use crate::hex::hex;
use crate::server::Console;
use crate::time::{Instant, instant};

/// Digits of a root that name it on a page; the whole is in the record's proof and in a verification.
const ROOT_DIGITS: usize = 16;

/// The head of the ledger.
pub(crate) struct Head {
    /// Records under the latest checkpoint.
    pub(crate) height: u64,
    pub(crate) root: String,
    /// When it was signed; on a portal node exact times could tell the time of care.
    pub(crate) signed: Option<Instant>,
    pub(crate) badge: Badge,
    pub(crate) unsealed: u64,
}

/// The latest checkpoint, its signature checked where the key is known.
pub(crate) async fn head(console: &Console) -> Result<Head, Error> {
    let (unsealed, _) = console.ledger.unsealed_summary().await?;
    let latest = console.ledger.latest_checkpoint().await?;
    let Some((size, note)) = latest else {
        let badge = new("\u{25cb}", "nothing sealed yet", "wait");
        return Ok(Head { height: 0, root: String::new(), signed: None, badge, unsealed });
    };
    let checkpoint = console.ledger_key.as_ref().map(|key| Checkpoint::from_note(&note, key));
    let (badge, root, signed) = match checkpoint {
        None => (new("\u{2212}", "key not known here", "mute"), String::new(), None),
        Some(Err(_)) => (new("\u{2716}", "signature does not hold", "bad"), String::new(), None),
        Some(Ok(checkpoint)) => {
            let root = hex(&checkpoint.root).get(..ROOT_DIGITS).unwrap_or_default().to_owned();
            (new("\u{2714}", "signed", "good"), root, Some(checkpoint.at_us))
        }
    };
    let signed = signed.filter(|_| console.is_clinical()).map(instant);
    Ok(Head { height: size, root, signed, badge, unsealed })
}
