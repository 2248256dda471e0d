//! The console's way to send a stored window of messages again: the pipeline decides, the store queues.

use std::sync::Arc;

use async_trait::async_trait;
use console::{Refed, Refeed, Window};
use pipeline::Environment;
use residency::Policy;
use store::sqlite::Sqlite;
use store::{Apply as _, Forwards as _, Journal as _};

/// What a node lends to its console.
pub struct Again {
    pub policy: Arc<Policy>,
    pub environment: Environment,
    pub store: Arc<Sqlite>,
}

#[async_trait]
impl Refeed for Again {
    async fn refeed(&self, window: Window, destination: &str) -> store::Result<Option<Refed>> {
        if !self.policy.message_destinations().any(|known| known.id == destination) {
            return Ok(None);
        }
        let Window { from_us, until_us, after, limit } = window;
        // What is not applied yet is forwarded when it is.
        let applied = self.store.applied_through().await?;
        let mut entries = self.store.window(from_us, until_us, after, limit).await?;
        let is_whole = entries.len() >= limit;
        entries.retain(|entry| entry.seq <= applied);
        let next = entries.last().map(|entry| entry.seq).filter(|_| is_whole);
        let (forwards, records) =
            pipeline::forward_again(&self.policy, &self.environment, &entries, destination)
                .map_err(|_| store::Error::Conflict("a record of a forward was refused"))?;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let (queued, all) = (forwards.len(), entries.len());
        if queued > 0 {
            self.store.queue_forwards(forwards, records).await?;
        }
        Ok(Some(Refed { queued: count(queued), kept: count(all.saturating_sub(queued)), next }))
    }
}
