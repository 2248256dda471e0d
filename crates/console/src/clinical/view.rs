//! One message: masked when opened, with its values once a reason is given. Either is recorded before it is answered.

use std::sync::Arc;

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, Path, State};
use axum::response::Response;
use serde::Deserialize;
use store::{Entry, JournalId, MessageDetail, MessageState, Stored};
use uuid::Uuid;

use crate::Error;
use crate::clinical::Clinical;
use crate::clinical::badge::{Badge, REFUSED, badge};
use crate::clinical::list::{Row, of};
use crate::clinical::panels::{Found, PARTS_SHOWN_MAX, Panels, panels};
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
    panels: Panels,
    is_revealed: bool,
    reason: &'static str,
    reasons: [(&'static str, &'static str); 5],
}

/// The head of the page.
struct Summary {
    row: Option<Row>,
    badge: Badge,
    reason: String,
    channel: String,
    peer: String,
    received: Instant,
    processed: Option<Instant>,
    position: i64,
    package: String,
    parent: String,
    can_reprocess: bool,
}

impl Summary {
    fn of(entry: &Entry, detail: Option<&MessageDetail>) -> Self {
        let row = detail.map(|detail| &detail.row);
        let state = row.map_or(MessageState::Received, |row| row.state);
        let reason = row.and_then(|row| row.reason.clone()).or_else(|| entry.refused.clone());
        Self {
            badge: if entry.refused.is_some() { REFUSED } else { badge(state) },
            reason: reason.unwrap_or_default(),
            channel: entry.channel.clone(),
            peer: entry.peer.clone(),
            received: instant(entry.received_us),
            processed: row.map(|row| instant(row.processed_us)),
            position: entry.seq.0,
            package: row.map(|row| row.package_hash.clone()).unwrap_or_default(),
            parent: row.and_then(|row| row.parent).map(|id| id.0.to_string()).unwrap_or_default(),
            can_reprocess: row.is_some() && entry.refused.is_none(),
            row: row.map(Row::of),
        }
    }
}

/// The form that asks for values, or for a reprocess.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
    #[serde(default)]
    reason: String,
}

/// `GET /messages/{id}`.
pub(crate) async fn masked(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    show(&server, &session, peer, &id, None).await
}

/// `POST /messages/{id}/reveal`.
pub(crate) async fn revealed(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(Asked { token, reason }): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let reason = REASONS.into_iter().find(|(code, _)| *code == reason).ok_or(Error::Invalid("reason"))?;
    show(&server, &session, peer, &id, Some(reason)).await
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

async fn show(
    server: &Server,
    session: &Session,
    peer: Peer,
    id: &str,
    reason: Option<(&'static str, &'static str)>,
) -> Result<Response, Error> {
    let id = journal_id(id)?;
    let clinical = of(server)?;
    let entry = clinical.journal.read(id).await?.ok_or(Error::NotFound("message"))?;
    let detail = clinical.messages.detail(id).await?;
    let resources = read_resources(server, detail.as_ref()).await?;
    record(server, clinical, session, peer, id, &resources, reason.map(|(code, _)| code)).await?;

    let summary = Summary::of(&entry, detail.as_ref());
    let found = Found { entry, detail, resources, reveal: reason.is_some() };
    let parts = clinical.clone();
    // Pure work that grows with the message; a panic in it ends this answer alone.
    let panels =
        tokio::task::spawn_blocking(move || panels(&parts, &found)).await.map_err(|_| Error::Task)?;
    html(&MessagePage {
        frame: Frame::of(server, session, &format!("Message {}", id.0)),
        form_token: session.form_token.clone(),
        id: id.0.to_string(),
        summary,
        panels,
        is_revealed: reason.is_some(),
        reason: reason.map_or("", |(_, words)| words),
        reasons: REASONS,
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
