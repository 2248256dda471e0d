//! `DELETE [base]/[type]/[id]` and `DELETE [base]/[type]?…` of one match (R4, http §3.1.0.7). Deleting what is not there is no
//! error.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fhir::is_resource_id;
use smart::Permission;

use super::write::{Address, Caller, Content, Done, Preconditions, Prefer, Wanted, query_criteria};
use super::{Shared, presentation};
use crate::audit::Access;
use crate::auth::Client;
use crate::edge::Id;
use crate::outcome::Failure;

/// Outcome under which a deletion of nothing is recorded.
const NOTHING: &str = "nothing-to-delete";

pub(crate) async fn delete(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = Caller { server: &server, client: &client, request };
    let work = async {
        let of = server.resource_type(&name)?;
        let form = presentation(query.as_deref(), &headers)?;
        let conditions = Preconditions::of(&headers)?;
        let done = if is_resource_id(&id) {
            let wanted = Wanted { of, to: Address::Id(id), content: Content::Nothing, conditions };
            caller.run(&wanted).await?
        } else {
            let access = Access { client: &client, request, resource_type: of };
            access.refused(&server, NOTHING).await?;
            Done::unwritten(None)
        };
        done.reply().response(&server, Prefer::of(&headers), form)
    };
    caller.change(&name, Permission::Delete, work).await
}

pub(crate) async fn conditional(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = Caller { server: &server, client: &client, request };
    let work = async {
        let of = server.resource_type(&name)?;
        let (search, form) = query_criteria(caller, of, query.as_deref(), &headers)?;
        let conditions = Preconditions::of(&headers)?;
        let wanted = Wanted { of, to: Address::Match(search), content: Content::Nothing, conditions };
        let done = caller.run(&wanted).await?;
        if done.is_nothing() {
            let access = Access { client: &client, request, resource_type: of };
            access.refused(&server, NOTHING).await?;
        }
        done.reply().response(&server, Prefer::of(&headers), form)
    };
    caller.change(&name, Permission::Delete, work).await
}
