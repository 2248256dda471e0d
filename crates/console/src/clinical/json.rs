//! FHIR JSON as numbered lines, each linked to the leaves it came from.

use serde_json::Value;

use crate::clinical::MASK;
use crate::clinical::links::{Links, attribute};
use crate::clinical::order::{Property, ordered};
use crate::clinical::raw::visible;

/// Lines shown of one resource.
const LINES_SHOWN_MAX: usize = 2_000;
/// Spaces of one level.
const INDENT: usize = 2;

/// One line of a resource.
pub(crate) struct JsonLine {
    /// Leading spaces and key, as text.
    pub(crate) before: String,
    /// The value or bracket.
    pub(crate) text: String,
    /// Comma, or nothing.
    pub(crate) after: &'static str,
    /// `data-n` of the leaves; empty when none.
    pub(crate) numbers: String,
    /// FHIRPath location.
    pub(crate) path: String,
    /// v2 path it came from; empty when it is not known, or that of what is around it.
    pub(crate) source: String,
}

/// How a resource is shown.
pub(crate) struct Printer<'a> {
    pub(crate) links: &'a Links,
    /// `Patient/<id>` of the clinical resource.
    pub(crate) resource: &'a str,
    pub(crate) reveal: bool,
}

/// The place of a value while it is printed.
#[derive(Clone)]
struct Place<'a> {
    path: String,
    depth: usize,
    key: Option<&'a str>,
    /// Leaves of the element around it.
    inherited: String,
    is_last: bool,
    /// Path of its type or backbone in R4, where it is known.
    kind: Option<&'static str>,
}

impl Printer<'_> {
    /// The lines of a resource, in the order of the specification; whether the rest is cut.
    pub(crate) fn lines(&self, value: &Value) -> (Vec<JsonLine>, bool) {
        let path = value.get("resourceType").and_then(Value::as_str).unwrap_or("Resource").to_owned();
        let start = Place { path, depth: 0, key: None, inherited: String::new(), is_last: true, kind: None };
        let mut lines = Vec::new();
        self.print(value, &start, &mut lines);
        let is_cut = lines.len() > LINES_SHOWN_MAX;
        lines.truncate(LINES_SHOWN_MAX);
        (lines, is_cut)
    }

    fn print<'v>(&self, value: &'v Value, place: &Place<'v>, lines: &mut Vec<JsonLine>) {
        if lines.len() > LINES_SHOWN_MAX {
            return;
        }
        let own = self.links.element(self.resource, &place.path);
        let source = own.map(|numbers| self.links.path(numbers)).unwrap_or_default();
        let numbers = own.map_or_else(|| place.inherited.clone(), |numbers| attribute(numbers));
        let inner = |key: Option<&'v str>, path: String, is_last: bool, kind: Option<&'static str>| Place {
            path,
            depth: place.depth + 1,
            key,
            inherited: numbers.clone(),
            is_last,
            kind,
        };
        match value {
            Value::Object(members) if !members.is_empty() => {
                lines.push(self.line(place, "{".to_owned(), &numbers, source));
                let count = members.len();
                for (index, Property { name, value, child_path }) in
                    ordered(place.kind, members).into_iter().enumerate()
                {
                    let path = format!("{}.{name}", place.path);
                    self.print(value, &inner(Some(name), path, index + 1 == count, child_path), lines);
                }
                lines.push(self.close(place, "}"));
            }
            Value::Array(items) if !items.is_empty() => {
                lines.push(self.line(place, "[".to_owned(), &numbers, source));
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{}[{index}]", place.path);
                    self.print(item, &inner(None, path, index + 1 == items.len(), place.kind), lines);
                }
                lines.push(self.close(place, "]"));
            }
            leaf => lines.push(self.line(place, self.leaf(leaf, place), &numbers, source)),
        }
    }

    fn leaf(&self, value: &Value, place: &Place<'_>) -> String {
        if self.reveal || is_open(&place.path, value) {
            return visible(&value.to_string());
        }
        match value {
            Value::String(_) => format!("\"{MASK}\""),
            _ => MASK.to_owned(),
        }
    }

    fn line(&self, place: &Place<'_>, text: String, numbers: &str, source: String) -> JsonLine {
        let key = place.key.map(|key| format!("\"{}\": ", visible(key))).unwrap_or_default();
        // No comma follows an opening bracket.
        let is_opening = matches!(text.as_str(), "{" | "[");
        JsonLine {
            before: " ".repeat(place.depth * INDENT) + &key,
            after: if is_opening || place.is_last { "" } else { "," },
            text,
            numbers: numbers.to_owned(),
            source,
            path: place.path.clone(),
        }
    }

    fn close(&self, place: &Place<'_>, bracket: &str) -> JsonLine {
        JsonLine {
            before: " ".repeat(place.depth * INDENT),
            text: bracket.to_owned(),
            after: if place.is_last { "" } else { "," },
            numbers: String::new(),
            path: String::new(),
            source: String::new(),
        }
    }
}

/// What says nothing of a person: the type, ids that the node made, references to them.
pub(crate) fn is_open(location: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let is_top = location.matches('.').count() == 1;
    match location.rsplit('.').next() {
        Some("resourceType") => is_top,
        Some("id") => is_top && uuid::Uuid::try_parse(text).is_ok(),
        Some("reference") => is_own_reference(text),
        _ => false,
    }
}

/// `Type/id` with an id as this node makes them (UUID).
fn is_own_reference(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, id)| {
        fhir::ResourceType::parse(kind).is_some() && uuid::Uuid::try_parse(id).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(value: &Value, reveal: bool) -> String {
        let links = Links::default();
        let printer = Printer { links: &links, resource: "Patient/1", reveal };
        let (lines, _) = printer.lines(value);
        lines.iter().map(|line| format!("{}{}{}\n", line.before, line.text, line.after)).collect()
    }

    #[test]
    fn revealed_lines_are_the_same_json() {
        let value = json!({"resourceType": "Patient", "id": "1", "name": [{"family": "Doe", "given": ["A", "B"]}],
            "active": true, "extension": [], "contact": {}});
        let text = printed(&value, true);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("json"), value);
    }

    #[test]
    fn masked_lines_keep_structure_only() {
        let own = "Patient/0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f";
        let value = json!({"resourceType": "Patient", "id": "1", "name": [{"family": "Doe"}], "multipleBirthInteger": 2,
            "link": [{"other": {"reference": own}}, {"other": {"reference": "Patient/MRN77"}}]});
        let text = printed(&value, false);
        assert!(text.contains("\"resourceType\": \"Patient\"") && text.contains(own));
        assert!(!text.contains("Doe") && !text.contains('2'.to_string().as_str().repeat(2).as_str()));
        assert!(!text.contains("MRN77"));
        assert!(text.contains(&format!("\"multipleBirthInteger\": {MASK}")));
    }
}
