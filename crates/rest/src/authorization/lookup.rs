//! `/auth/introspect` (RFC 7662) and `/auth/revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::refusal::{Refusal, answer};
use super::token::client;
use super::{SECOND_US, Server};
use crate::auth::bearer;
use crate::query::Parameters;

/// Tells who has a token of the node's own what a token is worth; of one that is not worth anything, that alone.
pub(super) async fn introspect(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let may_ask = bearer(&headers).is_some_and(|token| server.own.tokens.client(token).is_some());
    if !may_ask {
        return Refusal::CLIENT.into_response();
    }
    match token_of(&body) {
        Ok((token, _)) => introspected(&server, &token),
        Err(refusal) => refusal.into_response(),
    }
}

fn introspected(server: &Server, token: &str) -> Response {
    let Some(token) = server.own.issued.token(token, server.now_us()) else {
        return answer(StatusCode::OK, &json!({"active": false}));
    };
    let mut told = json!({
        "active": true,
        "scope": token.allowed.scope(),
        "client_id": token.allowed.client,
        "token_type": "Bearer",
        "exp": token.ends_us / SECOND_US,
        "iss": server.own.origin,
        "aud": server.own.audience(),
    });
    if let Some(patient) = &token.allowed.launch.patient {
        told["patient"] = json!(patient.as_str());
    }
    if let Some(identity) = token.allowed.identity.as_ref().filter(|_| token.allowed.beside.tells_who()) {
        told["sub"] = json!(identity.subject);
        if let Some(resource) = &identity.resource {
            told["fhirUser"] = json!(resource);
        }
    }
    answer(StatusCode::OK, &told)
}

/// Ends a token of the client that asks. What is not known is not told apart (RFC 7009 §2.2).
pub(super) async fn revoke(State(server): State<Arc<Server>>, body: String) -> Response {
    let revoked = token_of(&body).and_then(|(token, mut form)| {
        let client = client(&server, &mut form)?;
        server.own.issued.revoke(&token, &client.id, server.now_us());
        Ok(())
    });
    match revoked {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn token_of(body: &str) -> Result<(String, Parameters), Refusal> {
    let mut form = Parameters::default();
    form.decode(body)?;
    let token = form.take_one("token")?.ok_or(Refusal::request("token is absent"))?;
    Ok((token, form))
}
