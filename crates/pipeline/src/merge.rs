//! Merge what one message says into what stands, element by element (HL7 v2 update semantics).
//!
//! Absent keeps, a value replaces the element whole, the HL7 null removes it. Exceptions that add:
//! extensions are merged by `url`, and `Patient.link` only grows, since each merge message names one pair. A patient's
//! identifiers are replaced authority by authority, for each feed knows only some of them. Elements that
//! a message only fills ([`ResourceSet::fills`]) never replace what stands.

use mapping::{Mode, ResourceSet};
use serde_json::{Map, Value};

/// Elements that say who and what the resource is; a message can neither remove nor merge them.
const FIXED: [&str; 2] = ["resourceType", "id"];

/// The resource after `set`, given what stood (`None`: nothing, or deleted). Where nothing stood, what the set holds is
/// taken out of it and not copied: it may be a large document.
pub fn merge(current: Option<&Value>, set: &mut ResourceSet) -> Value {
    let (Some(Value::Object(standing)), Mode::Merge) = (current, set.mode) else {
        return without_removed(std::mem::take(&mut set.resource), &set.removals);
    };
    let mut next = standing.clone();
    let is_patient = set.resource_type.as_str() == "Patient";
    if let Value::Object(said) = &set.resource {
        let says = |name: &str| {
            (is_patient && name == "identifier")
                || !(set.fills.iter().any(|fill| fill == name) && standing.contains_key(name))
        };
        for (name, value) in said.iter().filter(|(name, _)| says(name)) {
            match (name.as_str(), next.get_mut(name), value) {
                ("identifier", Some(Value::Array(standing)), Value::Array(said)) if is_patient => {
                    *standing = identifiers(standing, said, &set.fills);
                }
                _ => merge_element(&mut next, name, value),
            }
        }
    }
    if set.resource_type.as_str() == "Encounter" {
        crate::visit::keep_history(standing, &mut next, set);
    }
    remove_all(&mut next, &set.removals);
    Value::Object(next)
}

fn merge_element(next: &mut Map<String, Value>, name: &str, value: &Value) {
    match (name, next.get_mut(name), value) {
        ("extension", Some(Value::Array(standing)), Value::Array(said)) => merge_by(standing, said, "url"),
        ("link", Some(Value::Array(standing)), Value::Array(said)) => union(standing, said),
        _ => {
            next.insert(name.to_owned(), value.clone());
        }
    }
}

/// A patient's identifiers are a union over authorities: those of an authority that the message speaks about are
/// replaced where they stand, or kept when it may only fill them.
fn identifiers(standing: &[Value], said: &[Value], fills: &[String]) -> Vec<Value> {
    let system = |one: &Value| one.get("system").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_filled = |system: &str| {
        fills.iter().any(|fill| fill == "identifier" || fill.strip_prefix("identifier:") == Some(system))
    };
    let of = |wanted: &str| said.iter().filter(|one| system(one) == wanted).cloned().collect::<Vec<_>>();
    let mut next: Vec<Value> = Vec::new();
    let mut done: Vec<String> = Vec::new();
    for one in standing {
        let system = system(one);
        let replacing = if is_filled(&system) { Vec::new() } else { of(&system) };
        if replacing.is_empty() {
            next.push(one.clone());
        } else if !done.contains(&system) {
            next.extend(replacing);
        }
        done.push(system);
    }
    next.extend(said.iter().filter(|one| !done.contains(&system(one))).cloned());
    next
}

