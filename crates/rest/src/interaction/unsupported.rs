//! Parts of FHIR that are not here, each answered by its name.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use fhir::IssueCode;

use super::Shared;
use super::capabilities::writes;
use crate::outcome::Failure;

/// Operations that R4 defines (OperationDefinition.code), and the export of Bulk Data.
const OPERATIONS: [&str; 41] = [
    "apply",
    "care-gaps",
    "closure",
    "collect-data",
    "compose",
    "conforms",
    "convert",
    "data-requirements",
    "document",
    "evaluate",
    "evaluate-measure",
    "everything",
    "expand",
    "export",
    "find",
    "find-matches",
    "graph",
    "implements",
    "lastn",
    "lookup",
    "match",
    "meta",
    "meta-add",
    "meta-delete",
    "populate",
    "preferred-id",
    "process-message",
    "questionnaire",
    "snapshot",
    "stats",
    "submit",
    "submit-data",
    "subset",
    "subsumes",
    "transform",
    "translate",
    "undelete",
    "validate",
    "validate-code",
    "validate-resource",
    "versions",
];

/// A search over all types (R4, search §3.1.1).
pub(crate) async fn system_search() -> Failure {
    Failure::not_implemented("a search over all types is not supported; search one type: [base]/[type]?…")
}

/// The history of all types (R4, http §3.1.0.10), where the order of changes would tell the dates of care.
pub(crate) fn system_history() -> Failure {
    Failure::not_implemented(
        "a history of all types is not supported here; ask for that of one resource: [base]/[type]/[id]/_history",
    )
}

/// GraphQL (R4, graphql §3.1.8).
pub(crate) async fn graphql() -> Failure {
    Failure::not_implemented(
        "GraphQL is not supported; _include, _revinclude and _elements give what belongs together",
    )
}

/// An operation that is not here. Its name is told back where R4 has it: what else stands there could be anything.
///
/// `name`: with its `$`.
pub(crate) fn operation(name: &str) -> Failure {
    let known = name.strip_prefix('$').and_then(|name| OPERATIONS.into_iter().find(|known| *known == name));
    let what = known.map_or("an operation of this name".to_owned(), |known| format!("operation `${known}`"));
    Failure::not_implemented(format!(
        "{what} is not supported at this address; the CapabilityStatement lists those that are, of a Patient and an \
        Encounter $everything"
    ))
}

/// `POST [base]/[type]` where nothing is written.
pub(crate) async fn posted_to_type(Path(name): Path<String>) -> Failure {
    if name.starts_with('$') { operation(&name) } else { not_served("GET,HEAD") }
}

/// `POST [base]/[type]/[id]`: what is posted there is an operation.
pub(crate) async fn posted_to_one(State(server): Shared, Path((_, id)): Path<(String, String)>) -> Failure {
    if id.starts_with('$') {
        return operation(&id);
    }
    not_served(if writes(&server.fhir, server.role) { "GET,HEAD,PUT,PATCH,DELETE" } else { "GET,HEAD" })
}

/// `POST [base]/[type]/[id]/[name]`.
pub(crate) async fn posted_below(Path((_, _, name)): Path<(String, String, String)>) -> Failure {
    if name.starts_with('$') { operation(&name) } else { not_served("GET,HEAD") }
}

fn not_served(allowed: &'static str) -> Failure {
    let text = "this interaction is not served here";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, IssueCode::NotSupported, text)
        .header(header::ALLOW, HeaderValue::from_static(allowed))
}
