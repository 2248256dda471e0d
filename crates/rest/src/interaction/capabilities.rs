//! `GET [base]/metadata`: what this server does, from the element table and the routes (R4, http §3.1.0.11).

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use fhir::ResourceType;
use serde_json::{Value, json};

use super::parameters::registered;
use super::{Shared, not_modified, ok, presentation};
use crate::headers::Validators;
use crate::outcome::Failure;
use crate::server::{Fhir, Role};
use crate::time::Precision;

/// Date of the last change to what this module states.
const STATED_AT: &str = "2026-11-23";
/// Bytes of the hash in the entity tag.
const TAG_BYTES: usize = 8;
const STRICT: &str = "Search is strict: a parameter, modifier or value that is not supported is refused with 400, also \
    under Prefer: handling=lenient. Result parameters: _count (0 for the total alone), _summary=count, _format, _pretty.";

/// Open to all: a client reads it before it has a token, and it tells nothing of any resource.
pub(crate) async fn capabilities(
    State(server): Shared,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let form = presentation(query.as_deref(), &headers)?;
    let tag = digest(&SHA256, &server.capabilities)
        .as_ref()
        .iter()
        .take(TAG_BYTES)
        .map(|b| format!("{b:02x}"))
        .collect();
    let validators = Validators { tag, modified: None, answers_modified_since: false };
    if validators.unchanged(&headers) {
        return Ok(not_modified(&validators));
    }
    Ok(ok(server.capabilities.to_vec(), form, Some(&validators)))
}

/// The CapabilityStatement of a role, canonical JSON; made once.
pub(crate) fn statement(fhir: &Fhir, role: &Role) -> Bytes {
    let resources: Vec<Value> = fhir.types.iter().map(|of| resource(*of, role)).collect();
    let mut rest = json!({
        "mode": "server",
        "documentation": STRICT,
        "security": {"description": "A bearer token (RFC 6750) of this node; every access is recorded before it is answered."},
    });
    if !resources.is_empty() {
        rest["resource"] = Value::Array(resources);
    }
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": STATED_AT,
        "kind": "instance",
        "software": {"name": "Tidegate", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": role.description, "url": fhir.base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [rest],
    });
    Bytes::from(::fhir::canonical_json(&statement))
}

fn resource(of: ResourceType, role: &Role) -> Value {
    let mut parameters = vec![json!({"name": "_id", "type": "token"})];
    parameters.extend(
        registered(of, role)
            .iter()
            .map(|parameter| json!({"name": parameter.code, "type": parameter.kind.as_str()})),
    );
    json!({
        "type": of.as_str(),
        "interaction": [{"code": "read"}, {"code": "vread"}, {"code": "search-type"}],
        "versioning": "versioned",
        "readHistory": true,
        "updateCreate": false,
        "conditionalCreate": false,
        "conditionalRead": if role.precision == Precision::Exact { "full-support" } else { "not-match" },
        "conditionalUpdate": false,
        "conditionalDelete": "not-supported",
        "searchParam": parameters,
    })
}
