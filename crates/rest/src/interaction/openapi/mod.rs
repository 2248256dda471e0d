//! `GET [base]/openapi.json`: the addresses of this server as an OpenAPI 3.1 document. What can be searched comes from the
//! same table as the CapabilityStatement; a test compares the addresses with those of the router.

mod answer;
mod operation;
mod parameter;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use fhir::ResourceType;
use serde_json::{Map, Value, json};

use self::operation::{Guard, OF_TYPE, Operation, operations};
use super::capabilities::{tag_of, writes};
use super::explain::{self, EXPLAIN};
use super::{Shared, not_modified, presentation};
use crate::headers::Validators;
use crate::outcome::Failure;
use crate::server::{Fhir, Role};

/// Release of the OpenAPI specification.
const OPENAPI: &str = "3.1.0";

/// Open to all, as the CapabilityStatement is: it tells nothing of any resource.
pub(crate) async fn openapi(
    State(server): Shared,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    presentation(query.as_deref(), &HeaderMap::new())?;
    let document = server.openapi.now(&server.fhir, || document(&server.fhir, server.role));
    let validators = Validators { tag: tag_of(&document), modified: None, answers_modified_since: false };
    if validators.unchanged(&headers) {
        return Ok(not_modified(&validators));
    }
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    validators.write(response.headers_mut());
    Ok(response)
}

/// The document of a role: the same bytes for the same configuration.
pub(crate) fn document(fhir: &Fhir, role: &Role) -> Bytes {
    let writes = writes(fhir, role);
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations(writes) {
        if !OF_TYPE.contains(&operation.route) {
            place(&mut paths, operation.route.to_owned(), operation, described(operation, None, role));
            continue;
        }
        for of in &fhir.types {
            let path = operation.route.replace("{type}", of.as_str());
            let mut value = described(operation, Some(*of), role);
            if operation.searches {
                let own = parameter::of_search(*of, fhir, role).map(|(name, _)| parameter::named(&name));
                let given = value["parameters"].as_array().cloned().unwrap_or_default();
                value["parameters"] = own.chain(given).collect();
            }
            place(&mut paths, path, operation, value);
        }
    }
    let document = json!({
        "openapi": OPENAPI,
        "info": {
            "title": role.description,
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "FHIR R4 (4.0.1) over JSON. HEAD answers as GET does, without a body. A search parameter may carry one \
                of its modifiers (x-fhir-modifiers), be chained (patient.gender) or reversed (_has): what is not listed \
                is refused with 400 and the valid names. The CapabilityStatement at /metadata says the rest.",
        },
        "servers": [{"url": fhir.base_url}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "A token of this node (RFC 6750)."}},
            "parameters": parameter::shared(fhir, role),
            "headers": answer::headers(),
            "requestBodies": answer::bodies(fhir, role, writes),
            "responses": answer::answers(),
            "schemas": answer::schemas(&fhir.types, writes),
        },
    });
    Bytes::from(::fhir::canonical_json(&document))
}

fn place(paths: &mut Map<String, Value>, path: String, operation: &Operation, described: Value) {
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[operation.method] = described;
}

/// One operation, of a type where its address names one.
fn described(operation: &Operation, of: Option<ResourceType>, role: &Role) -> Value {
    let name = match of {
        Some(of) => format!("{}-{of}", operation.name),
        None => operation.name.to_owned(),
    };
    let in_path = ["type", "id", "version", "of", "file"];
    let in_path =
        in_path.iter().filter(|name| of.is_none() && operation.route.contains(&format!("{{{name}}}")));
    let offered = operation.parameters.iter().filter(|name| **name != EXPLAIN || explain::is_offered(role));
    let parameters: Vec<Value> = in_path.chain(offered).map(|name| parameter::named(name)).collect();
    let mut answers = Map::new();
    for (status, name) in operation.done {
        answers.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
    }
    for status in operation.failures() {
        answers.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{status}")}));
    }
    let mut value = json!({"operationId": name, "summary": operation.summary, "responses": answers});
    if !parameters.is_empty() {
        value["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = operation.body {
        let body = body.replace("{type}", of.map_or("Resource", |of| of.as_str()));
        value["requestBody"] = json!({"$ref": format!("#/components/requestBodies/{body}")});
    }
    if operation.guard == Guard::Token {
        value["security"] = json!([{"token": []}]);
    }
    value
}

#[cfg(test)]
mod tests;
