//! Which resource of theirs is which of ours, and where the two differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::canonical::Resource;

/// How two sides differ at a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// They have it, we have not.
    Missing,
    /// We have it, they have not.
    Extra,
    /// Both have it, with other values.
    Other,
}

impl Kind {
    /// The word in the list.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Extra => "extra",
            Kind::Other => "other",
        }
    }
}

/// One difference.
pub struct Difference {
    /// Path of the element: `Patient.name.family`.
    pub path: String,
    /// How the sides differ.
    pub kind: Kind,
    /// What stands on their side and on ours, for whoever reviews.
    pub sides: [String; 2],
}

/// What names a thing counts for more than what it has in common with others of its type.
const NAMING: [&str; 5] = ["identifier.value", "code.coding.code", "name.family", "code.text", "name"];
/// The weight of a naming leaf.
const NAMING_WEIGHT: usize = 5;
/// Characters of a value shown to whoever reviews.
const SHOWN: usize = 160;

/// All differences between the resources of both sides.
pub fn compare(theirs: &[Resource], ours: &[Resource]) -> Vec<Difference> {
    let kinds: BTreeSet<&str> = theirs.iter().chain(ours).map(|resource| resource.kind.as_str()).collect();
    let mut found = Vec::new();
    let mut couples = Vec::new();
    for kind in kinds {
        let left: Vec<&Resource> = theirs.iter().filter(|resource| resource.kind == kind).collect();
        let right: Vec<&Resource> = ours.iter().filter(|resource| resource.kind == kind).collect();
        let contents = |side: &[&Resource]| side.iter().map(|one| one.content.clone()).collect::<Vec<_>>();
        let paired = pairs(&contents(&left), &contents(&right), true);
        for (position, one) in left.iter().enumerate() {
            if !paired.iter().any(|(taken, _)| *taken == position) {
                found.push(difference(kind.to_owned(), Kind::Missing, Some(&one.content), None));
            }
        }
        for (position, one) in right.iter().enumerate() {
            if !paired.iter().any(|(_, taken)| *taken == position) {
                found.push(difference(kind.to_owned(), Kind::Extra, None, Some(&one.content)));
            }
        }
        couples.extend(paired.into_iter().map(|(one, other)| (left[one], right[other])));
    }
    let names = |side: fn(&(&Resource, &Resource)) -> Vec<String>| -> BTreeMap<String, usize> {
        let numbered = couples.iter().enumerate();
        numbered
            .flat_map(|(number, couple)| side(couple).into_iter().map(move |name| (name, number)))
            .collect()
    };
    let (left, right) = (names(|couple| couple.0.names.clone()), names(|couple| couple.1.names.clone()));
    let resolved = |resources: &[Resource], known: &BTreeMap<String, usize>, content: &Value| {
        let all =
            resources.iter().flat_map(|one| one.names.iter().map(|name| (name.as_str(), one.kind.as_str())));
        resolve(content, known, &all.collect())
    };
    for (one, other) in &couples {
        let (one_content, other_content) =
            (resolved(theirs, &left, &one.content), resolved(ours, &right, &other.content));
        differ(&one.kind, &one_content, &other_content, &mut found);
    }
    found
}

/// References as the number of the couple they lead to; else the type.
fn resolve(value: &Value, couples: &BTreeMap<String, usize>, all: &BTreeMap<&str, &str>) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, field)| match (key.as_str(), field) {
                ("reference", Value::String(name)) => {
                    let kind = all.get(name.as_str()).copied();
                    let kind = kind.or_else(|| name.split_once('/').map(|(kind, _)| kind)).unwrap_or("none");
                    let number = couples.get(name).map_or("unpaired".to_owned(), ToString::to_string);
                    (key.clone(), Value::String(format!("{kind} {number}")))
                }
                _ => (key.clone(), resolve(field, couples, all)),
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| resolve(item, couples, all)).collect()),
        other => other.clone(),
    }
}

/// Leaves with their paths; of a reference the type only, for ids say nothing.
fn leaves(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (key.as_str(), field) {
                    ("reference", Value::String(name)) => {
                        found.push((below, name.split('/').next().unwrap_or_default().to_owned()));
                    }
                    _ => leaves(&below, field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(path, item, found)),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        other => found.push((path.to_owned(), other.to_string())),
    }
}

/// How many leaves a value has.
pub fn count(value: &Value) -> usize {
    let mut found = Vec::new();
    leaves("", value, &mut found);
    found.len()
}

