//! `POST [base]/[type]/$validate` and `POST [base]/[type]/[id]/$validate` (R4, resource-operation-validate): what a write of this
//! resource would be told, and nothing is written.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::IssueCode;
use serde_json::Value;
use store::ResourceContent;

use super::write::{not_served, sent};
use super::{Shared, ok, presentation};
use crate::audit::Access;
use crate::auth::Client;
use crate::body;
use crate::edge::Id;
use crate::outcome::Failure;

pub(crate) async fn of_type(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Failure> {
    let of = server.resource_type(&name)?;
    let form = presentation(query.as_deref(), &headers)?;
    let writes = server.fhir.writes.as_ref().ok_or_else(not_served)?;
    let resource = sent(of, asked(body::resource(&headers, content).await?)?)?;
    let found = writes.check(&ResourceContent::new(resource));
    Access { client: &client, request, resource_type: of }.refused(&server, "validated").await?;
    Ok(ok(fhir::canonical_json(&fhir::operation_outcome(&found)), form, None))
}

pub(crate) async fn of_resource(
    state: Shared,
    client: Extension<Client>,
    request: Id,
    Path((name, _)): Path<(String, String)>,
    query: RawQuery,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Failure> {
    of_type(state, client, request, Path(name), query, headers, content).await
}

/// The resource itself, or the parameter `resource` of Parameters.
///
/// # Errors
/// 400 for a mode or profile, which are not supported, and when there is no resource.
fn asked(sent: Value) -> Result<Value, Failure> {
    if sent.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Ok(sent);
    }
    let mut resource = None;
    for parameter in sent.get("parameter").and_then(Value::as_array).into_iter().flatten() {
        match parameter.get("name").and_then(Value::as_str) {
            Some("resource") if resource.is_none() => resource = parameter.get("resource").cloned(),
            _ => {
                let text = "$validate takes the parameter resource, once; mode and profile are not supported";
                return Err(Failure::bad_request(IssueCode::NotSupported, text));
            }
        }
    }
    resource.ok_or_else(|| Failure::bad_request(IssueCode::Required, "the parameter resource is absent"))
}
