//! `GET` and `DELETE [base]/$export/[id]`: how far an export is, what its files are, and its end.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use fhir::ResourceType;
use serde_json::json;
use store::Micros;

use super::super::Shared;
use super::asked::Order;
use super::jobs::{Known, State as Progress};
use super::plan::{Content, File};
use crate::audit::{Access, outcome_of};
use crate::auth::Client;
use crate::edge::Id;
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::server::Server;
use crate::time::{Precision, fhir_instant, http_date, instant};

/// Seconds after which to ask again.
const AGAIN_SECONDS: &str = "5";
static PROGRESS: HeaderName = HeaderName::from_static("x-progress");

pub(crate) async fn status(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let resource_type = ResourceType::parse("Bundle").ok_or_else(Failure::internal)?;
    let access = Access { client: &client, request, resource_type };
    let found = server.exports.find(&id, &client, (server.fhir.now_us)());
    let Known { order, state } = match found {
        Ok(known) => known,
        Err(failure) => {
            access.read(&server, "not-found", None).await?;
            return Err(failure);
        }
    };
    if let Progress::Failed { failure, .. } = &state {
        access.read(&server, outcome_of(failure.status()), None).await?;
        return Err(failure.clone());
    }
    access.listed(&server, false, &[super::RECORDED], &[]).await?;
    match state {
        Progress::Running { types, rows } => in_work(types, order.types.len(), rows),
        Progress::Done { files, until_us } => done(&server, &id, &order, &files, until_us),
        Progress::Failed { failure, .. } => Err(failure),
    }
}

pub(crate) async fn end(
    State(server): Shared,
    Extension(client): Extension<Client>,
    Extension(request): Id,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let resource_type = ResourceType::parse("Bundle").ok_or_else(Failure::internal)?;
    let access = Access { client: &client, request, resource_type };
    let ended = server.exports.end(&id, &client, (server.fhir.now_us)());
    access.read(&server, if ended.is_ok() { "ok" } else { "not-found" }, None).await?;
    ended?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// 202: it is planned.
fn in_work(types: usize, of: usize, rows: usize) -> Result<Response, Failure> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    let progress = format!("{types} of {of} types, {rows} resources");
    let progress = HeaderValue::try_from(progress).map_err(|_| Failure::internal())?;
    response.headers_mut().insert(PROGRESS.clone(), progress);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(AGAIN_SECONDS));
    Ok(response)
}

/// 200: the manifest.
fn done(
    server: &Server,
    id: &str,
    order: &Order,
    files: &[File],
    until_us: Micros,
) -> Result<Response, Failure> {
    let base = &server.fhir.base_url;
    let (mut output, mut deleted) = (Vec::new(), Vec::new());
    for (number, file) in (1_usize..).zip(files) {
        let url = format!("{base}/$export/{id}/{number}");
        match file.content {
            Content::Standing { .. } => output.push(json!({"type": file.of.as_str(), "url": url})),
            Content::Deleted => deleted.push(json!({"type": "Bundle", "url": url})),
        }
    }
    let manifest = json!({
        "transactionTime": fhir_instant(instant(order.at_us, Precision::Exact)),
        "request": order.request,
        "requiresAccessToken": true,
        "output": output,
        "deleted": deleted,
        "error": [],
    });
    let mut response = Response::new(Body::from(manifest.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, Format::Json.content_type());
    let until = http_date(instant(until_us, Precision::Exact));
    let until = HeaderValue::try_from(until).map_err(|_| Failure::internal())?;
    response.headers_mut().insert(header::EXPIRES, until);
    Ok(response)
}
