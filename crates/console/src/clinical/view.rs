//! One message: masked when opened, with its values once a reason is given. Either is recorded before it is answered.

use std::sync::Arc;

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::{DeliveryState, Entry, JournalId, MessageDetail, MessageRow, MessageState, Stored};
use uuid::Uuid;

use crate::Error;
use crate::clinical::Clinical;
use crate::clinical::badge::{Badge, REFUSED, badge};
use crate::clinical::list::{Choice, Row, of, page_query};
use crate::clinical::merge::{Merge, merges};
use crate::clinical::panels::{Found, PARTS_SHOWN_MAX, Panels, panels};
use crate::clinical::raw::Layout;
use crate::clinical::reasons::{self, Words};
use crate::clinical::trail::VIEWS_SHOWN_MAX;
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;
use crate::time::{Instant, instant};

/// Why someone may see values: code, words.
pub(crate) const REASONS: [(&str, &str); 5] = [
    ("delivery-problem", "A delivery failed or is missing"),
    ("mapping-problem", "A mapping gives a wrong or no result"),
    ("patient-safety", "A patient's care depends on it"),
    ("patient-request", "The patient asked"),
    ("audit", "Audit or investigation"),
];

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    form_token: String,
    id: String,
    summary: Summary,
    beside: Beside,
    merges: Vec<Merge>,
    panels: Panels,
    layouts: [(Layout, &'static str); 3],
    is_revealed: bool,
    reason: &'static str,
    reason_code: &'static str,
    reasons: [(&'static str, &'static str); 5],
}

/// The messages around this one.
struct Beside {
    /// Of the list it was opened from.
    older: String,
    newer: String,
    /// Its list, where older and newer lead on.
    query: String,
    /// Made by an edit of it.
    children: Vec<Row>,
}

/// The head of the page.
struct Summary {
    row: Option<Row>,
    badge: Badge,
    reason: String,
    /// The reason in words; `None` when there is nothing to explain.
    words: Option<Words>,
    channel: String,
    peer: String,
    received: Instant,
    processed: Option<Instant>,
    /// When the last of its deliveries was confirmed, once all are.
    done: Option<Instant>,
    position: i64,
    package: String,
    parent: String,
    resolved_by: String,
    is_open: bool,
    can_reprocess: bool,
    can_edit: bool,
}

impl Summary {
    fn of(entry: &Entry, detail: Option<&MessageDetail>) -> Self {
        let row = detail.map(|detail| &detail.row);
        let state = row.map_or(MessageState::Received, |row| row.state);
        let reason = row.and_then(|row| row.reason.clone()).or_else(|| entry.refused.clone());
        let reason = reason.unwrap_or_default();
        let link = |id: Option<JournalId>| id.map(|id| id.0.to_string()).unwrap_or_default();
        Self {
            badge: if entry.refused.is_some() { REFUSED } else { badge(state) },
            words: (!reason.is_empty()).then(|| reasons::words(&reason).unwrap_or(reasons::UNKNOWN)),
            reason,
            channel: entry.channel.clone(),
            peer: entry.peer.clone(),
            received: instant(entry.received_us),
            processed: row.map(|row| instant(row.processed_us)),
            done: detail.and_then(done),
            position: entry.seq.0,
            package: row.map(|row| row.package_hash.clone()).unwrap_or_default(),
            parent: link(entry.parent),
            resolved_by: link(row.and_then(|row| row.resolved_by)),
            is_open: row.is_some_and(MessageRow::is_open),
            can_reprocess: row.is_some() && entry.refused.is_none(),
            can_edit: hl7v2::Message::read(&entry.bytes).is_ok(),
            row: row.map(Row::of),
        }
    }
}

/// When all that was queued had been confirmed or overtaken.
fn done(detail: &MessageDetail) -> Option<Instant> {
    let is_settled =
        |state: DeliveryState| matches!(state, DeliveryState::Delivered | DeliveryState::Superseded);
    let states = detail.deliveries.iter().map(|row| row.state);
    let all = states.chain(detail.forwards.iter().map(|row| row.state)).all(is_settled);
    let confirmed = detail.deliveries.iter().filter_map(|row| row.delivered_us);
    let last = confirmed.chain(detail.forwards.iter().filter_map(|row| row.settled_us)).max();
    last.filter(|_| all).map(instant)
}

/// The form that asks for values, or for a reprocess.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    hl7: String,
}

