//! `GET [base]/metadata`: what this server does, from the element table and the routes (R4, http §3.1.0.11).

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use fhir::{Audience, ResourceType, SearchKind};
use serde_json::{Value, json};
use store::{COUNTED_MAX, EXAMINED_MAX, INCLUDED_MAX, LINKED_MAX, ORDERED_MAX};

use super::binary::is_binary;
use super::compartment::COMPARTMENTS;
use super::controls::{INCLUDES_MAX, SORT_KEYS_MAX};
use super::registry::{includes, own_parameters, reverse_includes, serves_lists, usable};
use super::search::{PAGE_DEFAULT, PAGE_MAX};
use super::smart_configuration::security;
use super::{Shared, not_modified, ok, presentation};
use crate::capacity::HOPS_MAX;
use crate::headers::Validators;
use crate::outcome::Failure;
use crate::server::{Fhir, Role};
use crate::time::Precision;

/// Date of the last change to what this module states.
const STATED_AT: &str = "2026-11-30";
/// Where the operations of R4 are defined.
const OPERATIONS: &str = "http://hl7.org/fhir/OperationDefinition/";
/// Where the export of Bulk Data is defined.
const EXPORTS: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/";
/// What a Binary is.
const BINARY: &str = "Given as its own content unless Accept or _format name application/fhir+json (or application/json, of \
    content that is not JSON); where clients may write, a body of any other media type becomes a Binary, whose \
    X-Security-Context is kept as securityContext. A client of scopes sees a Binary by id if it sees its securityContext, \
    and searches none.";
/// Bytes of the hash in the entity tag.
const TAG_BYTES: usize = 8;
/// Open to all: a client reads it before it has a token, and it tells nothing of any resource.
pub(crate) async fn capabilities(
    State(server): Shared,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let form = presentation(query.as_deref(), &headers)?;
    let statement = server.capabilities.now(&server.fhir, || statement(&server.fhir, server.role));
    let tag = tag_of(&statement);
    let validators = Validators { tag, modified: None, answers_modified_since: false };
    if validators.unchanged(&headers) {
        return Ok(not_modified(&validators));
    }
    Ok(ok(statement.to_vec(), form, Some(&validators)))
}

