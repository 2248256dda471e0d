//! The status page: what this node is and holds.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;

use crate::Error;
use crate::badge::Badge;
use crate::frame::{Frame, html};
use crate::server::Server;
use crate::session::Session;
use crate::time::{Instant, instant};

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    frame: Frame,
    now: Instant,
    /// State, how many.
    messages: Vec<(Badge, u64)>,
    resources: Vec<(&'static str, u64)>,
    resources_total: u64,
    /// What the latest checkpoint says: name, value.
    checkpoint: Vec<(&'static str, String)>,
    unsealed: u64,
    oldest_unsealed: Option<Instant>,
}

/// `GET /`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let console = &server.console;
    let mut resources: Vec<(&'static str, u64)> =
        console.resources.counts().await?.into_iter().map(|(kind, count)| (kind.as_str(), count)).collect();
    resources.sort_unstable();
    let (unsealed, oldest) = console.ledger.unsealed_summary().await?;
    html(&StatusPage {
        frame: Frame::of(&server, &session, "Status"),
        now: instant((console.now_us)()),
        messages: message_counts(&server).await?,
        resources_total: resources.iter().map(|(_, count)| count).sum(),
        resources,
        checkpoint: console
            .ledger
            .latest_checkpoint()
            .await?
            .map(|(_, note)| checkpoint(&note))
            .unwrap_or_default(),
        unsealed,
        // On a portal node exact times of records could tell the time of care.
        oldest_unsealed: oldest.filter(|_| console.is_clinical()).map(instant),
    })
}

#[cfg(feature = "clinical")]
async fn message_counts(server: &Server) -> Result<Vec<(Badge, u64)>, Error> {
    let Some(clinical) = &server.console.clinical else { return Ok(Vec::new()) };
    let counts = clinical.messages.counts().await?;
    Ok(counts.into_iter().map(|(state, count)| (crate::clinical::badge(state), count)).collect())
}

#[cfg(not(feature = "clinical"))]
async fn message_counts(_: &Server) -> Result<Vec<(Badge, u64)>, Error> {
    Ok(Vec::new())
}

/// Origin, size and root: the first lines of a checkpoint (C2SP tlog-checkpoint).
fn checkpoint(note: &str) -> Vec<(&'static str, String)> {
    ["Origin", "Records", "Root"].into_iter().zip(note.lines().map(str::to_owned)).collect()
}
