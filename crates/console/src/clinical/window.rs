//! Reprocessing a window: every message received between two instants.

use std::sync::Arc;

use audit::Kind;
use axum::extract::{Extension, Form, State};
use axum::response::Response;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::{JournalId, Micros, Seq};

use crate::Error;
use crate::clinical::list::of;
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;

/// Most messages that one request takes; a wider window is asked for in parts.
pub(crate) const WINDOW_MESSAGES_MAX: usize = 1_000;

/// The form: two instants as a browser's date field writes them (`2026-01-31T08:00`), in UTC.
#[derive(Deserialize)]
pub(crate) struct WindowForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
}

/// `POST /messages/reprocess`. Who asked for what is in the ledger before the request is made.
pub(crate) async fn reprocess(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Form(WindowForm { token, from, until }): Form<WindowForm>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let (from_us, until_us) = (micros(&from, "from")?, micros(&until, "until")?);
    if from_us >= until_us {
        return Err(Error::Invalid("until"));
    }
    let (console, clinical) = (&server.console, of(&server)?);
    let entries = clinical.journal.window(from_us, until_us, Seq(0), WINDOW_MESSAGES_MAX + 1).await?;
    let is_cut = entries.len() > WINDOW_MESSAGES_MAX;
    let taken = entries.iter().take(WINDOW_MESSAGES_MAX);
    let ids: Vec<JournalId> = taken.filter(|entry| entry.refused.is_none()).map(|entry| entry.id).collect();
    let record = act(console, Kind::MessageReprocessed, &session, peer)?
        .outcome("requested")
        .object("from-us", &from_us.to_string())
        .and_then(|record| record.object("until-us", &until_us.to_string()))
        .and_then(|record| record.object("messages", &ids.len().to_string()))
        .map_err(not_recorded)?;
    console.ledger.append(vec![record]).await.map_err(not_recorded)?;
    let asked = clinical.messages.request_reprocess(&ids, session.user, (console.now_us)()).await?;
    let rest = if is_cut { " The window holds more: ask for the rest in parts." } else { "" };
    html(&Notice {
        frame: Frame::of(&server, &session, "Reprocess requested"),
        text: format!("{asked} messages will be processed again with the package in force.{rest}"),
        link: Some(("/live".to_owned(), "Back to the messages")),
        explains_sign_in: false,
    })
}

/// µs since the epoch of a local date and time taken as UTC.
fn micros(text: &str, field: &'static str) -> Result<Micros, Error> {
    let civil: DateTime = text.parse().map_err(|_| Error::Invalid(field))?;
    TimeZone::UTC.to_timestamp(civil).map(|at| at.as_microsecond()).map_err(|_| Error::Invalid(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_as_utc_and_anything_else_is_refused() {
        assert_eq!(micros("1970-01-01T00:01", "from").expect("valid"), 60_000_000);
        assert!(matches!(micros("yesterday", "until"), Err(Error::Invalid("until"))));
    }
}
