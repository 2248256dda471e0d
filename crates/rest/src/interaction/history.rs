//! `GET [base]/[type]/[id]/_history` and `GET [base]/[type]/_history` (R4, http §3.1.0.10).
//!
//! The portal gives the versions of one resource with its year and no instant of a request, and no history of a type:
//! the order in which patients' resources change would tell when each was cared for.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::{ResourceType, is_resource_id};
use store::{History, Position};

use super::bundle::{bundle, version};
use super::refusal::not_supported;
use super::{Shared, controls, ok};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::{Id, RequestId};
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::paging::Cursor;
use crate::query::Parameters;
use crate::server::Server;
use crate::time::Precision;

pub(crate) async fn of_resource(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let of = server.resource_type(&name)?;
    history(&server, (&client, request), of, Some(id), query.as_deref(), &headers).await
}

pub(crate) async fn of_type(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let of = server.resource_type(&name)?;
    if server.role.precision != Precision::Exact {
        return Err(Failure::unknown_route());
    }
    history(&server, (&client, request), of, None, query.as_deref(), &headers).await
}

async fn history(
    server: &Server,
    (client, request): (&Client, RequestId),
    of: ResourceType,
    id: Option<String>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query.unwrap_or_default())?;
    let presentation = parameters.take_presentation()?;
    let format = Format::negotiate(headers, presentation.format.as_deref())?;
    let access = Access { client, request, resource_type: of };
    let known = id.as_deref().is_none_or(is_resource_id);
    let scope = match id.as_deref().filter(|_| known) {
        Some(id) => format!("{of}/{id}/_history"),
        None => format!("{of}/_history"),
    };
    let cursor = continued(server, &scope, parameters)?;
    let count = counted(&cursor)?;
    let before = cursor.after.as_ref().map(|after| after.number);
    let of_one = id.is_some();
    let asked = History { resource_type: of, id, count, before };
    let found = if known { server.sight(client).history(&asked).await? } else { None };
    let Some(page) = found else {
        access.read(server, "not-found", None).await?;
        return Err(Failure::not_found("there is no such resource or version"));
    };
    let mut links = vec![("self", link(server, &scope, &cursor, count)?)];
    if let Some(number) = page.next.filter(|_| count > 0) {
        let after = Some(Position { keys: Vec::new(), number });
        links.push(("next", link(server, &scope, &Cursor { after, ..cursor.clone() }, count)?));
    }
    let entries =
        page.versions.iter().map(|stored| version(stored, server)).collect::<Result<Vec<_>, _>>()?;
    let answer = bundle("history", &links, page.total, &entries);
    access.listed(server, of_one, &["_history"], &page.versions).await?;
    Ok(ok(answer, (format, presentation.pretty), None))
}

/// The page to give: that of `_cursor`, or the first.
fn continued(server: &Server, scope: &str, mut parameters: Parameters) -> Result<Cursor, Failure> {
    let cursor = match parameters.take_one("_cursor")? {
        Some(sealed) => server.fhir.cursor_key.open(&sealed, server.role.name, scope)?,
        None => {
            let count = parameters.take_one("_count")?.map(|count| ("_count".to_owned(), count));
            Cursor { parameters: count.into_iter().collect(), after: None }
        }
    };
    if parameters.0.is_empty() {
        return Ok(cursor);
    }
    Err(not_supported("a parameter of a history is not supported here; valid: _count, _format, _pretty"))
}

fn counted(cursor: &Cursor) -> Result<usize, Failure> {
    controls::page_size(cursor.parameters.first().map(|(_, count)| count.as_str()), None)
}

fn link(server: &Server, scope: &str, cursor: &Cursor, count: usize) -> Result<String, Failure> {
    let base = &server.fhir.base_url;
    if cursor.after.is_none() {
        return Ok(format!("{base}/{scope}?_count={count}"));
    }
    Ok(format!("{base}/{scope}?_cursor={}", server.fhir.cursor_key.seal(cursor, server.role.name, scope)?))
}
