//! Whether the server can be reached, found out by asking, so that a node that has nothing to write knows it too.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Condition;

/// Between two questions.
const INTERVAL: Duration = Duration::from_secs(1);
/// A server that has not answered in so long is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// The task that asks; it ends with this.
#[derive(Debug)]
pub(crate) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    /// Asks for as long as this lives, and shows in `condition` whether there is an answer.
    pub fn start(options: PgConnectOptions, condition: Arc<watch::Sender<Condition>>) -> Self {
        Self(tokio::spawn(async move {
            let mut connection = None;
            loop {
                let answered = tokio::time::timeout(PATIENCE, beat(&mut connection, &options)).await;
                let is_there = answered.unwrap_or(false);
                if !is_there {
                    connection = None;
                }
                show(&condition, is_there);
                tokio::time::sleep(INTERVAL).await;
            }
        }))
    }

    /// Ends it.
    pub fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop();
    }
}

fn show(condition: &watch::Sender<Condition>, is_there: bool) {
    let has_changed = condition.send_if_modified(|condition| condition.show_away(!is_there));
    match (has_changed, is_there) {
        (true, false) => tracing::error!("the database cannot be reached: nothing is taken until it can"),
        (true, true) => tracing::info!("the database can be reached again"),
        (false, _) => {}
    }
}

/// Whether the server answers, and can be written to: a standby cannot.
async fn beat(connection: &mut Option<PgConnection>, options: &PgConnectOptions) -> bool {
    if connection.is_none() {
        *connection = options.connect().await.ok();
    }
    let Some(open) = connection else { return false };
    if open.ping().await.is_err() {
        return false;
    }
    let is_standby = sqlx::query_scalar::<_, bool>("SELECT pg_is_in_recovery()").fetch_one(open).await;
    is_standby.is_ok_and(|is_standby| !is_standby)
}
