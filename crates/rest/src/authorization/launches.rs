//! Launches from within another system (SMART App Launch 2.2, EHR launch): a system of the site that has a token of the node's
//! own opens a patient's context for a client, and the client brings its handle along when it asks. A handle is good for one
//! sign-in.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fhir::ResourceId;
use serde_json::json;
use store::Micros;

use super::issued::{Full, Hash, secret};
use super::refusal::{Refusal, answer};
use super::{SECOND_US, Server};
use crate::auth::{bearer, token_hash};
use crate::query::Parameters;

/// A handle is used within this time, µs.
const LIFE_US: Micros = 300 * 1_000_000;
/// Handles that wait at once; with as many, none is given until one has ended.
const LAUNCHES_MAX: usize = 10_000;

/// A context that waits for its client.
struct Waiting {
    client: String,
    patient: ResourceId,
    ends_us: Micros,
}

/// All of them, by the hashes of their handles.
#[derive(Default)]
pub(super) struct Launches(HashMap<Hash, Waiting>);

impl Launches {
    /// Opens a context; its handle.
    pub(super) fn open(
        &mut self,
        client: String,
        patient: ResourceId,
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<String, Full> {
        if self.0.len() >= LAUNCHES_MAX {
            self.0.retain(|_, waiting| now_us < waiting.ends_us);
        }
        if self.0.len() >= LAUNCHES_MAX {
            return Err(Full);
        }
        let handle = secret(fill_random);
        self.0.insert(token_hash(&handle), Waiting { client, patient, ends_us: now_us + LIFE_US });
        Ok(handle)
    }

    /// The patient of a handle that is this client's and has not ended.
    pub(super) fn patient(&self, handle: &str, client: &str, now_us: Micros) -> Option<ResourceId> {
        let waiting = self.0.get(&token_hash(handle))?;
        (waiting.client == client && now_us < waiting.ends_us).then(|| waiting.patient.clone())
    }

    /// Ends a handle.
    pub(super) fn end(&mut self, handle: &str) {
        self.0.remove(&token_hash(handle));
    }
}

/// `/auth/launch`: `client_id` and `patient` of a form become a handle.
pub(super) async fn launch(State(server): State<Arc<Server>>, headers: HeaderMap, body: String) -> Response {
    let may_ask = bearer(&headers).is_some_and(|token| server.own.tokens.client(token).is_some());
    if !may_ask {
        return Refusal::CLIENT.into_response();
    }
    match opened(&server, &body) {
        Ok(handle) => answer(StatusCode::OK, &json!({"launch": handle, "expires_in": LIFE_US / SECOND_US})),
        Err(refusal) => refusal.into_response(),
    }
}

fn opened(server: &Server, body: &str) -> Result<String, Refusal> {
    let mut form = Parameters::default();
    form.decode(body)?;
    let id = form.take_one("client_id")?.ok_or(Refusal::request("client_id is absent"))?;
    let client = server.client(&id).filter(|client| !client.redirects.is_empty());
    let client = client.ok_or(Refusal::request("this client is not registered to sign in people"))?;
    let patient = form.take_one("patient")?.and_then(|id| ResourceId::parse(&id).ok());
    let patient = patient.ok_or(Refusal::request("patient is absent, or no id"))?;
    let by = (server.now_us(), server.own.fill_random);
    server.own.issued.open(client.id.clone(), patient, by).map_err(|_| Refusal::FULL)
}
