//! Parameters: those of addresses and headers, those of results, and the search parameters of each type.

use fhir::{ResourceType, SearchKind};
use serde_json::{Map, Value, json};

use crate::capacity::{CURSOR_CHARS_MAX, SEARCH_BYTES_MAX};
use crate::interaction::explain::{EXPLAIN, is_offered};
use crate::interaction::registry::{own_parameters, serves_lists, usable};
use crate::interaction::search::PAGE_MAX;
use crate::server::{Fhir, Role};

/// Form of a resource id.
pub(super) const ID: &str = "^[A-Za-z0-9.-]{1,64}$";
/// Form of an entity tag of this server.
const TAG: &str = r#"^(W/)?"[0-9]+"$"#;
/// Characters of a sealed cursor: base64url.
const CURSOR: &str = "^[A-Za-z0-9_-]+$";
/// Characters of a text: as many are within half of the limit, which is of bytes and of all parameters together, whatever
/// they are.
const TEXT_CHARS_MAX: usize = SEARCH_BYTES_MAX / 2 / char::MAX.len_utf8();
/// Kinds of search parameters.
pub(super) const KINDS: [SearchKind; 9] = [
    SearchKind::Composite,
    SearchKind::Date,
    SearchKind::Number,
    SearchKind::Quantity,
    SearchKind::Reference,
    SearchKind::Special,
    SearchKind::String,
    SearchKind::Token,
    SearchKind::Uri,
];

/// A reference to a shared parameter.
pub(super) fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// The search parameters of a type: name of the shared parameter, and its kind.
pub(super) fn of_search(
    of: ResourceType,
    fhir: &Fhir,
    role: &Role,
) -> impl Iterator<Item = (String, SearchKind)> {
    let own = own_parameters(role).iter().copied();
    let list = serves_lists(&fhir.types, role).then_some(("_list", SearchKind::Special));
    let of_type = usable(of, fhir, role).into_iter().map(|parameter| (parameter.code, parameter.kind));
    own.chain(list).chain(of_type).map(move |(code, kind)| (shared_name(of, code), kind))
}

/// A parameter that all types have is shared by them.
fn shared_name(of: ResourceType, code: &str) -> String {
    if code.starts_with('_') { code.to_owned() } else { format!("{of}.{code}") }
}

/// Every parameter by its name.
pub(super) fn shared(fhir: &Fhir, role: &Role) -> Map<String, Value> {
    let mut all = Map::new();
    let offered = fixed(fhir).into_iter().filter(|(name, ..)| *name != EXPLAIN || is_offered(role));
    for (name, place, told, schema) in offered {
        let (own, _) = name.split_once("-of-").or_else(|| name.split_once("-any")).unwrap_or((name, ""));
        let own = if own.starts_with("Prefer-") { "Prefer" } else { own };
        let mut parameter = json!({"name": own, "in": place, "description": told, "schema": schema});
        if place == "path" || name == "Prefer-async" {
            parameter["required"] = json!(true);
        }
        all.insert(name.to_owned(), parameter);
    }
    for of in &fhir.types {
        for parameter in usable(*of, fhir, role) {
            let described =
                search_parameter(parameter.code, parameter.kind, parameter.modifiers(role.audience));
            all.insert(shared_name(*of, parameter.code), described);
        }
    }
    for (code, kind) in own_parameters(role) {
        all.insert((*code).to_owned(), search_parameter(code, *kind, &["missing"]));
    }
    if serves_lists(&fhir.types, role) {
        all.insert("_list".to_owned(), search_parameter("_list", SearchKind::Special, &[]));
    }
    all
}

fn search_parameter(code: &str, kind: SearchKind, modifiers: &[&str]) -> Value {
    json!({
        "name": code,
        "in": "query",
        "description": "Values by comma are alternatives; given again, both hold.",
        "schema": {"$ref": format!("#/components/schemas/search.{}", kind.as_str())},
        "x-fhir-type": kind.as_str(),
        "x-fhir-modifiers": modifiers,
    })
}

