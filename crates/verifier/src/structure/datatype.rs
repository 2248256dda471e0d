//! Forms of single values.

use serde_json::{Map, Value};

use super::Check;

const UCUM: &str = "http://unitsofmeasure.org";
const RELEASED_ID_DIGITS: usize = 32;
/// The highest age that may be told (45 CFR 164.514(b)(2)(i)(C)).
const AGE_MAX: f64 = 89.0;

impl Check<'_> {
    /// System and code of an allowed system, and of a list where one is named.
    pub(super) fn coding_fits(&self, map: &Map<String, Value>, list: Option<&str>) -> bool {
        match (map.get("system"), map.get("code")) {
            (Some(Value::String(system)), Some(Value::String(code))) => {
                self.grammar.code_fits(system, code)
                    && list.is_none_or(|list| self.grammar.has_word(list, code))
            }
            _ => false,
        }
    }

    /// A number with a UCUM unit, or bare.
    pub(super) fn quantity_fits(&self, map: &Map<String, Value>) -> bool {
        match (map.get("system"), map.get("code")) {
            (None, None) => true,
            (Some(Value::String(system)), Some(Value::String(code))) => {
                system == UCUM && self.grammar.code_fits(UCUM, code)
            }
            _ => false,
        }
    }

    /// `#c0`, or `Type/<released id>` of a type with rows.
    pub(super) fn reference_fits(&self, text: &str) -> bool {
        match text.strip_prefix('#') {
            Some(local) => local_id(local),
            None => text.split_once('/').is_some_and(|(name, id)| {
                fhir::ResourceType::parse(name).is_some() && self.grammar.covers(name) && released_id(id)
            }),
        }
    }
}

/// A code of the element's required binding.
pub(super) fn bound(element: &fhir::Element, code: &str) -> bool {
    element
        .binding
        .filter(|binding| binding.strength == fhir::Strength::Required)
        .and_then(|binding| fhir::r4().codes(binding.value_set))
        .is_some_and(|codes| codes.contains(code))
}

/// That many decimal digits and nothing else.
pub(super) fn digits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Thirty-two lowercase hexadecimal digits.
pub(super) fn released_id(text: &str) -> bool {
    text.len() == RELEASED_ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `c` and a number.
pub(super) fn local_id(text: &str) -> bool {
    text.strip_prefix('c').is_some_and(|number| digits(number, 1, 3))
}

/// Whether a quantity of time tells an age over 89; `>= 90 a` is the band that says so without telling it.
pub(super) fn over_age(map: &Map<String, Value>) -> bool {
    let Some(value) = map.get("value").and_then(Value::as_f64) else { return false };
    let per_year = match map.get("code").and_then(Value::as_str) {
        Some("a") => 1.0,
        Some("mo") => 12.0,
        Some("wk") => 52.0,
        Some("d") => 365.0,
        Some("h") => 8760.0,
        _ => 1.0,
    };
    let band =
        map.get("comparator").and_then(Value::as_str) == Some(">=") && (value - 90.0).abs() < f64::EPSILON;
    value / per_year > AGE_MAX && !band
}
