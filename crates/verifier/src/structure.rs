//! Every leaf of the output is explained by a row, or it is a leak.

mod datatype;
mod envelope;

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::Finding;
use crate::grammar::{Form, Grammar};
use crate::known::KnownIdentifiers;
use crate::patterns;

/// Most levels of an output.
const DEPTH_MAX: usize = 40;

/// What a leaf is, which says what a number or word in it can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A member of a closed list.
    Closed,
    /// A code of an allowed system.
    Code,
    /// A number.
    Number,
    /// A released id or a reference.
    Id,
    /// Whatever no row explains.
    Unexplained,
}

/// The checks of one output.
pub(crate) struct Check<'a> {
    pub(crate) grammar: &'a Grammar,
    known: Option<&'a KnownIdentifiers>,
    /// Location of the element at hand.
    at: String,
    depth: usize,
    found: Vec<Finding>,
}

/// What an element takes from those above it.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    resource: &'s str,
    contained: bool,
    /// List that codes are limited to.
    list: Option<&'s str>,
}

/// Findings of structure, known identifiers and patterns.
pub(crate) fn check(value: &Value, grammar: &Grammar, known: Option<&KnownIdentifiers>) -> Vec<Finding> {
    let mut check = Check { grammar, known, at: String::new(), depth: 0, found: Vec::new() };
    let Some((name, map)) = resource_name(value).zip(value.as_object()) else {
        check.leak("structure");
        return check.found;
    };
    check.at.push_str(name);
    if !grammar.covers(name) {
        check.leak("structure");
    }
    check.marks(map);
    check.object(name, map, Scope { resource: name, contained: false, list: None }, true);
    check.found
}

fn resource_name(value: &Value) -> Option<&'static str> {
    fhir::ResourceType::of(value).map(fhir::ResourceType::as_str)
}

