//! The schemas that editors complete and check with: each file of `mappings/` fits the one of its kind, and slips of the
//! pen do not.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Value, json};
use tidegate::package;

/// Keywords that the schemas use; another one would be passed over here, so it is refused.
const KEYWORDS: [&str; 16] = [
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "definitions",
    "enum",
    "if",
    "items",
    "minItems",
    "pattern",
    "patternProperties",
    "properties",
    "propertyNames",
    "required",
    "type",
];

/// Judges values by a schema. Patterns are compiled once.
struct Validator {
    root: Value,
    patterns: std::cell::RefCell<HashMap<String, Regex>>,
}

impl Validator {
    fn new(root: Value) -> Self {
        Self { root, patterns: std::cell::RefCell::default() }
    }

    fn fits(&self, value: &Value) -> bool {
        self.judge(&self.root, value)
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        let compiled = patterns
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).unwrap_or_else(|error| panic!("{error}")));
        compiled.is_match(text)
    }

    fn judge(&self, schema: &Value, value: &Value) -> bool {
        if let Some(verdict) = schema.as_bool() {
            return verdict;
        }
        let schema = schema.as_object().expect("a schema is an object or a boolean");
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = name.strip_prefix('#').expect("references stay in the file");
            let found = self.root.pointer(pointer).unwrap_or_else(|| panic!("{name} leads nowhere"));
            return self.judge(found, value);
        }
        schema.iter().all(|(keyword, of)| self.keyword(keyword, of, schema, value))
    }

    fn keyword(
        &self,
        keyword: &str,
        of: &Value,
        schema: &serde_json::Map<String, Value>,
        value: &Value,
    ) -> bool {
        let list = || of.as_array().expect("a list of schemas").iter();
        match keyword {
            "type" => is_of(of, value),
            "enum" => list().any(|one| one == value),
            "pattern" => {
                value.as_str().is_none_or(|text| self.matches(of.as_str().expect("a pattern"), text))
            }
            "anyOf" => list().any(|one| self.judge(one, value)),
            "allOf" => list().all(|one| self.judge(one, value)),
            "if" => {
                let branch = if self.judge(of, value) { "then" } else { "else" };
                schema.get(branch).is_none_or(|branch| self.judge(branch, value))
            }
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| self.judge(of, item))),
            "minItems" => {
                value.as_array().is_none_or(|items| items.len() as u64 >= of.as_u64().expect("a number"))
            }
            "required" => value
                .as_object()
                .is_none_or(|object| list().all(|name| object.contains_key(name.as_str().expect("a name")))),
            "propertyNames" => {
                value.as_object().is_none_or(|object| object.keys().all(|key| self.judge(of, &json!(key))))
            }
            "properties" | "patternProperties" | "additionalProperties" => {
                value.as_object().is_none_or(|object| self.members(keyword, of, schema, object))
            }
            "then" | "else" | "title" | "definitions" | "$schema" => true,
            other => panic!("the keyword {other} is not known here; there are {KEYWORDS:?}"),
        }
    }

    fn members(
        &self,
        keyword: &str,
        of: &Value,
        schema: &serde_json::Map<String, Value>,
        object: &serde_json::Map<String, Value>,
    ) -> bool {
        let patterns = || schema.get("patternProperties").and_then(Value::as_object);
        object.iter().all(|(key, value)| match keyword {
            "properties" => of.get(key).is_none_or(|one| self.judge(one, value)),
            "patternProperties" => {
                let all = of.as_object().expect("schemas by pattern");
                all.iter()
                    .filter(|(pattern, _)| self.matches(pattern, key))
                    .all(|(_, one)| self.judge(one, value))
            }
            _ => {
                let is_named = schema.get("properties").is_some_and(|named| named.get(key).is_some())
                    || patterns().is_some_and(|all| all.keys().any(|pattern| self.matches(pattern, key)));
                is_named || self.judge(of, value)
            }
        })
    }
}

fn is_of(kinds: &Value, value: &Value) -> bool {
    let is_one = |kind: &Value| match kind.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    };
    kinds.as_array().map_or_else(|| is_one(kinds), |kinds| kinds.iter().any(is_one))
}

fn validators() -> HashMap<&'static str, Validator> {
    mapping::schemas().into_iter().map(|(kind, _, schema)| (kind, Validator::new(schema))).collect()
}

/// The kind of a file of a package.
fn kind_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let rest = if parts[0] == "sites" { &parts[2..] } else { &parts[..] };
    match rest {
        [.., name] if !name.ends_with(".yaml") => None,
        [.., name] if name.ends_with(".test.yaml") => Some("test"),
        ["messages", _] => Some("message"),
        ["segments", _] => Some("segment"),
        ["types", _] => Some("type"),
        ["codes", _] => Some("code"),
        ["site.yaml"] => Some("site"),
        ["package.yaml"] => Some("package"),
        ["systems.yaml"] => Some("systems"),
        ["extensions.yaml"] => Some("extensions"),
        ["ig.yaml"] => Some("ig"),
        _ => panic!("{path} is of no kind"),
    }
}

