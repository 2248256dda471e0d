//! What the index keeps of a resource: the values of its parameters under their codes, and what a code alone cannot say
//! under the code with a mark.

use serde_json::Value;

use super::evaluate::{Found, Item, elements, evaluate};
use super::indexed::{Audience, indexed};
use super::values::logical;
use super::{Comparator, IndexValue, SearchKind, SearchParameter, extract_composite, of_items};

/// The name under which the index keeps identifiers of logical references (`subject:identifier`).
pub fn identifier_name(code: &str) -> String {
    format!("{code}:identifier")
}

/// The name under which the index keeps numbers that are only a bound (`value-quantity:<`).
pub fn bounded_name(code: &str, comparator: Comparator) -> String {
    format!("{code}:{}", comparator.as_str())
}

/// The name under which the index keeps values of one component of a parameter that a package defines. R4's own are found
/// by the parameters that their components name, which a package's need not agree with.
pub fn component_name(code: &str, number: usize) -> String {
    format!("{code}:${number}")
}

/// Every value of a resource that an audience can search by, with the name under which the index keeps it.
pub fn index_entries(resource: &Value, audience: Audience) -> Vec<(String, IndexValue)> {
    let Some(root) = Found::resource(resource) else { return Vec::new() };
    let mut entries = Vec::new();
    indexed(root.type_code, audience).for_each(|parameter| add(parameter, root, audience, &mut entries));
    entries
}

/// The values of parameters that packages define for the resource's type, named as those of [`index_entries`].
pub fn custom_entries(
    resource: &Value,
    parameters: impl Iterator<Item = &'static SearchParameter>,
    audience: Audience,
) -> Vec<(String, IndexValue)> {
    let Some(root) = Found::resource(resource) else { return Vec::new() };
    let mut entries = Vec::new();
    for parameter in parameters {
        if parameter.kind == SearchKind::Composite {
            let mut parts: Vec<Vec<IndexValue>> = vec![Vec::new(); parameter.components.len()];
            for row in extract_composite(resource, parameter) {
                parts.iter_mut().zip(row).for_each(|(part, values)| part.extend(values));
            }
            for (number, values) in parts.into_iter().enumerate() {
                let name = component_name(parameter.code, number);
                entries.extend(values.into_iter().map(|value| (marked(&name, &value), value)));
            }
        } else {
            add(parameter, root, audience, &mut entries);
        }
    }
    entries
}

/// A name with the mark of a bound.
fn marked(name: &str, value: &IndexValue) -> String {
    match value {
        IndexValue::Quantity { comparator: Some(comparator), .. } => bounded_name(name, *comparator),
        _ => name.to_owned(),
    }
}

fn add(
    parameter: &SearchParameter,
    root: Found<'_>,
    audience: Audience,
    entries: &mut Vec<(String, IndexValue)>,
) {
    let Some(program) = parameter.program else { return };
    let items: Vec<Item<'_>> = evaluate(program, root, root);
    for value in of_items(parameter.kind, &items) {
        entries.push((marked(parameter.code, &value), value));
    }
    if parameter.kind == SearchKind::Reference && audience == Audience::Identified {
        let identifiers = elements(items).into_iter().filter_map(logical);
        entries.extend(identifiers.map(|value| (identifier_name(parameter.code), value)));
    }
}