impl<'a> Check<'a> {
    /// The properties of an object of this type or backbone path.
    fn object(&mut self, path: &str, map: &Map<String, Value>, scope: Scope<'_>, resource: bool) {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.leak("structure");
            self.depth -= 1;
            return;
        }
        for (name, value) in map {
            if resource && name == "resourceType" {
                continue;
            }
            self.property(path, name, value, scope);
        }
        self.depth -= 1;
    }

    fn property(&mut self, path: &str, name: &str, value: &Value, scope: Scope<'_>) {
        let beside = name.strip_prefix('_');
        let Some(property) = fhir::r4().property(path, beside.unwrap_or(name)) else {
            // The name itself is not ours to print.
            self.unexplained(value);
            return;
        };
        let row_type = if property.element.content_reference.is_some() { "@ref" } else { property.type_code };
        let grammar = self.grammar;
        let Some(form) = grammar.form_of(property.element.path, row_type) else {
            self.unexplained(value);
            return;
        };
        let length = self.at.len();
        self.at.push('.');
        self.at.push_str(name);
        match value {
            _ if beside.is_some() => self.beside(form, property.element.repeats(), value),
            Value::Array(items) if property.element.repeats() && !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    let length = self.at.len();
                    // Writing to a text does not fail.
                    let _ = write!(self.at, "[{index}]");
                    self.value(form, &property, item, scope);
                    self.at.truncate(length);
                }
            }
            value if !property.element.repeats() => self.value(form, &property, value, scope),
            value => self.unexplained(value),
        }
        self.at.truncate(length);
    }

    /// One value under its form.
    fn value(&mut self, form: &Form, property: &fhir::Property<'_>, value: &Value, scope: Scope<'_>) {
        match (form, value) {
            (Form::Absent | Form::Renamed, value) => self.unexplained(value),
            (Form::Marks, _) if scope.contained => self.unexplained(value),
            (Form::Marks, _) => {}
            (Form::Extension, Value::Object(map)) => self.extension(map, scope),
            (Form::Contained, value) => self.contained(value, scope),
            (Form::Rebuilt, value) => self.rebuilt(property.element.path, value),
            (form, Value::Object(map)) if !fhir::r4().is_primitive(property.type_code) => {
                if envelope::is_mask(value) {
                    return;
                }
                self.complex(form, property, map, scope);
            }
            (form, Value::String(text)) => {
                let role = self.text_role(form, property, text, scope);
                self.leaf(role, text);
            }
            (Form::Plain, Value::Bool(_)) if property.type_code == "boolean" => {}
            (Form::Plain | Form::QuantityOrNumber, Value::Number(number))
                if property.type_code != "boolean" =>
            {
                self.leaf(Some(Role::Number), number.as_str());
            }
            (_, value) => self.unexplained(value),
        }
    }

    fn complex(
        &mut self,
        form: &Form,
        property: &fhir::Property<'_>,
        map: &Map<String, Value>,
        scope: Scope<'_>,
    ) {
        let inner = match form {
            Form::Coded(list) => Scope { list: list.as_deref(), ..scope },
            Form::Part => scope,
            _ => Scope { list: None, ..scope },
        };
        let explained = match (form, property.type_code) {
            (Form::Coded(_) | Form::Part, "Coding") => self.coding_fits(map, inner.list),
            (Form::Coded(_), "CodeableConcept") => map.contains_key("coding"),
            (Form::Quantity, "Quantity" | "Duration") => self.quantity_fits(map),
            // A value in years, months or weeks may be an age whatever the code beside it says.
            (Form::QuantityOrNumber, "Quantity") => {
                let age = matches!(map.get("code").and_then(Value::as_str), Some("a" | "mo" | "wk"));
                self.quantity_fits(map) && !(age && datatype::over_age(map))
            }
            (Form::Age, "Age") => self.quantity_fits(map) && !datatype::over_age(map),
            (Form::Age, "Range") => ["low", "high"]
                .iter()
                .filter_map(|end| map.get(*end)?.as_object())
                .all(|end| !datatype::over_age(end)),
            (Form::Quantity, "Range" | "Ratio" | "Age") => true,
            (Form::Year, "Period")
            | (Form::Reference, "Reference")
            | (Form::Address, "Address")
            | (Form::Open, _) => true,
            _ => false,
        };
        if explained {
            self.object(property.child_path, map, inner, false);
        } else {
            self.unexplained_map(map);
        }
    }

    /// What a string leaf is; `None` when its form does not explain it.
    fn text_role(
        &self,
        form: &Form,
        property: &fhir::Property<'_>,
        text: &str,
        scope: Scope<'_>,
    ) -> Option<Role> {
        let fits = |fits: bool, role| fits.then_some(role);
        match form {
            Form::Bound => fits(datatype::bound(property.element, text), Role::Closed),
            Form::Word(list) => fits(self.grammar.has_word(list, text), Role::Closed),
            Form::Part if property.element.name == "system" => Some(Role::Closed),
            Form::Part => Some(Role::Code),
            Form::Year | Form::YearOrBand => fits(datatype::digits(text, 4, 4), Role::Closed),
            Form::State => fits(self.grammar.has_word("us-states", text), Role::Closed),
            Form::Country => fits(self.grammar.has_word("countries", text), Role::Closed),
            Form::Prefix => fits(datatype::digits(text, 3, 3), Role::Closed),
            Form::Digits => fits(datatype::digits(text, 1, 2), Role::Closed),
            Form::Id if scope.contained => fits(datatype::local_id(text), Role::Closed),
            Form::Id => fits(datatype::released_id(text), Role::Id),
            Form::Reference => fits(self.reference_fits(text), Role::Id),
            _ => None,
        }
    }

    fn leaf(&mut self, role: Option<Role>, text: &str) {
        let Some(role) = role else {
            self.leak("structure");
            self.look(Role::Unexplained, text);
            return;
        };
        self.look(role, text);
    }

    /// Known identifiers and patterns of one leaf.
    fn look(&mut self, role: Role, text: &str) {
        if self.known.is_some_and(|known| known.in_leaf(role, text)) {
            self.leak("known-identifier");
        }
        if patterns::found(role, text) {
            self.leak("pattern");
        }
    }

    /// A value that no row explains: a leak, and what is in it is looked at all the same.
    fn unexplained(&mut self, value: &Value) {
        self.leak("structure");
        let mut left = vec![value];
        while let Some(value) = left.pop() {
            match value {
                Value::String(text) => self.look(Role::Unexplained, text),
                Value::Number(number) => self.look(Role::Unexplained, number.as_str()),
                Value::Array(items) => left.extend(items),
                Value::Object(map) => left.extend(map.values()),
                Value::Null | Value::Bool(_) => {}
            }
        }
    }

    fn unexplained_map(&mut self, map: &Map<String, Value>) {
        map.values().for_each(|value| self.unexplained(value));
        self.leak("structure");
    }

    fn leak(&mut self, check: &'static str) {
        let finding = Finding { check, location: self.at.clone() };
        if self.found.last() != Some(&finding) {
            self.found.push(finding);
        }
    }
}
