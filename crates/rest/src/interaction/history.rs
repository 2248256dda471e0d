//! `GET [base]/[type]/[id]/_history`, `GET [base]/[type]/_history` and `GET [base]/_history` (R4, http §3.1.0.10).
//!
//! The portal gives the versions of one resource with its year and no instant of a request, and no history of a type or of
//! all: the order in which patients' resources change would tell when each was cared for.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::{ResourceType, is_resource_id};
use store::{History, HistoryOf, Position, ResourceKey};

use super::bundle::{bundle, versions};
use super::instants;
use super::refusal::not_supported;
use super::unsupported;
use super::{Shared, controls, ok};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::paging::Cursor;
use crate::query::{Parameters, percent_encode};
use crate::server::Server;
use crate::time::Precision;

/// What a history is asked by, in the order in which links tell it.
const PARAMETERS: [&str; 3] = ["_since", "_at", "_count"];

pub(crate) async fn of_resource(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    let access = Access { client: &client, request, resource_type };
    let of = is_resource_id(&id).then_some(HistoryOf::Resource(ResourceKey { resource_type, id }));
    history(&server, &access, of, query.as_deref(), &headers).await
}

pub(crate) async fn of_type(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    if server.role.precision != Precision::Exact {
        return Err(Failure::unknown_route());
    }
    let access = Access { client: &client, request, resource_type };
    history(&server, &access, Some(HistoryOf::Type(resource_type)), query.as_deref(), &headers).await
}

pub(crate) async fn of_system(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if server.role.precision != Precision::Exact {
        return Err(unsupported::system_history());
    }
    let resource_type = ResourceType::parse("Bundle").ok_or_else(Failure::internal)?;
    let access = Access { client: &client, request, resource_type };
    history(&server, &access, Some(HistoryOf::System), query.as_deref(), &headers).await
}

/// `of`: `None` where the id of a resource cannot exist.
async fn history(
    server: &Server,
    access: &Access<'_>,
    of: Option<HistoryOf>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query.unwrap_or_default())?;
    let presentation = parameters.take_presentation()?;
    let format = Format::negotiate(headers, presentation.format.as_deref())?;
    let scope = match &of {
        Some(HistoryOf::Resource(key)) => format!("{}/{}/_history", key.resource_type, key.id),
        Some(HistoryOf::System) => "_history".to_owned(),
        Some(HistoryOf::Type(_)) | None => format!("{}/_history", access.resource_type),
    };
    let cursor = continued(server, &scope, parameters)?;
    let asked = asked(of.clone().unwrap_or(HistoryOf::System), &cursor, server)?;
    let found = if of.is_some() { server.sight(access.client).history(&asked).await? } else { None };
    let Some(page) = found else {
        access.read(server, "not-found", None).await?;
        return Err(Failure::not_found("there is no such resource or version"));
    };
    let mut links = vec![("self", link(server, &scope, &cursor, asked.count)?)];
    if let Some(number) = page.next.filter(|_| asked.count > 0) {
        let after = Some(Position { keys: Vec::new(), number });
        links.push(("next", link(server, &scope, &Cursor { after, ..cursor.clone() }, asked.count)?));
    }
    let entries = versions(&page.versions, server)?;
    let answer = bundle("history", &links, page.total, &entries);
    let of_one = matches!(of, Some(HistoryOf::Resource(_)));
    access.listed(server, of_one, &["_history"], &page.versions).await?;
    Ok(ok(answer, (format, presentation.pretty), None))
}

/// The page to give: that of `_cursor`, or the first.
fn continued(server: &Server, scope: &str, mut parameters: Parameters) -> Result<Cursor, Failure> {
    let cursor = match parameters.take_one("_cursor")? {
        Some(sealed) => server.fhir.cursor_key.open(&sealed, server.role.name, scope)?,
        None => {
            let mut given = Vec::new();
            for name in PARAMETERS {
                given.extend(parameters.take_one(name)?.map(|value| (name.to_owned(), value)));
            }
            Cursor { parameters: given, after: None }
        }
    };
    if parameters.0.is_empty() {
        return Ok(cursor);
    }
    let valid = match server.role.precision {
        Precision::Exact => "_count, _since, _at, _format, _pretty",
        Precision::Year => "_count, _format, _pretty",
    };
    Err(not_supported(format!("a parameter of a history is not supported here; valid: {valid}")))
}

/// What a page asks the store.
fn asked(of: HistoryOf, cursor: &Cursor, server: &Server) -> Result<History, Failure> {
    let given = |name: &str| {
        let mut parameters = cursor.parameters.iter();
        parameters.find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    };
    let since_us = given("_since").map(|text| instants::since(text, server.role)).transpose()?;
    let at = given("_at").map(|text| instants::at(text, server.role)).transpose()?;
    let count = controls::page_size(given("_count"), None)?;
    let before = cursor.after.as_ref().map(|after| after.number);
    Ok(History { since_us, at, before, ..History::of(of, count) })
}

fn link(server: &Server, scope: &str, cursor: &Cursor, count: usize) -> Result<String, Failure> {
    let base = &server.fhir.base_url;
    if cursor.after.is_some() {
        let sealed = server.fhir.cursor_key.seal(cursor, server.role.name, scope)?;
        return Ok(format!("{base}/{scope}?_cursor={sealed}"));
    }
    let timed = cursor.parameters.iter().filter(|(name, _)| name != "_count");
    let mut pairs: Vec<String> =
        timed.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    pairs.push(format!("_count={count}"));
    Ok(format!("{base}/{scope}?{}", pairs.join("&")))
}
