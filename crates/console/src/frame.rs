//! What every page has around it, and pages that only say something.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::Error;
use crate::asset;
use crate::server::Server;
use crate::session::Session;

/// What the frame of a page shows.
pub(crate) struct Frame {
    /// Never holds content of a message.
    pub(crate) title: String,
    pub(crate) node: String,
    pub(crate) role: &'static str,
    pub(crate) warnings: Vec<String>,
    /// `None`: nobody is signed in.
    pub(crate) form_token: Option<String>,
    pub(crate) has_messages: bool,
    pub(crate) pages: Vec<PageLink>,
    /// Path of this page, where a preference leads back to.
    pub(crate) here: String,
    /// `light`, `dark`, or empty: as the system has it.
    pub(crate) theme: &'static str,
    pub(crate) theme_word: &'static str,
    /// What the switch sets.
    pub(crate) next_theme: &'static str,
    /// Whether single keys are shortcuts (WCAG 2.2, 2.1.4).
    pub(crate) has_keys: bool,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
}

/// One entry of the navigation.
pub(crate) struct PageLink {
    pub(crate) url: &'static str,
    pub(crate) name: &'static str,
    /// Goes there after `g`.
    pub(crate) key: &'static str,
    pub(crate) is_here: bool,
}

/// Pages of an on-prem node: URL, name, key.
const CLINICAL_PAGES: [(&str, &str, &str); 9] = [
    ("/", "Dashboard", "d"),
    ("/live", "Live", "l"),
    ("/quarantine", "Quarantine", "q"),
    ("/reviews", "Reviews", "r"),
    ("/coverage", "Coverage", "c"),
    ("/codes", "Codes", "o"),
    ("/search", "Search", "s"),
    ("/ledger", "Ledger", "e"),
    ("/status", "Status", "t"),
];
/// Pages of a cloud node, whose first page is its status.
const PORTAL_PAGES: [(&str, &str, &str); 2] = [("/", "Status", "t"), ("/ledger", "Ledger", "e")];
/// Paths that belong to a page of another name: a message belongs to the live list.
const BELONG: [(&str, &str); 2] = [("/messages", "/live"), ("/status", "/")];

fn page_links(is_clinical: bool, here: &str) -> Vec<PageLink> {
    let pages: &[_] = if is_clinical { &CLINICAL_PAGES } else { &PORTAL_PAGES };
    let path = here.split('?').next().unwrap_or_default();
    let is_at = |page: &str| {
        path == page || (page != "/" && path.strip_prefix(page).is_some_and(|rest| rest.starts_with('/')))
    };
    let is_known = pages.iter().any(|(url, ..)| is_at(url));
    let belongs = |url: &str| !is_known && BELONG.iter().any(|(below, page)| *page == url && is_at(below));
    let link = |(url, name, key): &(&'static str, &'static str, &'static str)| PageLink {
        url,
        name,
        key,
        is_here: is_at(url) || belongs(url),
    };
    pages.iter().map(link).collect()
}

impl Frame {
    /// The frame of a page for a signed-in person.
    pub(crate) fn of(server: &Server, session: &Session, title: &str) -> Self {
        Self {
            form_token: Some(session.form_token.clone()),
            has_messages: server.console.is_clinical(),
            warnings: server.console.all_warnings(),
            pages: page_links(server.console.is_clinical(), &session.view.here),
            here: session.view.here.clone(),
            theme: session.view.theme.attribute(),
            theme_word: session.view.theme.word(),
            next_theme: session.view.theme.next().word(),
            has_keys: session.view.has_keys,
            ..Self::signed_out(server, title)
        }
    }

    /// The frame of a page for anyone; tells nothing but the node's name and role.
    pub(crate) fn signed_out(server: &Server, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            node: server.console.node.clone(),
            role: server.console.role(),
            warnings: Vec::new(),
            form_token: None,
            has_messages: false,
            pages: Vec::new(),
            here: String::new(),
            theme: "",
            theme_word: "",
            next_theme: "",
            has_keys: false,
            style: asset::style_url(),
            script: asset::script_url(),
            icon: asset::icon_url(),
        }
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice {
    pub(crate) frame: Frame,
    pub(crate) text: String,
    /// Where to go on: URL and words.
    pub(crate) link: Option<(String, &'static str)>,
    /// Whether to explain how a sign-in link is obtained.
    pub(crate) explains_sign_in: bool,
}

/// A template as an answer.
///
/// # Errors
/// [`Error::Render`] when the template fails.
pub(crate) fn html(page: &impl Template) -> Result<Response, Error> {
    Ok(Html(page.render()?).into_response())
}

/// The page of an error; the log gets its chain, which holds no content.
pub(crate) fn failure(frame: Frame, error: &Error) -> Response {
    let status = error.status();
    if status.is_server_error() {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(error = %error, cause, "a console page is not given");
    }
    let explains_sign_in = matches!(error, Error::SignedOut | Error::Code);
    let notice = Notice { frame, text: error.words().1.to_owned(), link: None, explains_sign_in };
    match notice.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (StatusCode::INTERNAL_SERVER_ERROR, plain, "this page failed").into_response()
        }
    }
}
