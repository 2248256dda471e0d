//! Coverage: how much of what each sender sends is mapped, day by day; what is not; and alerts on new fields.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::{Alert, AlertKind, CoverageDay, DAY_US, Day, Gap, LEARNING_MESSAGES, PathFate};

use crate::Error;
use crate::badge::Badge;
use crate::clinical::list::of;
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;
use crate::time::{Instant, instant};
use crate::words::{count, share};

/// Days of the trend, today included.
pub(crate) const DAYS_SHOWN: Day = 14;
/// Senders of the trend: those with most messages.
const SENDERS_SHOWN_MAX: usize = 50;
/// Paths that are not mapped, most leaves first.
pub(crate) const GAPS_SHOWN_MAX: usize = 100;
/// Alerts that are listed.
pub(crate) const ALERTS_SHOWN_MAX: usize = 200;
/// Alerts that were acknowledged, the newest.
const ACKNOWLEDGED_SHOWN_MAX: usize = 20;

const UNMAPPED: Badge = Badge { word: "unmapped", icon: "○", style: "wait" };
const REJECTED: Badge = Badge { word: "rejected", icon: "⚠", style: "bad" };

#[derive(Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    frame: Frame,
    form_token: String,
    /// Of the columns.
    days: Vec<String>,
    senders: Vec<SenderRow>,
    is_cut: bool,
    gaps: Vec<GapRow>,
    open: Vec<AlertRow>,
    acknowledged: Vec<AlertRow>,
    learning: u64,
}

/// One sender over the days.
struct SenderRow {
    sender: String,
    messages: u64,
    cells: Vec<Cell>,
}

/// One sender on one day.
struct Cell {
    /// Share of leaves that are unmapped or rejected; empty without messages.
    share: String,
    messages: String,
}

/// A path that is not mapped.
struct GapRow {
    sender: String,
    message_type: String,
    path: String,
    badge: Badge,
    leaves: u64,
    first: String,
    last: String,
}

/// An alert.
struct AlertRow {
    alert: i64,
    words: &'static str,
    sender: String,
    message_type: String,
    path: String,
    message: String,
    day: String,
    by: String,
    at: Option<Instant>,
}

/// The day of an instant.
pub(crate) fn today(now_us: i64) -> Day {
    now_us.div_euclid(DAY_US)
}

/// A day as people read it.
pub(crate) fn date(day: Day) -> String {
    let Instant { text, .. } = instant(day.saturating_mul(DAY_US));
    text.get(..10).unwrap_or("-").to_owned()
}

/// `GET /coverage`.
pub(crate) async fn page(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let coverage = &of(&server)?.coverage;
    let today = today((server.console.now_us)());
    let since = today - DAYS_SHOWN + 1;
    let days = coverage.coverage(since).await?;
    let gaps = coverage.gaps(since, GAPS_SHOWN_MAX).await?;
    let open = coverage.alerts(true, ALERTS_SHOWN_MAX).await?;
    let acknowledged = coverage.alerts(false, ACKNOWLEDGED_SHOWN_MAX).await?;
    let mut senders = trend(&days, since, today);
    let is_cut = senders.len() > SENDERS_SHOWN_MAX;
    senders.truncate(SENDERS_SHOWN_MAX);
    html(&CoveragePage {
        frame: Frame::of(&server, &session, "Coverage"),
        form_token: session.form_token,
        days: (since..=today).map(|day| date(day).split_off(5)).collect(),
        senders,
        is_cut,
        gaps: gaps.iter().map(gap_row).collect(),
        open: open.iter().map(alert_row).collect(),
        acknowledged: acknowledged.iter().map(alert_row).collect(),
        learning: LEARNING_MESSAGES,
    })
}

/// The form of one button.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
}

/// `POST /coverage/alerts/{alert}/acknowledge`. Who did it is committed with the act.
pub(crate) async fn acknowledge(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(alert): Path<i64>,
    Form(Asked { token }): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let record = act(&server.console, Kind::AlertAcknowledged, &session, peer)?
        .outcome("ok")
        .object("alert", &alert.to_string())
        .map_err(not_recorded)?;
    let now_us = (server.console.now_us)();
    match of(&server)?.coverage.acknowledge(alert, session.user, now_us, record).await {
        Ok(()) => Ok(Redirect::to("/coverage#alerts").into_response()),
        Err(store::Error::NotFound) => Err(Error::NotFound("alert")),
        Err(store::Error::Conflict(_)) => html(&Notice {
            frame: Frame::of(&server, &session, "Not acknowledged"),
            text: "Somebody acknowledged this alert in the meantime. Nothing was changed.".to_owned(),
            link: Some(("/coverage".to_owned(), "Back to the coverage")),
            explains_sign_in: false,
        }),
        Err(error) => Err(error.into()),
    }
}

/// Senders over the days, most messages first.
fn trend(days: &[CoverageDay], since: Day, today: Day) -> Vec<SenderRow> {
    let found: BTreeMap<(&str, Day), &CoverageDay> =
        days.iter().map(|day| ((day.sender.as_str(), day.day), day)).collect();
    let senders: BTreeSet<&str> = days.iter().map(|day| day.sender.as_str()).collect();
    let row = |sender: &str| SenderRow {
        messages: days.iter().filter(|day| day.sender == sender).map(|day| day.messages).sum(),
        cells: (since..=today).map(|day| cell(found.get(&(sender, day)).copied())).collect(),
        sender: named(sender),
    };
    let mut rows: Vec<SenderRow> = senders.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.messages));
    rows
}

fn cell(day: Option<&CoverageDay>) -> Cell {
    let Some(day) = day else { return Cell { share: String::new(), messages: String::new() } };
    let of = |fates: &[PathFate]| -> u64 {
        let all = day.leaves.iter().zip(PathFate::ALL);
        all.filter(|(_, fate)| fates.contains(fate)).map(|(leaves, _)| leaves).sum()
    };
    let gaps = of(&[PathFate::Unmapped, PathFate::Rejected]);
    Cell { share: share(gaps, of(&PathFate::ALL)), messages: count(day.messages, "message") }
}

fn named(sender: &str) -> String {
    if sender.is_empty() { "not named".to_owned() } else { sender.to_owned() }
}

fn gap_row(gap: &Gap) -> GapRow {
    GapRow {
        sender: named(&gap.sender),
        message_type: gap.message_type.clone(),
        path: gap.path.clone(),
        badge: if gap.fate == PathFate::Rejected { REJECTED } else { UNMAPPED },
        leaves: gap.leaves,
        first: date(gap.days.0),
        last: date(gap.days.1),
    }
}

fn alert_row(alert: &Alert) -> AlertRow {
    let (by, at) = match &alert.acknowledged {
        Some((by, at_us)) => (by.clone(), Some(instant(*at_us))),
        None => (String::new(), None),
    };
    AlertRow {
        alert: alert.alert,
        words: match alert.kind {
            AlertKind::NewUnmapped => "uses a field that nobody maps",
            AlertKind::NewRejected => "sends a value that cannot be used",
        },
        sender: named(&alert.sender),
        message_type: alert.message_type.clone(),
        path: alert.path.clone(),
        message: alert.message.0.to_string(),
        day: date(alert.day),
        by,
        at,
    }
}
