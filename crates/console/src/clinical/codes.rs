//! Codes that wait for a row in their table: how often, from whom, where to look, and the line that maps them. A code is
//! content, so it is masked until a reason is given.

use std::sync::Arc;

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, State};
use axum::response::Response;
use serde::Deserialize;
use store::{CodeItem, CodeState};

use crate::Error;
use crate::badge::Badge;
use crate::clinical::MASK;
use crate::clinical::coverage::date;
use crate::clinical::list::of;
use crate::clinical::view::REASONS;
use crate::frame::{Frame, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;

/// Open items that are listed.
pub(crate) const CODES_SHOWN_MAX: usize = 200;
/// Mapped items that are listed, the latest.
const MAPPED_SHOWN_MAX: usize = 50;
/// What an item is called whose texts are no codes.
pub(crate) const NO_CODE: &str = "texts that are no codes";

const REDRIVING: Badge = Badge { word: "being processed again", icon: "◐", style: "wait" };
const MAPPED: Badge = Badge { word: "mapped", icon: "✔", style: "good" };

#[derive(Template)]
#[template(path = "codes.html")]
struct CodesPage {
    frame: Frame,
    form_token: String,
    open: Vec<Row>,
    is_cut: bool,
    mapped: Vec<Row>,
    is_revealed: bool,
    reason: &'static str,
    reasons: [(&'static str, &'static str); 5],
}

/// One item.
struct Row {
    table: String,
    system: String,
    sender: String,
    /// Masked, unless a reason was given.
    code: String,
    /// What stands in the site's overlay; empty for what is no code.
    line: String,
    messages: u64,
    first: String,
    last: String,
    examples: Vec<String>,
    badge: Badge,
}

impl Row {
    fn of(item: &CodeItem, is_revealed: bool) -> Self {
        let code = item.code.code.as_deref().map(|code| if is_revealed { code } else { MASK });
        Self {
            table: item.code.table.clone(),
            system: item.code.system.clone().unwrap_or_default(),
            sender: item.sender.clone(),
            line: code.map(|code| line(&item.code.table, code)).unwrap_or_default(),
            code: code.unwrap_or(NO_CODE).to_owned(),
            messages: item.messages,
            first: date(item.days.0),
            last: date(item.days.1),
            examples: item.examples.iter().map(|id| id.0.to_string()).collect(),
            badge: if item.state == CodeState::Redriving { REDRIVING } else { MAPPED },
        }
    }
}

/// The row as an overlay has it. A quoted key is any text.
pub(crate) fn line(table: &str, code: &str) -> String {
    format!("codes: {{{table}: {{'{}': TARGET}}}}", code.replace('\'', "''"))
}

/// `GET /codes`.
pub(crate) async fn masked(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    show(&server, &session, None).await
}

/// The form of the page.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
    #[serde(default)]
    reason: String,
}

/// `POST /codes/reveal`. The view is recorded before it is answered.
pub(crate) async fn revealed(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Form(Asked { token, reason }): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let (code, words) =
        REASONS.into_iter().find(|(code, _)| *code == reason).ok_or(Error::Invalid("reason"))?;
    let record = act(&server.console, Kind::MessageViewed, &session, peer)?
        .outcome("ok")
        .object("view", "codes-revealed")
        .and_then(|record| record.object("reason", code))
        .map_err(not_recorded)?;
    server.console.access.record(record).await.map_err(not_recorded)?;
    show(&server, &session, Some(words)).await
}

async fn show(server: &Server, session: &Session, reason: Option<&'static str>) -> Result<Response, Error> {
    let codes = &of(server)?.codes;
    let open = codes.code_items(true, CODES_SHOWN_MAX).await?;
    let mapped = codes.code_items(false, MAPPED_SHOWN_MAX).await?;
    let is_revealed = reason.is_some();
    let rows = |items: &[CodeItem]| items.iter().map(|item| Row::of(item, is_revealed)).collect();
    html(&CodesPage {
        frame: Frame::of(server, session, "Codes"),
        form_token: session.form_token.clone(),
        is_cut: open.len() >= CODES_SHOWN_MAX,
        open: rows(&open),
        mapped: rows(&mapped),
        is_revealed,
        reason: reason.unwrap_or_default(),
        reasons: REASONS,
    })
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_line_is_a_row_of_an_overlay_whatever_the_code() {
        assert_eq!(line("route", "PO"), "codes: {route: {'PO': TARGET}}");
        assert_eq!(line("route", "'x'}:#"), "codes: {route: {'''x''}:#': TARGET}}");
    }
}
