//! Gives the cloud node a copy of each checkpoint of this node's ledger, so that nobody here can shorten or rewrite it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::link::{Connection, Link, LinkError};
use crate::{events, wire};

/// How often the ledger is asked for a new checkpoint; checkpoints come at most once a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Sends the latest checkpoint whenever it is a new one.
pub struct Witness {
    /// Destination id, for events.
    pub destination: String,
    /// The same cloud node, on a connection of its own.
    pub link: Link,
    /// This node's ledger.
    pub ledger: Arc<dyn store::Ledger>,
}

impl Witness {
    /// Runs until `stop` turns true; the last checkpoint is sent before it returns when the link allows.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut connection = None;
        let mut kept = 0;
        loop {
            let is_last = *stop.borrow();
            if let Err(error) = self.send_new(&mut connection, &mut kept).await {
                connection = None;
                events::witness_failed(&self.destination, &error);
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

    async fn send_new(&self, connection: &mut Option<Connection>, kept: &mut u64) -> Result<(), LinkError> {
        let latest = match self.ledger.latest_checkpoint().await {
            Ok(latest) => latest,
            Err(error) => {
                events::store_failed(&self.destination, &error);
                return Ok(());
            }
        };
        let Some((size, note)) = latest.filter(|(size, _)| size != kept) else { return Ok(()) };
        if connection.is_none() {
            *connection = Some(self.link.open().await?);
        }
        if let Some(open) = connection {
            open.post(wire::CHECKPOINTS, "text/plain; charset=utf-8", note.into_bytes()).await?;
            *kept = size;
        }
        Ok(())
    }
}

/// The signed note of the largest checkpoint of `origin`'s ledger that the cloud node keeps; `None` when it keeps none.
///
/// # Errors
/// When the cloud node does not answer, or with no text.
pub async fn kept(link: &Link, origin: &str) -> Result<Option<String>, LinkError> {
    let answer = link.open().await?.read(&format!("{}/{origin}", wire::CHECKPOINTS)).await;
    match answer {
        Ok(note) => String::from_utf8(note.to_vec()).map(Some).map_err(|_| LinkError::Answer),
        Err(LinkError::Refused(404)) => Ok(None),
        Err(error) => Err(error),
    }
}
