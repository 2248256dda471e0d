//! Fix, dry run, resend: an edited copy of a message is shown for what it would do, then appended as its child. The
//! original stays as it was received.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use audit::{Actor, Kind, Record};
use axum::extract::{Extension, Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::{Appended, Arrival, Disposition, Entry, JournalId, MessageDetail, MessageRow};
use tokio::time::timeout;
use uuid::Uuid;

use crate::Error;
use crate::clinical::Clinical;
use crate::clinical::badge::{Badge, badge};
use crate::clinical::dry_run::{Attempt, DryRun, dry_run};
use crate::clinical::list::of;
use crate::clinical::text::{EDIT_BYTES_MAX, to_bytes, to_text};
use crate::clinical::view::{REASONS, journal_id};
use crate::frame::{Frame, html};
use crate::hex::{hex, sha256};
use crate::record::{act, new_journal_id, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;

/// Longest form with a text, in bytes: every byte of it may be percent-encoded.
pub(crate) const EDIT_FORM_BYTES_MAX: usize = 3 * EDIT_BYTES_MAX + 16 * 1_024;
/// How long a dry run waits for those of the admin API.
const DRY_RUN_WAIT: Duration = Duration::from_secs(10);
/// Peer of what the console appends; the person's name follows.
const PEER: &str = "console:";

#[derive(Template)]
#[template(path = "edit.html")]
struct EditPage {
    frame: Frame,
    form_token: String,
    id: String,
    message_type: String,
    badge: Badge,
    /// What is said of the state of the original.
    standing: &'static str,
    reasons: [(&'static str, &'static str); 5],
    reason: &'static str,
    reason_words: &'static str,
    /// `None`: no reason was given yet.
    text: Option<String>,
    rows: usize,
    /// The bytes cannot be edited without loss.
    is_fixed: bool,
    /// Why the text is not a message; empty when it is.
    refused: String,
    run: Option<DryRun>,
    child: String,
}

/// The form of every step.
#[derive(Deserialize)]
pub(crate) struct Edited {
    #[serde(default)]
    token: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    child: String,
}

/// Who edits what.
struct Editing<'a> {
    server: &'a Server,
    clinical: &'a Clinical,
    session: &'a Session,
    peer: Peer,
    entry: Entry,
    detail: Option<MessageDetail>,
    /// Why: code, words. `None` until it is given.
    reason: Option<(&'static str, &'static str)>,
}

impl<'a> Editing<'a> {
    async fn begin(
        server: &'a Server,
        session: &'a Session,
        peer: Peer,
        id: &str,
        form: Option<&Edited>,
    ) -> Result<Self, Error> {
        let reason = match form {
            None => None,
            Some(form) => {
                check_form(session, &form.token)?;
                let given = REASONS.into_iter().find(|(code, _)| *code == form.reason);
                Some(given.ok_or(Error::Invalid("reason"))?)
            }
        };
        let clinical = of(server)?;
        let id = journal_id(id)?;
        let entry = clinical.journal.read(id).await?.ok_or(Error::NotFound("message"))?;
        let detail = clinical.messages.detail(id).await?;
        Ok(Self { server, clinical, session, peer, entry, detail, reason })
    }

    fn row(&self) -> Option<&MessageRow> {
        self.detail.as_ref().map(|detail| &detail.row)
    }

    /// A record of this act with its reason.
    fn act(&self, kind: Kind, message: JournalId) -> Result<Record, Error> {
        let record = act(&self.server.console, kind, self.session, self.peer)?.message(message.0);
        match self.reason {
            Some((code, _)) => record.object("reason", code).map_err(not_recorded),
            None => Ok(record),
        }
    }

    /// Commits that values are shown for an edit.
    async fn record_view(&self, view: &str, patients: &[String]) -> Result<(), Error> {
        let record = self.act(Kind::MessageViewed, self.entry.id)?.outcome("ok");
        let mut record = record.object("view", view).map_err(not_recorded)?;
        for patient in patients {
            record = record.patient_token(&(self.clinical.patient_token)(patient));
        }
        self.server.console.access.record(record).await.map_err(not_recorded)
    }

    fn page(&self, text: Option<String>) -> EditPage {
        let row = self.row();
        let is_fixed = self.reason.is_some() && text.is_none();
        EditPage {
            frame: Frame::of(self.server, self.session, &format!("Edit {}", self.entry.id.0)),
            form_token: self.session.form_token.clone(),
            id: self.entry.id.0.to_string(),
            message_type: row.map(|row| row.message_type.clone()).unwrap_or_default(),
            badge: row.map_or(crate::clinical::badge::REFUSED, |row| badge(row.state)),
            standing: standing(row),
            reasons: REASONS,
            reason: self.reason.map_or("", |(code, _)| code),
            reason_words: self.reason.map_or("", |(_, words)| words),
            rows: text.as_deref().map_or(0, |text| text.lines().count() + 2).clamp(8, 40),
            text,
            is_fixed,
            refused: String::new(),
            run: None,
            child: String::new(),
        }
    }

    /// The entry that an edited text would become.
    fn child(&self, id: JournalId, bytes: Vec<u8>) -> Entry {
        Entry {
            id,
            seq: self.entry.seq,
            channel: self.entry.channel.clone(),
            peer: format!("{PEER}{}", self.session.user),
            received_us: (self.server.console.now_us)(),
            bytes: bytes.into(),
            refused: None,
            control_id_reused: false,
            acknowledgment: None,
            parent: Some(self.entry.id),
            charset: self.entry.charset.clone(),
        }
    }
}

/// What an edit of a message in this state means.
fn standing(row: Option<&MessageRow>) -> &'static str {
    match row {
        Some(row) if row.resolved_by.is_some() => {
            "An edit of this message was applied already. Another one is a further correction."
        }
        Some(row) if row.is_open() => {
            "This message is held, and nothing of it was applied. When the edited message is applied, this one is resolved."
        }
        Some(_) => {
            "This message was applied. The edited message is a correction: it is applied after it, and what it does not say stays."
        }
        None => "This message was not processed.",
    }
}

