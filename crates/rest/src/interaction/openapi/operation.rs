//! What can be done at each route: one row an operation.

use crate::interaction::explain::EXPLAIN;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Everybody.
    Open,
    /// Who has a token of this node.
    Token,
}

/// When a route is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// Where clients may write.
    Writing,
    /// Where they may not.
    Reading,
}

/// A method at a route.
#[derive(Debug)]
pub(super) struct Operation {
    /// In small letters, as OpenAPI has it.
    pub(super) method: &'static str,
    /// As the router has it, below the base.
    pub(super) route: &'static str,
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// Shared parameters, beside those of the route.
    pub(super) parameters: &'static [&'static str],
    /// Whether it also takes the search parameters of its type.
    pub(super) searches: bool,
    /// The shared request body.
    pub(super) body: Option<&'static str>,
    /// Status and shared answer of what is done.
    pub(super) done: &'static [(u16, &'static str)],
    /// Statuses of what is not done, beside [`EVERYWHERE`].
    refused: &'static [u16],
    pub(super) guard: Guard,
    when: When,
}

/// Routes that are told for each type by its name, since types differ in what they take there.
pub(super) const OF_TYPE: [&str; 2] = ["/{type}", "/{type}/_search"];

/// Failures that any operation can have.
const EVERYWHERE: [u16; 7] = [400, 406, 414, 429, 431, 500, 503];
/// And any that needs a token.
const GUARDED: [u16; 3] = [401, 403, 404];

impl Operation {
    pub(super) fn failures(&self) -> impl Iterator<Item = u16> {
        let guarded = GUARDED.iter().filter(|_| self.guard == Guard::Token);
        EVERYWHERE.iter().chain(guarded).chain(self.refused).copied()
    }
}

/// The operations of a node that lets clients write, or does not.
pub(super) fn operations(writes: bool) -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(move |operation| match operation.when {
        When::Always => true,
        When::Writing => writes,
        When::Reading => !writes,
    })
}

const READ: Operation = Operation {
    method: "get",
    route: "",
    name: "",
    summary: "",
    parameters: &["_format", "_pretty"],
    searches: false,
    body: None,
    done: &[],
    refused: &[],
    guard: Guard::Token,
    when: When::Always,
};
const WRITE: Operation = Operation {
    method: "post",
    done: &[(200, "Resource")],
    refused: &[409, 412, 413, 415, 422],
    parameters: &["_format", "_pretty", "Prefer", "Content-Encoding"],
    when: When::Writing,
    ..READ
};
/// What FHIR has and this server has not: it says so by name.
const ABSENT: Operation = Operation { parameters: &[], refused: &[501], ..READ };

/// Where an export begins.
const EXPORT: Operation = Operation {
    parameters: &["Prefer-async", "_type", "_since", "_outputFormat", "_typeFilter"],
    done: &[(202, "Begun")],
    refused: &[429, 501],
    ..READ
};
/// The same with its parameters in a resource.
const EXPORT_POSTED: Operation = Operation {
    method: "post",
    parameters: &["Prefer-async"],
    body: Some("Export"),
    refused: &[413, 415, 429, 501],
    ..EXPORT
};

const SEARCH: &[&str] = &[
    "_sort",
    "_include",
    "_revinclude",
    "_count",
    "_summary",
    "_elements",
    "_total",
    "_format",
    "_pretty",
    "_cursor",
    EXPLAIN,
    "Prefer-handling",
];
const HISTORY: &[&str] = &["_format", "_pretty", "_count", "_since", "_at", "_cursor"];
const ONE: &[&str] =
    &["_format", "_pretty", "_summary-of-one", "_elements", "If-None-Match", "If-Modified-Since"];
const CHANGE: &[&str] =
    &["_format", "_pretty", "Prefer", "If-Match", "If-None-Match-any", "Content-Encoding"];
const REMOVE: &[&str] = &["_format", "_pretty", "If-Match", "If-None-Match-any"];

