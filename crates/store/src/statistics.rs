//! Numbers of the dashboard: how each feed runs, what is held, what crossed the boundary. All bounded and from indexes;
//! none of it is content.

use async_trait::async_trait;

use crate::{MessageState, Micros, Result, Seq};

/// A minute, in µs.
pub const MINUTE_US: Micros = 60 * 1_000_000;

/// How one channel runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The channel.
    pub channel: String,
    /// Each minute of the window, oldest first.
    pub minutes: Vec<Minute>,
    /// Time from received to processed that half of the messages took at most, µs; `None` without messages. Messages
    /// that were processed again since are left out.
    pub p50_us: Option<Micros>,
    /// The same for 95 of 100.
    pub p95_us: Option<Micros>,
    /// When its last processed message was received, in the window or before.
    pub last_us: Micros,
}

/// Messages that were received in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    /// All that are processed.
    pub received: u64,
    /// Quarantined or in error, as they are now.
    pub held: u64,
}

/// What is in the journal and not processed yet, of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The channel.
    pub channel: String,
    /// How many; of a longer queue, those that come first.
    pub count: u64,
    /// When the oldest was received.
    pub oldest_us: Micros,
}

/// Messages held for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGroup {
    /// Why: a code; `None` when none was given.
    pub reason: Option<String>,
    /// Quarantined, or error.
    pub state: MessageState,
    /// How many.
    pub count: u64,
    /// When the first was received.
    pub first_us: Micros,
    /// When the last was received.
    pub last_us: Micros,
    /// The newest one's position.
    pub newest: Seq,
    /// Their senders, most messages first.
    pub senders: Vec<(String, u64)>,
}

/// What became of the messages that were received since an instant, at the boundary. A message counts in each line that
/// is true of it: a message of which one resource left and another was refused is both sent and blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Boundary {
    /// Messages whose resources are stored on this node: their state is stored or routed, or their release was refused
    /// after they were stored.
    pub kept: u64,
    /// Messages of which a destination confirmed at least one de-identified resource with its receipt.
    pub sent: u64,
    /// Messages of which something was stopped: the release was refused by a check of this node, or a delivery was given
    /// up because the policy at the moment of sending or the destination refused it.
    pub blocked: u64,
    /// Messages of which something is queued and not confirmed yet.
    pub queued: u64,
}

/// Deliveries to one destination that are not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The destination.
    pub destination: String,
    /// How many.
    pub count: u64,
    /// When the oldest was queued.
    pub oldest_us: Micros,
}

/// Reads the numbers.
#[async_trait]
pub trait Statistics: Send + Sync {
    /// Every channel that ever had a message, by name, over the whole minutes from `since_us` to `until_us` (µs since
    /// the epoch). Latencies are those of the newest messages of the window where it has very many.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn feeds(&self, since_us: Micros, until_us: Micros) -> Result<Vec<Feed>>;
    /// What waits in the journal, by channel.
    ///
    /// # Errors
    /// When a database cannot be read.
    async fn waiting(&self) -> Result<Vec<Waiting>>;
    /// Messages in quarantine and in error by their reason, most messages first.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn held(&self) -> Result<Vec<HeldGroup>>;
    /// What crossed the boundary of what was received since `since_us`. `refused`: how the reason of a message begins
    /// whose release was refused.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn boundary(&self, since_us: Micros, refused: &str) -> Result<Boundary>;
    /// Destinations with deliveries that are not confirmed, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn backlogs(&self) -> Result<Vec<Backlog>>;
}
