//! Element maps: a definition for each R4 type, and what a rule for it may be.

use super::{any_of, file_or_tests, grammar, map_key, object, pattern, reference, rule_key};
use crate::check::{MAP_KEYS, RULE_KEYS};
use fhir::Element;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Data types that a type map or an element may have, primitives apart.
const TEXT_MAP: &str = "text";
/// Definition of a map to an extension.
const EXTENSION_MAP: &str = "map.extension";
/// `us-core-race`.
const EXTENSION_NAME: &str = "[a-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*";

/// Named parts of a schema.
#[derive(Default)]
pub(super) struct Definitions(pub BTreeMap<String, Value>);

/// `segments/*.yaml`: `map` says of which resource the elements are, of which part of one or data type, or of which extension
/// the parts.
pub(super) fn segment_map() -> Value {
    let mut names: Vec<&str> = fhir::r4().resource_names().collect();
    names.extend(data_types());
    names.extend(parts(&names));
    let mut all = Definitions::default();
    let mut cases = all.cases(&names, true);
    all.extension_map();
    cases.push(case(&format!("-> {EXTENSION_NAME}$"), EXTENSION_MAP));
    map_file("Segment map", &names, cases, all)
}

/// `types/*.yaml`: maps to data types, to resources that are referred to, and to text.
pub(super) fn type_map() -> Value {
    let mut names: Vec<&str> = fhir::r4().resource_names().collect();
    names.extend(data_types());
    names.push(TEXT_MAP);
    let mut all = Definitions::default();
    let cases = all.cases(&names, false);
    map_file("Type map", &names, cases, all)
}

/// The rules of an event are of any resource; `message` does not know which.
pub(super) fn overrides() -> Definitions {
    let mut all = Definitions::default();
    all.any();
    all
}

/// A type that the value of an extension, or a part of it, has.
pub(super) fn type_name() -> Value {
    let mut names: Vec<&str> = value_types().into_iter().collect();
    names.push("Resource");
    json!({ "enum": names })
}

fn value_types() -> BTreeSet<&'static str> {
    let value = fhir::r4().children("Extension").iter().find(|element| element.is_choice());
    value.into_iter().flat_map(|element| element.types).map(|kind| kind.code).collect()
}

fn data_types() -> impl Iterator<Item = &'static str> {
    let is_complex = |name: &&str| !fhir::r4().is_primitive(name) && !fhir::r4().children(name).is_empty();
    value_types().into_iter().filter(is_complex)
}

