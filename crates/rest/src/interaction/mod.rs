//! The interactions of the RESTful API (R4, http §3.1.0), one file each.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use fhir::ResourceType;
use serde_json::{Map, Value};
use store::Stored;

use self::subset::Subset;
use crate::headers::Validators;
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::{Role, Server};
use crate::time::{Precision, fhir_instant, instant};

#[cfg(feature = "clinical")]
pub(crate) mod batch;
pub(crate) mod capabilities;
pub(crate) mod compartment;
#[cfg(feature = "clinical")]
pub(crate) mod create;
#[cfg(feature = "clinical")]
pub(crate) mod delete;
pub(crate) mod everything;
pub(crate) mod export;
pub(crate) mod history;
#[cfg(feature = "clinical")]
pub(crate) mod meta;
pub(crate) mod openapi;
#[cfg(feature = "clinical")]
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod registry;
pub(crate) mod search;
pub(crate) mod small_cells;
pub(crate) mod smart_configuration;
pub(crate) mod subset;
pub(crate) mod unsupported;
#[cfg(feature = "clinical")]
pub(crate) mod update;
#[cfg(feature = "clinical")]
pub(crate) mod validate;
pub(crate) mod vread;

mod binary;
mod bundle;
mod by_audience;
mod controls;
mod explain;
mod filters;
mod instants;
mod outward;
mod parameters;
mod pretty;
mod refusal;
mod stated;
mod values;
#[cfg(feature = "clinical")]
mod write;

pub(crate) use self::binary::is_binary;
pub(crate) use self::registry::{registered, usable};
pub(crate) use self::stated::Stated;
pub(crate) use self::values::Reader;

pub(crate) type Shared = axum::extract::State<Arc<Server>>;

/// Form of the answer, from the query and the headers; other parameters are refused.
fn presentation(query: Option<&str>, headers: &HeaderMap) -> Result<(Format, bool), Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query.unwrap_or_default())?;
    let presentation = parameters.take_presentation()?;
    parameters.expect_none()?;
    Ok((Format::negotiate(headers, presentation.format.as_deref())?, presentation.pretty))
}

/// As [`presentation`], of one resource of a type, of which part may be asked for.
fn partial(
    query: Option<&str>,
    headers: &HeaderMap,
    of: ResourceType,
) -> Result<((Format, bool), Subset), Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query.unwrap_or_default())?;
    let presentation = parameters.take_presentation()?;
    let (subset, counts) = Subset::take(&mut parameters, of)?;
    if counts {
        return Err(refusal::not_supported("`_summary=count` is of searches alone"));
    }
    parameters.expect_none()?;
    let format = Format::negotiate(headers, presentation.format.as_deref())?;
    Ok(((format, presentation.pretty), subset))
}

/// A stored resource as it goes out: with `meta.versionId` and `meta.lastUpdated`, which are not stored in the body.
fn outward(stored: &Stored, role: &Role) -> Result<Value, Failure> {
    let unreadable = || {
        tracing::error!("a stored resource cannot be read");
        Failure::internal()
    };
    let mut resource: Value = serde_json::from_slice(stored.body.expose()).map_err(|_| unreadable())?;
    let members = resource.as_object_mut().ok_or_else(unreadable)?;
    let meta = members.entry("meta").or_insert_with(|| Value::Object(Map::new()));
    let meta = meta.as_object_mut().ok_or_else(unreadable)?;
    meta.insert("versionId".to_owned(), Value::String(stored.version.to_string()));
    let updated = fhir_instant(instant(stored.updated_us, role.precision));
    meta.insert("lastUpdated".to_owned(), Value::String(updated));
    Ok(resource)
}

fn validators(stored: &Stored, role: &Role) -> Validators {
    Validators {
        tag: stored.version.to_string(),
        modified: Some(instant(stored.updated_us, role.precision)),
        answers_modified_since: role.precision == Precision::Exact,
    }
}

/// 200 with a JSON body.
fn ok(json: Vec<u8>, (format, pretty): (Format, bool), validators: Option<&Validators>) -> Response {
    let body = if pretty { pretty::pretty(&json) } else { json };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, format.content_type());
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if let Some(validators) = validators {
        validators.write(response.headers_mut());
    }
    response
}

/// 304: the client has it.
fn not_modified(validators: &Validators) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    validators.write(response.headers_mut());
    response
}
