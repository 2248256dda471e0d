//! The de-identified twin beside what it was made from: what was done to each element, in words.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::badge::{Badge, new};
use crate::clinical::MASK;
use crate::clinical::json::is_open;
use crate::clinical::links::{Links, attribute};
use crate::clinical::order::flattened;
use crate::clinical::raw::visible;

/// Rows shown of one twin.
const ROWS_SHOWN_MAX: usize = 1_000;

/// One element on both sides.
pub(crate) struct TwinRow {
    /// `name[0].family`.
    pub(crate) element: String,
    /// `Patient.name[0].family`.
    pub(crate) location: String,
    /// Empty: it is not there.
    pub(crate) before: String,
    /// Empty: it does not leave.
    pub(crate) after: String,
    pub(crate) badge: Badge,
    pub(crate) numbers: String,
    /// v2 path; empty: none.
    pub(crate) source: String,
}

/// Both sides of one release.
pub(crate) struct Sides<'a> {
    /// What stands here; `None`: it cannot be read any more.
    pub(crate) origin: Option<&'a Value>,
    /// What left.
    pub(crate) twin: &'a Value,
    /// Operation by location, of an element or of all that is in it.
    pub(crate) actions: &'a HashMap<String, String>,
    pub(crate) links: &'a Links,
    /// `Patient/<id>`.
    pub(crate) resource: &'a str,
    pub(crate) reveal: bool,
}

impl Sides<'_> {
    /// The rows in the order of the specification, what was added for the release at the end; whether some are cut.
    pub(crate) fn rows(&self) -> (Vec<TwinRow>, bool) {
        let released = flattened(self.twin);
        let known = self.origin.map(flattened).unwrap_or_default();
        let places: HashSet<&str> = known.iter().map(|(location, _)| location.as_str()).collect();
        let is_aligned =
            |location: &str| self.origin.is_some_and(|origin| aligned(origin, self.twin, location));
        let after: HashMap<&str, &Value> = released
            .iter()
            .filter(|(location, _)| is_aligned(location))
            .map(|(location, value)| (location.as_str(), *value))
            .collect();
        let mut rows: Vec<TwinRow> = known
            .iter()
            .filter(|(location, _)| !location.ends_with(".resourceType"))
            .map(|(location, value)| self.row(location, Some(value), after.get(location.as_str()).copied()))
            .collect();
        let added = released.iter().filter(|(location, _)| {
            !location.ends_with(".resourceType")
                && (!places.contains(location.as_str()) || !after.contains_key(location.as_str()))
        });
        rows.extend(added.map(|(location, value)| self.row(location, None, Some(value))));
        let is_cut = rows.len() > ROWS_SHOWN_MAX;
        rows.truncate(ROWS_SHOWN_MAX);
        (rows, is_cut)
    }

    fn row(&self, location: &str, before: Option<&Value>, after: Option<&Value>) -> TwinRow {
        let operation = self.operation(location);
        let numbers = match before {
            Some(_) => self.links.element(self.resource, location).cloned().unwrap_or_default(),
            None => Vec::new(),
        };
        let text = |value: Option<&Value>| match value {
            None => String::new(),
            Some(value) if self.reveal || is_open(location, value) => shown(value),
            Some(_) => MASK.to_owned(),
        };
        TwinRow {
            element: location.split_once('.').map_or(location, |(_, rest)| rest).to_owned(),
            location: location.to_owned(),
            before: text(before),
            after: text(after),
            badge: done(operation, before, after),
            source: self.links.path(&numbers),
            numbers: attribute(&numbers),
        }
    }

    /// The operation on the nearest element around a location.
    fn operation(&self, location: &str) -> &str {
        let mut around = location;
        loop {
            if let Some(operation) = self.actions.get(around) {
                return operation;
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = around.get(..end).unwrap_or_default(),
                None => return "",
            }
        }
    }
}

