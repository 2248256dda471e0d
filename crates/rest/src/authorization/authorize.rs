//! `/auth/authorize`: a client sends a person here, who signs in and allows or refuses (RFC 6749 §4.1.1, standalone launch of
//! SMART App Launch 2.2).
//!
//! Nothing is kept between the page and its answer: the form carries the request along and it is judged again. A cookie that
//! only this page sets must come back with it, so that no other site can post the form.

use std::net::IpAddr;
use std::sync::Arc;

use audit::{Actor, Kind, Record};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fhir::ResourceId;
use smart::{Challenge, Context, Launch, Scope, User};

use super::Server;
use super::beside::Beside;
use super::failures::Trying;
use super::identity::{Identity, subject};
use super::issued::{Allowed, secret};
use super::page::{Page, notice};
use super::refusal::Refusal;
use super::registered::{RegisteredClient, signed_in};
use crate::edge::{Id, RequestId};
use crate::limits::Peer;
use crate::outcome::Failure;
use crate::query::{Parameters, percent_encode};
use crate::refusals::Source;

/// Characters of a `state`.
const STATE_CHARS_MAX: usize = 1_024;
const COOKIE: &str = "tidegate-authorize";
/// Seconds for which the page can be answered.
const COOKIE_SECONDS: u32 = 600;
/// What the form carries along.
const CARRIED: [&str; 10] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "launch",
];
/// The field by which the page knows its own form.
const PROOF: &str = "proof";
/// Characters of a `nonce` (OpenID Connect).
const NONCE_CHARS_MAX: usize = 256;

/// A request whose client and address are known: what is wrong with it from there on the client is told.
struct Asked<'s> {
    client: &'s RegisteredClient,
    redirect: String,
    state: String,
    scopes: Vec<Scope>,
    beside: Beside,
    challenge: Challenge,
    /// What the client wants to find in an ID token again.
    nonce: Option<String>,
    /// A handle of a launch and its patient.
    launched: Option<(String, ResourceId)>,
    carried: Vec<(&'static str, String)>,
}

