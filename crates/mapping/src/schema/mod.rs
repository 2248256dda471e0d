//! JSON Schemas of the files of a package, for editors: the keys of the compiler, the element names of R4, the form of
//! values. What a schema lets pass the compiler still proves.

mod elements;
mod grammar;

use crate::check::{MATCH_KEYS, MESSAGE_KEYS, SITE_KEYS};
use crate::test_file::TEST_KEYS;
use elements::Definitions;
use grammar::{pattern, text};
use serde_json::{Map, Value, json};

/// The draft that the schemas are written in.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// A schema for each kind of file: its name (`segment`), the files it is for, and the schema.
pub fn schemas() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("package", "package.yaml", package()),
        ("message", "messages/*.yaml", message()),
        ("segment", "segments/*.yaml", elements::segment_map()),
        ("type", "types/*.yaml", elements::type_map()),
        ("code", "codes/*.yaml", code_table()),
        ("systems", "systems.yaml", systems()),
        ("extensions", "extensions.yaml", extensions()),
        ("ig", "ig.yaml", answers()),
        ("site", "sites/*/site.yaml", site()),
        ("test", "**/*.test.yaml", tests()),
    ]
}

/// An object with these keys and no other.
fn object(keys: &[&str], required: &[&str], of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// A schema of a whole file.
fn file(title: &str, mut schema: Value, definitions: Definitions) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), DRAFT.into());
        object.insert("title".to_owned(), title.into());
        if !definitions.0.is_empty() {
            object.insert("definitions".to_owned(), Value::Object(definitions.0.into_iter().collect()));
        }
    }
    schema
}

