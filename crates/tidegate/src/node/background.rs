//! Threads for what may wait. Translating and applying messages can use every core for minutes; who listens for senders
//! must answer within milliseconds all the same, so the work behind the journal runs on threads that step back.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Exit, Failure};

/// How far these threads step back (nice); a thread at 0 gets nine times the time of one at 10.
const STEP_BACK: i32 = 10;

/// A runtime of such threads.
pub(crate) struct Background(Runtime);

impl Background {
    /// Starts the threads, as many as there are cores.
    pub(crate) fn start() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("background")
            .on_thread_start(step_back)
            .build()
            .map_err(|error| Failure::because(Exit::Io, &error))?;
        Ok(Self(runtime))
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// Ends the threads. Their tasks have ended before; blocking work that has not is left to itself.
    pub(crate) fn stop(self) {
        self.0.shutdown_background();
    }
}

/// On Linux this is about the calling thread alone. Where a system refuses, the work is as eager as all other.
fn step_back() {
    if let Err(error) = rustix::process::nice(STEP_BACK) {
        tracing::debug!(kind = ?error.kind(), "a background thread could not step back");
    }
}
