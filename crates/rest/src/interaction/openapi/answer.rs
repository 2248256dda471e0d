//! Bodies, answers, headers and schemas that operations share.

use fhir::{ResourceType, SearchKind};
use serde_json::{Map, Value, json};

use super::parameter::{ID, KINDS, of_search};
use crate::capacity::{ADDRESS_BYTES_MAX, FIELDS_BYTES_MAX, FIELDS_MAX};
use crate::server::{Fhir, Role};

/// Media types that a resource is sent and answered in.
const RESOURCE: [&str; 2] = ["application/fhir+json", "application/json"];
/// Those that are read as well, for clients of older releases.
const ALSO_READ: [&str; 2] = ["application/json+fhir", "text/json"];
/// Where the types of R4 are defined.
const DEFINITIONS: &str = "http://hl7.org/fhir/R4/";

/// Status of a failure and what it means.
const FAILURES: [(u16, &str); 16] = [
    (400, "The request cannot be read, or asks for what is not supported."),
    (401, "A bearer token of this node is needed."),
    (403, "The token does not allow this."),
    (404, "There is no such resource, version, type or address."),
    (406, "No representation of this server is accepted."),
    (409, "What stands forbids it, or others change it all the time."),
    (410, "The resource is deleted."),
    (412, "A condition does not hold."),
    (413, "The body is over its limit."),
    (415, "The body is not of a type or encoding that is read here."),
    (422, "The resource breaks a rule of R4 or of this node."),
    (500, "The request failed inside the server."),
    (501, "A part of FHIR that is not supported, by its name."),
    (503, "Storage is not available, or too much is in work; Retry-After says when to try again."),
    (405, "This interaction is not served here; Allow says which are."),
    (429, "Too many requests of this client; Retry-After says when to try again."),
];

/// Answers to a head that is too long. Far beyond the limits it is the connection that answers, before there is a request:
/// then without a body, and in any case perhaps without a header of this surface.
fn of_the_head() -> [(u16, String); 2] {
    let beyond = "; far beyond that there is no body";
    [
        (414, format!("The address is longer than {ADDRESS_BYTES_MAX} bytes{beyond}.")),
        (431, format!("There are more than {FIELDS_BYTES_MAX} bytes or {FIELDS_MAX} header fields{beyond}.")),
    ]
}

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The same content in each of its media types.
fn content<'a>(media: impl IntoIterator<Item = &'a str>, of: &Value) -> Value {
    media.into_iter().map(|media| (media.to_owned(), json!({"schema": of}))).collect()
}

pub(super) fn headers() -> Value {
    let text = |told: &str| json!({"description": told, "schema": {"type": "string"}});
    json!({
        "X-Request-Id": {"description": "Number of the request, in the logs and records of the node.", "required": true, "schema": {"type": "string", "format": "uuid"}},
        "ETag": {"description": "The version.", "required": true, "schema": {"type": "string"}},
        "Last-Modified": text("When the version was made."),
        "Location": {"description": "Address of the version that was made.", "required": true, "schema": {"type": "string"}},
        "Retry-After": text("Seconds."),
        "Content-Location": text("Where to ask how far it is."),
        "X-Progress": text("How far it is."),
        "RateLimit": text("What is left to this client (draft-ietf-httpapi-ratelimit-headers)."),
        "RateLimit-Policy": text("How much it may ask for."),
        "WWW-Authenticate": {"description": "The challenge (RFC 6750).", "required": true, "schema": {"type": "string"}},
    })
}

/// Headers by name, for an answer.
fn with(names: &[&str]) -> Value {
    let header = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(header).collect()
}