/// Whether the arrays on the way have the same length on both sides, so that one index is one element.
fn aligned(origin: &Value, twin: &Value, location: &str) -> bool {
    let (mut one, mut other) = (origin, twin);
    let steps = location.split(['.', '[']).skip(1);
    for step in steps {
        let index = step.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
        let (next, following) = match (one, other, index) {
            (Value::Array(one), Value::Array(other), Some(index)) if one.len() == other.len() => {
                (one.get(index), other.get(index))
            }
            (Value::Object(one), Value::Object(other), None) => (one.get(step), other.get(step)),
            _ => return false,
        };
        match (next, following) {
            (Some(next), Some(following)) => (one, other) = (next, following),
            _ => return false,
        }
    }
    true
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    }
}

/// What was done, as an icon and a word.
fn done(operation: &str, before: Option<&Value>, after: Option<&Value>) -> Badge {
    match (operation, before, after) {
        (_, None, _) | ("meta" | "rebuild", _, Some(_)) => new("\u{21bb}", "made anew", "mute"),
        ("mask", ..) => new("\u{25cc}", "masked", "bad"),
        (_, Some(_), None) => new("\u{2212}", "removed", "bad"),
        ("year" | "year90", ..) => new("\u{25f7}", "year only", "wait"),
        ("age90" | "qty+age90", Some(before), Some(after)) if before != after => {
            new("\u{25f7}", "age band", "wait")
        }
        ("ref" | "rekey", ..) => new("\u{2194}", "pseudonym", "wait"),
        ("addr" | "state" | "zip3" | "country" | "bool-true", Some(before), Some(after))
            if before != after =>
        {
            new("\u{25a4}", "generalised", "wait")
        }
        (_, Some(before), Some(after)) if before == after => new("=", "kept", "good"),
        _ => new("\u{25a4}", "generalised", "wait"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_element_says_what_was_done() {
        let origin = json!({"resourceType": "Patient", "id": "a", "name": [{"family": "Doe"}], "gender": "male",
            "birthDate": "1970-05-06", "address": [{"city": "X", "state": "CT", "postalCode": "06510"}],
            "identifier": [{"value": "1"}, {"value": "2"}]});
        let twin = json!({"resourceType": "Patient", "id": "b", "meta": {"security": [{"code": "ANONYED"}]}, "gender": "male",
            "birthDate": "1970", "address": [{"state": "CT", "postalCode": "065"}], "identifier": [{"value": "2"}]});
        let actions: HashMap<String, String> = [
            ("Patient.id", "rekey"),
            ("Patient.name", "drop"),
            ("Patient.birthDate", "year"),
            ("Patient.address[0].postalCode", "zip3"),
            ("Patient.identifier", "drop"),
        ]
        .map(|(location, operation)| (location.to_owned(), operation.to_owned()))
        .into();
        let links = Links::default();
        let sides = Sides {
            origin: Some(&origin),
            twin: &twin,
            actions: &actions,
            links: &links,
            resource: "Patient/a",
            reveal: true,
        };
        let (rows, _) = sides.rows();
        let seen: Vec<_> =
            rows.iter().map(|row| (row.element.as_str(), row.after.as_str(), row.badge.word)).collect();
        assert_eq!(
            seen,
            [
                ("id", "b", "pseudonym"),
                ("identifier[0].value", "", "removed"),
                ("identifier[1].value", "", "removed"),
                ("name[0].family", "", "removed"),
                ("gender", "male", "kept"),
                ("birthDate", "1970", "year only"),
                ("address[0].city", "", "removed"),
                ("address[0].state", "CT", "kept"),
                ("address[0].postalCode", "065", "generalised"),
                ("meta.security[0].code", "ANONYED", "made anew"),
                ("identifier[0].value", "2", "made anew"),
            ]
        );
        let masked = Sides { reveal: false, ..sides };
        assert!(masked.rows().0.iter().all(|row| !row.before.contains("Doe") && !row.after.contains("1970")));
    }
}
