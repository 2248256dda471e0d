//! What differs between two messages, by v2 path, and between what two messages make, by element. Pure.

use std::collections::HashMap;

use hl7v2::Message;
use mapping::Translation;
use serde_json::Value;

use crate::clinical::describe::name_of;
use crate::clinical::order::flattened;
use crate::clinical::raw::visible;

/// Rows shown of one comparison.
pub(crate) const ROWS_MAX: usize = 500;

/// One place where two differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `PID-8`, or `Patient.gender`.
    pub(crate) path: String,
    /// `Administrative Sex`, or the resource.
    pub(crate) name: String,
    /// Empty: nothing was there.
    pub(crate) before: String,
    /// Empty: nothing is there.
    pub(crate) after: String,
}

impl Difference {
    /// Icon, word and style of what happened.
    pub(crate) fn badge(&self) -> crate::badge::Badge {
        match (self.before.is_empty(), self.after.is_empty()) {
            (true, _) => crate::badge::new("+", "added", "good"),
            (_, true) => crate::badge::new("\u{2212}", "removed", "bad"),
            _ => crate::badge::new("\u{2192}", "changed", "wait"),
        }
    }
}

/// Populated leaves that differ, in the order of the second message, with what only the first has at the end.
pub(crate) fn of_messages(before: Option<&Message<'_>>, after: &Message<'_>) -> Vec<Difference> {
    let before = before.map(leaves).unwrap_or_default();
    let names: HashMap<String, String> = after
        .leaves()
        .map(|leaf| (leaf.path.describe(after).to_string(), name_of(after, leaf.path)))
        .collect();
    compare(before, leaves(after), |path| names.get(path).cloned().unwrap_or_default())
}

fn leaves(message: &Message<'_>) -> Vec<(String, String)> {
    let text = |leaf: hl7v2::Leaf| message.charset().decode(leaf.span.of(message.bytes())).0.into_owned();
    message.leaves().map(|leaf| (leaf.path.describe(message).to_string(), visible(&text(leaf)))).collect()
}

/// Elements that differ between what two messages make. Resources are paired by id, then by the handle of the map, so
/// that a number that was put right shows as one element.
pub(crate) fn of_translations(before: Option<&Translation>, after: Option<&Translation>) -> Vec<Difference> {
    let sets = |translation: Option<&Translation>| -> Vec<(String, String, Value)> {
        let row = |set: &mapping::ResourceSet| {
            let own = format!("{}/{}", set.resource_type.as_str(), set.id);
            (own, format!("{}:{}", set.resource_type.as_str(), set.handle), set.resource.clone())
        };
        translation.into_iter().flat_map(Translation::made).map(row).collect()
    };
    let (mut before, after) = (sets(before), sets(after));
    let mut found = Vec::new();
    for (own, handle, resource) in &after {
        let place = before.iter().position(|(other, ..)| other == own).or_else(|| {
            let is_free = |other: &String| !after.iter().any(|(own, ..)| own == other);
            before.iter().position(|(other, of, _)| of == handle && is_free(other))
        });
        let standing = place.map(|place| before.remove(place).2);
        found.extend(of_resources(own, standing.as_ref(), Some(resource)));
    }
    for (own, _, resource) in &before {
        found.extend(of_resources(own, Some(resource), None));
    }
    found
}

/// Elements that differ between two states of one resource.
pub(crate) fn of_resources(name: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<Difference> {
    let rows = |resource: Option<&Value>| -> Vec<(String, String)> {
        let flat = resource.map(flattened).unwrap_or_default();
        let flat = flat.into_iter().filter(|(location, _)| !location.ends_with(".resourceType"));
        flat.map(|(location, value)| (location, shown(value))).collect()
    };
    compare(rows(before), rows(after), |_| name.to_owned())
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        other => other.to_string(),
    }
}

fn compare(
    before: Vec<(String, String)>,
    after: Vec<(String, String)>,
    name: impl Fn(&str) -> String,
) -> Vec<Difference> {
    let standing: HashMap<&str, &str> =
        before.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
    let next: HashMap<&str, &str> =
        after.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
    let row = |path: &str, before: &str, after: &str| Difference {
        path: path.to_owned(),
        name: name(path),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let changed = after.iter().filter_map(|(path, value)| {
        let old = standing.get(path.as_str()).copied().unwrap_or_default();
        (old != value).then(|| row(path, old, value))
    });
    let removed = before
        .iter()
        .filter(|(path, _)| !next.contains_key(path.as_str()))
        .map(|(path, value)| row(path, value, ""));
    changed.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_differ_by_path() {
        let one = b"MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1\rPID|1||77^^^H||Doe^Jo|M\r";
        let other = b"MSH|^~\\&|A|B|||20260101||ADT^A01|7|P|2.5.1\rPID|1||78^^^H||Doe^Jo|M|19700101\r";
        let (one, other) = (Message::read(one).expect("reads"), Message::read(other).expect("reads"));
        let rows = of_messages(Some(&one), &other);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.path.as_str(), row.name.as_str(), row.before.as_str(), row.after.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("PID-3.1", "Patient Identifier List: ID Number", "77", "78"),
                ("PID-7", "Date/Time of Birth", "", "19700101"),
            ]
        );
        assert!(of_messages(Some(&one), &one).is_empty());
        let back = of_messages(Some(&other), &one);
        assert_eq!((back[1].path.as_str(), back[1].badge().word), ("PID-7", "removed"));
    }

    #[test]
    fn resources_differ_by_element() {
        let before = json!({"resourceType": "Patient", "gender": "male", "active": true});
        let after = json!({"resourceType": "Patient", "gender": "female", "birthDate": "1970"});
        let rows = of_resources("Patient/1", Some(&before), Some(&after));
        let seen: Vec<_> = rows.iter().map(|row| (row.path.as_str(), row.badge().word)).collect();
        assert_eq!(
            seen,
            [("Patient.gender", "changed"), ("Patient.birthDate", "added"), ("Patient.active", "removed")]
        );
    }
}
