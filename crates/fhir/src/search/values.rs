//! What one element gives to a search, by the kind of search parameter (R4, search §3.1.1.4).

use serde_json::Value;

use super::evaluate::Found;
use super::{Comparator, IndexValue, SearchKind, TypedIdentifier};
use crate::date::{DateInterval, date_interval};
use crate::definitions::{Strength, r4};
use crate::reference::Reference;

/// Code system of currencies.
const CURRENCY_SYSTEM: &str = "urn:iso:std:iso:4217";

/// Appends the index values of an element.
pub(super) fn index_values(kind: SearchKind, found: Found<'_>, out: &mut Vec<IndexValue>) {
    match kind {
        SearchKind::Token => tokens(found, out),
        SearchKind::Reference => references(found, out),
        SearchKind::String => strings(found, out),
        SearchKind::Date => dates(found, out),
        SearchKind::Quantity => out.extend(quantity(found)),
        SearchKind::Uri => out.extend(found.value.as_str().map(|uri| IndexValue::Uri(uri.to_owned()))),
        SearchKind::Number => {
            out.extend(found.value.as_number().map(|number| IndexValue::Number(number.as_str().to_owned())));
        }
        // A composite's parts are extracted together, see `extract_composite`; special parameters have no index.
        SearchKind::Composite | SearchKind::Special => {}
    }
}

pub(super) fn token(system: Option<&str>, code: &str) -> IndexValue {
    IndexValue::Token { system: system.map(str::to_owned), code: code.to_owned() }
}

fn tokens(found: Found<'_>, out: &mut Vec<IndexValue>) {
    match found.type_code {
        "Coding" => out.extend(coding(found.value)),
        "CodeableConcept" => {
            let codings = found.value.get("coding").and_then(Value::as_array);
            out.extend(codings.into_iter().flatten().filter_map(coding));
        }
        "Identifier" => out.extend(found.text("value").map(|value| token(found.text("system"), value))),
        "ContactPoint" => out.extend(found.text("value").map(|value| token(found.text("system"), value))),
        _ => match found.value {
            Value::String(code) if !code.is_empty() => out.push(token(implied_system(found, code), code)),
            Value::Bool(is) => out.push(token(None, if *is { "true" } else { "false" })),
            _ => {}
        },
    }
}

fn coding(value: &Value) -> Option<IndexValue> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some(token(text("system"), text("code")?))
}

