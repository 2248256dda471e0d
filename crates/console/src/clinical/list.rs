//! The list of messages, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use serde::Deserialize;
use store::{MessageFilter, MessageRow, MessageState, Seq};

use crate::Error;
use crate::clinical::Clinical;
use crate::clinical::badge::{Badge, STATES, badge};
use crate::frame::{Frame, html};
use crate::server::Server;
use crate::session::Session;
use crate::time::{Instant, instant};

/// Rows of one page.
pub(crate) const PAGE_ROWS: usize = 50;
/// Longest channel name and key that is looked for, in bytes.
const TERM_BYTES_MAX: usize = 200;
/// `MessageRow::flags`: the same control id came with other bytes.
const FLAG_CONTROL_ID_REUSED: u32 = 1;
/// The same: the authority that names patients has not told of this one.
const FLAG_KNOWN_HERE_ONLY: u32 = 2;
/// The same: a person said the contrary of what it says of two patients.
const FLAG_SAID_OTHERWISE: u32 = 4;

/// Which messages to list, as the URL says it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) channel: String,
    #[serde(default, rename = "type")]
    pub(crate) message_type: String,
    #[serde(default)]
    pub(crate) before: String,
}

impl Choice {
    /// As the store takes it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a part is not one of those that exist.
    pub(crate) fn filter(&self) -> Result<(MessageFilter, Option<Seq>), Error> {
        let state = match self.state.as_str() {
            "" => None,
            word => Some(state_of(word).ok_or(Error::Invalid("state"))?),
        };
        let (channel, message_type) = (term(&self.channel, "channel")?, term(&self.message_type, "type")?);
        let before = match self.before.as_str() {
            "" => None,
            number => Some(Seq(number.parse().map_err(|_| Error::Invalid("page"))?)),
        };
        let is_unresolved = matches!(state, Some(MessageState::Quarantined | MessageState::Error));
        let filter =
            MessageFilter { state, channel, message_type, is_unresolved, ..MessageFilter::default() };
        Ok((filter, before))
    }
}

/// A text that is asked for; `None` when nothing is.
fn term(text: &str, name: &'static str) -> Result<Option<String>, Error> {
    match text.trim() {
        "" => Ok(None),
        text if text.len() > TERM_BYTES_MAX => Err(Error::Invalid(name)),
        text => Ok(Some(text.to_owned())),
    }
}

fn state_of(word: &str) -> Option<MessageState> {
    STATES.into_iter().find(|state| badge(*state).word == word)
}

/// One row; nothing of the message's content.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) received: Instant,
    pub(crate) channel: String,
    pub(crate) message_type: String,
    pub(crate) sender: String,
    pub(crate) badge: Badge,
    pub(crate) reason: String,
    pub(crate) mapped: u32,
    pub(crate) total: u32,
    pub(crate) is_control_id_reused: bool,
    /// The patient is known to this feed alone.
    pub(crate) is_known_here_only: bool,
    /// It links or unlinks two patients, and a person's word stands against it.
    pub(crate) is_said_otherwise: bool,
    /// A message that was made by an edit of this one is applied.
    pub(crate) is_resolved: bool,
    pub(crate) is_child: bool,
    /// Query of its address: the list it stands in.
    pub(crate) query: String,
}

impl Row {
    pub(crate) fn of(row: &MessageRow) -> Self {
        Self {
            id: row.id.0.to_string(),
            received: instant(row.received_us),
            channel: row.channel.clone(),
            message_type: row.message_type.clone(),
            sender: row.sender.clone(),
            badge: badge(row.state),
            reason: row.reason.clone().unwrap_or_default(),
            mapped: row.leaves_mapped,
            total: row.leaves_total,
            is_control_id_reused: row.flags & FLAG_CONTROL_ID_REUSED != 0,
            is_known_here_only: row.flags & FLAG_KNOWN_HERE_ONLY != 0,
            is_said_otherwise: row.flags & FLAG_SAID_OTHERWISE != 0,
            is_resolved: row.resolved_by.is_some(),
            is_child: row.parent.is_some(),
            query: String::new(),
        }
    }
}

