//! Reads and searches inside a batch or transaction: the interactions themselves, told as entries.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use fhir::IssueCode;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use super::entry::Get;
use crate::auth::Client;
use crate::edge::RequestId;
use crate::interaction::write::status_text;
use crate::interaction::{history, read, search, vread};
use crate::outcome::Failure;
use crate::server::Server;

/// Does what an entry asks.
pub(super) async fn get(
    server: &Arc<Server>,
    client: &Client,
    request: RequestId,
    asked: &Get,
) -> Result<Value, Failure> {
    let response = dispatch(server, client, request, asked).await?;
    let mut told = Map::new();
    told.insert("status".to_owned(), json!(status_text(response.status())));
    if let Some(tag) = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()) {
        told.insert("etag".to_owned(), json!(tag));
    }
    let bytes = response.into_body().collect().await.map_err(|_| Failure::internal())?.to_bytes();
    let mut entry = json!({"response": told});
    if !bytes.is_empty() {
        entry["resource"] = serde_json::from_slice(&bytes).map_err(|_| Failure::internal())?;
    }
    Ok(entry)
}

async fn dispatch(
    server: &Arc<Server>,
    client: &Client,
    request: RequestId,
    asked: &Get,
) -> Result<Response, Failure> {
    let (state, client, request) = (State(Arc::clone(server)), Extension(client.clone()), Extension(request));
    let (query, headers) = (RawQuery(asked.query.clone()), with_accept(&asked.headers));
    let parts: Vec<&str> = asked.path.split('/').collect();
    let text = |part: &&str| (*part).to_owned();
    match parts.as_slice() {
        ["_history"] => history::of_system(state, client, request, query, headers).await,
        [of] if !of.is_empty() => {
            search::by_get(state, client, request, Path(text(of)), query, headers).await
        }
        [of, "_history"] => history::of_type(state, client, request, Path(text(of)), query, headers).await,
        [of, id] => read::read(state, client, request, Path((text(of), text(id))), query, headers).await,
        [of, id, "_history"] => {
            history::of_resource(state, client, request, Path((text(of), text(id))), query, headers).await
        }
        [of, id, "_history", version] => {
            let path = Path((text(of), text(id), text(version)));
            vread::vread(state, client, request, path, query, headers).await
        }
        _ => Err(Failure::bad_request(IssueCode::NotSupported, "this url is not read in a Bundle")),
    }
}

/// Entries are JSON, whatever else the client would take.
fn with_accept(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/fhir+json"));
    headers
}

/// A refused entry.
pub(super) fn refused(failure: &Failure) -> Value {
    let outcome = fhir::operation_outcome(failure.issues());
    json!({"response": {"status": status_text(failure.status()), "outcome": outcome}})
}