/// Every answer by its name; those of failures are named by their status.
pub(super) fn answers() -> Value {
    let mut all = Map::new();
    let mut done = |name: &str, told: &str, of: Option<&str>, headers: &[&str]| {
        let mut answer = json!({"description": told, "headers": with(headers)});
        if let Some(of) = of {
            answer["content"] = content(RESOURCE, &schema(of));
        }
        all.insert(name.to_owned(), answer);
    };
    let version = ["X-Request-Id", "ETag", "Last-Modified"];
    done("Resource", "The resource.", Some("Resource"), &version);
    done("Created", "It was made.", Some("Resource"), &["X-Request-Id", "ETag", "Last-Modified", "Location"]);
    done("Bundle", "What was found or done.", Some("Bundle"), &["X-Request-Id"]);
    done("Outcome", "What was found.", Some("OperationOutcome"), &["X-Request-Id"]);
    done("Parameters", "What was asked for.", Some("Parameters"), &["X-Request-Id"]);
    done("Statement", "The CapabilityStatement.", Some("CapabilityStatement"), &["X-Request-Id", "ETag"]);
    done("Nothing", "It is not there any more.", None, &["X-Request-Id"]);
    done("Unchanged", "The client has it.", None, &["X-Request-Id", "ETag"]);
    done(
        "Begun",
        "It is taken on; Content-Location says where to ask.",
        None,
        &["X-Request-Id", "Content-Location"],
    );
    done("InWork", "It is in work.", None, &["X-Request-Id", "X-Progress", "Retry-After"]);
    done("Ended", "It is ended.", None, &["X-Request-Id"]);
    let lines = json!({"application/fhir+ndjson": {"schema": {"type": "string"}}});
    let manifest = json!({"application/json": {"schema": {"type": "object", "required":
        ["transactionTime", "request", "requiresAccessToken", "output", "error"]}}});
    for (name, told, content) in
        [("Lines", "One resource a line.", lines), ("Manifest", "Its files.", manifest)]
    {
        let answer = json!({"description": told, "headers": with(&["X-Request-Id"]), "content": content});
        all.insert(name.to_owned(), answer);
    }
    // Of a Binary its content, in its own media type.
    all["Resource"]["content"]["*/*"] = json!({});
    let document =
        json!({"application/json": {"schema": {"type": "object", "required": ["openapi", "paths"]}}});
    all.insert(
        "Document".to_owned(),
        json!({"description": "This document.", "headers": with(&["X-Request-Id", "ETag"]), "content": document}),
    );
    for (status, told) in FAILURES {
        let headers: &[&str] = match status {
            401 => &["X-Request-Id", "WWW-Authenticate"],
            429 => &["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"],
            503 => &["X-Request-Id", "Retry-After"],
            _ => &["X-Request-Id"],
        };
        let body = content(["application/fhir+json"], &schema("OperationOutcome"));
        let answer = json!({"description": told, "headers": with(headers), "content": body});
        all.insert(status.to_string(), answer);
    }
    for (status, told) in of_the_head() {
        let body = content(["application/fhir+json"], &schema("OperationOutcome"));
        all.insert(status.to_string(), json!({"description": told, "content": body}));
    }
    Value::Object(all)
}

/// Every request body by its name.
pub(super) fn bodies(fhir: &Fhir, role: &Role, writes: bool) -> Value {
    let mut all = Map::new();
    for of in &fhir.types {
        let search = |(name, kind): (String, SearchKind)| {
            let code = name.rsplit_once('.').map_or(name.clone(), |(_, code)| code.to_owned());
            (code, schema(&format!("search.{}", kind.as_str())))
        };
        let form: Map<String, Value> = of_search(*of, fhir, role).map(search).collect();
        let form =
            json!({"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": form}}});
        all.insert(format!("{of}.search"), json!({"content": form}));
    }
    let media = || RESOURCE.into_iter().chain(ALSO_READ);
    all.insert(
        "Export".to_owned(),
        json!({"required": true, "content": content(media(), &schema("Parameters"))}),
    );
    if writes {
        let names = fhir.types.iter().map(|of| of.as_str()).chain(["Resource"]);
        for name in names {
            all.insert(
                name.to_owned(),
                json!({"required": true, "content": content(media(), &schema(name))}),
            );
        }
        // The content of a Binary is sent in any media type; this one stands for all.
        if let Some(binary) = all.get_mut("Binary") {
            binary["content"]["application/octet-stream"] =
                json!({"schema": {"type": "string", "format": "binary"}});
        }
        all.insert(
            "Transaction".to_owned(),
            json!({"required": true, "content": content(media(), &schema("Transaction"))}),
        );
        all.insert(
            "Patch".to_owned(),
            json!({"required": true, "content": content(["application/json-patch+json"], &schema("Patch"))}),
        );
    }
    Value::Object(all)
}

