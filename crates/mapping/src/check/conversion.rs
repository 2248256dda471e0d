//! Conversions: what `as` names, what the element's type infers, and whether the result fits the element.

use super::Checker;
use super::shape::Found;
use super::source::Facts;
use crate::diagnostic::Place;
use crate::plan::{Coded, Convert, Form, Target};
use crate::syntax::Conversion;

impl Checker<'_> {
    /// Chooses conversion, choice suffix, and what a translated code becomes.
    #[expect(clippy::too_many_arguments, reason = "the parts of one rule")]
    pub(super) fn convert(
        &mut self,
        conversion: Option<&(Conversion, Place)>,
        has_table: bool,
        system: bool,
        reference: bool,
        facts: &Facts,
        found: &Found,
        place: Place,
    ) -> Option<(Option<String>, Convert, Coded)> {
        if system {
            let authority = matches!(facts.datatype.as_str(), "HD" | "EI");
            let chosen = self.primitive("uri", found, place)?;
            return Some((
                chosen,
                if authority { Convert::Authority } else { Convert::CodeSystem },
                Coded::Code,
            ));
        }
        match conversion {
            Some((Conversion::Primitive(name), at)) => {
                let convert = self.primitive_conversion(name, *at)?;
                Some((self.primitive(name, found, *at)?, convert, Coded::Code))
            }
            Some((Conversion::Map { source, target }, at)) => {
                self.map_conversion(source, target, *at, reference, found)
            }
            None => self.inferred(has_table, facts, found, place),
        }
    }

    pub(super) fn inferred(
        &mut self,
        has_table: bool,
        facts: &Facts,
        found: &Found,
        place: Place,
    ) -> Option<(Option<String>, Convert, Coded)> {
        let [(chosen, shape)] = found.choices.as_slice() else {
            let types: Vec<&str> = found.choices.iter().map(|(_, shape)| shape.code.as_str()).collect();
            self.findings.add_help(
                place,
                "E0302",
                format!("{}[x] has several types", found.slot.name),
                format!("write `as` one of {}", types.join(", ")),
            );
            return None;
        };
        if shape.primitive {
            let convert = self.primitive_conversion(&shape.code, place)?;
            return Some((chosen.clone(), convert, Coded::Code));
        }
        match (has_table, shape.code.as_str()) {
            (true, "Coding") => Some((chosen.clone(), Convert::Code, Coded::Coding)),
            (true, "CodeableConcept") => Some((chosen.clone(), Convert::Code, Coded::Concept)),
            _ => {
                let from = if facts.datatype.is_empty() { "TYPE" } else { &facts.datatype };
                self.findings.add_help(
                    place,
                    "E0217",
                    format!("{} is a {}", shape.shown, shape.code),
                    format!("write `as {from}.{}`", shape.code),
                );
                None
            }
        }
    }

    pub(super) fn primitive_conversion(&mut self, name: &str, place: Place) -> Option<Convert> {
        Some(match name {
            "text" | "string" | "markdown" | "uri" | "url" | "canonical" | "oid" | "uuid"
            | "base64Binary" | "id" => Convert::Text,
            "code" => Convert::Code,
            "date" => Convert::Date,
            "dateTime" => Convert::DateTime,
            "instant" => Convert::Instant,
            "time" => Convert::Time,
            "boolean" => Convert::Boolean,
            "integer" => Convert::Integer { least: i64::from(i32::MIN) },
            "unsignedInt" => Convert::Integer { least: 0 },
            "positiveInt" => Convert::Integer { least: 1 },
            "decimal" => Convert::Decimal,
            other => {
                self.findings.add_near(
                    place,
                    "E0401",
                    format!("no conversion {other}"),
                    other,
                    [
                        "text", "date", "dateTime", "instant", "time", "boolean", "integer", "decimal",
                        "code", "uri",
                    ],
                );
                return None;
            }
        })
    }

    /// The choice a primitive conversion selects.
    #[expect(clippy::option_option, reason = "no suffix and no fit are different")]
    pub(super) fn primitive(&mut self, name: &str, found: &Found, place: Place) -> Option<Option<String>> {
        let fits = |code: &str| match name {
            "text" | "string" => matches!(code, "string" | "markdown"),
            "date" => matches!(code, "date" | "dateTime"),
            "instant" => matches!(code, "instant" | "dateTime"),
            "integer" => matches!(code, "integer" | "positiveInt" | "unsignedInt" | "decimal"),
            "code" => matches!(code, "code" | "string" | "id"),
            "uri" => matches!(code, "uri" | "url" | "canonical" | "oid" | "string"),
            exact => code == exact,
        };
        // `text` is no type of FHIR; where several hold text, it is a string.
        let wanted = if name == "text" { "string" } else { name };
        let exact = found.choices.iter().find(|(_, shape)| shape.code == wanted);
        if let Some((chosen, _)) = exact.or_else(|| found.choices.iter().find(|(_, shape)| fits(&shape.code)))
        {
            return Some(chosen.clone());
        }
        let types: Vec<&str> = found.choices.iter().map(|(_, shape)| shape.code.as_str()).collect();
        self.findings.add(
            place,
            "E0303",
            format!("{name} does not fit {}, which is {}", found.slot.name, types.join(" or ")),
        );
        None
    }

    pub(super) fn map_conversion(
        &mut self,
        source: &str,
        target: &str,
        place: Place,
        reference: bool,
        found: &Found,
    ) -> Option<(Option<String>, Convert, Coded)> {
        let (convert, made) = self.named_conversion(source, target, place, reference)?;
        let wanted = match &made {
            Target::Resource(kind) => {
                self.may_refer(kind.as_str(), reference, found, place, &format!("{source}.{target}"))?
            }
            Target::Object(path) => path.as_str(),
            Target::Extension(name) => return self.extension_conversion(name, place, found, convert),
            Target::Text => return Some((self.primitive("text", found, place)?, convert, Coded::Code)),
        };
        let is_quantity = |code: &str| {
            wanted == "Quantity"
                && matches!(code, "Age" | "Duration" | "Count" | "Distance" | "SimpleQuantity")
        };
        let exact = found.choices.iter().find(|(_, shape)| shape.code == wanted || shape.path == wanted);
        let Some((chosen, shape)) =
            exact.or_else(|| found.choices.iter().find(|(_, shape)| is_quantity(&shape.code)))
        else {
            let types: Vec<&str> = found.choices.iter().map(|(_, shape)| shape.code.as_str()).collect();
            self.findings.add(
                place,
                "E0303",
                format!("{wanted} does not fit {}, which is {}", found.slot.name, types.join(" or ")),
            );
            return None;
        };
        let coded = if shape.code == "Coding" { Coded::Coding } else { Coded::Concept };
        Some((chosen.clone(), convert, coded))
    }

    /// A map to an extension fits that extension alone.
    fn extension_conversion(
        &mut self,
        name: &str,
        place: Place,
        found: &Found,
        convert: Convert,
    ) -> Option<(Option<String>, Convert, Coded)> {
        let url = &self.extensions.get(name)?.url;
        if !matches!(&found.slot.form, Form::Extension { url: own, .. } if own == url) {
            let message = format!("the extension {name} does not fit {}", found.slot.name);
            self.findings.add_help(place, "E0303", message, format!("it belongs behind `ext:{name}`"));
            return None;
        }
        Some((None, convert, Coded::Concept))
    }

    /// The built-in conversion, or the type map of that name, and what it makes.
    fn named_conversion(
        &mut self,
        source: &str,
        target: &str,
        place: Place,
        reference: bool,
    ) -> Option<(Convert, Target)> {
        if let Some(convert) = built_in(source, target) {
            let made = if target == "text" { Target::Text } else { Target::Object(target.to_owned()) };
            return Some((convert, made));
        }
        let name = format!("{source}.{target}");
        let Some(&index) = self.map_names.get(&name) else {
            let names: Vec<String> = self.map_names.keys().cloned().collect();
            let message = format!("no map {source} -> {target}");
            self.findings.add_near(place, "E0401", message, &name, names.iter().map(String::as_str));
            return None;
        };
        self.calls.insert(index);
        Some((Convert::Map { index, reference }, self.headers.get(index)?.target.clone()))
    }

    /// A map that makes a resource stands behind `ref`, on an element that may refer to its type.
    fn may_refer(
        &mut self,
        kind: &str,
        reference: bool,
        found: &Found,
        place: Place,
        conversion: &str,
    ) -> Option<&'static str> {
        if !reference {
            let message = format!("{conversion} makes a resource");
            self.findings.add_help(place, "E0303", message, format!("write `as {conversion} ref`"));
            return None;
        }
        if !found.targets.is_empty() && !found.targets.contains(&kind) {
            let targets = found.targets.join(", ");
            let message = format!("{} refers to {targets}, not to {kind}", found.slot.name);
            self.findings.add(place, "E0303", message);
            return None;
        }
        Some("Reference")
    }
}

/// Conversions of results that need no file.
fn built_in(source: &str, target: &str) -> Option<Convert> {
    match (source, target) {
        ("NM", "Quantity") => Some(Convert::NmQuantity),
        ("SN", "Quantity") => Some(Convert::SnQuantity),
        ("SN", "Range") => Some(Convert::SnRange),
        ("SN", "Ratio") => Some(Convert::SnRatio),
        ("SN", "text") => Some(Convert::SnText),
        _ => None,
    }
}
