//! `PUT [base]/[type]/[id]` and `PUT [base]/[type]?…` (R4, http §3.1.0.4).

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::{IssueCode, is_resource_id};
use serde_json::Value;
use smart::Permission;

use super::write::{
    Address, Caller, Content, Preconditions, Prefer, Sent, Wanted, own_id, query_criteria, sent,
};
use super::{Shared, presentation};
use crate::auth::Client;
use crate::edge::Id;
use crate::outcome::Failure;

pub(crate) async fn update(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Failure> {
    let caller = Caller { server: &server, client: &client, request };
    let work = async {
        let of = server.resource_type(&name)?;
        let form = presentation(query.as_deref(), &headers)?;
        let conditions = Preconditions::of(&headers)?;
        let read = Sent::read(of, &headers, content, &server.fhir.base_url).await?;
        let resource = sent(of, read.under(&id))?;
        named(&resource, &id)?;
        let wanted = Wanted { of, to: Address::Id(id), content: Content::of(resource), conditions };
        caller.run(&wanted).await?.reply().response(&server, Prefer::of(&headers), form)
    };
    caller.change(&name, Permission::Update, work).await
}

pub(crate) async fn conditional(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Failure> {
    let caller = Caller { server: &server, client: &client, request };
    let work = async {
        let of = server.resource_type(&name)?;
        let (search, form) = query_criteria(caller, of, query.as_deref(), &headers)?;
        let conditions = Preconditions::of(&headers)?;
        let read = Sent::read(of, &headers, content, &server.fhir.base_url).await?;
        let resource = sent(of, read.resource())?;
        let (to, content) = (Address::Match(search), Content::of(resource));
        let wanted = Wanted { of, to, content, conditions };
        caller.run(&wanted).await?.reply().response(&server, Prefer::of(&headers), form)
    };
    caller.change(&name, Permission::Update, work).await
}

/// The resource must say the id of its address (R4, http §3.1.0.4).
///
/// # Errors
/// 400 when either is no id, or they differ.
pub(super) fn named(resource: &Value, id: &str) -> Result<(), Failure> {
    if !is_resource_id(id) {
        let text = "an id has 1 to 64 letters, digits, dashes and dots";
        return Err(Failure::bad_request(IssueCode::Value, text));
    }
    match own_id(resource)? {
        Some(own) if own == id => Ok(()),
        Some(_) => {
            Err(Failure::bad_request(IssueCode::Invalid, "the resource's id is not that of its address"))
        }
        None => Err(Failure::bad_request(IssueCode::Required, "the resource's id is absent")),
    }
}