/// The entity tag of a document.
pub(super) fn tag_of(document: &[u8]) -> String {
    digest(&SHA256, document).as_ref().iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// The CapabilityStatement of a role as it is now, canonical JSON.
pub(crate) fn statement(fhir: &Fhir, role: &Role) -> Bytes {
    let writes = writes(fhir, role);
    let resources: Vec<Value> = fhir.types.iter().map(|of| resource(*of, fhir, role, writes)).collect();
    let mut rest = json!({
        "mode": "server",
        "documentation": documentation(role),
        "security": security(fhir),
    });
    if !resources.is_empty() {
        rest["resource"] = Value::Array(resources);
        let definition =
            |of: &&str| format!("http://hl7.org/fhir/CompartmentDefinition/{}", of.to_lowercase());
        rest["compartment"] = json!(COMPARTMENTS.iter().map(definition).collect::<Vec<_>>());
    }
    rest["operation"] = json!([export("export")]);
    let mut interactions = Vec::new();
    if writes {
        interactions.extend(["transaction", "batch"]);
    }
    if role.precision == Precision::Exact {
        interactions.push("history-system");
    }
    if !interactions.is_empty() {
        rest["interaction"] = interactions.into_iter().map(|code| json!({"code": code})).collect();
    }
    let mut statement = json!({
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
    if writes {
        statement["patchFormat"] = json!(["application/json-patch+json"]);
    }
    Bytes::from(::fhir::canonical_json(&statement))
}

/// Whether resources are changed through this surface.
#[cfg(feature = "clinical")]
pub(crate) fn writes(fhir: &Fhir, role: &Role) -> bool {
    role.writes && fhir.writes.is_some()
}

#[cfg(not(feature = "clinical"))]
pub(crate) fn writes(_: &Fhir, role: &Role) -> bool {
    role.writes
}

/// What searching here means, with its limits.
fn documentation(role: &Role) -> String {
    let history = match role.precision {
        Precision::Exact => {
            "Histories are of a resource, of a type and of all, in the order of the changes, with _since (an instant) and _at (a date or an instant)."
        }
        Precision::Year => {
            "Histories are of a resource alone and tell no instant; _lastUpdated is no parameter and dates are years. A total from 1 to \
            10 is not told, but to who sees one patient's resources alone."
        }
    };
    let (handling, texts) = match role.audience {
        Audience::Identified => (
            "is refused with 400; under Prefer: handling=lenient it is left out, of the self link too, and an outcome entry \
            says so (a value that cannot be read is refused all the same)",
            ":text (beginnings of words) of tokens, :of-type of identifiers, :identifier of references, ",
        ),
        Audience::Deidentified => ("is refused with 400, also under Prefer: handling=lenient", ""),
    };
    format!(
        "Search is strict: a parameter, modifier, prefix, sort key, include or value that is not supported {handling}. \
        Modifiers: {texts}:not of tokens, :exact and :contains of strings, :[type] of references, :below and :above of uris \
        by the segments of a path, :missing of all but composites, and is about what the index holds. Codes match whatever \
        their case. Chains and _has follow at most {HOPS_MAX} references over the parameters stated here and look at no more \
        than {LINKED_MAX} resources behind those of one page. A quantity with a UCUM unit is compared with every unit of its \
        dimension in the server's table, a bound (<5) by all that it can be. A date without a zone is UTC. Result parameters: \
        _count ({PAGE_DEFAULT} unless given, at most {PAGE_MAX}; 0 for the total alone), _sort (at most {SORT_KEYS_MAX} keys; \
        an order that no index begins with takes at most {ORDERED_MAX} candidates; references stand in the order in which \
        their targets were first spoken of), _include and _revinclude (at most {INCLUDES_MAX}, also :iterate, at most \
        {INCLUDED_MAX} resources a page), _total (accurate up to {COUNTED_MAX}; estimate works out of a sample), _summary, \
        _elements, _format, _pretty. A page ends when {EXAMINED_MAX} resources were looked at and says so; its next link goes \
        on. Not here: XML, GraphQL, a search over all types, _filter, _text, _content, near, and :in, :not-in, :above and :below of \
        tokens. {history}"
    )
}

/// The export of Bulk Data at a level.
fn export(definition: &str) -> Value {
    json!({"name": "export", "definition": format!("{EXPORTS}{definition}")})
}

/// What of a type can be searched by now. What a package defines is told by its canonical.
fn parameters(of: ResourceType, fhir: &Fhir, role: &Role) -> Vec<Value> {
    let own = own_parameters(role).iter().copied();
    let list = serves_lists(&fhir.types, role).then_some(("_list", SearchKind::Special));
    let plain = |code: &str, kind: SearchKind| json!({"name": code, "type": kind.as_str()});
    let own = own.chain(list).map(|(code, kind)| plain(code, kind));
    let of_type = usable(of, fhir, role).into_iter().map(|parameter| {
        let mut stated = plain(parameter.code, parameter.kind);
        if let Some(custom) = parameter.custom {
            stated["definition"] = json!(custom.url);
        }
        stated
    });
    own.chain(of_type).collect()
}

fn resource(of: ResourceType, fhir: &Fhir, role: &Role, writes: bool) -> Value {
    let parameters = parameters(of, fhir, role);
    let mut interactions = vec!["read", "vread", "history-instance"];
    if role.precision == Precision::Exact {
        interactions.push("history-type");
    }
    interactions.push("search-type");
    if writes {
        interactions.extend(["create", "update", "patch", "delete"]);
    }
    let interactions: Vec<Value> = interactions.into_iter().map(|code| json!({"code": code})).collect();
    let mut stated = json!({
        "type": of.as_str(),
        "interaction": interactions,
        "versioning": "versioned",
        "readHistory": true,
        "updateCreate": writes,
        "conditionalCreate": writes,
        "conditionalRead": if role.precision == Precision::Exact { "full-support" } else { "not-match" },
        "conditionalUpdate": writes,
        "conditionalDelete": if writes { "single" } else { "not-supported" },
        "searchParam": parameters,
    });
    if is_binary(of) {
        stated["documentation"] = json!(BINARY);
    }
    let mut operations = Vec::new();
    if COMPARTMENTS.contains(&of.as_str()) {
        operations.push(json!({"name": "everything", "definition": format!("{OPERATIONS}{of}-everything")}));
    }
    match of.as_str() {
        "Patient" => operations.push(export("patient-export")),
        "Group" => operations.push(export("group-export")),
        _ => {}
    }
    if writes {
        let operation =
            |name: &str| json!({"name": name, "definition": format!("{OPERATIONS}Resource-{name}")});
        operations.extend([operation("validate"), operation("meta")]);
    }
    if !operations.is_empty() {
        stated["operation"] = Value::Array(operations);
    }
    let forward: Vec<String> =
        includes(of, &usable(of, fhir, role)).iter().map(|code| format!("{of}:{code}")).collect();
    if !forward.is_empty() {
        stated["searchInclude"] = json!(forward);
    }
    let reverse = reverse_includes(of, fhir, role);
    if !reverse.is_empty() {
        stated["searchRevInclude"] =
            reverse.iter().map(|(source, code)| json!(format!("{source}:{code}"))).collect();
    }
    stated
}