/// The parts of these types that have elements of their own: `Patient.contact`.
fn parts(types: &[&'static str]) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open = types.to_vec();
    while let Some(parent) = open.pop() {
        for element in fhir::r4().children(parent).iter().filter(|element| !element.is_choice()) {
            let child = fhir::r4().property(parent, element.name).map(|found| found.child_path);
            if let Some(child) = child.filter(|child| child.contains('.') && found.insert(*child)) {
                open.push(child);
            }
        }
    }
    found
}

/// A map to one of these, or to an extension.
fn map_file(title: &str, names: &[&str], cases: Vec<Value>, all: Definitions) -> Value {
    let names: Vec<String> = names.iter().map(|name| name.replace('.', r"\.")).collect();
    let names = names.join("|");
    let head = pattern(&format!("{} -> (({names})(-[A-Za-z0-9]+)?|{EXTENSION_NAME})", grammar::SOURCE));
    let schema = json!({"type": "object", "required": ["map"], "properties": {"map": head}, "allOf": cases});
    file_or_tests(title, schema, all)
}

/// What a map whose head ends so is.
fn case(head: &str, definition: &str) -> Value {
    let of_this = json!({"properties": {"map": {"pattern": head}}, "required": ["map"]});
    json!({"if": of_this, "then": reference(definition)})
}

impl Definitions {
    /// A definition for a map to each of these. That of a segment to a resource needs its id.
    fn cases(&mut self, names: &[&str], of_segments: bool) -> Vec<Value> {
        let mut cases = Vec::new();
        for name in names {
            self.top(name);
            let definition = format!("map.{name}");
            if let (true, Some(schema)) =
                (of_segments && fhir::r4().is_resource(name), self.0.get_mut(&definition))
            {
                schema["required"] = json!(["id"]);
            }
            cases.push(case(&format!("-> {}(-[A-Za-z0-9]+)?$", name.replace('.', r"\.")), &definition));
        }
        cases
    }

    /// The whole file of a map to an extension with parts.
    fn extension_map(&mut self) {
        let properties = self.head();
        let schema = json!({"type": "object", "properties": properties, "additionalProperties": false,
            "patternProperties": {EXTENSION: reference("rule.any")}});
        self.0.insert(EXTENSION_MAP.to_owned(), schema);
    }

    /// The keys that a map has beside its elements.
    fn head(&mut self) -> Map<String, Value> {
        self.any();
        let mut properties: Map<String, Value> =
            MAP_KEYS.iter().map(|key| ((*key).to_owned(), map_key(key))).collect();
        properties.insert("$when".to_owned(), reference("value.condition"));
        properties
    }

    /// The whole file of a map to this type.
    fn top(&mut self, name: &str) {
        let mut properties = self.head();
        let schema = if name == TEXT_MAP {
            properties.insert("value".to_owned(), reference("rule.any"));
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        } else {
            self.with_elements(name, properties)
        };
        self.0.insert(format!("map.{name}"), schema);
    }

    /// The elements of a type as an object; `path` is a type or a backbone element.
    fn shape(&mut self, path: &str) {
        if self.0.contains_key(path) {
            return;
        }
        // In place before its elements, which may hold it again.
        self.0.insert(path.to_owned(), Value::Null);
        let schema = self.with_elements(path, control());
        self.0.insert(path.to_owned(), schema);
    }

    fn with_elements(&mut self, path: &str, mut properties: Map<String, Value>) -> Value {
        self.any();
        let mut names = Vec::new();
        for element in fhir::r4().children(path) {
            if element.name == "id" && properties.contains_key("id") {
                continue;
            }
            self.element(path, element, &mut properties);
            names.push(element.base_name());
        }
        let dotted = format!(r"^({})(\[x\]|[A-Z][A-Za-z0-9]*)?\.", names.join("|"));
        json!({"type": "object", "properties": properties, "additionalProperties": false,
            "patternProperties": {dotted: reference("rule.any"), EXTENSION: reference("rule.any")}})
    }

    /// The keys by which one element is named: its name, of a choice `value[x]` and with each type.
    fn element(&mut self, parent: &str, element: &Element, properties: &mut Map<String, Value>) {
        let rules: Vec<(String, String)> = element
            .types
            .iter()
            .map(|kind| {
                let name = match element.is_choice() {
                    true => format!("{}{}", element.base_name(), first_upper(kind.code)),
                    false => element.name.to_owned(),
                };
                let child = fhir::r4().property(parent, &name).map_or(kind.code, |found| found.child_path);
                let rule =
                    if fhir::r4().is_primitive(kind.code) { self.primitive() } else { self.rule(child) };
                (name, rule)
            })
            .collect();
        if element.is_choice() {
            // One list may hold rules for several of the types.
            let shapes: BTreeSet<&str> =
                rules.iter().filter_map(|(_, rule)| rule.strip_prefix("rule.")).collect();
            let name = format!("choice.{}", element.path.trim_end_matches("[x]"));
            self.rules(&name, shapes);
            properties.insert(element.name.to_owned(), reference(&name));
        }
        for (name, rule) in rules {
            properties.insert(name, reference(&rule));
        }
    }

    /// What may be written for an element with these children; the name of the definition.
    fn rule(&mut self, path: &str) -> String {
        let name = format!("rule.{path}");
        if !self.0.contains_key(&name) {
            self.0.insert(name.clone(), Value::Null);
            self.shape(path);
            self.rules(&name, [path]);
        }
        name
    }

    /// What may be written for a primitive: an element map holds extensions only.
    fn primitive(&mut self) -> String {
        let name = "rule.primitive".to_owned();
        if !self.0.contains_key(&name) {
            let schema = json!({"type": "object", "properties": control(), "additionalProperties": false,
                "patternProperties": {EXTENSION: reference("rule.any")}});
            self.0.insert("primitive".to_owned(), schema);
            self.rules(&name, ["primitive"]);
        }
        name
    }

    /// Where the type is not known.
    fn any(&mut self) {
        if !self.0.contains_key("rule.any") {
            let schema = json!({"type": "object", "properties": control(), "additionalProperties": false,
                "patternProperties": {r"^[a-z][A-Za-z0-9]*(\[x\])?(\.|$)": reference("rule.any"), EXTENSION: reference("rule.any")}});
            self.0.insert("any".to_owned(), schema);
            self.0.insert("from".to_owned(), object(RULE_KEYS, &["from"], rule_key));
            self.0.insert("value".to_owned(), grammar::value());
            self.0.insert("value.rule".to_owned(), grammar::rule());
            self.0.insert("value.path".to_owned(), grammar::path());
            self.0.insert("value.condition".to_owned(), grammar::condition());
            self.rules("rule.any", ["any"]);
        }
    }

    /// A string, a map with `from`, an element map, a dispatch, or a list of these.
    fn rules<'s>(&mut self, name: &str, shapes: impl IntoIterator<Item = &'s str>) {
        let by = json!({"type": "object", "required": ["$by"], "properties": {"$by": reference("value")},
            "additionalProperties": reference(name)});
        let list = json!({"type": "array", "items": reference(name)});
        let shapes = shapes.into_iter().map(reference);
        let forms = [reference("value.rule"), reference("from"), by, list].into_iter().chain(shapes);
        self.0.insert(name.to_owned(), any_of(forms));
    }
}

/// `ext:birthTime`, `ext:nationality.ext:code`.
const EXTENSION: &str = r"^ext:[A-Za-z]";

fn control() -> Map<String, Value> {
    [("$each", "value.path"), ("$when", "value.condition")]
        .into_iter()
        .map(|(key, form)| (key.to_owned(), reference(form)))
        .collect()
}

fn first_upper(code: &str) -> String {
    let mut letters = code.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
