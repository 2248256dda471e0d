//! `POST [base]/[type]`, conditional by `If-None-Exist` (R4, http §3.1.0.8).

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use smart::Permission;

use super::write::{
    Address, Caller, Content, Preconditions, Prefer, Sent, Wanted, criteria, if_none_exist, new_id, sent,
};
use super::{Shared, presentation};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::outcome::Failure;

pub(crate) async fn create(
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
        let form = presentation(query.as_deref(), &headers)?;
        let prefer = Prefer::of(&headers);
        let id = new_id();
        let to = match if_none_exist(&headers)? {
            Some(parameters) => Address::Unless(id, criteria(caller, of, &parameters)?),
            None => Address::New(id),
        };
        let read = Sent::read(of, &headers, content, &server.fhir.base_url).await?;
        let content = Content::of(sent(of, read.resource())?);
        let wanted = Wanted { of, to, content, conditions: Preconditions::default() };
        let done = caller.run(&wanted).await?;
        if let Some(found) = done.found() {
            let access = Access { client: &client, request, resource_type: of };
            access.read(&server, "ok", Some(found)).await?;
            return done.reply().response_found(&server, prefer, form);
        }
        done.reply().response(&server, prefer, form)
    };
    caller.change(&name, Permission::Create, work).await
}
