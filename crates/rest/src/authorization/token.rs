//! `/auth/token`: codes, refresh tokens and assertions become tokens (RFC 6749 §4.1.3, §6 and §4.4.2; SMART Backend Services).

use std::sync::{Arc, PoisonError};

use audit::Actor;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use smart::{ASSERTION_TYPE, Assertion, Claims, Context, Launch, Scope};

use super::authorize::record;
use super::beside::Beside;
use super::identity::id_token;
use super::issued::{Allowed, Given, PERSON_TOKEN_LIFE_US, SYSTEM_TOKEN_LIFE_US};
use super::refusal::{Refusal, answer};
use super::registered::RegisteredClient;
use super::{SECOND_US, Server};
use crate::edge::{Id, RequestId};
use crate::query::Parameters;

pub(super) async fn token(
    State(server): State<Arc<Server>>,
    Extension(request): Id,
    body: String,
) -> Response {
    match given(&server, request, &body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn given(server: &Server, request: RequestId, body: &str) -> Result<Response, Refusal> {
    let mut form = Parameters::default();
    form.decode(body)?;
    match form.take_one("grant_type")?.as_deref() {
        Some("authorization_code") => by_code(server, request, form).await,
        Some("refresh_token") => by_refresh(server, request, form).await,
        Some("client_credentials") => by_assertion(server, request, form).await,
        _ => Err(Refusal {
            error: "unsupported_grant_type",
            text: "the grant type is authorization_code, refresh_token or client_credentials",
        }),
    }
}

async fn by_code(server: &Server, request: RequestId, mut form: Parameters) -> Result<Response, Refusal> {
    let client = client(server, &mut form)?;
    let mut needed = |name| form.take_one(name)?.ok_or(Refusal::request("a parameter is absent"));
    let (code, redirect, verifier) = (needed("code")?, needed("redirect_uri")?, needed("code_verifier")?);
    let by = (server.now_us(), server.own.fill_random);
    let redeemed = server.own.issued.redeem(&code, (&client.id, &redirect, &verifier), by);
    let given = redeemed.map_err(|_| Refusal::FULL)?.ok_or(Refusal::GRANT)?;
    let take_back = || {
        let now_us = server.now_us();
        let given = [Some(&given.token), given.refresh.as_ref()];
        given.into_iter().flatten().for_each(|token| server.own.issued.revoke(token, &client.id, now_us));
    };
    noted(server, request, client).await.inspect_err(|_| take_back())?;
    let identity = id_token(server, &given.allowed).await.inspect_err(|_| take_back())?;
    Ok(told(&given, identity))
}

/// A client goes on with what was allowed before (RFC 6749 §6).
async fn by_refresh(server: &Server, request: RequestId, mut form: Parameters) -> Result<Response, Refusal> {
    let client = client(server, &mut form)?;
    let refresh = form.take_one("refresh_token")?.ok_or(Refusal::request("refresh_token is absent"))?;
    let asked = form.take_one("scope")?;
    let issued = &server.own.issued;
    let allowed = issued.refreshable(&refresh, &client.id, server.now_us()).ok_or(Refusal::GRANT)?;
    let scopes = asked.map(|asked| narrowed(&allowed, &asked)).transpose()?;
    // Recorded first: once it is used, the client has the next one or none.
    noted(server, request, client).await?;
    let by = (server.now_us(), server.own.fill_random);
    let given = issued.refresh(&refresh, (&client.id, scopes), by);
    let given = given.map_err(|_| Refusal::FULL)?.ok_or(Refusal::GRANT)?;
    let identity = id_token(server, &given.allowed).await?;
    Ok(told(&given, identity))
}

/// Scopes that a client wants of those that it has.
fn narrowed(allowed: &Allowed, asked: &str) -> Result<Vec<Scope>, Refusal> {
    let meant = asked.split_ascii_whitespace().filter(|text| Scope::is_meant(text));
    let asked = meant.map(Scope::parse).collect::<Result<Vec<Scope>, _>>().map_err(|_| Refusal::SCOPE)?;
    let is_covered = |scope: &Scope| allowed.scopes.iter().any(|own| own.covers(scope));
    if asked.is_empty() || !asked.iter().all(is_covered) {
        return Err(Refusal::SCOPE);
    }
    Ok(asked)
}

/// What a person's client is told.
fn told(given: &Given, identity: Option<String>) -> Response {
    let mut told = json!({
        "access_token": given.token,
        "token_type": "Bearer",
        "expires_in": PERSON_TOKEN_LIFE_US / SECOND_US,
        "scope": given.allowed.scope(),
    });
    let patient = given.allowed.launch.patient.as_ref().map(|patient| patient.as_str().to_owned());
    for (name, value) in
        [("patient", patient), ("refresh_token", given.refresh.clone()), ("id_token", identity)]
    {
        if let Some(value) = value {
            told[name] = json!(value);
        }
    }
    answer(StatusCode::OK, &told)
}

async fn by_assertion(
    server: &Server,
    request: RequestId,
    mut form: Parameters,
) -> Result<Response, Refusal> {
    let client = client(server, &mut form)?;
    if client.keys.is_none() {
        return Err(Refusal {
            error: "unauthorized_client",
            text: "this client is not registered to ask for itself",
        });
    }
    let asked = form.take_one("scope")?.unwrap_or_default();
    let (mut scopes, _) = client.permitted(&asked).map_err(|_| Refusal::SCOPE)?;
    scopes.retain(|scope| scope.context == Context::System);
    if scopes.is_empty() {
        return Err(Refusal::SCOPE);
    }
    let (beside, launch) = (Beside::default(), Launch::default());
    let allowed = Allowed { client: client.id.clone(), scopes, beside, launch, identity: None };
    let scope = allowed.scope();
    noted(server, request, client).await?;
    let by = (server.now_us(), server.own.fill_random);
    let token = server.own.issued.issue(allowed, by).map_err(|_| Refusal::FULL)?;
    let told = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": SYSTEM_TOKEN_LIFE_US / SECOND_US,
        "scope": scope,
    });
    Ok(answer(StatusCode::OK, &told))
}

