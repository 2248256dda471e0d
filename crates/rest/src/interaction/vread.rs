//! `GET [base]/[type]/[id]/_history/[vid]` (R4, http §3.1.0.3).

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::Shared;
use super::read::{Wanted, answer, key};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::outcome::Failure;

pub(crate) async fn vread(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id, version)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    let wanted = Wanted::of(query.as_deref(), &headers, resource_type)?;
    let access = Access { client: &client, request, resource_type };
    let stored = match (key(resource_type, id), version_number(&version)) {
        (Some(key), Some(version)) => server.sight(&client).vread(&key, version).await?,
        _ => None,
    };
    answer(&server, &access, stored, &wanted, &headers).await
}

/// A version as this server writes it: decimal, from 1, no sign and no leading zero.
fn version_number(text: &str) -> Option<u32> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