/// Why a request leads nowhere.
enum Refused {
    /// Nobody is sent anywhere: who the client is, or where it is, is not certain.
    Here(&'static str),
    /// The client is told.
    There { redirect: String, state: Option<String>, refusal: Refusal },
}

impl Refused {
    fn response(self, server: &Server) -> Response {
        match self {
            Self::Here(text) => notice(StatusCode::BAD_REQUEST, text),
            Self::There { redirect, state, refusal } => {
                let mut pairs = vec![("error", refusal.error), ("error_description", refusal.text)];
                pairs.extend(state.as_deref().map(|state| ("state", state)));
                back(server, &redirect, &pairs)
            }
        }
    }
}

/// Shows the page.
pub(super) async fn ask(State(server): State<Arc<Server>>, RawQuery(query): RawQuery) -> Response {
    let mut parameters = Parameters::default();
    if parameters.decode(query.as_deref().unwrap_or_default()).is_err() {
        return notice(StatusCode::BAD_REQUEST, "The request cannot be read.");
    }
    match asked(&server, &mut parameters) {
        Ok(asked) => page(&server, &asked, StatusCode::OK, None),
        Err(refused) => refused.response(&server),
    }
}

/// Takes the answer of the person.
pub(super) async fn answer(
    State(server): State<Arc<Server>>,
    Extension(request): Id,
    Peer(peer): Peer,
    headers: HeaderMap,
    body: String,
) -> Response {
    match answered(&server, (request, peer), &headers, &body).await {
        Ok(response) => response,
        Err(refused) => refused.response(&server),
    }
}

async fn answered(
    server: &Server,
    (request, peer): (RequestId, IpAddr),
    headers: &HeaderMap,
    body: &str,
) -> Result<Response, Refused> {
    let unreadable = |_: Failure| Refused::Here("The form cannot be read.");
    let mut form = Parameters::default();
    form.decode(body).map_err(unreadable)?;
    let mut take = |name: &'static str| form.take_one(name).map_err(unreadable);
    let (user, typed, patient) = (take("user")?, take("secret")?, take("patient")?);
    let (decision, proof) = (take("decision")?, take(PROOF)?);
    let asked = asked(server, &mut form)?;
    if !is_from_the_page(headers, proof.as_deref().unwrap_or_default()) {
        return Ok(page(
            server,
            &asked,
            StatusCode::FORBIDDEN,
            Some("The page was too old. Please try again."),
        ));
    }
    if decision.as_deref() != Some("allow") {
        let refusal = Refusal { error: "access_denied", text: "the person refused" };
        return Err(asked.refused(refusal));
    }
    let wrong = "The name or the secret is wrong.";
    let user = user.unwrap_or_default();
    let trying = Trying::new(peer, &user);
    if server.failures.is_closed(server.own.sign_in, trying, server.now_us()) {
        let recorded = server.refusals.record(request, (Source::Peer(peer), peer), "sign-in-closed").await;
        recorded.map_err(|_| asked.refused(Refusal::FULL))?;
        let text = "Too many sign-ins failed of late. Please wait a minute.";
        return Ok(page(server, &asked, StatusCode::TOO_MANY_REQUESTS, Some(text)));
    }
    let known = signed_in(&server.own.users, &user, &typed.unwrap_or_default());
    let outcome = if known.is_some() { "ok" } else { "invalid-secret" };
    let actor =
        known.map_or_else(|| Actor::User("unknown".to_owned()), |known| Actor::User(known.name.clone()));
    record(server, request, actor, outcome).await.map_err(|()| asked.refused(Refusal::FULL))?;
    let Some(known) = known else {
        server.failures.count(trying, server.now_us());
        return Ok(page(server, &asked, StatusCode::FORBIDDEN, Some(wrong)));
    };
    let launch = match launch(&known.user, patient.as_deref().unwrap_or_default(), &asked) {
        Ok(launch) => launch,
        Err(text) => return Ok(page(server, &asked, StatusCode::BAD_REQUEST, Some(text))),
    };
    asked.launched.iter().for_each(|(handle, _)| server.own.issued.close(handle));
    let allowed = Allowed {
        client: asked.client.id.clone(),
        scopes: asked.scopes.clone(),
        beside: asked.beside,
        launch,
        identity: Some(Identity {
            subject: subject(&server.own.origin, &known.name),
            resource: asked.beside.tells_resource().then(|| known.resource.clone()),
            nonce: asked.nonce.clone(),
        }),
    };
    let by = (server.now_us(), server.own.fill_random);
    let code = server
        .own
        .issued
        .code(allowed, asked.redirect.clone(), asked.challenge.clone(), by)
        .map_err(|_| asked.refused(Refusal::FULL))?;
    Ok(back(server, &asked.redirect, &[("code", &code), ("state", &asked.state)]))
}

/// Who is launched: a patient for themselves, a practitioner for the patient of the launch or the one that they name.
fn launch(user: &User, patient: &str, asked: &Asked<'_>) -> Result<Launch, &'static str> {
    let needs_patient = asked.scopes.iter().any(|scope| scope.context == Context::Patient);
    let patient = match (user, &asked.launched) {
        (User::Patient(own), Some((_, patient))) if own != patient => {
            return Err("This launch is for somebody else.");
        }
        (User::Patient(own), _) => Some(own.clone()),
        (User::Practitioner, Some((_, patient))) => Some(patient.clone()),
        (User::Practitioner, None) if patient.trim().is_empty() && needs_patient => {
            return Err("Please name the patient.");
        }
        (User::Practitioner, None) if patient.trim().is_empty() => None,
        (User::Practitioner, None) => match ResourceId::parse(patient.trim()) {
            Ok(patient) => Some(patient),
            Err(_) => return Err("This is no id of a patient."),
        },
    };
    Ok(Launch { patient, user: Some(user.clone()) })
}

impl Asked<'_> {
    fn refused(&self, refusal: Refusal) -> Refused {
        Refused::There { redirect: self.redirect.clone(), state: Some(self.state.clone()), refusal }
    }
}

/// Judges a request. The client and its address come first: an address that is not registered is never gone to.
fn asked<'s>(server: &'s Server, parameters: &mut Parameters) -> Result<Asked<'s>, Refused> {
    let mut carried = Vec::with_capacity(CARRIED.len());
    for name in CARRIED {
        let value = parameters.take_one(name).map_err(|_| Refused::Here("A parameter is given twice."))?;
        carried.push((name, value.unwrap_or_default()));
    }
    let of =
        |name: &str| carried.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value.as_str());
    let client =
        server.client(of("client_id")).ok_or(Refused::Here("This client is not registered here."))?;
    let redirect = of("redirect_uri").to_owned();
    if !client.redirects.contains(&redirect) {
        return Err(Refused::Here(
            "The client asks to be answered at an address that is not registered for it.",
        ));
    }
    let state = of("state").to_owned();
    let has_state =
        (1..=STATE_CHARS_MAX).contains(&state.len()) && state.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let refuse = |refusal: Refusal| Refused::There {
        redirect: redirect.clone(),
        state: has_state.then(|| state.clone()),
        refusal,
    };
    if !has_state {
        return Err(refuse(Refusal::request("state is needed, of at most 1024 characters")));
    }
    if of("response_type") != "code" {
        return Err(refuse(Refusal {
            error: "unsupported_response_type",
            text: "the response type is code",
        }));
    }
    if of("aud") != server.own.audience() {
        return Err(refuse(Refusal::request("aud is the address of the FHIR surface of this node")));
    }
    let challenge = Challenge::parse(of("code_challenge")).filter(|_| of("code_challenge_method") == "S256");
    let needed = Refusal::request("code_challenge is needed, and its method is S256");
    let challenge = challenge.ok_or_else(|| refuse(needed))?;
    let is_text =
        |text: &str| text.len() <= NONCE_CHARS_MAX && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let nonce = Some(of("nonce").to_owned()).filter(|nonce| !nonce.is_empty());
    if !nonce.as_deref().is_none_or(is_text) {
        return Err(refuse(Refusal::request("nonce is at most 256 characters")));
    }
    let launched = match of("launch") {
        "" => None,
        handle => {
            let patient = server.own.issued.context(handle, &client.id, server.now_us());
            let unknown = Refusal::request("launch is not known, was used or has ended");
            Some((handle.to_owned(), patient.ok_or_else(|| refuse(unknown))?))
        }
    };
    let (mut scopes, beside) = client.permitted(of("scope")).map_err(|_| refuse(Refusal::SCOPE))?;
    scopes.retain(|scope| scope.context != Context::System);
    if scopes.is_empty() {
        return Err(refuse(Refusal::SCOPE));
    }
    Ok(Asked { client, redirect, state, scopes, beside, challenge, nonce, launched, carried })
}