/// Name, place, what it means, schema.
type Fixed = (&'static str, &'static str, &'static str, Value);

/// Parameters that are no search parameter of a type. What follows `-of-` or `-any` tells two of one name apart.
fn fixed(fhir: &Fhir) -> Vec<Fixed> {
    let types: Vec<&str> = fhir.types.iter().map(|of| of.as_str()).collect();
    let text = || json!({"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX});
    let instant = || json!({"type": "string", "examples": ["2026-01-01T00:00:00Z"]});
    let mut all = vec![
        ("type", "path", "A resource type.", json!({"type": "string", "enum": types})),
        ("of", "path", "A resource type of the compartment.", json!({"type": "string", "enum": types})),
        ("id", "path", "The resource's id.", json!({"type": "string", "pattern": ID})),
        (
            "version",
            "path",
            "Number of a version.",
            json!({"type": "string", "pattern": "^[1-9][0-9]{0,9}$"}),
        ),
        ("file", "path", "Number of a file.", json!({"type": "string", "pattern": "^[1-9][0-9]{0,9}$"})),
        ("_type", "query", "Resource types by comma.", text()),
        (
            "_typeFilter",
            "query",
            "Searches of one type each (Type?parameter=value) by comma; escaped.",
            text(),
        ),
        (
            "_outputFormat",
            "query",
            "Format of the files.",
            json!({"type": "string", "enum": ["application/fhir+ndjson", "application/ndjson", "ndjson"]}),
        ),
        ("start", "query", "Care given from this date on.", instant()),
        ("end", "query", "Care given until this date.", instant()),
        ("_since", "query", "Changed from this instant on.", instant()),
        ("_at", "query", "Versions that were current at some time of this date or instant.", instant()),
    ];
    all.extend(of_results());
    all.extend(of_headers());
    all
}

/// Parameters of what is answered.
fn of_results() -> Vec<Fixed> {
    let formats = ["json", "application/fhir+json", "application/json+fhir", "application/json", "text/json"];
    let texts = || json!({"type": "array", "items": {"type": "string", "minLength": 1}});
    let count =
        json!({"type": "integer", "minimum": 0, "description": format!("Over {PAGE_MAX} it is {PAGE_MAX}.")});
    let cursor = json!({"type": "string", "pattern": CURSOR, "minLength": 1, "maxLength": CURSOR_CHARS_MAX});
    vec![
        (
            "_format",
            "query",
            "Representation; it wins over Accept.",
            json!({"type": "string", "enum": formats}),
        ),
        ("_pretty", "query", "Whether the JSON is indented.", json!({"type": "boolean"})),
        (
            EXPLAIN,
            "query",
            "How the search was driven, in an outcome.",
            json!({"type": "string", "enum": ["plan"]}),
        ),
        ("_count", "query", "Matches on a page; 0 asks for the total alone.", count),
        ("_cursor", "query", "Out of a link of this server; it goes with _format and _pretty alone.", cursor),
        (
            "_sort",
            "query",
            "Keys by comma, a minus before one where the greatest comes first.",
            json!({"type": "string", "minLength": 1}),
        ),
        (
            "_total",
            "query",
            "How much the total may cost.",
            json!({"type": "string", "enum": ["none", "estimate", "accurate"]}),
        ),
        (
            "_summary",
            "query",
            "Which part is told.",
            json!({"type": "string", "enum": ["true", "false", "text", "data", "count"]}),
        ),
        (
            "_summary-of-one",
            "query",
            "Which part is told.",
            json!({"type": "string", "enum": ["true", "false", "text", "data"]}),
        ),
        (
            "_elements",
            "query",
            "Elements by comma; those that must be there come along.",
            json!({"type": "string", "minLength": 1}),
        ),
        (
            "_include",
            "query",
            "What matches refer to: Type:parameter, as searchInclude of the CapabilityStatement lists.",
            texts(),
        ),
        (
            "_revinclude",
            "query",
            "What refers to matches: Type:parameter, as searchRevInclude of the CapabilityStatement lists.",
            texts(),
        ),
    ]
}

/// Headers that conditions and preferences stand in.
fn of_headers() -> Vec<Fixed> {
    let tag = |text: &'static str| {
        ("If-Match", "header", text, json!({"type": "string", "anyOf": [{"const": "*"}, {"pattern": TAG}]}))
    };
    vec![
        ("If-None-Match", "header", "304 where one of these versions stands.", json!({"type": "string"})),
        ("If-Modified-Since", "header", "304 where nothing changed since.", json!({"type": "string"})),
        tag("Only where this version stands, or anything with `*`."),
        (
            "If-None-Match-any",
            "header",
            "Only where nothing stands.",
            json!({"type": "string", "const": "*"}),
        ),
        (
            "If-None-Exist",
            "header",
            "Search criteria; where they find one, it is answered and nothing made.",
            json!({"type": "string"}),
        ),
        (
            "Prefer",
            "header",
            "What the answer holds. `return=minimal` asks for none at all (R4, http §3.1.0.1.9); the answers of this document \
             have a body.",
            json!({"type": "string", "enum": ["return=representation", "return=OperationOutcome"]}),
        ),
        (
            "Prefer-handling",
            "header",
            "Whether what is not supported is refused or left out and told.",
            json!({"type": "string", "enum": ["handling=strict", "handling=lenient"]}),
        ),
        (
            "Prefer-async",
            "header",
            "That it is answered later.",
            json!({"type": "string", "const": "respond-async"}),
        ),
        (
            "Content-Encoding",
            "header",
            "How the body is packed.",
            json!({"type": "string", "enum": ["identity", "gzip"]}),
        ),
    ]
}
