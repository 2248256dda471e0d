//! What the index keeps of a resource: the values of its parameters under their codes, and what a code alone cannot say
//! under the code with a mark.

use serde_json::Value;

use super::evaluate::{Found, Item, elements, evaluate};
use super::indexed::{Audience, indexed};
use super::values::logical;
use super::{Comparator, IndexValue, SearchKind, of_items};

/// The name under which the index keeps identifiers of logical references (`subject:identifier`).
pub fn identifier_name(code: &str) -> String {
    format!("{code}:identifier")
}

/// The name under which the index keeps numbers that are only a bound (`value-quantity:<`).
pub fn bounded_name(code: &str, comparator: Comparator) -> String {
    format!("{code}:{}", comparator.as_str())
}

/// Every value of a resource that an audience can search by, with the name under which the index keeps it.
pub fn index_entries(resource: &Value, audience: Audience) -> Vec<(String, IndexValue)> {
    let Some(root) = Found::resource(resource) else { return Vec::new() };
    let mut entries = Vec::new();
    for parameter in indexed(root.type_code, audience) {
        let Some(program) = parameter.program else { continue };
        let items: Vec<Item<'_>> = evaluate(program, root, root);
        for value in of_items(parameter.kind, &items) {
            let name = match &value {
                IndexValue::Quantity { comparator: Some(comparator), .. } => {
                    bounded_name(parameter.code, *comparator)
                }
                _ => parameter.code.to_owned(),
            };
            entries.push((name, value));
        }
        if parameter.kind == SearchKind::Reference && audience == Audience::Identified {
            let identifiers = elements(items).into_iter().filter_map(logical);
            entries.extend(identifiers.map(|value| (identifier_name(parameter.code), value)));
        }
    }
    entries
}
