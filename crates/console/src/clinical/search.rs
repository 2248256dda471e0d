//! Search: a form that is posted, because what is looked for may name a person, and a result under an id that tells
//! nothing. The filter stays in the session.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::{MessageFilter, MessageRow, Seq};

use crate::Error;
use crate::clinical::badge::badge;
use crate::clinical::list::{PAGE_ROWS, Row, of};
use crate::clinical::query::parse;
use crate::frame::{Frame, html};
use crate::login::header_value;
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::{Kept, Session};
use crate::time::instant;

/// Matches are counted so far; beyond it a search matches too much.
const COUNTED_MAX: usize = 1_000;
/// How long a search may take; a condition without an index reads every message.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The form's page, also when the line is no search.
#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    form_token: String,
    /// The line as it was posted, to be mended; never in an answer to a GET.
    text: String,
    error: String,
}

/// `GET /search`.
pub(crate) async fn form(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let frame = Frame::of(&server, &session, "Search");
    html(&SearchPage { frame, form_token: session.form_token, text: String::new(), error: String::new() })
}

/// What is posted.
#[derive(Deserialize)]
pub(crate) struct SearchForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    query: String,
}

/// `POST /search`: keeps the search in the session and leads to its result.
pub(crate) async fn search(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Form(SearchForm { token, query }): Form<SearchForm>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let console = &server.console;
    let filter = match parse(&query, (console.now_us)()) {
        Ok(filter) => filter,
        Err(error) => {
            let frame = Frame::of(&server, &session, "Search");
            let error = error.to_string();
            let page = SearchPage { frame, form_token: session.form_token, text: query, error };
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&page)?).into_response());
        }
    };
    let kept = server.sessions.keep(&session, Kept::Messages(filter), console.fill_random);
    let id = kept.ok_or(Error::SignedOut)?;
    let location = header_value(&format!("/search/{id}"))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

#[derive(Template)]
#[template(path = "found.html")]
struct FoundPage {
    frame: Frame,
    form_token: String,
    rows: Vec<Row>,
    more: String,
    /// What was looked for; business keys by their kind alone.
    terms: Vec<String>,
    /// `12`, or `more than 1000`.
    matches: String,
    is_too_much: bool,
    has_time: bool,
    older: String,
    newest: String,
}

/// Which page of a result.
#[derive(Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    before: String,
}

/// `GET /search/{id}`: a page of the result. It is recorded with the messages it names before it is answered.
pub(crate) async fn found(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Query(From { before }): Query<From>,
) -> Result<Response, Error> {
    let Some(Kept::Messages(filter)) = server.sessions.kept(&session, &id) else {
        return Err(Error::NotFound("search"));
    };
    let before = match before.as_str() {
        "" => None,
        number => Some(Seq(number.parse().map_err(|_| Error::Invalid("page"))?)),
    };
    let list = of(&server)?.messages.list(&filter, before, COUNTED_MAX + 1);
    let found = within_time(list).await?;
    let shown = found.get(..PAGE_ROWS).unwrap_or(&found);
    record(&server, &session, peer, &filter, shown, found.len()).await?;

    let is_too_much = found.len() > COUNTED_MAX;
    let next = shown.last().map(|row| row.seq.0).filter(|_| found.len() > PAGE_ROWS);
    html(&FoundPage {
        frame: Frame::of(&server, &session, "Messages found"),
        form_token: session.form_token,
        rows: shown.iter().map(Row::of).collect(),
        more: String::new(),
        terms: terms(&filter),
        matches: if is_too_much { format!("more than {COUNTED_MAX}") } else { found.len().to_string() },
        is_too_much,
        has_time: filter.since_us.is_some(),
        older: next.map(|seq| format!("/search/{id}?before={seq}")).unwrap_or_default(),
        newest: before.map(|_| format!("/search/{id}")).unwrap_or_default(),
    })
}

/// Waits for a search as long as a person would.
pub(crate) async fn within_time(
    list: impl Future<Output = store::Result<Vec<MessageRow>>>,
) -> Result<Vec<MessageRow>, Error> {
    Ok(tokio::time::timeout(SEARCH_TIMEOUT, list).await.map_err(|_| Error::TooLong)??)
}

async fn record(
    server: &Server,
    session: &Session,
    peer: Peer,
    filter: &MessageFilter,
    shown: &[MessageRow],
    matches: usize,
) -> Result<(), Error> {
    let mut record = act(&server.console, Kind::ResourceSearched, session, peer)?.outcome("ok");
    for name in names(filter) {
        record = record.object("parameters", name).map_err(not_recorded)?;
    }
    record = record.object("matches", &matches.to_string()).map_err(not_recorded)?;
    for row in shown {
        record = record.object("message", &row.id.0.to_string()).map_err(not_recorded)?;
    }
    server.console.access.record(record).await.map_err(not_recorded)
}

/// What was asked by, as codes.
pub(crate) fn names(filter: &MessageFilter) -> Vec<&'static str> {
    let key = filter.key.as_ref().map(|key| key.kind.unwrap_or("message-key"));
    let others = [
        filter.state.map(|_| "state"),
        filter.channel.as_ref().map(|_| "channel"),
        filter.message_type.as_ref().map(|_| "type"),
        filter.sender.as_ref().map(|_| "sender"),
        filter.reason.as_ref().map(|_| "reason"),
        filter.since_us.map(|_| "since"),
        filter.until_us.map(|_| "until"),
    ];
    key.into_iter().chain(others.into_iter().flatten()).collect()
}

/// What was asked, in words that name no person.
fn terms(filter: &MessageFilter) -> Vec<String> {
    let text = |name: &str, text: &Option<String>| text.as_ref().map(|text| format!("{name} {text}"));
    let time = |name: &str, at: Option<i64>| at.map(|at| format!("{name} {}", instant(at).text));
    [
        filter.key.as_ref().map(|key| key.kind.unwrap_or("any key").replace('-', " ")),
        filter.state.map(|state| format!("state {}", badge(state).word)),
        text("type", &filter.message_type),
        text("from", &filter.sender),
        text("channel", &filter.channel),
        text("reason", &filter.reason),
        time("since", filter.since_us),
        time("until", filter.until_us),
    ]
    .into_iter()
    .flatten()
    .collect()
}
