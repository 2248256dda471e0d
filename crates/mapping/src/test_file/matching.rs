//! Expectations against JSON: subsets, dotted paths, scalars as text.

use crate::yaml::{Kind, Node};
use serde_json::Value;

/// Adds a failure for every place where the value is not as expected.
pub(super) fn expect(wanted: &Node, have: Option<&Value>, at: &str, failures: &mut Vec<String>) {
    let Some(have) = have else {
        failures.push(format!("{at} is absent"));
        return;
    };
    match &wanted.kind {
        Kind::Scalar(text) => {
            let shown = scalar(have);
            if shown.as_deref() != Some(text) {
                let shown = shown.unwrap_or_else(|| have.to_string());
                failures.push(format!("{at} is {shown}, not {text}"));
            }
        }
        Kind::List(items) => list(items, have, at, failures),
        Kind::Map(entries) => {
            for entry in entries {
                expect(&entry.value, find(have, &entry.key), &format!("{at}.{}", entry.key), failures);
            }
        }
    }
}

fn list(items: &[Node], have: &Value, at: &str, failures: &mut Vec<String>) {
    let Some(values) = have.as_array() else {
        failures.push(format!("{at} is no list"));
        return;
    };
    if values.len() != items.len() {
        failures.push(format!("{at} has {} items, not {}", values.len(), items.len()));
    }
    for (index, (item, value)) in items.iter().zip(values).enumerate() {
        expect(item, Some(value), &format!("{at}[{index}]"), failures);
    }
}

/// The value at a path: `name[0].family`. A key that itself has dots (none in FHIR) is not found.
pub(super) fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let mut at = value;
    for part in path.split('.') {
        let (name, indices) = part.split_once('[').map_or((part, ""), |(name, rest)| (name, rest));
        at = at.get(name)?;
        for index in indices.split('[').filter(|index| !index.is_empty()) {
            at = at.get(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    Some(at)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim_end_matches('\n').to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
