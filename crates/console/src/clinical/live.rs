//! The live list: the newest rows, sent again whenever something was processed, a few times a second at most.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use store::{MessageFilter, Seq};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::Error;
use crate::clinical::list::{self, Choice, Rows};
use crate::server::Server;
use crate::session::Session;

/// Least time between two events.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often a quiet stream looks whether its session goes on.
const SESSION_CHECK: Duration = Duration::from_secs(10);
/// A comment that keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Live {
    server: Arc<Server>,
    session: Session,
    filter: MessageFilter,
    processed: watch::Receiver<Seq>,
    is_first: bool,
    _permit: OwnedSemaphorePermit,
}

/// `GET /live`: events `rows` (the table's rows) and `ended` (sign in again).
pub(crate) async fn stream(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let (filter, _) = choice.filter()?;
    let permit = server.streams.clone().try_acquire_owned().map_err(|_| Error::Busy("live lists"))?;
    let processed = list::of(&server)?.messages.processed();
    let live = Live { server, session, filter, processed, is_first: true, _permit: permit };
    Ok(Sse::new(events(live)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn events(live: Live) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(live), |live| async {
        let mut live = live?;
        if live.wait().await
            && let Ok(event) = live.rows().await
        {
            return Some((Ok(event), Some(live)));
        }
        Some((Ok(Event::default().event("ended").data("")), None))
    })
}

impl Live {
    /// Waits for something processed; false when the session or the node ends.
    async fn wait(&mut self) -> bool {
        if std::mem::take(&mut self.is_first) {
            self.processed.mark_unchanged();
            return true;
        }
        loop {
            if !self.is_open() {
                return false;
            }
            match tokio::time::timeout(SESSION_CHECK, self.processed.changed()).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) => return false,
                Err(_) => {}
            }
        }
        tokio::time::sleep(INTERVAL).await;
        self.processed.mark_unchanged();
        self.is_open()
    }

    fn is_open(&self) -> bool {
        self.server.sessions.is_open(&self.session, (self.server.console.now_us)())
    }

    async fn rows(&self) -> Result<Event, Error> {
        let (rows, _) = list::rows(list::of(&self.server)?, &self.filter, None).await?;
        // An event cannot hold a carriage return.
        let text = Rows { rows }.render()?.replace('\r', "");
        Ok(Event::default().event("rows").data(text))
    }
}
