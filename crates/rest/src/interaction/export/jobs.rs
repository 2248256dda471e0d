//! The exports that a node knows: each is planned by a task of its own, kept for a time, and forgotten with it.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use fhir::IssueCode;
use futures_util::FutureExt;
use store::Micros;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::asked::Order;
use super::plan::{File, plan};
use crate::auth::Client;
use crate::capacity::{
    EXPORT_FETCHES_MAX, EXPORT_LIFETIME, EXPORT_PLANNING_TIMEOUT, EXPORTS_MAX, EXPORTS_OF_CLIENT_MAX,
    EXPORTS_RUNNING_MAX,
};
use crate::outcome::Failure;
use crate::server::Server;

/// Seconds after which a client that was refused may ask again.
const AGAIN_SECONDS: &str = "60";

/// All exports of a node.
pub(crate) struct Jobs {
    known: Mutex<HashMap<Uuid, Job>>,
    fetches: Arc<Semaphore>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { known: Mutex::default(), fetches: Arc::new(Semaphore::new(EXPORT_FETCHES_MAX)) }
    }
}

/// One export. Dropping it ends its planning.
struct Job {
    client: String,
    order: Arc<Order>,
    progress: Arc<Progress>,
    task: AbortHandle,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How far an export is.
pub(super) struct Progress(Mutex<State>);

#[derive(Clone)]
pub(super) enum State {
    /// It is planned.
    Running {
        /// Types that are done.
        types: usize,
        /// Resources that were found.
        rows: usize,
    },
    /// Its files can be fetched until then.
    Done { files: Arc<Vec<File>>, until_us: Micros },
    /// It cannot be done. Known until then.
    Failed { failure: Failure, until_us: Micros },
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many resources more were found.
    pub(super) fn add(&self, found: usize) {
        if let State::Running { rows, .. } = &mut *self.state() {
            *rows += found;
        }
    }

    /// One type more is done.
    pub(super) fn type_done(&self) {
        if let State::Running { types, .. } = &mut *self.state() {
            *types += 1;
        }
    }
}

/// An export as it is told.
pub(super) struct Known {
    pub(super) order: Arc<Order>,
    pub(super) state: State,
}

impl Jobs {
    fn known(&self, now_us: Micros) -> MutexGuard<'_, HashMap<Uuid, Job>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, job| match &*job.progress.state() {
            State::Running { .. } => true,
            State::Done { until_us, .. } | State::Failed { until_us, .. } => *until_us > now_us,
        });
        known
    }

    /// Plans an export under this id.
    ///
    /// # Errors
    /// 429 when there are as many as there may be.
    pub(super) fn begin(server: &Arc<Server>, client: Client, id: Uuid, order: Order) -> Result<(), Failure> {
        let mut known = server.exports.known((server.fhir.now_us)());
        let is_running = |job: &&Job| matches!(&*job.progress.state(), State::Running { .. });
        let running = known.values().filter(is_running).count();
        let own = known.values().filter(|job| job.client == client.name).count();
        for (count, most, what) in [
            (running, EXPORTS_RUNNING_MAX, "exports are in work"),
            (own, EXPORTS_OF_CLIENT_MAX, "exports of this client are known; end one (DELETE)"),
            (known.len(), EXPORTS_MAX, "exports are known"),
        ] {
            if count >= most {
                return Err(throttled(most, what));
            }
        }
        let order = Arc::new(order);
        let progress = Arc::new(Progress(Mutex::new(State::Running { types: 0, rows: 0 })));
        let name = client.name.clone();
        let planned = planned(Arc::clone(server), client, Arc::clone(&order), Arc::clone(&progress));
        let task = tokio::spawn(planned).abort_handle();
        known.insert(id, Job { client: name, order, progress, task });
        Ok(())
    }

    /// The export of this id, if it is this client's.
    ///
    /// # Errors
    /// 404 when the node knows none.
    pub(super) fn find(&self, id: &str, client: &Client, now_us: Micros) -> Result<Known, Failure> {
        let known = self.known(now_us);
        let job = Uuid::parse_str(id).ok().and_then(|id| known.get(&id));
        let job = job.filter(|job| job.client == client.name).ok_or_else(unknown)?;
        let state = job.progress.state().clone();
        Ok(Known { order: Arc::clone(&job.order), state })
    }

    /// Ends an export of this client: its planning, and its files.
    ///
    /// # Errors
    /// 404 when the node knows none.
    pub(super) fn end(&self, id: &str, client: &Client, now_us: Micros) -> Result<(), Failure> {
        self.find(id, client, now_us)?;
        let id = Uuid::parse_str(id).map_err(|_| unknown())?;
        drop(self.known(now_us).remove(&id));
        Ok(())
    }

    /// A place to fetch a file.
    ///
    /// # Errors
    /// 429 when all are taken.
    pub(super) fn fetching(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = Arc::clone(&self.fetches).try_acquire_owned();
        permit.map_err(|_| throttled(EXPORT_FETCHES_MAX, "files of exports are being fetched"))
    }
}

/// Plans an export and notes how it ended.
async fn planned(server: Arc<Server>, client: Client, order: Arc<Order>, progress: Arc<Progress>) {
    // Nothing of the plan outlives a panic; what is shared is the progress, which is set as a whole.
    let planned = AssertUnwindSafe(plan(&server, &client, &order, &progress)).catch_unwind();
    let outcome = match tokio::time::timeout(EXPORT_PLANNING_TIMEOUT, planned).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => {
            tracing::error!("planning an export panicked");
            Err(Failure::internal())
        }
        Err(_elapsed) => Err(Failure::timeout()),
    };
    let until_us = (server.fhir.now_us)().saturating_add(micros(EXPORT_LIFETIME));
    *progress.state() = match outcome {
        Ok(files) => State::Done { files: Arc::new(files), until_us },
        Err(failure) => State::Failed { failure, until_us },
    };
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

fn unknown() -> Failure {
    Failure::not_found(
        "there is no such export: it was ended, its time is over, or the node was started since; begin it again",
    )
}

fn throttled(most: usize, what: &str) -> Failure {
    let text = format!("{most} {what}; try again later");
    Failure::new(StatusCode::TOO_MANY_REQUESTS, IssueCode::Throttled, text)
        .header(header::RETRY_AFTER, HeaderValue::from_static(AGAIN_SECONDS))
}