/// `GET /messages/{id}/edit`: asks why.
pub(crate) async fn ask(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let editing = Editing::begin(&server, &session, peer, &id, None).await?;
    html(&editing.page(None))
}

/// `POST /messages/{id}/edit`: the text, once a reason is given.
pub(crate) async fn edit(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(form): Form<Edited>,
) -> Result<Response, Error> {
    let editing = Editing::begin(&server, &session, peer, &id, Some(&form)).await?;
    let patients = patients_of(&server, editing.detail.as_ref()).await?;
    editing.record_view("edit", &patients).await?;
    html(&editing.page(to_text(&editing.entry.bytes, editing.entry.charset.as_deref())))
}

/// `POST /messages/{id}/dry-run`: what the text would do.
pub(crate) async fn rehearse(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(form): Form<Edited>,
) -> Result<Response, Error> {
    let editing = Editing::begin(&server, &session, peer, &id, Some(&form)).await?;
    let patients = patients_of(&server, editing.detail.as_ref()).await?;
    editing.record_view("dry-run", &patients).await?;
    let mut page = editing.page(Some(form.text.clone()));
    match to_bytes(&form.text, editing.entry.charset.as_deref()) {
        Err(why) => page.refused = why.words(),
        Ok(bytes) => {
            let child = editing.child(new_journal_id(&server.console), bytes);
            page.child = child.id.0.to_string();
            let attempt = Attempt {
                original: editing.entry.clone(),
                position: editing.entry.seq,
                child,
                standing: server.console.resources.clone(),
            };
            let wait = timeout(DRY_RUN_WAIT, server.dry_runs.acquire()).await;
            let Ok(Ok(_permit)) = wait else { return Err(Error::Busy("dry runs")) };
            page.run = Some(dry_run(editing.clinical, attempt).await?);
        }
    }
    html(&page)
}

/// `POST /messages/{id}/resend`: appends the text as a child, once, however often the form comes.
pub(crate) async fn resend(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(form): Form<Edited>,
) -> Result<Response, Error> {
    let editing = Editing::begin(&server, &session, peer, &id, Some(&form)).await?;
    let child = Uuid::try_parse(&form.child).map(JournalId).map_err(|_| Error::Invalid("child"))?;
    let shown = Redirect::to(&format!("/messages/{}", child.0)).into_response();
    if let Some(known) = editing.clinical.journal.read(child).await? {
        return if known.parent == Some(editing.entry.id) { Ok(shown) } else { Err(Error::Invalid("child")) };
    }
    let bytes = to_bytes(&form.text, editing.entry.charset.as_deref()).map_err(|_| Error::Invalid("text"))?;
    let entry = editing.child(child, bytes);
    record_resend(&editing, &entry).await?;
    let arrival = Arrival {
        id: entry.id,
        channel: entry.channel,
        peer: entry.peer,
        received_us: entry.received_us,
        bytes: entry.bytes,
        sender: None,
        disposition: Disposition::Accepted,
        acknowledgment: None,
        promise: None,
        parent: entry.parent,
        charset: entry.charset,
    };
    match editing.clinical.journal.append(arrival).await {
        // The form came twice at once, and its other copy was first.
        Ok(Appended::New { .. } | Appended::Duplicate { .. }) | Err(store::Error::Conflict(_)) => Ok(shown),
        Err(error) => Err(error.into()),
    }
}

/// Who sends what for which message and why, in the ledger before it is done; of the text, its digest alone.
async fn record_resend(editing: &Editing<'_>, child: &Entry) -> Result<(), Error> {
    let (parent, digest) = (editing.entry.id.0.to_string(), hex(&sha256(&child.bytes)));
    let resent = editing
        .act(Kind::MessageResent, editing.entry.id)?
        .outcome("ok")
        .object("child", &child.id.0.to_string())
        .and_then(|record| record.object("sha-256", &digest))
        .map_err(not_recorded)?;
    let received = editing
        .act(Kind::MessageReceived, child.id)?
        .outcome("accepted")
        .actor(Actor::User(editing.session.user.to_owned()))
        .object("parent", &parent)
        .and_then(|record| record.object("sha-256", &digest))
        .map_err(not_recorded)?;
    editing.server.console.ledger.append(vec![resent, received]).await.map_err(not_recorded)
}

/// The patients that a message wrote about.
async fn patients_of(server: &Server, detail: Option<&MessageDetail>) -> Result<Vec<String>, Error> {
    let stored = crate::clinical::view::read_resources(server, detail).await?;
    let mut patients: Vec<String> = stored.into_iter().filter_map(|stored| stored.patient).collect();
    patients.sort();
    patients.dedup();
    Ok(patients)
}