/// As an editor reads it: numbers and booleans are no texts.
fn read(path: &str, text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_file_of_the_package_fits_the_schema_of_its_kind() {
    let validators = validators();
    let files = package::read_folder(&harness::root().join("mappings")).expect("mappings/ can be read");
    let mut wrong = Vec::new();
    let mut kinds = std::collections::BTreeSet::new();
    for (path, text) in &files {
        let Some(kind) = kind_of(path) else { continue };
        kinds.insert(kind);
        let value = read(path, text);
        // Editors find schemas by patterns, and a test lies where its map does.
        let beside = ["message", "segment", "type"].into_iter().filter(|_| kind == "test");
        if !beside.chain([kind]).all(|kind| validators[kind].fits(&value)) {
            wrong.push(path);
        }
    }
    assert!(kinds.len() >= 9, "only {kinds:?} were looked at");
    assert!(wrong.is_empty(), "these do not fit: {wrong:#?}");
}

#[test]
fn a_misspelt_key_or_value_does_not_fit() {
    let right = [
        ("segment", "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate: PID-7 as date\n"),
        ("segment", "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate.ext:birthTime: PID-7 as dateTime\n"),
        (
            "segment",
            "map: OBX -> Observation\nid: uuid(OBX-3)\nvalue[x]: {$by: OBX-2, NM: OBX-5 as NM.Quantity, else: OBX-5 as text}\n",
        ),
        (
            "segment",
            "map: PID -> Patient\nid: uuid(PID-3~1)\ncontact: {$each: NK1*, name: NK1-2* as XPN.HumanName}\n",
        ),
        (
            "segment",
            "map: NK1 -> Patient.contact-person\n$when: NK1-2\ngender: NK1-15 code administrative-gender\n",
        ),
        ("segment", "map: PID -> us-core-race\next:text: {from: PID-10*.2, join: x}\n"),
        (
            "segment",
            "map: PID -> Patient\nid: uuid(PID-3~1)\next:note: [NTE* as NTE.Annotation, PID as PID.us-core-race]\n",
        ),
        ("type", "map: XPN -> HumanName\nfamily: XPN.1.1\ngiven: [XPN.2, {from: XPN.3, when: XPN.7 = L}]\n"),
        (
            "message",
            "message: ADT_A01\nfor: [A01]\nmake: {patient: PID -> Patient}\nevents: {A01: {patient.active: =true}}\n",
        ),
        (
            "code",
            "code: t\nto: http://example.org\nrows: {A: x~, B: {code: y, lossy: true}}\nunmapped: drop\n",
        ),
        ("test", "tests:\n  - {name: n, input: x, expect: {birthDate: 1970}}\n"),
    ];
    let slips = [
        ("birthDate", "birthDat"),
        ("gender: NK1", "gendr: NK1"),
        ("Patient.contact-person", "Patient.contct"),
        ("ext:text", "etx:text"),
        ("NTE* as NTE.Annotation", "NTE* as NTE..Annotation"),
        ("birthDate.ext", "birthDat.ext"),
        ("$by", "$bi"),
        ("$each: NK1*, name", "$each: NK1*, nam"),
        ("when", "wen"),
        ("patient.active", "patient"),
        ("lossy", "losy"),
        ("expect", "expects"),
        ("PID-7 as date", "PID-7 az date"),
        ("uuid(", "uid("),
        ("PID -> Patient}", "PID - Patient}"),
    ];
    let validators = validators();
    let fits = |kind: &str, text: &str| validators[kind].fits(&read(kind, text));
    for (kind, text) in right {
        assert!(fits(kind, text), "{text}");
    }
    for (good, slip) in slips {
        let (kind, text) = right.iter().find(|(_, text)| text.contains(good)).expect("an example has it");
        assert!(!fits(kind, &text.replacen(good, slip, 1)), "{slip} fits in {text}");
    }
}

/// What an editor offers while somebody types `birthD`.
#[test]
fn element_names_of_the_map_s_type_are_offered() {
    let (_, _, schema) = mapping::schemas().into_iter().find(|(kind, ..)| *kind == "segment").expect("there");
    let offered = |of: &str| -> Vec<String> {
        let properties = schema.pointer(&format!("/definitions/{of}/properties")).expect("a definition");
        properties.as_object().expect("an object").keys().cloned().collect()
    };
    let patient = offered("map.Patient");
    for name in ["birthDate", "deceased[x]", "deceasedBoolean", "ignore", "$when"] {
        assert!(patient.iter().any(|offered| offered == name), "{name} is not offered: {patient:?}");
    }
    assert!(!patient.contains(&"valueQuantity".to_owned()));
    assert!(
        offered("Patient.contact").contains(&"relationship".to_owned()),
        "a backbone element has its own"
    );
    let unfinished = serde_json::to_string(&schema).expect("a value is JSON");
    assert!(!unfinished.contains(":null"), "a definition was left open");
}
