//! FHIR paths against the R4 element table.

use super::Checker;
use super::registry::{Content, Extension};
use crate::diagnostic::Place;
use crate::plan::{Form, Slot};
use std::collections::BTreeMap;

/// What an object can hold.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Path of its children in the element table; empty for primitives and complex extensions.
    pub path: String,
    /// Path as authors see it, for extension contexts and messages.
    pub shown: String,
    /// Type code: `HumanName`, `BackboneElement`, `date`.
    pub code: String,
    pub primitive: bool,
    /// Parts of a complex extension.
    pub parts: Option<BTreeMap<String, String>>,
}

/// One element of an object: where it goes and what it can hold.
pub(crate) struct Found {
    pub slot: Slot,
    /// Suffix of the choice property and shape; one without suffix if it is no choice.
    pub choices: Vec<(Option<String>, Shape)>,
    pub element: Option<&'static fhir::Element>,
    /// Resource types a reference may point at; empty: any.
    pub targets: Vec<&'static str>,
}

/// `dateTime` to `DateTime`.
pub(super) fn suffix(code: &str) -> String {
    let mut letters = code.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

impl Shape {
    /// The shape of an extension with these parts.
    fn of_parts(shown: String, parts: BTreeMap<String, String>) -> Shape {
        Shape {
            path: String::new(),
            shown,
            code: "Extension".to_owned(),
            primitive: false,
            parts: Some(parts),
        }
    }

    /// The shape of a resource, a data type, or a part of either (`Patient.contact`).
    pub fn of_type(code: &str) -> Shape {
        Shape {
            path: code.to_owned(),
            shown: code.to_owned(),
            code: code.to_owned(),
            primitive: fhir::r4().is_primitive(code),
            parts: None,
        }
    }
}

impl Checker<'_> {
    /// Resolves one key under a shape.
    pub(super) fn find(&mut self, parent: &Shape, key: &str, place: Place) -> Option<Found> {
        if let Some(name) = key.strip_prefix("ext:") {
            return self.find_extension(parent, name, place);
        }
        if parent.primitive || parent.parts.is_some() {
            self.findings.add(place, "E0301", format!("{} holds only extensions", parent.shown));
            return None;
        }
        let definitions = fhir::r4();
        let children = definitions.children(&parent.path);
        if let Some(element) = children.iter().find(|element| element.name == key) {
            return Some(found(parent, element));
        }
        if let Some(property) = definitions.property(&parent.path, key) {
            let element = children.iter().find(|child| child.path == property.element.path).copied()?;
            let mut found = found(parent, element);
            let chosen = suffix(property.type_code);
            found.choices.retain(|(given, _)| given.as_deref() == Some(chosen.as_str()));
            return Some(found);
        }
        let names: Vec<&str> = children.iter().map(|element| element.name).collect();
        self.findings.add_near(place, "E0301", format!("{} has no element {key}", parent.shown), key, names);
        None
    }

    fn find_extension(&mut self, parent: &Shape, name: &str, place: Place) -> Option<Found> {
        if let Some(parts) = &parent.parts {
            let Some(code) = parts.get(name) else {
                let names: Vec<&str> = parts.keys().map(String::as_str).collect();
                self.findings.add_near(
                    place,
                    "E0309",
                    format!("{} has no part {name}", parent.shown),
                    name,
                    names,
                );
                return None;
            };
            let shape = Shape { shown: format!("{}.ext:{name}", parent.shown), ..Shape::of_type(code) };
            return Some(extension_found(name, name.to_owned(), Some(shape), None, true));
        }
        let Some(extension) = self.extensions.get(name).cloned() else {
            let names: Vec<String> = self.extensions.keys().cloned().collect();
            self.findings.add_near(
                place,
                "E0309",
                format!("the extension {name} is not in extensions.yaml"),
                name,
                names.iter().map(String::as_str),
            );
            return None;
        };
        self.check_context(parent, name, &extension, place);
        let shown = format!("{}.ext:{name}", parent.shown);
        Some(match extension.content {
            Content::Value(code) => extension_found(
                name,
                extension.url,
                Some(Shape { shown, ..Shape::of_type(&code) }),
                None,
                extension.repeats,
            ),
            Content::Parts(parts) => extension_found(
                name,
                extension.url,
                None,
                Some(Shape::of_parts(shown, parts)),
                extension.repeats,
            ),
        })
    }

    /// The shape of an extension with parts, wherever it stands.
    pub(super) fn extension_shape(&self, name: &str) -> Option<Shape> {
        match &self.extensions.get(name)?.content {
            Content::Parts(parts) => Some(Shape::of_parts(format!("ext:{name}"), parts.clone())),
            Content::Value(_) => None,
        }
    }

    fn check_context(&mut self, parent: &Shape, name: &str, extension: &Extension, place: Place) {
        let fits = extension.contexts.is_empty()
            || extension.contexts.iter().any(|context| {
                context == "Element"
                    || context == &parent.shown
                    || context == &parent.path
                    || context == &parent.code
            });
        if !fits {
            self.findings.add(
                place,
                "E0309",
                format!(
                    "the extension {name} belongs on {}, not on {}",
                    extension.contexts.join(", "),
                    parent.shown
                ),
            );
        }
    }
}

fn extension_found(
    name: &str,
    url: String,
    value: Option<Shape>,
    parts: Option<Shape>,
    repeats: bool,
) -> Found {
    let value_suffix = value.as_ref().map(|shape| suffix(&shape.code));
    let primitive = value.as_ref().is_some_and(|shape| shape.primitive);
    let choices = value.or(parts).map(|shape| vec![(None, shape)]).unwrap_or_default();
    let removal = vec![format!("extension:{url}")];
    let slot = Slot {
        name: name.to_owned(),
        form: Form::Extension { url, suffix: value_suffix },
        repeats,
        primitive,
        removal: removal.into(),
    };
    Found { slot, choices, element: None, targets: Vec::new() }
}

fn found(parent: &Shape, element: &'static fhir::Element) -> Found {
    let definitions = fhir::r4();
    let base = element.base_name();
    let is_choice = element.is_choice();
    let mut choices = Vec::new();
    for kind in element.types {
        let chosen = is_choice.then(|| suffix(kind.code));
        let json_name = format!("{base}{}", chosen.as_deref().unwrap_or_default());
        let path =
            definitions.property(&parent.path, &json_name).map_or(kind.code, |property| property.child_path);
        let shown = format!("{}.{base}", parent.shown);
        let shape = Shape {
            path: path.to_owned(),
            shown,
            code: kind.code.to_owned(),
            primitive: definitions.is_primitive(kind.code),
            parts: None,
        };
        choices.push((chosen, shape));
    }
    let removal = if is_choice {
        choices.iter().map(|(chosen, _)| format!("{base}{}", chosen.as_deref().unwrap_or_default())).collect()
    } else {
        vec![base.to_owned()]
    };
    let primitive = !is_choice && choices.iter().all(|(_, shape)| shape.primitive);
    let targets = element
        .types
        .iter()
        .flat_map(|kind| kind.targets)
        .copied()
        .filter(|target| *target != "Resource")
        .collect();
    let form = if is_choice { Form::Choice } else { Form::Element };
    Found {
        slot: Slot {
            name: base.to_owned(),
            form,
            repeats: element.repeats(),
            primitive,
            removal: removal.into(),
        },
        choices,
        element: Some(element),
        targets,
    }
}