fn page(server: &Server, asked: &Asked<'_>, status: StatusCode, said: Option<&'static str>) -> Response {
    let proof = secret(server.own.fill_random);
    let mut hidden = asked.carried.clone();
    hidden.push((PROOF, proof.clone()));
    let beside = asked.beside.names().map(str::to_owned);
    let scopes = asked.scopes.iter().map(ToString::to_string).chain(beside).collect();
    let mut response = Page { client: &asked.client.name, scopes, hidden, notice: said }.response(status);
    let secure = if server.own.secure { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={proof}; Path=/auth; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether the form comes from the page that set the cookie.
fn is_from_the_page(headers: &HeaderMap, proof: &str) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut held = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('=')));
    !proof.is_empty() && held.any(|held| verify_slices_are_equal(held.as_bytes(), proof.as_bytes()).is_ok())
}

/// Sends the person back to the client (RFC 6749 §4.1.2), with who answers (RFC 9207).
fn back(server: &Server, redirect: &str, pairs: &[(&str, &str)]) -> Response {
    let mut target = redirect.to_owned();
    let issuer = ("iss", server.own.origin.as_str());
    for (name, value) in pairs.iter().chain([&issuer]) {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(&format!("{name}={}", percent_encode(value)));
    }
    match HeaderValue::try_from(target) {
        Ok(target) => (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response(),
        Err(_) => notice(StatusCode::BAD_REQUEST, "The address of the client cannot be gone to."),
    }
}

/// Commits the record of a sign-in before it is answered.
pub(super) async fn record(
    server: &Server,
    request: RequestId,
    actor: Actor,
    outcome: &'static str,
) -> Result<(), ()> {
    let record =
        Record::new(Kind::SignIn, request.0, &server.own.node, server.now_us()).outcome(outcome).actor(actor);
    server.own.access.record(record).await.map_err(|error| {
        tracing::error!(error = %error, "a sign-in is not recorded, so it is refused");
    })
}