/// A token is given after its record is committed.
async fn noted(server: &Server, request: RequestId, client: &RegisteredClient) -> Result<(), Refusal> {
    let actor = Actor::Client(client.id.clone());
    record(server, request, actor, "ok").await.map_err(|()| Refusal::FULL)
}

/// The client of a form: one with keys proves it by an assertion, one without has only its name.
///
/// # Errors
/// [`Refusal::CLIENT`] in every case, so that nobody learns which.
pub(super) fn client<'s>(server: &'s Server, form: &mut Parameters) -> Result<&'s RegisteredClient, Refusal> {
    let id = form.take_one("client_id")?;
    let (kind, assertion) = (form.take_one("client_assertion_type")?, form.take_one("client_assertion")?);
    let Some(assertion) = assertion else {
        let client = id.and_then(|id| server.client(&id)).filter(|client| client.keys.is_none());
        return client.ok_or(Refusal::CLIENT);
    };
    if kind.as_deref() != Some(ASSERTION_TYPE) {
        return Err(Refusal::request("the type of the assertion is jwt-bearer"));
    }
    let named = Claims::claimed_issuer(&assertion).map_err(|_| Refusal::CLIENT)?;
    if id.is_some_and(|id| id != named) {
        return Err(Refusal::CLIENT);
    }
    let client = server.client(&named).ok_or(Refusal::CLIENT)?;
    let keys = client.keys.as_ref().ok_or(Refusal::CLIENT)?;
    let now_s = server.now_s();
    let held = Assertion::verify(&assertion, &client.id, keys, &server.own.token_endpoint(), now_s);
    let noted = held.and_then(|held| {
        let mut replays = server.replays.lock().unwrap_or_else(PoisonError::into_inner);
        replays.note(&client.id, &held.id, held.expires_s, now_s)
    });
    match noted {
        Ok(()) => Ok(client),
        Err(error) => {
            tracing::info!(%error, "a client assertion is not believed");
            Err(Refusal::CLIENT)
        }
    }
}
