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
    pub(crate) style: String,
    pub(crate) script: String,
}

impl Frame {
    /// The frame of a page for a signed-in person.
    pub(crate) fn of(server: &Server, session: &Session, title: &str) -> Self {
        Self {
            form_token: Some(session.form_token.clone()),
            has_messages: server.console.is_clinical(),
            warnings: server.console.warnings.clone(),
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
            style: asset::style_url(),
            script: asset::script_url(),
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