/// Who belongs to whom: the most alike first; one that is left on each side belong together. With `named`, two that have names
/// have one in common.
fn pairs(left: &[Value], right: &[Value], named: bool) -> Vec<(usize, usize)> {
    let leaves_of = |value: &Value| {
        let mut found = Vec::new();
        leaves("", value, &mut found);
        found
    };
    let left_leaves: Vec<Vec<_>> = left.iter().map(leaves_of).collect();
    let right_leaves: Vec<BTreeSet<_>> =
        right.iter().map(|value| leaves_of(value).into_iter().collect()).collect();
    let mut scored = Vec::new();
    for (one, one_leaves) in left_leaves.iter().enumerate() {
        for (other, other_leaves) in right_leaves.iter().enumerate() {
            let is_name = |leaf: &&(String, String)| NAMING.contains(&leaf.0.as_str());
            let both_named = named
                && one_leaves.iter().any(|leaf| is_name(&leaf))
                && other_leaves.iter().any(|leaf| is_name(&leaf));
            let share_a_name = one_leaves.iter().filter(is_name).any(|leaf| other_leaves.contains(leaf));
            if other_code(&left[one], &right[other]) || (both_named && !share_a_name) {
                continue;
            }
            let common = one_leaves.iter().filter(|leaf| other_leaves.contains(*leaf));
            let score: usize =
                common.map(|(path, _)| if NAMING.contains(&path.as_str()) { NAMING_WEIGHT } else { 1 }).sum();
            if score > 0 {
                scored.push((score, one, other));
            }
        }
    }
    scored.sort_by_key(|(score, one, other)| (std::cmp::Reverse(*score), *one, *other));
    let (mut one_taken, mut other_taken) = (BTreeSet::new(), BTreeSet::new());
    let mut found = Vec::new();
    for (_, one, other) in scored {
        if !one_taken.contains(&one) && !other_taken.contains(&other) {
            one_taken.insert(one);
            other_taken.insert(other);
            found.push((one, other));
        }
    }
    let rest = |count: usize, taken: &BTreeSet<usize>| {
        (0..count).filter(|at| !taken.contains(at)).collect::<Vec<_>>()
    };
    if let ([one], [other]) =
        (rest(left.len(), &one_taken).as_slice(), rest(right.len(), &other_taken).as_slice())
        && !other_code(&left[*one], &right[*other])
    {
        found.push((*one, *other));
    }
    found
}

/// Two codings of different codes are not the same coding, whatever else they share.
fn other_code(one: &Value, other: &Value) -> bool {
    let code = |value: &Value| value.get("code").and_then(Value::as_str).map(str::to_owned);
    code(one).zip(code(other)).is_some_and(|(one, other)| one != other)
}

/// Collects where two values differ.
pub fn differ(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                let below = format!("{path}.{key}");
                match (left.get(key), right.get(key)) {
                    (Some(one), Some(other)) => differ(&below, one, other, found),
                    (Some(one), None) => found.push(difference(below, Kind::Missing, Some(one), None)),
                    (None, other) => found.push(difference(below, Kind::Extra, None, other)),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let paired = pairs(left, right, false);
            for (one, other) in &paired {
                differ(path, &left[*one], &right[*other], found);
            }
            for (at, item) in left.iter().enumerate() {
                if !paired.iter().any(|(taken, _)| *taken == at) {
                    found.push(difference(path.to_owned(), Kind::Missing, Some(item), None));
                }
            }
            for (at, item) in right.iter().enumerate() {
                if !paired.iter().any(|(_, taken)| *taken == at) {
                    found.push(difference(path.to_owned(), Kind::Extra, None, Some(item)));
                }
            }
        }
        (one, other) if one == other => {}
        (one, other) => found.push(difference(path.to_owned(), Kind::Other, Some(one), Some(other))),
    }
}

fn difference(path: String, kind: Kind, theirs: Option<&Value>, ours: Option<&Value>) -> Difference {
    let shown = |side: Option<&Value>| {
        side.map_or(String::new(), |value| value.to_string().chars().take(SHOWN).collect())
    };
    Difference { path, kind, sides: [shown(theirs), shown(ours)] }
}

#[cfg(test)]
mod tests {
    use super::super::canonical::resources;
    use super::*;
    use serde_json::json;

    fn found(theirs: Value, ours: Value) -> Vec<(String, Kind)> {
        let found = compare(&resources(&theirs), &resources(&ours));
        found.into_iter().map(|difference| (difference.path, difference.kind)).collect()
    }

    fn patient(id: &str, family: &str) -> Value {
        json!({"resourceType": "Patient", "id": id, "name": [{"family": family, "use": "official"}]})
    }

    #[test]
    fn ids_and_order_are_no_difference() {
        let result = |subject: &str| json!({"resourceType": "Observation", "subject": {"reference": format!("Patient/{subject}")}});
        let theirs = json!([patient("1", "Fairweather"), patient("2", "Oakes"), result("1")]);
        let ours = json!([result("b"), patient("a", "Oakes"), patient("b", "Fairweather")]);
        assert_eq!(found(theirs, ours), vec![]);
    }

    #[test]
    fn a_reference_to_another_is_one() {
        let result = |subject: &str| json!({"resourceType": "Observation", "subject": {"reference": format!("Patient/{subject}")}});
        let theirs = json!([patient("1", "Fairweather"), patient("2", "Oakes"), result("1")]);
        let ours = json!([patient("1", "Fairweather"), patient("2", "Oakes"), result("2")]);
        assert_eq!(found(theirs, ours), vec![("Observation.subject.reference".to_owned(), Kind::Other)]);
    }

    #[test]
    fn missing_extra_and_other_are_told_apart() {
        let theirs = json!([{"resourceType": "Patient", "gender": "female", "birthDate": "1962", "name": [{"family": "A"}]}]);
        let ours = json!([{"resourceType": "Patient", "gender": "male", "active": true, "name": [{"family": "A", "given": ["B"]}]}]);
        let expected = [
            ("Patient.active", Kind::Extra),
            ("Patient.birthDate", Kind::Missing),
            ("Patient.gender", Kind::Other),
            ("Patient.name.given", Kind::Extra),
        ];
        assert_eq!(found(theirs, ours), expected.map(|(path, kind)| (path.to_owned(), kind)).to_vec());
    }

    #[test]
    fn a_resource_too_many_is_one_difference() {
        let theirs = json!([patient("1", "Fairweather")]);
        let ours = json!([patient("1", "Fairweather"), patient("2", "Oakes")]);
        assert_eq!(found(theirs, ours), vec![("Patient".to_owned(), Kind::Extra)]);
    }
}
