//! Element maps: keys to fields, dotted keys to shared objects, required elements.

use super::Checker;
use super::shape::{Found, Shape};
use super::source::{Source, Use};
use crate::basis::Basis;
use crate::diagnostic::Place;
use crate::plan::{Elements, Field, Form, Nested};
use crate::syntax;
use crate::yaml::Node;

/// One key of an element map, split at its dots.
pub(super) struct Keyed<'n> {
    pub parts: Vec<&'n str>,
    pub place: Place,
    pub node: &'n Node,
}

/// Whether the required elements of an object must all be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    Whole,
    /// `fill`, `set`, event overrides.
    Partial,
    /// The top of a resource: what is missing the message file may still give.
    Resource,
}

impl Checker<'_> {
    /// Compiles the element map of a node; `control` keys beside `$each` and `$when` belong to the caller.
    pub(super) fn elements(
        &mut self,
        node: &Node,
        shape: &Shape,
        source: &Source,
        completeness: Completeness,
        control: &[&str],
    ) -> Option<Elements> {
        let mut inner = source.clone();
        let each = match node.get("$each") {
            Some(each) => {
                let text = self.text(each)?;
                let parsed = self.parsed(each.place, syntax::path(text))?;
                let (path, facts) = self.path(&parsed, each.place, source, Use::First)?;
                inner.item = Some(facts.datatype);
                Some(path)
            }
            None => None,
        };
        let when = match node.get("$when") {
            Some(when) => Some(self.condition_node(when, &inner)?),
            None => None,
        };
        let keys: Vec<Keyed<'_>> = node
            .entries()
            .iter()
            .filter(|entry| {
                !matches!(entry.key.as_str(), "$each" | "$when") && !control.contains(&entry.key.as_str())
            })
            .map(|entry| Keyed { parts: split(&entry.key), place: entry.place, node: &entry.value })
            .collect();
        let fields = self.fields(keys, shape, &inner, completeness, node.place);
        Some(Elements {
            each: each.map(Box::new),
            when: when.map(Box::new),
            needs: needs(shape, completeness).into(),
            fields: fields.into(),
        })
    }

    pub(super) fn fields(
        &mut self,
        keys: Vec<Keyed<'_>>,
        shape: &Shape,
        source: &Source,
        completeness: Completeness,
        place: Place,
    ) -> Vec<Field> {
        let mut groups: Vec<(&str, Vec<Keyed<'_>>)> = Vec::new();
        for key in keys {
            let Some(first) = key.parts.first().copied() else { continue };
            match groups.iter_mut().find(|(name, _)| *name == first) {
                Some((_, members)) => members.push(key),
                None => groups.push((first, vec![key])),
            }
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut complete = true;
        for (name, members) in groups {
            let Some(at) = members.first().map(|member| member.place) else { continue };
            let Some(field) = self.field_of(name, members, shape, source, at, completeness) else {
                complete = false;
                continue;
            };
            if fields.iter().any(|other| same_target(other, &field)) {
                self.findings.add(
                    at,
                    "E0304",
                    format!("two keys fill {} of {}", field.slot.name, shape.shown),
                );
            }
            fields.push(field);
        }
        if complete {
            self.check_required(&fields, shape, completeness, place);
        }
        fields.shrink_to_fit();
        fields
    }

    fn field_of(
        &mut self,
        name: &str,
        members: Vec<Keyed<'_>>,
        shape: &Shape,
        source: &Source,
        at: Place,
        completeness: Completeness,
    ) -> Option<Field> {
        let found = self.find(shape, name, at)?;
        let (own, dotted): (Vec<Keyed<'_>>, Vec<Keyed<'_>>) =
            members.into_iter().partition(|member| member.parts.len() == 1);
        let mut rules = Vec::new();
        for member in &own {
            rules.extend(self.rules(member.node, &found, source));
        }
        let nested = self.nested(dotted, &found, source, at, completeness, !own.is_empty())?;
        if nested.is_some() && !own.is_empty() && found.slot.repeats {
            self.findings.add(
                at,
                "E0304",
                format!(
                    "{name} repeats: dotted keys make one item, so they cannot stand beside a rule for {name}"
                ),
            );
        }
        rules.shrink_to_fit();
        let nested = nested.map(Box::new);
        Some(Field { slot: found.slot, rules: rules.into(), nested, basis: Basis::Nothing })
    }

    fn nested(
        &mut self,
        dotted: Vec<Keyed<'_>>,
        found: &Found,
        source: &Source,
        at: Place,
        completeness: Completeness,
        beside_rule: bool,
    ) -> Option<Option<Nested>> {
        if dotted.is_empty() {
            return Some(None);
        }
        let [(chosen, shape)] = found.choices.as_slice() else {
            self.findings.add_help(
                at,
                "E0302",
                format!("{} has several types", found.slot.name),
                "name the type: valueQuantity.unit",
            );
            return None;
        };
        if shape.primitive && found.slot.repeats {
            self.findings.add(
                at,
                "E0301",
                format!("{} repeats: its items cannot take extensions here", shape.shown),
            );
            return None;
        }
        let keys = dotted
            .into_iter()
            .map(|key| Keyed { parts: key.parts.into_iter().skip(1).collect(), ..key })
            .collect();
        let completeness = if beside_rule || completeness == Completeness::Partial {
            Completeness::Partial
        } else {
            Completeness::Whole
        };
        let fields = self.fields(keys, shape, source, completeness, at);
        let needs = needs(shape, completeness).into();
        let elements = Elements { needs, fields: fields.into(), ..Elements::default() };
        Some(Some(Nested { suffix: chosen.clone(), elements }))
    }

    fn check_required(&mut self, fields: &[Field], shape: &Shape, completeness: Completeness, place: Place) {
        if completeness == Completeness::Partial || shape.primitive || shape.parts.is_some() {
            return;
        }
        for element in fhir::r4().children(&shape.path) {
            let base = element.base_name();
            if element.min == 0 || fields.iter().any(|field| field.slot.name == base) {
                continue;
            }
            if completeness == Completeness::Resource {
                self.note_owed(base, place);
            } else {
                self.findings.add(
                    place,
                    "E0305",
                    format!("{}.{base} is required and no rule fills it", shape.shown),
                );
            }
        }
    }

    /// A required element that the map leaves to the message file.
    fn note_owed(&mut self, element: &str, place: Place) {
        if let Some(owed) = self.owed.last_mut() {
            owed.push((element.to_owned(), place));
        }
    }
}

/// What an object that is written whole must hold (R4 ElementDefinition.min).
fn needs(shape: &Shape, completeness: Completeness) -> Vec<&'static str> {
    if completeness != Completeness::Whole || shape.primitive || shape.parts.is_some() {
        return Vec::new();
    }
    let required = fhir::r4().children(&shape.path).iter().filter(|element| element.min > 0);
    required.map(|element| element.base_name()).collect()
}

fn same_target(left: &Field, right: &Field) -> bool {
    match (&left.slot.form, &right.slot.form) {
        (Form::Extension { url: left_url, .. }, Form::Extension { url: right_url, .. }) => {
            left_url == right_url && !left.slot.repeats
        }
        (Form::Extension { .. }, _) | (_, Form::Extension { .. }) => false,
        (Form::Element | Form::Choice, Form::Element | Form::Choice) => left.slot.name == right.slot.name,
    }
}

/// Splits `ext:nationality.ext:code` at its dots.
fn split(key: &str) -> Vec<&str> {
    key.split('.').collect()
}
