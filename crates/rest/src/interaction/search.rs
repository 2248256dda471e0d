//! `GET [base]/[type]?…` and `POST [base]/[type]/_search` (R4, http §3.1.0.9).

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use fhir::{IssueCode, ResourceType};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use store::{COUNTED_MAX, Page};

use super::bundle::{bundle, found};
use super::parameters::Query;
use super::{Shared, ok};
use crate::audit::Access;
use crate::auth::Client;
use crate::capacity::SEARCH_FORM_BYTES_MAX;
use crate::edge::{Id, RequestId};
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::paging::Cursor;
use crate::query::{Parameters, percent_encode};
use crate::server::Server;

/// Matches on a page when the client does not say.
pub const PAGE_DEFAULT: usize = 50;
/// Most matches on a page; a greater `_count` is cut to it and the self link says so.
pub const PAGE_MAX: usize = 200;

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) async fn by_get(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    let mut parameters = Parameters::default();
    parameters.decode(query.as_deref().unwrap_or_default())?;
    search(&server, (&client, request), resource_type, parameters, &headers).await
}

pub(crate) async fn by_post(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let resource_type = server.resource_type(&name)?;
    let mut parameters = Parameters::default();
    parameters.decode(query.as_deref().unwrap_or_default())?;
    parameters.decode(&form(&headers, body).await?)?;
    search(&server, (&client, request), resource_type, parameters, &headers).await
}

/// The text of a form body; no body is an empty form.
async fn form(headers: &HeaderMap, body: Body) -> Result<String, Failure> {
    let bytes = Limited::new(body, SEARCH_FORM_BYTES_MAX).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, "the form is over its limit")
        } else {
            Failure::bad_request(IssueCode::Incomplete, "the form was not received whole")
        }
    })?;
    let bytes = bytes.to_bytes();
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !bytes.is_empty() && !media.eq_ignore_ascii_case(FORM) {
        let text = "a search is posted as application/x-www-form-urlencoded";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::NotSupported, text));
    }
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Failure::bad_request(IssueCode::Invalid, "the form is not UTF-8"))
}

async fn search(
    server: &Server,
    (client, request): (&Client, RequestId),
    resource_type: ResourceType,
    mut parameters: Parameters,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let presentation = parameters.take_presentation()?;
    let format = Format::negotiate(headers, presentation.format.as_deref())?;
    let cursor = continued(server, resource_type, parameters)?;
    let executed = Parameters(cursor.parameters.clone());
    let mut query = Query::parse(&executed, resource_type, server)?;
    query.search.after = cursor.after.clone();
    let mut page = server.fhir.resources.search(&query.search).await?;
    if query.needs_total() && page.total.is_none() {
        let text = format!("more than {COUNTED_MAX} matches are not counted; narrow the search");
        return Err(Failure::bad_request(IssueCode::TooCostly, text));
    }
    if query.counts_only() {
        page = Page { total: page.total, ..Page::default() };
    }
    let mut links = vec![("self", self_link(server, &query, &cursor)?)];
    if let Some(next) = page.next.clone() {
        let after = Cursor { parameters: cursor.parameters.clone(), after: Some(next) };
        links.push(("next", sealed_link(server, resource_type, &after)?));
    }
    let answer = bundle("searchset", &links, page.total, found(&page, server)?);
    let access = Access { client, request, resource_type };
    page.matches.append(&mut page.included);
    access.listed(server, false, &query.names, &page.matches).await?;
    Ok(ok(fhir::canonical_json(&answer), (format, presentation.pretty), None))
}

/// The search to run: that of `_cursor`, or a new one from its start.
fn continued(server: &Server, of: ResourceType, mut parameters: Parameters) -> Result<Cursor, Failure> {
    match parameters.take_one("_cursor")? {
        None => Ok(Cursor { parameters: parameters.0, after: None }),
        Some(sealed) if parameters.0.is_empty() => {
            server.fhir.cursor_key.open(&sealed, server.role.name, of.as_str())
        }
        Some(_) => {
            Err(Failure::bad_request(IssueCode::Invalid, "_cursor goes with _format and _pretty alone"))
        }
    }
}

/// What was executed: in clear where it is ids and codes, sealed where a value can name a person or a date of care, or
/// the page is not the first.
fn self_link(server: &Server, query: &Query, cursor: &Cursor) -> Result<String, Failure> {
    let of = query.search.resource_type;
    if query.confidential || cursor.after.is_some() {
        return sealed_link(server, of, cursor);
    }
    let base = &server.fhir.base_url;
    let clear = cursor.parameters.iter().filter(|(name, _)| name != "_count" && name != "_summary");
    let mut pairs: Vec<String> =
        clear.map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value))).collect();
    pairs.push(format!("_count={}", query.search.count));
    Ok(format!("{base}/{of}?{}", pairs.join("&")))
}

fn sealed_link(server: &Server, of: ResourceType, cursor: &Cursor) -> Result<String, Failure> {
    let sealed = server.fhir.cursor_key.seal(cursor, server.role.name, of.as_str())?;
    Ok(format!("{}/{of}?_cursor={sealed}", server.fhir.base_url))
}
