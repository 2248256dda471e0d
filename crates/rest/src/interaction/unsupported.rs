//! Parts of FHIR that are not here, each answered by its name.

use crate::outcome::Failure;

/// A search over all types (R4, search §3.1.1).
pub(crate) async fn system_search() -> Failure {
    Failure::not_implemented("a search over all types is not supported; search one type: [base]/[type]?…")
}

/// GraphQL (R4, graphql §3.1.8).
pub(crate) async fn graphql() -> Failure {
    Failure::not_implemented(
        "GraphQL is not supported; _include, _revinclude and _elements give what belongs together",
    )
}
