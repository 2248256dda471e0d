//! What is held, by cause: the groups, and the messages of one group with a reprocess of all of them.

use std::sync::Arc;

use askama::Template;
use audit::Kind;
use axum::Json;
use axum::extract::{Extension, Form, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::{HeldGroup, JournalId, MessageFilter, MessageState, Micros, Seq};

use crate::Error;
use crate::clinical::badge::{Badge, STATES, badge};
use crate::clinical::list::{PAGE_ROWS, Row, of, percent};
use crate::clinical::reasons::{UNKNOWN, Words, words};
use crate::clinical::window::WINDOW_MESSAGES_MAX;
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;
use crate::time::{Instant, instant};
use crate::words::{count, length};

/// Senders that are named of a group.
const SENDERS_SHOWN: usize = 3;
/// Longest reason that is asked for, in bytes.
const REASON_BYTES_MAX: usize = 400;

/// Messages held for one reason.
pub(crate) struct Group {
    pub(crate) url: String,
    pub(crate) reason: String,
    pub(crate) words: Words,
    pub(crate) badge: Badge,
    pub(crate) count: u64,
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    pub(crate) last_words: String,
    pub(crate) senders: String,
}

/// A group as a page shows it.
pub(crate) fn group(held: &HeldGroup, now_us: Micros) -> Group {
    let reason = held.reason.clone().unwrap_or_default();
    let named: Vec<&str> = held
        .senders
        .iter()
        .take(SENDERS_SHOWN)
        .map(|(sender, _)| sender.as_str())
        .filter(|s| !s.is_empty())
        .collect();
    let rest = held.senders.len().saturating_sub(SENDERS_SHOWN);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Group {
        url: format!("/quarantine/group?state={}&reason={}", badge(held.state).word, percent(&reason)),
        words: words(&reason).unwrap_or(UNKNOWN),
        badge: badge(held.state),
        count: held.count,
        first: instant(held.first_us),
        last: instant(held.last_us),
        last_words: format!("{} ago", length(now_us - held.last_us)),
        senders: named.join(", ") + &rest,
        reason,
    }
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct QuarantinePage {
    frame: Frame,
    groups: Vec<Group>,
    total: String,
}

/// `GET /quarantine`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let held = of(&server)?.statistics.held().await?;
    let now_us = (server.console.now_us)();
    html(&QuarantinePage {
        frame: Frame::of(&server, &session, "Quarantine"),
        total: count(held.iter().map(|group| group.count).sum(), "message"),
        groups: held.iter().map(|held| group(held, now_us)).collect(),
    })
}

/// One group for programs.
#[derive(Serialize)]
struct GroupJson {
    reason: Option<String>,
    state: &'static str,
    count: u64,
    first_us: Micros,
    last_us: Micros,
    senders: Vec<(String, u64)>,
}

/// `GET /quarantine.json`.
pub(crate) async fn json(State(server): State<Arc<Server>>) -> Result<Response, Error> {
    let held = of(&server)?.statistics.held().await?;
    let group = |HeldGroup { reason, state, count, first_us, last_us, senders, newest: _ }| GroupJson {
        reason,
        state: badge(state).word,
        count,
        first_us,
        last_us,
        senders,
    };
    Ok(Json(held.into_iter().map(group).collect::<Vec<_>>()).into_response())
}

/// Which group, and which page of it. A reason is a code, so it may stand in an address.
#[derive(Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    state: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    token: String,
}

impl Choice {
    fn filter(&self) -> Result<MessageFilter, Error> {
        let state = STATES.into_iter().find(|state| badge(*state).word == self.state);
        let state = state.filter(|state| matches!(state, MessageState::Quarantined | MessageState::Error));
        if self.reason.is_empty() || self.reason.len() > REASON_BYTES_MAX {
            return Err(Error::Invalid("reason"));
        }
        Ok(MessageFilter {
            state: Some(state.ok_or(Error::Invalid("state"))?),
            reason: Some(self.reason.clone()),
            is_unresolved: true,
            ..MessageFilter::default()
        })
    }
}

#[derive(Template)]
#[template(path = "group.html")]
struct GroupPage {
    frame: Frame,
    form_token: String,
    words: Words,
    reason: String,
    badge: Badge,
    rows: Vec<Row>,
    more: String,
    older: String,
    reprocess_max: usize,
}

/// `GET /quarantine/group`.
pub(crate) async fn one(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let filter = choice.filter()?;
    let before = match choice.before.as_str() {
        "" => None,
        number => Some(Seq(number.parse().map_err(|_| Error::Invalid("page"))?)),
    };
    let mut found = of(&server)?.messages.list(&filter, before, PAGE_ROWS + 1).await?;
    let has_more = found.len() > PAGE_ROWS;
    found.truncate(PAGE_ROWS);
    let older = found.last().filter(|_| has_more).map(|row| {
        format!(
            "/quarantine/group?state={}&reason={}&before={}",
            choice.state,
            percent(&choice.reason),
            row.seq.0
        )
    });
    html(&GroupPage {
        frame: Frame::of(&server, &session, "Held messages"),
        form_token: session.form_token,
        words: words(&choice.reason).unwrap_or(UNKNOWN),
        badge: badge(filter.state.unwrap_or(MessageState::Quarantined)),
        reason: choice.reason,
        rows: found.iter().map(Row::of).collect(),
        more: String::new(),
        older: older.unwrap_or_default(),
        reprocess_max: WINDOW_MESSAGES_MAX,
    })
}

/// `POST /quarantine/reprocess`: the newest messages of a group. Who asked is in the ledger before the request is made.
pub(crate) async fn reprocess(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Form(choice): Form<Choice>,
) -> Result<Response, Error> {
    check_form(&session, &choice.token)?;
    let filter = choice.filter()?;
    let (console, clinical) = (&server.console, of(&server)?);
    let found = clinical.messages.list(&filter, None, WINDOW_MESSAGES_MAX).await?;
    let ids: Vec<JournalId> = found.iter().map(|row| row.id).collect();
    let mut record = act(console, Kind::MessageReprocessed, &session, peer)?
        .outcome("requested")
        .object("messages", &ids.len().to_string())
        .map_err(not_recorded)?;
    if audit::is_code(&choice.reason) {
        record = record.object("reason", &choice.reason).map_err(not_recorded)?;
    }
    console.ledger.append(vec![record]).await.map_err(not_recorded)?;
    let asked = clinical.messages.request_reprocess(&ids, session.user, (console.now_us)()).await?;
    html(&Notice {
        frame: Frame::of(&server, &session, "Reprocess requested"),
        text: format!("{} will be processed again with the package in force.", count(asked, "message")),
        link: Some(("/quarantine".to_owned(), "Back to the quarantine")),
        explains_sign_in: false,
    })
}