/// A schema of files beside which their tests lie: by the pattern of most editors both are one kind of file.
fn file_or_tests(title: &str, schema: Value, mut definitions: Definitions) -> Value {
    definitions.0.insert("tests".to_owned(), test_file());
    let schema = json!({"if": {"required": ["tests"]}, "then": reference("tests"), "else": schema});
    file(title, schema, definitions)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn any_of(list: impl IntoIterator<Item = Value>) -> Value {
    json!({ "anyOf": list.into_iter().collect::<Vec<_>>() })
}

/// One or a list.
fn some(one: Value) -> Value {
    any_of([one.clone(), json!({"type": "array", "items": one})])
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

/// Any keys, each with a text.
fn texts() -> Value {
    json!({"type": "object", "additionalProperties": text()})
}

fn package() -> Value {
    let keys = ["name", "version", "fhir", "v2", "doc"];
    file("Mapping package", object(&keys, &["name", "version"], |_| text()), Definitions::default())
}

fn message() -> Value {
    let schema = object(MESSAGE_KEYS, &["message"], |key| match key {
        "message" | "for" | "doc" => message_key(key),
        // What `extends` brings is removed so.
        _ => any_of([one_of(&["drop"]), message_key(key)]),
    });
    file_or_tests("Message file", schema, elements::overrides())
}

fn message_key(key: &str) -> Value {
    match key {
        "message" | "extends" => pattern("[A-Z][A-Z0-9]{2}(_[A-Z0-9]{3})?"),
        "for" => some(pattern(r"([A-Z][A-Z0-9]{2}\^)?([A-Z0-9]{3}|\*)?")),
        "require" => some(grammar::path()),
        "make" => json!({"type": ["object", "null"], "additionalProperties": some(made())}),
        "join_text" => one_of(&["OBX"]),
        "bundle" => one_of(&["transaction"]),
        "merge" => some(object(&["survivor", "retired"], &["survivor", "retired"], |_| handle())),
        "renumber" => some(object(&["now", "before"], &["now", "before"], |_| handle())),
        "move" => some(object(&["record", "from", "to"], &["record", "from", "to"], |_| handle())),
        "link" | "unlink" => handle(),
        "events" => json!({"type": "object", "additionalProperties": event()}),
        "ignore" => ignored(),
        _ => text(),
    }
}

fn handle() -> Value {
    pattern("[A-Za-z][A-Za-z0-9_]*")
}

/// `PID -> Patient`, or a map with a condition. `drop` removes what `extends` brings.
fn made() -> Value {
    let arrow = json!({"type": "string", "pattern": grammar::MADE});
    let guarded = object(&["map", "when", "unless", "mode"], &["map"], |key| match key {
        "map" => arrow.clone(),
        "mode" => one_of(&["merge", "replace", "transient"]),
        _ => grammar::condition(),
    });
    any_of([arrow.clone(), one_of(&["drop"]), guarded])
}

/// What a trigger event says: of handles by name, or an element of one (`visit.status`).
fn event() -> Value {
    let words = ["update", "replace", "clear", "keep", "skip", "undo"];
    let properties: Map<String, Value> = words
        .iter()
        .map(|key| ((*key).to_owned(), some(pattern(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z\[\]:_.-]+)?"))))
        .collect();
    let element = r"^[A-Za-z][A-Za-z0-9_]*\.(ext:)?[a-zA-Z]";
    any_of([
        json!({"type": "object", "properties": properties, "additionalProperties": false,
            "patternProperties": {element: reference("rule.any")}}),
        one_of(&["drop"]),
    ])
}

/// `PID-1 PID-2: reason`.
fn ignored() -> Value {
    json!({"type": "object", "additionalProperties": text(), "propertyNames": {"pattern": grammar::IGNORED}})
}

fn code_table() -> Value {
    let keys = ["code", "from", "to", "rows", "unmapped", "doc", "ig", "deviates"];
    let schema = object(&keys, &["code", "to", "rows"], |key| match key {
        "rows" => any_of([
            one_of(&["same"]),
            pattern(r"[A-Za-z0-9_.-]+\.csv"),
            json!({"type": "object", "additionalProperties": row()}),
        ]),
        "unmapped" => any_of([
            one_of(&["drop"]),
            object(&["emit", "keep", "level"], &[], |key| match key {
                "keep" => any_of([flag(), one_of(&["alone"])]),
                "level" => one_of(&["info", "warn", "error"]),
                _ => text(),
            }),
        ]),
        "ig" => some(text()),
        "deviates" => texts(),
        _ => text(),
    });
    file("Code table", schema, Definitions::default())
}

fn row() -> Value {
    let keys = ["code", "display", "system", "lossy", "keep"];
    let whole = object(&keys, &["code"], |key| if matches!(key, "lossy" | "keep") { flag() } else { text() });
    any_of([text(), whole])
}

fn systems() -> Value {
    let one = object(&["uri", "names", "kind", "doc"], &["uri"], |key| match key {
        "names" => some(text()),
        "kind" => one_of(&["code", "identifier", "other"]),
        "uri" => pattern("(https?://|urn:).+"),
        _ => text(),
    });
    file("Systems", json!({"type": "object", "additionalProperties": one}), Definitions::default())
}

fn extensions() -> Value {
    let one = object(&["url", "type", "parts", "context", "repeats", "doc"], &["url"], |key| match key {
        "type" => elements::type_name(),
        "parts" => json!({"type": "object", "additionalProperties": elements::type_name()}),
        "context" => some(text()),
        "repeats" => flag(),
        "url" => pattern("https?://.+"),
        _ => text(),
    });
    file("Extensions", json!({"type": "object", "additionalProperties": one}), Definitions::default())
}

fn answers() -> Value {
    let table = any_of([text(), texts()]);
    let tables = json!({"type": "object", "additionalProperties": table});
    let schema = object(&["messages", "segments", "types", "codes"], &[], |_| tables.clone());
    file("Answers to HL7's guide", schema, Definitions::default())
}

fn site() -> Value {
    let schema = object(SITE_KEYS, &["site"], |key| match key {
        "match" => object(MATCH_KEYS, &[], |_| text()),
        "extends" => one_of(&["base"]),
        "systems" => texts(),
        "facts" => json!({"type": "object", "additionalProperties": some(text())}),
        "segments" => {
            let fields = json!({"type": "object", "additionalProperties": text(), "propertyNames": {"pattern": "^[1-9][0-9]*$"}});
            let of =
                object(&["fields", "doc"], &[], |key| if key == "fields" { fields.clone() } else { text() });
            json!({"type": "object", "additionalProperties": of})
        }
        "codes" => {
            json!({"type": "object", "additionalProperties": {"type": "object", "additionalProperties": row()}})
        }
        "patch" => json!({"type": "object", "additionalProperties": {"type": "object"}}),
        "patient_index" => {
            object(&["trusted", "own", "doc"], &[], |key| if key == "doc" { text() } else { some(text()) })
        }
        _ => text(),
    });
    file("Site overlay", schema, Definitions::default())
}

fn tests() -> Value {
    file("Tests", test_file(), Definitions::default())
}

fn test_file() -> Value {
    let one = object(TEST_KEYS, &["name"], |key| match key {
        "name" | "doc" | "site" | "er7" | "input" | "merges" => text(),
        "reject" => one_of(&["unsupported", "required", "identity"]),
        "count" | "bundle" => json!({"type": "object"}),
        "expect" => json!({}),
        _ => some(text()),
    });
    let list = json!({"type": "array", "items": one, "minItems": 1});
    object(&["tests", "doc"], &["tests"], |key| if key == "tests" { list.clone() } else { text() })
}

/// The keys that a map has beside its elements.
fn map_key(key: &str) -> Value {
    match key {
        "reads" => some(pattern("[A-Z][A-Z0-9]{2}")),
        "id" => grammar::value(),
        "ig" => some(text()),
        "merge" => flag(),
        "ignore" => ignored(),
        _ => text(),
    }
}

/// The keys of a rule map.
fn rule_key(key: &str) -> Value {
    match key {
        "from" => reference("value.rule"),
        "as" => json!({"type": "string", "pattern": grammar::CONVERSION}),
        "code" => pattern("[A-Za-z0-9_.-]+"),
        "when" | "unless" => reference("value.condition"),
        "fill" | "set" => reference("any"),
        "unit" => reference("value"),
        "ref" | "keep" => flag(),
        "match" => texts(),
        _ => text(),
    }
}