/// The rows alone, as the live list sends them.
#[derive(Template)]
#[template(path = "rows.html")]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// Says how many there are besides; empty: none.
    pub(crate) more: String,
}

#[derive(Template)]
#[template(path = "live.html")]
struct ListPage {
    frame: Frame,
    form_token: String,
    rows: Vec<Row>,
    /// Word, and whether it is chosen.
    states: Vec<(&'static str, bool)>,
    channel: String,
    message_type: String,
    /// URL of the live list; empty where it makes no sense.
    live: String,
    /// URL of the next page; empty on the last.
    older: String,
    /// URL of this list's newest page.
    newest: String,
    more: String,
}

/// `GET /live`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let (filter, before) = choice.filter()?;
    let (rows, next) = rows(of(&server)?, &filter, before).await?;
    let query = query_of(&filter);
    let live = if before.is_none() { format!("/live/events?{query}") } else { String::new() };
    html(&ListPage {
        frame: Frame::of(&server, &session, "Live"),
        form_token: session.form_token,
        rows,
        states: STATES.map(|state| (badge(state).word, filter.state == Some(state))).to_vec(),
        channel: filter.channel.unwrap_or_default(),
        message_type: filter.message_type.unwrap_or_default(),
        live,
        older: next.map(|Seq(seq)| format!("/live?{query}before={seq}")).unwrap_or_default(),
        newest: format!("/live?{query}"),
        more: String::new(),
    })
}

/// One page of rows, and where the next begins.
pub(crate) async fn rows(
    clinical: &Clinical,
    filter: &MessageFilter,
    before: Option<Seq>,
) -> Result<(Vec<Row>, Option<Seq>), Error> {
    let mut found = clinical.messages.list(filter, before, PAGE_ROWS + 1).await?;
    let has_more = found.len() > PAGE_ROWS;
    found.truncate(PAGE_ROWS);
    let next = found.last().map(|row| row.seq).filter(|_| has_more);
    Ok((of_list(&found, filter), next))
}

/// The rows of a list, each with an address that remembers which list it is.
pub(crate) fn of_list(found: &[MessageRow], filter: &MessageFilter) -> Vec<Row> {
    let query = page_query(filter);
    found.iter().map(|row| Row { query: query.clone(), ..Row::of(row) }).collect()
}

/// The clinical parts; routes that need them exist only where they are given.
pub(crate) fn of(server: &Server) -> Result<&Clinical, Error> {
    server.console.clinical.as_ref().ok_or(Error::NotFound("page"))
}

/// The filter as a query, ending in `&` when there is any.
fn query_of(filter: &MessageFilter) -> String {
    let state = filter.state.map(|state| format!("state={}&", badge(state).word)).unwrap_or_default();
    let text = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| format!("{name}={}&", percent(text))).unwrap_or_default()
    };
    state + &text("channel", &filter.channel) + &text("type", &filter.message_type)
}

/// The filter as the query of a message's address, `?` included; empty for the whole list.
pub(crate) fn page_query(filter: &MessageFilter) -> String {
    match query_of(filter) {
        query if query.is_empty() => query,
        query => format!("?{}", query.trim_end_matches('&')),
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986, 2.3).
pub(crate) fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_written_as_it_is_read() {
        let choice = Choice {
            state: "quarantined".into(),
            channel: "lab & co".into(),
            message_type: "ADT^A01".into(),
            before: "7".into(),
        };
        let (filter, before) = choice.filter().expect("valid");
        assert_eq!((filter.state, before), (Some(MessageState::Quarantined), Some(Seq(7))));
        assert_eq!(query_of(&filter), "state=quarantined&channel=lab%20%26%20co&type=ADT%5EA01&");
    }

    #[test]
    fn a_choice_that_does_not_exist_is_refused() {
        for choice in [
            Choice { state: "lost".into(), ..Choice::default() },
            Choice { before: "x".into(), ..Choice::default() },
            Choice { channel: "x".repeat(TERM_BYTES_MAX + 1), ..Choice::default() },
            Choice { message_type: "x".repeat(TERM_BYTES_MAX + 1), ..Choice::default() },
        ] {
            assert!(matches!(choice.filter(), Err(Error::Invalid(_))));
        }
    }
}
