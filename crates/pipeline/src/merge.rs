//! Merge what one message says into what stands, element by element (HL7 v2 update semantics).
//!
//! Absent keeps, a value replaces the element whole, the HL7 null removes it. Two exceptions, both additive:
//! extensions are merged by `url`, and `Patient.link` only grows, since each merge message names one pair.

use mapping::{Mode, ResourceSet};
use serde_json::{Map, Value};

/// Elements that say who and what the resource is; a message can neither remove nor merge them.
const FIXED: [&str; 2] = ["resourceType", "id"];

/// The resource after `set`, given what stood (`None`: nothing, or deleted).
pub fn merge(current: Option<&Value>, set: &ResourceSet) -> Value {
    let (Some(Value::Object(standing)), Mode::Merge) = (current, set.mode) else {
        return without_removed(&set.resource, &set.removals);
    };
    let mut next = standing.clone();
    if let Value::Object(said) = &set.resource {
        for (name, value) in said {
            merge_element(&mut next, name, value);
        }
    }
    remove_all(&mut next, &set.removals);
    Value::Object(next)
}

fn merge_element(next: &mut Map<String, Value>, name: &str, value: &Value) {
    match (name, next.get_mut(name), value) {
        ("extension", Some(Value::Array(standing)), Value::Array(said)) => merge_by(standing, said, "url"),
        ("link", Some(Value::Array(standing)), Value::Array(said)) => union(standing, said),
        _ => {
            if let Some(stem) = choice_stem(name) {
                drop_other_choices(next, stem, name);
            }
            next.insert(name.to_owned(), value.clone());
        }
    }
}

/// `deceasedBoolean` -> `deceased`: a new choice type replaces the old one (FHIR R4 §2.24.0.1 allows one).
fn choice_stem(name: &str) -> Option<&'static str> {
    const STEMS: [&str; 9] =
        ["deceased", "multipleBirth", "effective", "value", "onset", "abatement", "performed", "occurrence", "medication"];
    let at = name.find(|c: char| c.is_ascii_uppercase())?;
    let stems = STEMS.iter().copied().filter(|stem| name.starts_with(stem) && stem.len() >= at);
    stems.into_iter().find(|stem| name[stem.len()..].starts_with(|c: char| c.is_ascii_uppercase()))
}

fn drop_other_choices(next: &mut Map<String, Value>, stem: &str, keep: &str) {
    let is_other = |name: &str| {
        let plain = name.strip_prefix('_').unwrap_or(name);
        plain != keep
            && plain.strip_prefix(stem).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    next.retain(|name, _| !is_other(name));
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

fn without_removed(resource: &Value, removals: &[String]) -> Value {
    let mut next = resource.clone();
    if let Value::Object(map) = &mut next {
        remove_all(map, removals);
    }
    next
}

fn remove_all(map: &mut Map<String, Value>, removals: &[String]) {
    for removal in removals {
        if let Some(url) = removal.strip_prefix("extension:") {
            remove_extension(map, url);
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

/// `birthDate` also takes `_birthDate`; `deceased[x]` takes every choice.
fn remove_element(map: &mut Map<String, Value>, name: &str) {
    match name.strip_suffix("[x]") {
        Some(stem) => drop_other_choices(map, stem, ""),
        None => {
            map.remove(name);
            map.remove(&format!("_{name}"));
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
        ResourceSet { handle: "patient".into(), resource_type, id: "p".into(), resource, removals, mode, patient: None }
    }

    #[test]
    fn absent_keeps_value_replaces_null_removes() {
        let standing = json!({"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1970", "active": true});
        let said = set(json!({"resourceType": "Patient", "id": "p", "gender": "female"}), &["birthDate"], Mode::Merge);
        let next = merge(Some(&standing), &said);
        assert_eq!(next, json!({"resourceType": "Patient", "id": "p", "gender": "female", "active": true}));
    }

    #[test]
    fn replace_forgets_what_stood() {
        let standing = json!({"resourceType": "Patient", "id": "p", "gender": "male"});
        let next = merge(Some(&standing), &set(json!({"resourceType": "Patient", "id": "p"}), &[], Mode::Replace));
        assert_eq!(next, json!({"resourceType": "Patient", "id": "p"}));
    }

    #[test]
    fn a_new_choice_type_replaces_the_old_one() {
        let standing = json!({"deceasedBoolean": true, "value": 1});
        let next = merge(Some(&standing), &set(json!({"deceasedDateTime": "2020"}), &[], Mode::Merge));
        assert_eq!(next, json!({"deceasedDateTime": "2020", "value": 1}));
    }

    #[test]
    fn links_grow_and_extensions_merge_by_url() {
        let standing = json!({"link": [{"type": "replaces", "other": {"reference": "Patient/a"}}],
            "extension": [{"url": "u:1", "valueCode": "a"}, {"url": "u:2", "valueCode": "b"}]});
        let said = json!({"link": [{"type": "replaces", "other": {"reference": "Patient/b"}}],
            "extension": [{"url": "u:1", "valueCode": "c"}]});
        let next = merge(Some(&standing), &set(said, &["extension:u:2"], Mode::Merge));
        assert_eq!(next["link"].as_array().map(Vec::len), Some(2));
        assert_eq!(next["extension"], json!([{"url": "u:1", "valueCode": "c"}]));
    }
}
