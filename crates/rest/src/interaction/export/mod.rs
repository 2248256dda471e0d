//! `GET [base]/$export`, `GET [base]/Patient/$export` and `GET [base]/Group/[id]/$export` (FHIR Bulk Data Access 2.0).
//!
//! An export is a plan: which resources stand in which file. A file is read from the store while it is fetched, as its
//! client sees it then: a label, a consent or a deletion takes effect at the next page, and no copy lies on a disk. What
//! changed since the export began is told as it was then. Plans are in memory: a node that starts again knows none, and
//! says so.

mod asked;
mod deleted;
mod fetch;
mod group;
mod jobs;
mod plan;
mod status;
mod walk;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use fhir::{IssueCode, ResourceType};

use self::asked::Order;
pub(crate) use self::fetch::fetch;
pub(crate) use self::jobs::Jobs;
pub(crate) use self::status::{end, status};
use super::Shared;
use super::read::key;
use super::unsupported;
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::{Id, RequestId};
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::server::Server;

/// The name under which exports stand in records.
const RECORDED: &str = "export";

/// Whose resources are exported.
#[derive(Debug)]
enum Level {
    /// All.
    System,
    /// What is in the compartment of any patient.
    Patients,
    /// What is in the compartments of these patients: their ids, in parts that a search takes.
    Members(Vec<Vec<String>>),
}

pub(crate) async fn of_system(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = exporting(&server, &client)?;
    begin(&server, (client, request), (Level::System, "$export"), query.as_deref(), &headers).await
}

pub(crate) async fn of_type(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if server.resource_type(&name)?.as_str() != "Patient" {
        return Err(unsupported::operation("$export"));
    }
    let client = exporting(&server, &client)?;
    begin(&server, (client, request), (Level::Patients, "Patient/$export"), query.as_deref(), &headers).await
}

pub(crate) async fn of_one(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    if resource_type.as_str() != "Group" {
        return Err(unsupported::operation("$export"));
    }
    let client = exporting(&server, &client)?;
    let access = Access { client: &client, request, resource_type };
    let found = match key(resource_type, id) {
        Some(key) => server.sight(&client).read(&key).await?,
        None => None,
    };
    let Some(group) = found.filter(|group| !group.deleted) else {
        access.read(&server, "not-found", None).await?;
        return Err(Failure::not_found("there is no such resource or version"));
    };
    let path = format!("Group/{}/$export", group.key.id);
    let level = Level::Members(group::members(&group)?);
    begin(&server, (client, request), (level, &path), query.as_deref(), &headers).await
}

/// The client as far as its scopes are for exports.
///
/// # Errors
/// 403 where none is.
fn exporting(server: &Server, client: &Client) -> Result<Client, Failure> {
    let granted = client.granted.of_system().ok_or_else(|| server.sight(client).forbidden())?;
    Ok(Client { name: client.name.clone(), granted, denied: client.denied.clone() })
}

/// Takes an export on.
async fn begin(
    server: &Arc<Server>,
    (client, request): (Client, RequestId),
    (level, path): (Level, &str),
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    Format::negotiate(headers, None)?;
    if !is_async(headers) {
        let text = "an export is answered later; send Prefer: respond-async";
        return Err(Failure::bad_request(IssueCode::Required, text));
    }
    let order = Order::read(server, &client, level, (path, query))?;
    let resource_type = ResourceType::parse("Bundle").ok_or_else(Failure::internal)?;
    let access = Access { client: &client, request, resource_type };
    access.listed(server, false, &[RECORDED], &[]).await?;
    Jobs::begin(server, client, request.0, order)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    let address = format!("{}/$export/{}", server.fhir.base_url, request.0);
    let address = HeaderValue::try_from(address).map_err(|_| Failure::internal())?;
    response.headers_mut().insert(header::CONTENT_LOCATION, address);
    Ok(response)
}

/// Whether the client asks to be answered later (RFC 7240 §4.1).
fn is_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
    preferences.any(|preference| preference.eq_ignore_ascii_case("respond-async"))
}