/// How the message is laid out, beside the list it was opened from.
#[derive(Deserialize)]
pub(crate) struct Seen {
    #[serde(default)]
    hl7: String,
}

/// `GET /messages/{id}`.
pub(crate) async fn masked(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Query(choice): Query<Choice>,
    Query(Seen { hl7 }): Query<Seen>,
) -> Result<Response, Error> {
    let asked = Ask { choice, layout: Layout::of(&hl7), reason: None };
    show(&server, &session, peer, &id, asked).await
}

/// `POST /messages/{id}/reveal`.
pub(crate) async fn revealed(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Query(choice): Query<Choice>,
    Form(Asked { token, reason, hl7 }): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let reason = REASONS.into_iter().find(|(code, _)| *code == reason).ok_or(Error::Invalid("reason"))?;
    let asked = Ask { choice, layout: Layout::of(&hl7), reason: Some(reason) };
    show(&server, &session, peer, &id, asked).await
}

/// `GET /messages/{id}/reveal`: a reload of a revealed page shows it masked.
pub(crate) async fn again(Path(id): Path<String>) -> Result<Response, Error> {
    Ok(Redirect::to(&format!("/messages/{}", journal_id(&id)?.0)).into_response())
}

/// `POST /messages/{id}/reprocess`. Who asked is in the ledger before the request is made.
pub(crate) async fn reprocess(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(Asked { token, .. }): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let id = journal_id(&id)?;
    let (console, messages) = (&server.console, &of(&server)?.messages);
    messages.detail(id).await?.ok_or(Error::NotFound("message"))?;
    let record = act(console, Kind::MessageReprocessed, &session, peer)?.outcome("requested").message(id.0);
    console.ledger.append(vec![record]).await.map_err(not_recorded)?;
    let asked = messages.request_reprocess(&[id], session.user, (console.now_us)()).await?;
    let (title, text) = match asked {
        0 => ("Not requested", "This message waits for a reprocess already."),
        _ => ("Reprocess requested", "The message will be processed again with the package in force."),
    };
    html(&Notice {
        frame: Frame::of(&server, &session, title),
        text: text.to_owned(),
        link: Some((format!("/messages/{}", id.0), "Back to the message")),
        explains_sign_in: false,
    })
}

/// What is asked for of one message.
struct Ask {
    choice: Choice,
    layout: Layout,
    /// Why values are shown; `None`: they are not.
    reason: Option<(&'static str, &'static str)>,
}

async fn show(
    server: &Server,
    session: &Session,
    peer: Peer,
    id: &str,
    Ask { choice, layout, reason }: Ask,
) -> Result<Response, Error> {
    let id = journal_id(id)?;
    let clinical = of(server)?;
    let detail = clinical.messages.detail(id).await?;
    let Some(entry) = clinical.journal.read(id).await? else {
        return dropped(server, session, peer, detail.ok_or(Error::NotFound("message"))?).await;
    };
    let later = clinical.acknowledgments.given(id).await?;
    let beside = beside(clinical, &entry, &choice).await?;
    let resources = read_resources(server, detail.as_ref()).await?;
    record(server, clinical, session, peer, id, &resources, reason.map(|(code, _)| code)).await?;
    let merges = merges(clinical, &resources).await?;
    let accesses = clinical.accesses.accesses_of(id, VIEWS_SHOWN_MAX + 1).await?;

    let summary = Summary::of(&entry, detail.as_ref());
    let (reveal, session_name) = (reason.is_some(), session.name());
    let found = Found { entry, later, detail, resources, accesses, session: session_name, layout, reveal };
    let parts = clinical.clone();
    // Pure work that grows with the message; a panic in it ends this answer alone.
    let panels =
        tokio::task::spawn_blocking(move || panels(&parts, &found)).await.map_err(|_| Error::Task)?;
    html(&MessagePage {
        frame: Frame::of(server, session, &format!("Message {}", id.0)),
        form_token: session.form_token.clone(),
        id: id.0.to_string(),
        summary,
        beside,
        merges,
        panels,
        layouts: Layout::ALL,
        is_revealed: reveal,
        reason: reason.map_or("", |(_, words)| words),
        reason_code: reason.map_or("", |(code, _)| code),
        reasons: REASONS,
    })
}

