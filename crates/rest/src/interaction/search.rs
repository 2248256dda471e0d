//! `GET [base]/[type]?…` and `POST [base]/[type]/_search` (R4, http §3.1.0.9).

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use fhir::{IssueCode, ResourceType};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use store::{COUNTED_MAX, Page, ResourceKey};

use super::bundle::{bundle, found};
use super::compartment::membership;
use super::explain;
use super::parameters::{Query, is_lenient};
use super::small_cells;
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
    let searched = Searched { resource_type, compartment: None };
    search(&server, (&client, request), &searched, parameters, &headers).await
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
    let searched = Searched { resource_type, compartment: None };
    search(&server, (&client, request), &searched, parameters, &headers).await
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

/// What is searched: a type, or a type in the compartment of one resource.
#[derive(Clone)]
pub(super) struct Searched {
    pub(super) resource_type: ResourceType,
    pub(super) compartment: Option<ResourceKey>,
}

impl Searched {
    /// Its address below the base; what its cursors are bound to as well.
    fn path(&self) -> String {
        match &self.compartment {
            None => self.resource_type.to_string(),
            Some(ResourceKey { resource_type, id }) => format!("{resource_type}/{id}/{}", self.resource_type),
        }
    }
}

pub(super) async fn search(
    server: &Server,
    (client, request): (&Client, RequestId),
    searched: &Searched,
    mut parameters: Parameters,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let presentation = parameters.take_presentation()?;
    let format = Format::negotiate(headers, presentation.format.as_deref())?;
    let resource_type = searched.resource_type;
    let sight = server.sight(client);
    let explains = explain::asked(&mut parameters, server.role, sight.is_whole())?;
    let mut cursor = continued(server, &searched.path(), parameters)?;
    let asked = Parameters(cursor.parameters.clone());
    let mut query = Query::parse(&asked, resource_type, server, is_lenient(headers, server))?;
    cursor.parameters = query.executed.clone();
    query.search.after = cursor.after.clone();
    if let Some(of) = &searched.compartment {
        query.search.clauses.insert(0, membership(resource_type, of, server)?);
    }
    let bound = sight.bind(query.search.clone())?;
    let mut page = sight.search(&bound).await?;
    if explains {
        query.left_out.push(explain::told(&page, &bound.as_search().clauses));
    }
    if query.needs_total() && page.total.is_none() {
        let text = format!("more than {COUNTED_MAX} matches are not counted; narrow the search");
        return Err(Failure::bad_request(IssueCode::TooCostly, text));
    }
    if query.counts_only() {
        page = Page { total: page.total, ..Page::default() };
    }
    let mut links = vec![("self", self_link(server, searched, &query, &cursor)?)];
    if let Some(next) = page.next.clone() {
        let after = Cursor { parameters: cursor.parameters.clone(), after: Some(next) };
        links.push(("next", sealed_link(server, &searched.path(), &after)?));
    }
    let (total, is_small) = small_cells::told(page.total, server, client);
    if is_small && query.needs_total() {
        query.left_out.push(small_cells::untold());
    }
    let entries = found(&page, &query.subset, query.left_out, server)?;
    let answer = bundle("searchset", &links, total, &entries);
    let access = Access { client, request, resource_type };
    page.matches.append(&mut page.included);
    access.listed(server, false, &query.names, &page.matches).await?;
    Ok(ok(answer, (format, presentation.pretty), None))
}

/// The search to run: that of `_cursor`, or a new one from its start.
pub(super) fn continued(server: &Server, scope: &str, mut parameters: Parameters) -> Result<Cursor, Failure> {
    match parameters.take_one("_cursor")? {
        None => Ok(Cursor { parameters: parameters.0, after: None }),
        Some(sealed) if parameters.0.is_empty() => {
            server.fhir.cursor_key.open(&sealed, server.role.name, scope)
        }
        Some(_) => {
            Err(Failure::bad_request(IssueCode::Invalid, "_cursor goes with _format and _pretty alone"))
        }
    }
}

/// What was executed: in clear where it is ids and codes, sealed where a value can name a person or a date of care, or
/// the page is not the first.
fn self_link(
    server: &Server,
    searched: &Searched,
    query: &Query,
    cursor: &Cursor,
) -> Result<String, Failure> {
    if query.confidential || cursor.after.is_some() {
        return sealed_link(server, &searched.path(), cursor);
    }
    let base = &server.fhir.base_url;
    let clear = cursor
        .parameters
        .iter()
        .filter(|(name, value)| name != "_count" && (name != "_summary" || value != "count"));
    let mut pairs: Vec<String> =
        clear.map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value))).collect();
    pairs.push(format!("_count={}", query.search.count));
    Ok(format!("{base}/{}?{}", searched.path(), pairs.join("&")))
}

/// A link to a cursor of what is at this address.
pub(super) fn sealed_link(server: &Server, path: &str, cursor: &Cursor) -> Result<String, Failure> {
    let sealed = server.fhir.cursor_key.seal(cursor, server.role.name, path)?;
    Ok(format!("{}/{path}?_cursor={sealed}", server.fhir.base_url))
}
