//! Identifiers of a clinical resource, by the names of its properties.

use serde_json::{Map, Value};

use super::IdentifierKind;

/// Most levels that are searched.
const DEPTH_MAX: usize = 64;

/// Calls back with each identifier found.
pub(super) fn collect(resource: &Value, found: &mut dyn FnMut(IdentifierKind, &str)) {
    walk(resource, "", 0, found);
}

fn walk(value: &Value, key: &str, depth: usize, found: &mut dyn FnMut(IdentifierKind, &str)) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, key, depth + 1, found)),
        Value::Object(map) => {
            object(map, key, found);
            map.iter().for_each(|(key, value)| walk(value, key, depth + 1, found));
        }
        Value::String(text) => leaf(key, text, found),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Data types that are known by their place: Identifier, ContactPoint, Address, HumanName.
fn object(map: &Map<String, Value>, key: &str, found: &mut dyn FnMut(IdentifierKind, &str)) {
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    if is_identifier(map, key)
        && let Some(value) = text("value")
    {
        found(IdentifierKind::Number, value);
    }
    if key == "telecom"
        && let Some(value) = text("value")
    {
        let mail = text("system") == Some("email") || value.contains('@');
        found(if mail { IdentifierKind::Email } else { IdentifierKind::Phone }, value);
    }
    if key.to_lowercase().ends_with("address") {
        strings(map, "line").for_each(|line| found(IdentifierKind::Street, line));
        text("text").into_iter().for_each(|text| found(IdentifierKind::Street, text));
    }
    if map.contains_key("family") || map.contains_key("given") {
        let family = text("family").unwrap_or_default();
        let given: Vec<&str> = strings(map, "given").collect();
        [family].iter().chain(&given).for_each(|part| found(IdentifierKind::Name, part));
        found(IdentifierKind::Name, &format!("{} {family}", given.join(" ")));
        text("text").into_iter().for_each(|text| found(IdentifierKind::Name, text));
    }
}

fn is_identifier(map: &Map<String, Value>, key: &str) -> bool {
    let named = ["identifier", "masterIdentifier", "groupIdentifier", "requisition", "accessionIdentifier"]
        .contains(&key);
    named || (map.contains_key("value") && map.contains_key("assigner"))
}

fn strings<'a>(map: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a str> {
    map.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn leaf(key: &str, text: &str, found: &mut dyn FnMut(IdentifierKind, &str)) {
    match key {
        "birthDate" | "deceasedDateTime" => found(IdentifierKind::Date, text),
        "subscriberId" | "serialNumber" | "lotNumber" | "distinctIdentifier" | "preAuthRef" => {
            found(IdentifierKind::Number, text);
        }
        _ => {}
    }
}
