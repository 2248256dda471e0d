//! `GET [base]/[type]/[id]` (R4, http §3.1.0.2).

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::{IssueCode, ResourceType, is_resource_id};
use store::{ResourceKey, Stored};

use super::binary;
use super::outward::outward_json;
use super::subset::Subset;
use super::unsupported;
use super::{Shared, not_modified, ok, partial, validators};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::server::Server;

pub(crate) async fn read(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    if id.starts_with('$') {
        return Err(unsupported::operation(&id));
    }
    let wanted = Wanted::of(query.as_deref(), &headers, resource_type)?;
    let access = Access { client: &client, request, resource_type };
    let stored = match key(resource_type, id) {
        Some(key) => server.sight(&client).read(&key).await?,
        None => None,
    };
    answer(&server, &access, stored, &wanted, &headers).await
}

/// As what a resource is asked for.
pub(super) enum Wanted {
    /// As a resource, or part of one.
    Resource((Format, bool), Subset),
    /// Of a Binary.
    Binary(binary::Wanted),
}

impl Wanted {
    /// # Errors
    /// 400 for a parameter that is not read, 406 where no representation is accepted.
    pub(super) fn of(query: Option<&str>, headers: &HeaderMap, of: ResourceType) -> Result<Self, Failure> {
        if binary::is_binary(of) {
            return Ok(Self::Binary(binary::wanted(query, headers, of)?));
        }
        let (form, subset) = partial(query, headers, of)?;
        Ok(Self::Resource(form, subset))
    }
}

/// The key of an id that can exist.
pub(super) fn key(resource_type: ResourceType, id: String) -> Option<ResourceKey> {
    is_resource_id(&id).then_some(ResourceKey { resource_type, id })
}

/// Records the access, then answers: 200, 304, 404 or 410.
pub(super) async fn answer(
    server: &Server,
    access: &Access<'_>,
    stored: Option<Stored>,
    wanted: &Wanted,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let Some(stored) = stored else {
        access.read(server, "not-found", None).await?;
        return Err(Failure::not_found("there is no such resource or version"));
    };
    if stored.deleted {
        access.read(server, "deleted", Some(&stored)).await?;
        return Err(Failure::new(StatusCode::GONE, IssueCode::Deleted, "the resource is deleted"));
    }
    let response = match wanted {
        Wanted::Binary(wanted) => binary::response(server, &stored, wanted, headers)?,
        Wanted::Resource(form, subset) => {
            let validators = validators(&stored, server.role);
            if validators.unchanged(headers) {
                not_modified(&validators)
            } else {
                ok(outward_json(&stored, server.role, subset)?, *form, Some(&validators))
            }
        }
    };
    let outcome = if response.status() == StatusCode::NOT_MODIFIED { "not-modified" } else { "ok" };
    access.read(server, outcome, Some(&stored)).await?;
    Ok(response)
}
