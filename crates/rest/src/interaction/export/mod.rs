//! `[base]/$export`, `[base]/Patient/$export` and `[base]/Group/[id]/$export`, by GET or POST (FHIR Bulk Data Access 2.0).
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
mod posted;
mod status;
mod type_filter;
mod walk;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use fhir::{IssueCode, Reference, ResourceType};

use self::asked::{Asking, Order};
pub(crate) use self::fetch::fetch;
pub(crate) use self::jobs::Jobs;
pub(crate) use self::status::{end, status};
use super::Shared;
use super::read::key;
use super::refusal::{invalid, not_supported};
use crate::audit::Access;
use crate::auth::Client;
use crate::capacity::OR_VALUES_MAX;
use crate::edge::{Id, RequestId};
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::query::Parameters;
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

impl Level {
    /// The same of these patients alone, where any are named.
    ///
    /// # Errors
    /// 400 when an export of the system is asked for, or one of them is no member of the group.
    fn of(self, patients: Vec<String>) -> Result<Self, Failure> {
        if patients.is_empty() {
            return Ok(self);
        }
        let id = |text: &String| match Reference::parse(text) {
            Reference::Relative { resource_type, id, .. } if resource_type.as_str() == "Patient" => {
                Ok(id.to_owned())
            }
            _ => Err(invalid("`patient` takes a reference: Patient/id")),
        };
        let ids = patients.iter().map(id).collect::<Result<Vec<String>, Failure>>()?;
        match self {
            Self::System => Err(not_supported("`patient` is for exports of patients and of a group")),
            Self::Patients => Ok(Self::Members(in_parts(ids))),
            Self::Members(parts) if ids.iter().all(|id| parts.iter().any(|part| part.contains(id))) => {
                Ok(Self::Members(in_parts(ids)))
            }
            Self::Members(_) => Err(invalid("`patient` names one who is no active member of the group")),
        }
    }
}

/// Ids in order, in parts that a search takes.
fn in_parts(mut ids: Vec<String>) -> Vec<Vec<String>> {
    ids.sort_unstable();
    ids.dedup();
    ids.chunks(OR_VALUES_MAX).map(<[String]>::to_vec).collect()
}

/// What a kick-off has beside its path.
pub(crate) struct Sent {
    parameters: Parameters,
    query: Option<String>,
    headers: HeaderMap,
    is_posted: bool,
}

impl<S: Sync> FromRequest<S> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, content) = request.into_parts();
        let is_posted = parts.method == Method::POST;
        let query = parts.uri.query().filter(|query| !query.is_empty()).map(str::to_owned);
        let parameters = match (is_posted, &query) {
            (true, None) => posted::parameters(&parts.headers, content).await?,
            (true, Some(_)) => {
                return Err(not_supported(
                    "an export that is asked for by POST has its parameters in its body",
                ));
            }
            (false, query) => {
                let mut parameters = Parameters::default();
                parameters.decode(query.as_deref().unwrap_or_default())?;
                parameters
            }
        };
        Ok(Self { parameters, query, headers: parts.headers, is_posted })
    }
}

pub(crate) async fn of_system(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    sent: Sent,
) -> Result<Response, Failure> {
    let client = exporting(&server, &client)?;
    begin(&server, (client, request), (Level::System, "$export"), sent).await
}

pub(crate) async fn of_patients(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    sent: Sent,
) -> Result<Response, Failure> {
    server.resource_type("Patient")?;
    let client = exporting(&server, &client)?;
    begin(&server, (client, request), (Level::Patients, "Patient/$export"), sent).await
}

pub(crate) async fn of_group(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type("Group")?;
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
    begin(&server, (client, request), (level, &path), sent).await
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
    Sent { parameters, query, headers, is_posted }: Sent,
) -> Result<Response, Failure> {
    Format::negotiate(&headers, None)?;
    if !is_async(&headers) {
        let text = "an export is answered later; send Prefer: respond-async";
        return Err(Failure::bad_request(IssueCode::Required, text));
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let request_url = format!("{}/{path}{query}", server.fhir.base_url);
    let order = Order::read(server, &client, level, Asking { parameters, is_posted, request: request_url })?;
    let resource_type = ResourceType::parse("Bundle").ok_or_else(Failure::internal)?;
    let access = Access { client: &client, request, resource_type };
    let tested: Vec<&str> = [RECORDED].into_iter().chain(order.codes.iter().copied()).collect();
    access.listed(server, false, &tested, &[]).await?;
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