/// The survivor of two patients that are one: what stands of it, and what only the retired has.
pub fn join(survivor: Option<&Value>, retired: Value, id: &str) -> Value {
    let (Some(Value::Object(standing)), Value::Object(retired)) = (survivor, &retired) else {
        let mut alone = retired;
        if let Value::Object(map) = &mut alone {
            map.insert("id".to_owned(), Value::String(id.to_owned()));
        }
        return alone;
    };
    let mut next = standing.clone();
    for (name, value) in retired {
        match (name.as_str(), next.get_mut(name), value) {
            ("identifier" | "link", Some(Value::Array(standing)), Value::Array(more)) => {
                let known = standing.clone();
                standing.extend(
                    more.iter().filter(|one| !known.iter().any(|old| is_same_number(old, one))).cloned(),
                );
            }
            ("extension", Some(Value::Array(standing)), Value::Array(more)) => {
                let known = standing.clone();
                let is_new = |one: &&Value| !known.iter().any(|old| old.get("url") == one.get("url"));
                standing.extend(more.iter().filter(is_new).cloned());
            }
            (_, Some(_), _) => {}
            (_, None, _) => {
                next.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(next)
}

/// Two identifiers of one number, or two equal links.
pub fn is_same_number(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| Some((value.get("system").cloned(), value.get("value")?.clone()));
    one == other || number(one).is_some_and(|one| Some(one) == number(other))
}

fn merge_by(standing: &mut Vec<Value>, said: &[Value], key: &str) {
    for value in said {
        standing.retain(|old| old.get(key) != value.get(key));
    }
    standing.extend(said.iter().cloned());
}

fn union(standing: &mut Vec<Value>, said: &[Value]) {
    for value in said {
        if !standing.contains(value) {
            standing.push(value.clone());
        }
    }
}

fn without_removed(mut next: Value, removals: &[String]) -> Value {
    if let Value::Object(map) = &mut next {
        remove_all(map, removals);
    }
    next
}

fn remove_all(map: &mut Map<String, Value>, removals: &[String]) {
    for removal in removals {
        if let Some(url) = removal.strip_prefix("extension:") {
            remove_extension(map, url);
        } else if let Some(number) = removal.strip_prefix("identifier:") {
            remove_identifier(map, number);
        } else if !FIXED.contains(&removal.as_str()) {
            remove_element(map, removal);
        }
    }
}

fn remove_extension(map: &mut Map<String, Value>, url: &str) {
    if let Some(Value::Array(extensions)) = map.get_mut("extension") {
        extensions.retain(|extension| extension.get("url").and_then(Value::as_str) != Some(url));
        if extensions.is_empty() {
            map.remove("extension");
        }
    }
}

/// A number that the record does not have any more, as `system|value`.
fn remove_identifier(map: &mut Map<String, Value>, number: &str) {
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(Value::Array(identifiers)) = map.get_mut("identifier") {
        identifiers.retain(|one| format!("{}|{}", text(one, "system"), text(one, "value")) != number);
        if identifiers.is_empty() {
            map.remove("identifier");
        }
    }
}

/// `birthDate` also takes `_birthDate`; `period.end` goes down into the element.
fn remove_element(map: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        Some((parent, rest)) => {
            if let Some(Value::Object(child)) = map.get_mut(parent) {
                remove_element(child, rest);
                if child.is_empty() {
                    map.remove(parent);
                }
            }
        }
        None => {
            map.remove(path);
            map.remove(&format!("_{path}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(resource: Value, removals: &[&str], mode: Mode) -> ResourceSet {
        let resource_type = fhir::ResourceType::parse("Patient").expect("a type of R4");
        let removals = removals.iter().map(|r| (*r).to_owned()).collect();
        ResourceSet {
            handle: "patient".into(),
            resource_type,
            id: "p".into(),
            resource,
            fills: Vec::new(),
            removals,
            mode,
            patient: None,
        }
    }

    #[test]
    fn absent_keeps_value_replaces_null_removes() {
        let standing = json!({"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1970", "active": true});
        let mut said = set(
            json!({"resourceType": "Patient", "id": "p", "gender": "female"}),
            &["birthDate"],
            Mode::Merge,
        );
        let next = merge(Some(&standing), &mut said);
        assert_eq!(next, json!({"resourceType": "Patient", "id": "p", "gender": "female", "active": true}));
    }

    #[test]
    fn a_former_number_goes_and_others_stay() {
        let standing = json!({"identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:a", "value": "2"}, {"value": "1"}]});
        let next = merge(Some(&standing), &mut set(json!({}), &["identifier:urn:a|1"], Mode::Merge));
        assert_eq!(next, json!({"identifier": [{"system": "urn:a", "value": "2"}, {"value": "1"}]}));
        let bare = json!({"identifier": [{"value": "1"}]});
        assert_eq!(merge(Some(&bare), &mut set(json!({}), &["identifier:|1"], Mode::Merge)), json!({}));
    }

    #[test]
    fn replace_forgets_what_stood() {
        let standing = json!({"resourceType": "Patient", "id": "p", "gender": "male"});
        let next = merge(
            Some(&standing),
            &mut set(json!({"resourceType": "Patient", "id": "p"}), &[], Mode::Replace),
        );
        assert_eq!(next, json!({"resourceType": "Patient", "id": "p"}));
    }

    #[test]
    fn a_choice_names_its_siblings_and_a_clear_goes_down() {
        let standing = json!({"deceasedBoolean": true, "period": {"start": "2020", "end": "2021"}, "length": {"value": 1}});
        let mut said =
            set(json!({"deceasedDateTime": "2020"}), &["deceasedBoolean", "period.end"], Mode::Merge);
        let next = merge(Some(&standing), &mut said);
        assert_eq!(
            next,
            json!({"deceasedDateTime": "2020", "period": {"start": "2020"}, "length": {"value": 1}})
        );
    }

    #[test]
    fn what_only_fills_never_replaces_what_stands() {
        let standing = json!({"status": "finished"});
        let mut said = set(json!({"status": "in-progress"}), &[], Mode::Merge);
        said.fills = vec!["status".to_owned()];
        assert_eq!(merge(Some(&standing), &mut said), standing);
        assert_eq!(merge(Some(&json!({})), &mut said), json!({"status": "in-progress"}));
    }

    #[test]
    fn links_grow_and_extensions_merge_by_url() {
        let standing = json!({"link": [{"type": "replaces", "other": {"reference": "Patient/a"}}],
            "extension": [{"url": "u:1", "valueCode": "a"}, {"url": "u:2", "valueCode": "b"}]});
        let said = json!({"link": [{"type": "replaces", "other": {"reference": "Patient/b"}}],
            "extension": [{"url": "u:1", "valueCode": "c"}]});
        let next = merge(Some(&standing), &mut set(said, &["extension:u:2"], Mode::Merge));
        assert_eq!(next["link"].as_array().map(Vec::len), Some(2));
        assert_eq!(next["extension"], json!([{"url": "u:1", "valueCode": "c"}]));
    }
}