/// The system of a `code` is that of its required value set.
fn implied_system(found: Found<'_>, code: &str) -> Option<&'static str> {
    let binding = found.element?.binding.filter(|binding| binding.strength == Strength::Required)?;
    r4().codes(binding.value_set)?.system_of(code)
}

fn references(found: Found<'_>, out: &mut Vec<IndexValue>) {
    match (found.type_code, found.value) {
        ("Reference", _) => out.extend(found.text("reference").and_then(reference)),
        // A canonical is found with its version and without; a fragment names a part of what is there.
        (_, Value::String(text)) => {
            out.extend(reference(text));
            out.extend(text.split_once('|').and_then(|(url, _)| reference(url)));
        }
        // The resource itself, in a bundle's first entry.
        (_, resource) => {
            let text = |name: &str| resource.get(name).and_then(Value::as_str);
            if let (Some(name), Some(id)) = (text("resourceType"), text("id")) {
                let resource_type = Some(name.to_owned());
                out.push(IndexValue::Reference { resource_type, id: id.to_owned() });
            }
        }
    }
}

fn reference(text: &str) -> Option<IndexValue> {
    match Reference::parse(text) {
        Reference::Relative { resource_type, id, .. } => Some(IndexValue::Reference {
            resource_type: Some(resource_type.as_str().to_owned()),
            id: id.to_owned(),
        }),
        Reference::Absolute { resource_type, .. } => Some(IndexValue::Reference {
            resource_type: Some(resource_type.as_str().to_owned()),
            id: text.to_owned(),
        }),
        Reference::Urn(_) | Reference::Other(_) => {
            Some(IndexValue::Reference { resource_type: None, id: text.to_owned() })
        }
        Reference::Contained(_) | Reference::Conditional { .. } => None,
    }
}

fn strings(found: Found<'_>, out: &mut Vec<IndexValue>) {
    let parts: &[&str] = match found.type_code {
        "HumanName" => &["text", "family", "given", "prefix", "suffix"],
        "Address" => &["text", "line", "city", "district", "state", "postalCode", "country"],
        _ => {
            out.extend(
                found
                    .value
                    .as_str()
                    .filter(|text| !text.is_empty())
                    .map(|text| IndexValue::String(text.to_owned())),
            );
            return;
        }
    };
    for part in parts {
        let value = found.value.get(*part).unwrap_or(&Value::Null);
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let texts = values.iter().filter_map(Value::as_str).filter(|text| !text.is_empty());
        out.extend(texts.map(|text| IndexValue::String(text.to_owned())));
    }
}

fn dates(found: Found<'_>, out: &mut Vec<IndexValue>) {
    let date =
        |interval: DateInterval| IndexValue::Date { low_us: interval.low_us, high_us: interval.high_us };
    match found.type_code {
        "Period" => out.extend(period(found.value)),
        "Timing" => {
            let events = found.value.get("event").and_then(Value::as_array).into_iter().flatten();
            out.extend(events.filter_map(Value::as_str).filter_map(date_interval).map(date));
            out.extend(found.value.pointer("/repeat/boundsPeriod").and_then(period));
        }
        _ => out.extend(found.value.as_str().and_then(date_interval).map(date)),
    }
}

/// A period reaches from the start of its start to the end of its end; an absent end is open.
fn period(value: &Value) -> Option<IndexValue> {
    let bound = |name: &str| value.get(name).and_then(Value::as_str).and_then(date_interval);
    let (start, end) = (bound("start"), bound("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let low_us = start.map_or(i64::MIN, |start| start.low_us);
    Some(IndexValue::Date { low_us, high_us: end.map_or(i64::MAX, |end| end.high_us) })
}

fn quantity(found: Found<'_>) -> Option<IndexValue> {
    let value = found.value.get("value")?.as_number()?.as_str().to_owned();
    let owned = |name: &str| found.text(name).map(str::to_owned);
    let (system, code) = match found.type_code {
        "Money" => (Some(CURRENCY_SYSTEM.to_owned()), owned("currency")),
        _ => (owned("system"), owned("code").or_else(|| owned("unit"))),
    };
    let comparator = found.text("comparator").and_then(Comparator::parse);
    Some(IndexValue::Quantity { value, system, code, comparator })
}

/// The identifier of a logical reference, for `:identifier`.
pub(super) fn logical(found: Found<'_>) -> Option<IndexValue> {
    let identifier = found.value.get("identifier").filter(|_| found.type_code == "Reference")?;
    let text = |name: &str| identifier.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some(token(text("system"), text("value")?))
}

/// Texts that stand with a coded value, for `:text`: CodeableConcept.text, Coding.display, Identifier.type.text.
pub(super) fn texts<'a>(found: Found<'a>, out: &mut Vec<&'a str>) {
    let concept = match found.type_code {
        "Coding" => {
            out.extend(found.text("display"));
            return;
        }
        "CodeableConcept" => found.value,
        "Identifier" => match found.value.get("type") {
            Some(concept) => concept,
            None => return,
        },
        _ => return,
    };
    let text = |value: &'a Value, name: &str| value.get(name).and_then(Value::as_str);
    out.extend(text(concept, "text"));
    let codings = concept.get("coding").and_then(Value::as_array).into_iter().flatten();
    out.extend(codings.filter_map(|coding| text(coding, "display")));
}

/// The types of an identifier with its value, for `:of-type`.
pub(super) fn typed<'a>(found: Found<'a>, out: &mut Vec<TypedIdentifier<'a>>) {
    let Some(value) = found.text("value").filter(|_| found.type_code == "Identifier") else { return };
    let codings = found.value.pointer("/type/coding").and_then(Value::as_array).into_iter().flatten();
    out.extend(codings.filter_map(|coding| {
        let text = |name: &str| coding.get(name).and_then(Value::as_str);
        Some(TypedIdentifier { system: text("system").unwrap_or_default(), code: text("code")?, value })
    }));
}