static OPERATIONS: &[Operation] = &[
    Operation {
        route: "/metadata",
        name: "capabilities",
        summary: "What this server does (CapabilityStatement)",
        parameters: &["_format", "_pretty", "If-None-Match"],
        done: &[(200, "Statement"), (304, "Unchanged")],
        guard: Guard::Open,
        ..READ
    },
    Operation {
        route: "/openapi.json",
        name: "openapi",
        summary: "This document",
        parameters: &["_format", "_pretty", "If-None-Match"],
        done: &[(200, "Document"), (304, "Unchanged")],
        guard: Guard::Open,
        ..READ
    },
    Operation {
        route: "/.well-known/smart-configuration",
        name: "smart-configuration",
        summary: "How clients are authorized (SMART App Launch)",
        parameters: &[],
        done: &[(200, "Document")],
        refused: &[404],
        guard: Guard::Open,
        ..READ
    },
    Operation {
        route: "/",
        name: "search-system",
        summary: "A search over all types: not supported",
        ..ABSENT
    },
    Operation {
        method: "post",
        route: "/_search",
        name: "search-system-posted",
        summary: "A search over all types: not supported",
        ..ABSENT
    },
    Operation {
        route: "/_history",
        name: "history-system",
        summary: "Changes of all types, the newest first; de-identified resources tell none",
        parameters: HISTORY,
        done: &[(200, "Bundle")],
        refused: &[501],
        ..READ
    },
    Operation {
        method: "post",
        route: "/{type}",
        name: "operation-type-absent",
        summary: "Nothing is written here",
        refused: &[405, 501],
        when: When::Reading,
        ..ABSENT
    },
    Operation {
        method: "post",
        route: "/{type}/{id}",
        name: "operation-absent",
        summary: "An operation that is not supported",
        refused: &[405, 501],
        ..ABSENT
    },
    Operation {
        method: "post",
        route: "/{type}/{id}/{of}",
        name: "operation-instance-absent",
        summary: "An operation that is not supported",
        refused: &[405, 501],
        ..ABSENT
    },
    Operation {
        route: "/$export",
        name: "export-system",
        summary: "Begin an export of all that the client's system scopes cover (Bulk Data)",
        ..EXPORT
    },
    Operation {
        route: "/$export",
        name: "export-system-posted",
        summary: "Begin an export of all that the client's system scopes cover (Bulk Data); the parameters are in the body",
        ..EXPORT_POSTED
    },
    Operation {
        route: "/Patient/$export",
        name: "export-patients",
        summary: "Begin an export of what belongs to patients",
        ..EXPORT
    },
    Operation {
        route: "/Patient/$export",
        name: "export-patients-posted",
        summary: "Begin an export of what belongs to patients; the parameters are in the body",
        ..EXPORT_POSTED
    },
    Operation {
        route: "/Group/{id}/$export",
        name: "export-group",
        summary: "Begin an export of what belongs to the members of a group",
        ..EXPORT
    },
    Operation {
        route: "/Group/{id}/$export",
        name: "export-group-posted",
        summary: "Begin an export of what belongs to the members of a group; the parameters are in the body",
        ..EXPORT_POSTED
    },
    Operation {
        route: "/$export/{id}",
        name: "export-status",
        summary: "How far an export is, or what its files are",
        parameters: &[],
        done: &[(200, "Manifest"), (202, "InWork")],
        ..READ
    },
    Operation {
        method: "delete",
        route: "/$export/{id}",
        name: "export-end",
        summary: "End an export",
        parameters: &[],
        done: &[(202, "Ended")],
        ..READ
    },
    Operation {
        route: "/$export/{id}/{file}",
        name: "export-file",
        summary: "A file of an export: one resource a line",
        parameters: &[],
        done: &[(200, "Lines")],
        refused: &[429],
        ..READ
    },
    Operation { route: "/$graphql", name: "graphql", summary: "GraphQL: not supported", ..ABSENT },
    Operation {
        method: "post",
        route: "/$graphql",
        name: "graphql-posted",
        summary: "GraphQL: not supported",
        ..ABSENT
    },
    Operation {
        route: "/{type}/{id}/$graphql",
        name: "graphql-instance",
        summary: "GraphQL: not supported",
        ..ABSENT
    },
    Operation {
        route: "/{type}",
        name: "search",
        summary: "Search a type",
        parameters: SEARCH,
        searches: true,
        done: &[(200, "Bundle")],
        ..READ
    },
    Operation {
        method: "post",
        route: "/{type}/_search",
        name: "search-posted",
        summary: "Search a type; parameters of the address and of the form count together",
        parameters: SEARCH,
        searches: true,
        body: Some("{type}.search"),
        done: &[(200, "Bundle")],
        refused: &[413, 415],
        ..READ
    },
    Operation {
        route: "/{type}/_history",
        name: "history-type",
        summary: "Changes of a type, the newest first; de-identified resources tell none",
        parameters: HISTORY,
        done: &[(200, "Bundle")],
        ..READ
    },
    Operation {
        route: "/{type}/{id}",
        name: "read",
        summary: "Read a resource",
        parameters: ONE,
        done: &[(200, "Resource"), (304, "Unchanged")],
        refused: &[410, 501],
        ..READ
    },
    Operation {
        route: "/{type}/{id}/_history",
        name: "history-instance",
        summary: "Versions of a resource, the newest first",
        parameters: HISTORY,
        done: &[(200, "Bundle")],
        ..READ
    },
    Operation {
        route: "/{type}/{id}/_history/{version}",
        name: "vread",
        summary: "Read a version of a resource",
        parameters: ONE,
        done: &[(200, "Resource"), (304, "Unchanged")],
        refused: &[410],
        ..READ
    },
    Operation {
        route: "/{type}/{id}/$everything",
        name: "everything",
        summary: "A patient or an encounter with all that belongs to it",
        parameters: &["_format", "_pretty", "_count", "_cursor", "_type", "start", "end", "_since"],
        done: &[(200, "Bundle")],
        refused: &[410],
        ..READ
    },
    Operation {
        route: "/{type}/{id}/{of}",
        name: "search-compartment",
        summary: "Search a type in the compartment of a patient or an encounter, by the parameters of that type",
        parameters: SEARCH,
        done: &[(200, "Bundle")],
        refused: &[501],
        ..READ
    },
    Operation {
        route: "/",
        name: "batch",
        summary: "Batch or transaction",
        body: Some("Transaction"),
        done: &[(200, "Bundle")],
        refused: &[409, 410, 412, 413, 415, 422],
        ..WRITE
    },
    Operation {
        route: "/{type}",
        name: "create",
        summary: "Create a resource, where If-None-Exist finds none",
        parameters: &["_format", "_pretty", "Prefer", "If-None-Exist", "Content-Encoding"],
        body: Some("{type}"),
        done: &[(200, "Resource"), (201, "Created")],
        ..WRITE
    },
    Operation {
        method: "put",
        route: "/{type}",
        name: "update-conditional",
        summary: "Update the one resource that the criteria find, or create one where they find none",
        searches: true,
        parameters: CHANGE,
        body: Some("{type}"),
        done: &[(200, "Resource"), (201, "Created")],
        ..WRITE
    },
    Operation {
        method: "patch",
        route: "/{type}",
        name: "patch-conditional",
        summary: "Patch the one resource that the criteria find",
        searches: true,
        parameters: CHANGE,
        body: Some("Patch"),
        ..WRITE
    },
    Operation {
        method: "delete",
        route: "/{type}",
        name: "delete-conditional",
        summary: "Delete the one resource that the criteria find",
        searches: true,
        parameters: REMOVE,
        done: &[(204, "Nothing")],
        refused: &[409, 412],
        ..WRITE
    },
    Operation {
        method: "put",
        route: "/{type}/{id}",
        name: "update",
        summary: "Update a resource, or create it under this id",
        parameters: CHANGE,
        body: Some("Resource"),
        done: &[(200, "Resource"), (201, "Created")],
        ..WRITE
    },
    Operation {
        method: "patch",
        route: "/{type}/{id}",
        name: "patch",
        summary: "Patch a resource (RFC 6902)",
        parameters: CHANGE,
        body: Some("Patch"),
        refused: &[409, 410, 412, 413, 415, 422],
        ..WRITE
    },
    Operation {
        method: "delete",
        route: "/{type}/{id}",
        name: "delete",
        summary: "Delete a resource",
        parameters: REMOVE,
        done: &[(204, "Nothing")],
        refused: &[409, 412],
        ..WRITE
    },
    Operation {
        route: "/{type}/$validate",
        name: "validate",
        summary: "What a write of this resource would be told",
        parameters: &["_format", "_pretty", "Content-Encoding"],
        body: Some("Resource"),
        done: &[(200, "Outcome")],
        refused: &[413, 415, 422],
        ..WRITE
    },
    Operation {
        route: "/{type}/{id}/$validate",
        name: "validate-instance",
        summary: "What a write of this resource would be told",
        parameters: &["_format", "_pretty", "Content-Encoding"],
        body: Some("Resource"),
        done: &[(200, "Outcome")],
        refused: &[413, 415, 422],
        ..WRITE
    },
    Operation {
        route: "/{type}/{id}/$meta",
        name: "meta",
        summary: "Profiles, labels and tags of a resource",
        done: &[(200, "Parameters")],
        refused: &[410],
        when: When::Writing,
        ..READ
    },
];
