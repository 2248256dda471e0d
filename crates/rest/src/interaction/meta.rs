//! `GET [base]/[type]/[id]/$meta` (R4, resource-operation-meta).

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::IssueCode;
use serde_json::json;

use super::read::key;
use super::{Shared, ok, outward, presentation};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::outcome::Failure;

pub(crate) async fn meta(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    let form = presentation(query.as_deref(), &headers)?;
    let access = Access { client: &client, request, resource_type };
    let stored = match key(resource_type, id) {
        Some(key) => server.sight(&client).read(&key).await?,
        None => None,
    };
    let Some(stored) = stored else {
        access.read(&server, "not-found", None).await?;
        return Err(Failure::not_found("there is no such resource or version"));
    };
    if stored.deleted {
        access.read(&server, "deleted", Some(&stored)).await?;
        return Err(Failure::new(StatusCode::GONE, IssueCode::Deleted, "the resource is deleted"));
    }
    let meta = outward(&stored, server.role)?.get("meta").cloned().unwrap_or_default();
    let answer = json!({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta}]});
    access.read(&server, "ok", Some(&stored)).await?;
    Ok(ok(fhir::canonical_json(&answer), form, None))
}