/// A message whose bytes retention dropped: what is known of it still.
async fn dropped(
    server: &Server,
    session: &Session,
    peer: Peer,
    detail: MessageDetail,
) -> Result<Response, Error> {
    let clinical = of(server)?;
    let (row, written) = (&detail.row, detail.resources.len());
    if !clinical.retention.is_dropped(row.received_us).await? {
        return Err(Error::NotFound("message"));
    }
    let resources = read_resources(server, Some(&detail)).await?;
    record(server, clinical, session, peer, row.id, &resources, None).await?;
    let text = format!(
        "Its bytes were dropped by retention, with their month of the journal; the ledger has the record. Received {} \
         by {} as {}; it is {} and wrote {written} versions of resources.",
        instant(row.received_us).exact,
        row.channel,
        row.message_type,
        badge(row.state).word
    );
    let frame = Frame::of(server, session, &format!("Message {}", row.id.0));
    html(&Notice { frame, text, link: Some(("/live".to_owned(), "The live list")), explains_sign_in: false })
}

async fn beside(clinical: &Clinical, entry: &Entry, choice: &Choice) -> Result<Beside, Error> {
    let (filter, _) = choice.filter()?;
    let (older, newer) = clinical.messages.neighbours(&filter, entry.seq).await?;
    let children = clinical.messages.children(entry.id).await?;
    let link = |id: Option<JournalId>| id.map(|id| id.0.to_string()).unwrap_or_default();
    Ok(Beside {
        older: link(older),
        newer: link(newer),
        query: page_query(&filter),
        children: children.iter().map(Row::of).collect(),
    })
}

pub(crate) async fn read_resources(
    server: &Server,
    detail: Option<&MessageDetail>,
) -> Result<Vec<Stored>, Error> {
    let mut found = Vec::new();
    for (key, version) in detail.iter().flat_map(|detail| &detail.resources).take(PARTS_SHOWN_MAX) {
        found.extend(server.console.resources.vread(key, *version).await?);
    }
    Ok(found)
}

/// Commits the record of the view: who, which message, which patients, and why when values are shown.
async fn record(
    server: &Server,
    clinical: &Clinical,
    session: &Session,
    peer: Peer,
    id: JournalId,
    resources: &[Stored],
    reason: Option<&str>,
) -> Result<(), Error> {
    let view = if reason.is_some() { "revealed" } else { "masked" };
    let mut record = act(&server.console, Kind::MessageViewed, session, peer)?
        .outcome("ok")
        .message(id.0)
        .object("view", view)
        .map_err(not_recorded)?;
    if let Some(reason) = reason {
        record = record.object("reason", reason).map_err(not_recorded)?;
    }
    for stored in resources {
        if let Some(patient) = &stored.patient {
            record = record.patient_token(&(clinical.patient_token)(patient));
        }
        let name = format!("{}/{}|{}", stored.key.resource_type, stored.key.id, stored.version);
        record = record.object("resource", &name).map_err(not_recorded)?;
    }
    server.console.access.record(record).await.map_err(not_recorded)
}

pub(crate) fn journal_id(text: &str) -> Result<JournalId, Error> {
    Uuid::try_parse(text).map(JournalId).map_err(|_| Error::NotFound("message"))
}
