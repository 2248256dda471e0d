//! `PATCH [base]/[type]/[id]` and `PATCH [base]/[type]?…` by JSON Patch (R4, http §3.1.0.6).

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::is_resource_id;
use smart::Permission;

use super::write::{Address, Caller, Content, Preconditions, Prefer, Wanted, query_criteria, unfit};
use super::{Shared, presentation};
use crate::auth::Client;
use crate::body;
use crate::edge::Id;
use crate::outcome::Failure;
use crate::patch::Patch;

pub(crate) async fn patch(
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
        let patch = Patch::read(&body::patch(&headers, content).await?).map_err(unfit)?;
        if !is_resource_id(&id) {
            return Err(Failure::not_found("there is no such resource or version"));
        }
        let wanted = Wanted { of, to: Address::Id(id), content: Content::Patch(patch), conditions };
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
        let patch = Patch::read(&body::patch(&headers, content).await?).map_err(unfit)?;
        let wanted = Wanted { of, to: Address::Match(search), content: Content::Patch(patch), conditions };
        caller.run(&wanted).await?.reply().response(&server, Prefer::of(&headers), form)
    };
    caller.change(&name, Permission::Update, work).await
}
