//! Sign-in by a one-time link. Opening the link uses nothing up, for programs open links too; the button does.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::Micros;

use crate::frame::{Frame, html};
use crate::hex::{hex, sha256};
use crate::record::{act, begin, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::{SESSION_ABSOLUTE_US, Session};
use crate::{Error, frame};

/// Account id of who signs in with the link that the node's owner made.
const OPERATOR: &str = "operator";
/// Account id of a failed sign-in.
const UNKNOWN: &str = "unknown";
/// Longest code that is looked at, in bytes.
const CODE_BYTES_MAX: usize = 256;
/// Failed sign-ins recorded within [`ATTEMPTS_WINDOW_US`]; more of them are logged as a number only, so that nobody
/// fills the ledger from outside.
const ATTEMPTS_RECORDED_MAX: u32 = 30;
const ATTEMPTS_WINDOW_US: Micros = 60 * 1_000_000;

/// The one-time codes of a node.
pub trait LoginCodes: Send + Sync {
    /// Whether this is the lower-case hexadecimal SHA-256 of a code that is valid now; from then on it is not. May
    /// block for a file.
    fn consume(&self, code_sha256_hex: &str) -> bool;
}

impl<F: Fn(&str) -> bool + Send + Sync> LoginCodes for F {
    fn consume(&self, code_sha256_hex: &str) -> bool {
        self(code_sha256_hex)
    }
}

/// Counts failed sign-ins in a window.
#[derive(Default)]
pub(crate) struct Attempts {
    window: Mutex<(Micros, u32)>,
}

impl Attempts {
    /// Counts one; whether it is to be recorded.
    pub(crate) fn count(&self, now_us: Micros) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now_us.saturating_sub(window.0) >= ATTEMPTS_WINDOW_US {
            *window = (now_us, 0);
        }
        window.1 = window.1.saturating_add(1);
        window.1 <= ATTEMPTS_RECORDED_MAX
    }
}

/// The code as link and form carry it. Debug prints nothing of it.
#[derive(Deserialize)]
pub(crate) struct Code {
    #[serde(default)]
    code: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    code: String,
}

/// `GET /login?code=…`: the form whose button uses the code.
pub(crate) async fn form(
    State(server): State<Arc<Server>>,
    Query(Code { code }): Query<Code>,
) -> Result<Response, Error> {
    if code.is_empty() || code.len() > CODE_BYTES_MAX {
        return Err(Error::Code);
    }
    html(&LoginPage { frame: Frame::signed_out(&server, "Sign in"), code })
}

/// `POST /login`: uses the code; the sign-in is in the ledger before the session is given.
pub(crate) async fn sign_in(
    State(server): State<Arc<Server>>,
    Extension(peer): Extension<Peer>,
    Form(Code { code }): Form<Code>,
) -> Result<Response, Error> {
    if !is_valid(&server, code).await? {
        refuse(&server, peer).await?;
        return Err(Error::Code);
    }
    let console = &server.console;
    let (id, session) = server.sessions.begin(OPERATOR, (console.now_us)(), console.fill_random);
    let record = act(console, Kind::SignIn, &session, peer)?.outcome("ok");
    if let Err(error) = console.ledger.append(vec![record]).await {
        server.sessions.end(&session);
        return Err(not_recorded(error));
    }
    redirect("/", &cookie(&server, &id, SESSION_ABSOLUTE_US / 1_000_000))
}

async fn is_valid(server: &Server, code: String) -> Result<bool, Error> {
    if code.is_empty() || code.len() > CODE_BYTES_MAX {
        return Ok(false);
    }
    let codes = server.console.login.clone();
    let consumed = tokio::task::spawn_blocking(move || codes.consume(&hex(&sha256(code.as_bytes()))));
    consumed.await.map_err(|_| Error::Task)
}

async fn refuse(server: &Server, peer: Peer) -> Result<(), Error> {
    let console = &server.console;
    if !server.attempts.count((console.now_us)()) {
        tracing::warn!("a sign-in failed; too many did to record each");
        return Ok(());
    }
    let record = begin(console, Kind::SignIn, UNKNOWN, peer).outcome("invalid-code");
    console.ledger.append(vec![record]).await.map_err(not_recorded)
}

/// The form that signs out.
#[derive(Deserialize)]
pub(crate) struct SignOut {
    #[serde(default)]
    token: String,
}

/// `POST /logout`.
pub(crate) async fn sign_out(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Form(SignOut { token }): Form<SignOut>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    server.sessions.end(&session);
    let notice = frame::Notice {
        frame: Frame::signed_out(&server, "Signed out"),
        text: "You are signed out of this node.".to_owned(),
        link: None,
        explains_sign_in: true,
    };
    let mut response = html(&notice)?;
    response.headers_mut().insert(header::SET_COOKIE, header_value(&cookie(&server, "", 0))?);
    Ok(response)
}

fn redirect(target: &'static str, cookie: &str) -> Result<Response, Error> {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response();
    response.headers_mut().insert(header::SET_COOKIE, header_value(cookie)?);
    Ok(response)
}

fn cookie(server: &Server, id: &str, age_s: i64) -> String {
    let secure = if server.console.secure { "; Secure" } else { "" };
    format!("{}={id}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}", server.cookie)
}

/// Names and ids are base64url and hexadecimal, which a header can hold.
pub(crate) fn header_value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(text).map_err(|_| Error::Task)
}
