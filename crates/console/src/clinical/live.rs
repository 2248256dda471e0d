//! The live list: what was processed is pushed as it comes, a few times a second at most, and counted where it is too
//! much to read. A stream asks for the next rows only when the last were taken, so a slow reader holds nothing here.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use store::{MessageFilter, MessageRow, Seq};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::Error;
use crate::clinical::list::{self, Choice, PAGE_ROWS, Rows, of_list};
use crate::server::Server;
use crate::session::Session;

/// Least time between two events.
const INTERVAL: Duration = Duration::from_millis(500);
/// Most rows of one event: twenty a second can be followed by eye, beyond that their number is told.
const EVENT_ROWS_MAX: usize = 10;
/// Most messages that are counted for one event.
const COUNTED_MAX: usize = 500;
/// How often a quiet stream looks whether its session goes on.
const SESSION_CHECK: Duration = Duration::from_secs(10);
/// A comment that keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Live {
    server: Arc<Server>,
    session: Session,
    filter: MessageFilter,
    processed: watch::Receiver<Seq>,
    /// The newest row that was sent; `None` before the first page.
    sent: Option<Seq>,
    _permit: OwnedSemaphorePermit,
}

/// `GET /live/events`: events `page` (the newest rows, instead of what is shown), `rows` (new ones, to stand above; the
/// id is their number) and `ended` (sign in again).
pub(crate) async fn stream(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let (filter, _) = choice.filter()?;
    let permit = server.streams.clone().try_acquire_owned().map_err(|_| Error::Busy("live lists"))?;
    let processed = list::of(&server)?.messages.processed();
    let live = Live { server, session, filter, processed, sent: None, _permit: permit };
    Ok(Sse::new(events(live)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn events(live: Live) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(live), |live| async {
        let mut live = live?;
        if live.wait().await
            && let Ok(event) = live.event().await
        {
            return Some((Ok(event), Some(live)));
        }
        Some((Ok(Event::default().event("ended").data("")), None))
    })
}

impl Live {
    /// Waits for something processed; false when the session or the node ends.
    async fn wait(&mut self) -> bool {
        if self.sent.is_none() {
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

    async fn event(&mut self) -> Result<Event, Error> {
        let messages = &list::of(&self.server)?.messages;
        let limit = if self.sent.is_none() { PAGE_ROWS } else { COUNTED_MAX + 1 };
        let mut found = messages.list(&self.filter, None, limit).await?;
        let (newest, sent) = (found.first().map(|row| row.seq), self.sent);
        self.sent = newest.max(sent).or(Some(Seq(0)));
        let new = found.iter().filter(|row| sent.is_some_and(|sent| row.seq > sent)).count();
        if new == 0 {
            // The first page, or an older message that was processed again.
            found.truncate(PAGE_ROWS);
            return Ok(Event::default().event("page").data(self.rows(&found, String::new())?));
        }
        found.truncate(new.min(EVENT_ROWS_MAX));
        let more = match new {
            _ if new > COUNTED_MAX => format!("more than {COUNTED_MAX} more"),
            _ if new > EVENT_ROWS_MAX => format!("{} more", new - EVENT_ROWS_MAX),
            _ => String::new(),
        };
        Ok(Event::default().event("rows").id(new.to_string()).data(self.rows(&found, more)?))
    }
    /// The rows as text of an event, which cannot hold a carriage return.
    fn rows(&self, found: &[MessageRow], more: String) -> Result<String, Error> {
        Ok(Rows { rows: of_list(found, &self.filter), more }.render()?.replace('\r', ""))
    }
}
