//! `POST [base]`: batch and transaction (R4, http §3.1.0.11).

mod entry;
mod get;
mod independent;
mod links;
mod whole;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use self::entry::{Asked, Kind};
use super::write::{Caller, Prefer};
use super::{Shared, ok, presentation};
use crate::auth::Client;
use crate::body;
use crate::edge::Id;
use crate::outcome::Failure;

pub(crate) async fn batch(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Failure> {
    let caller = Caller { server: &server, client: &client, request };
    let work = async {
        let form = presentation(query.as_deref(), &headers)?;
        let prefer = Prefer::of(&headers);
        let (kind, entries) = entry::read(caller, body::resource(&headers, content).await?)?;
        let reads_only = |entry: &Result<Asked, Failure>| matches!(entry, Ok(Asked::Get(_)) | Err(_));
        if !entries.iter().all(reads_only) {
            caller.may_write()?;
        }
        let (name, answered) = match kind {
            Kind::Transaction => {
                ("transaction-response", whole::run(caller, &server, entries, prefer).await?)
            }
            Kind::Batch => ("batch-response", independent::run(caller, &server, entries, prefer).await?),
        };
        let mut answer = json!({"resourceType": "Bundle", "type": name});
        if !answered.is_empty() {
            answer["entry"] = Value::Array(answered);
        }
        Ok(ok(fhir::canonical_json(&answer), form, None))
    };
    caller.recorded("Bundle", work).await
}