/// Every schema by its name. Of a resource it tells what this document needs; the elements are those of R4.
pub(super) fn schemas(types: &[ResourceType], writes: bool) -> Value {
    let mut all = Map::new();
    let names: Vec<&str> = types.iter().map(|of| of.as_str()).collect();
    let known = json!({"type": "object", "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string", "enum": names}, "id": {"type": "string", "pattern": ID}}});
    all.insert("Resource".to_owned(), known);
    for name in names.iter().chain(&["Bundle", "OperationOutcome", "Parameters", "CapabilityStatement"]) {
        all.insert((*name).to_owned(), resource(name));
    }
    all["Bundle"]["required"] = json!(["resourceType", "type"]);
    all["Bundle"]["properties"]["entry"] =
        json!({"type": "array", "minItems": 1, "items": {"type": "object"}});
    all["OperationOutcome"]["required"] = json!(["resourceType", "issue"]);
    let issue = json!({"type": "object", "required": ["severity", "code"],
        "properties": {"severity": {"enum": ["fatal", "error", "warning", "information"]}, "code": {"type": "string"}}});
    all["OperationOutcome"]["properties"]["issue"] = json!({"type": "array", "minItems": 1, "items": issue});
    for kind in KINDS {
        all.insert(format!("search.{}", kind.as_str()), values(kind));
    }
    if writes {
        all.insert("Patch".to_owned(), patch());
        all.insert("Transaction".to_owned(), transaction());
    }
    Value::Object(all)
}

fn resource(name: &str) -> Value {
    json!({"type": "object", "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string", "const": name}, "id": {"type": "string", "pattern": ID}},
        "externalDocs": {"url": format!("{DEFINITIONS}{}.html", name.to_lowercase())}})
}

/// Values of a search parameter: an array where it is given more than once.
fn values(kind: SearchKind) -> Value {
    const PREFIX: &str = "^(eq|ne|gt|lt|ge|le|sa|eb|ap)?";
    let examples = match kind {
        SearchKind::Date => json!(["ge2020-05", "2020-05-11T10:00Z"]),
        SearchKind::Number => json!(["5.4", "gt100"]),
        SearchKind::Quantity => json!(["5.4|http://unitsofmeasure.org|mg", "gt100"]),
        SearchKind::Token => json!(["code", "system|code", "|code", "system|"]),
        SearchKind::Reference => json!(["id", "Type/id"]),
        SearchKind::Composite => json!(["code$gt100"]),
        SearchKind::String | SearchKind::Uri | SearchKind::Special => json!(["text"]),
    };
    let mut item = json!({"type": "string", "minLength": 1, "examples": examples});
    match kind {
        SearchKind::Date => item["pattern"] = json!(format!("{PREFIX}[0-9]{{4}}")),
        SearchKind::Number | SearchKind::Quantity => item["pattern"] = json!(format!("{PREFIX}[-+.0-9]")),
        _ => {}
    }
    json!({"type": "array", "items": item})
}

/// RFC 6902.
fn patch() -> Value {
    let operation = json!({"type": "object", "required": ["op", "path"], "properties": {
        "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
        "path": {"type": "string"}, "from": {"type": "string"}, "value": {}}});
    json!({"type": "array", "items": operation})
}

fn transaction() -> Value {
    let request = json!({"type": "object", "required": ["method", "url"], "properties": {
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]}, "url": {"type": "string"}}});
    let entry = json!({"type": "object", "required": ["request"], "properties": {
        "fullUrl": {"type": "string"}, "resource": schema("Resource"), "request": request}});
    json!({"type": "object", "required": ["resourceType", "type"], "properties": {
        "resourceType": {"const": "Bundle"}, "type": {"enum": ["batch", "transaction"]},
        "entry": {"type": "array", "minItems": 1, "items": entry}}})
}
