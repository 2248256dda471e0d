//! Threads for what may wait. Translating and applying messages can use every core for minutes; who listens for senders
//! must answer within milliseconds all the same, so the work behind the journal runs on threads that step back.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Exit, Failure};

/// How far these threads step back (nice); where both have work, a thread at 0 gets three times the time of one at 5.
const STEP_BACK: i32 = 5;

/// A runtime of such threads. Dropped, it ends them without waiting: who drops it is a task itself and must not block.
pub(crate) struct Background {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    /// Starts the threads: one core less than there are, and at least one, so that a core is always left to who listens.
    pub(crate) fn start() -> Result<Self, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.saturating_sub(1).max(1))
            .enable_all()
            .thread_name("background")
            .on_thread_start(step_back)
            .build()
            .map_err(|error| Failure::because(Exit::Io, &error))?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    /// The tasks have ended before, unless the node failed; blocking work that has not is left to itself.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// On Linux this is about the calling thread alone. Where a system refuses, the work is as eager as all other.
fn step_back() {
    if let Err(error) = rustix::process::nice(STEP_BACK) {
        tracing::debug!(kind = ?error.kind(), "a background thread could not step back");
    }
}
