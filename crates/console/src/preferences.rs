//! How a person wants the pages: theme and single-key shortcuts, kept in cookies of the browser; and the help page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Form, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::Error;
use crate::frame::{Frame, html};
use crate::login::header_value;
use crate::server::{Server, check_form, cookie};
use crate::session::Session;

const THEME_COOKIE: &str = "tidegate-theme";
const KEYS_COOKIE: &str = "tidegate-keys";
/// How long a browser keeps a preference, seconds (a year).
const KEPT_S: u32 = 365 * 24 * 3_600;
/// Longest path that a preference leads back to, in bytes.
const BACK_BYTES_MAX: usize = 512;

/// Light, dark, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// For `data-theme`; empty: as the system has it.
    pub(crate) fn attribute(self) -> &'static str {
        if self == Self::Auto { "" } else { self.word() }
    }

    /// What the switch sets.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Auto,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }
}

/// Where a request is, and how its page looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// Path and query of a page; `/` for a form.
    pub(crate) here: String,
    pub(crate) theme: Theme,
    pub(crate) has_keys: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { here: "/".to_owned(), theme: Theme::Auto, has_keys: true }
    }
}

impl View {
    pub(crate) fn of(request: &Request) -> Self {
        let here = match (request.method(), request.uri().path_and_query()) {
            (&Method::GET, Some(here)) => here.as_str().to_owned(),
            _ => thing_of(request.uri().path()),
        };
        let (theme, has_keys) = chosen(request.headers());
        Self { here, theme, has_keys }
    }
}

/// The page of the message or review that a form acts on; the first page for any other form.
fn thing_of(path: &str) -> String {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(kind @ ("messages" | "reviews")), Some(id), Some(_)) => format!("/{kind}/{id}"),
        _ => "/".to_owned(),
    }
}

fn chosen(headers: &HeaderMap) -> (Theme, bool) {
    let theme = cookie(headers, THEME_COOKIE).and_then(Theme::parse).unwrap_or_default();
    (theme, cookie(headers, KEYS_COOKIE) != Some("off"))
}

/// The form of a preference.
#[derive(Deserialize)]
pub(crate) struct Preference {
    #[serde(default)]
    token: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    keys: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`.
pub(crate) async fn set_theme(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Form(form): Form<Preference>,
) -> Result<Response, Error> {
    check_form(&session, &form.token)?;
    let theme = Theme::parse(&form.theme).ok_or(Error::Invalid("theme"))?;
    keep(&server, THEME_COOKIE, theme.word(), &form.back)
}

/// `POST /keys`.
pub(crate) async fn set_keys(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Form(form): Form<Preference>,
) -> Result<Response, Error> {
    check_form(&session, &form.token)?;
    let keys = ["on", "off"].into_iter().find(|word| *word == form.keys).ok_or(Error::Invalid("choice"))?;
    keep(&server, KEYS_COOKIE, keys, &form.back)
}

fn keep(server: &Server, name: &str, value: &str, back: &str) -> Result<Response, Error> {
    let secure = if server.console.secure { "; Secure" } else { "" };
    let kept = format!("{name}={value}; Path=/; Max-Age={KEPT_S}; HttpOnly; SameSite=Strict{secure}");
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, header_value(own_path(back))?);
    response.headers_mut().insert(header::SET_COOKIE, header_value(&kept)?);
    Ok(response)
}

/// A path of this console; anything else is `/`. What browsers would read as another host is not one.
fn own_path(back: &str) -> &str {
    let is_plain = back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_own = back.starts_with('/') && !back.starts_with("//");
    if is_own && is_plain && back.len() <= BACK_BYTES_MAX { back } else { "/" }
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    frame: Frame,
    form_token: String,
}

/// `GET /help`.
pub(crate) async fn help(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Error> {
    let frame = Frame::of(&server, &session, "Keyboard and help");
    html(&HelpPage { frame, form_token: session.form_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_leads_back_into_this_console_alone() {
        assert_eq!(own_path("/live?state=routed&channel=a%20b"), "/live?state=routed&channel=a%20b");
        let long = format!("/{}", "x".repeat(BACK_BYTES_MAX));
        for back in
            ["", "live", "//example.org", "/\\example.org", "https://example.org", "/a\r\nb", "/é", &long]
        {
            assert_eq!(own_path(back), "/", "{back:?}");
        }
    }

    #[test]
    fn the_switch_visits_every_theme() {
        let mut theme = Theme::default();
        let mut seen = Vec::new();
        for _ in Theme::ALL {
            seen.push(theme.word());
            assert_eq!(Theme::parse(theme.word()), Some(theme));
            theme = theme.next();
        }
        assert_eq!((seen, theme), (vec!["auto", "dark", "light"], Theme::Auto));
    }
}
