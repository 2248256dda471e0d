//! Canonical JSON: one byte form per resource, in the element order of the specification.

use serde_json::{Map, Value};

use crate::definitions::{Node, Slot, r4};
use crate::resource_type::ResourceType;

/// Canonical JSON: `resourceType` first, then specification element order with `_x` right after `x`, then elements that
/// R4 does not know by name; no insignificant space, numbers as received, only the escapes JSON asks for.
pub fn canonical_json(resource: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(length(resource));
    write_value(&mut out, resource, None);
    out
}

/// Bytes of the canonical form, as long as nothing in it is escaped: a large document is written into one buffer that
/// neither grows nor is copied.
fn length(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| length(item) + 1).sum::<usize>() + 2,
        Value::Object(object) => {
            object.iter().map(|(name, value)| name.len() + 4 + length(value)).sum::<usize>() + 2
        }
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value, node: Option<&Node>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, item, node);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            let node = match ResourceType::of(value) {
                Some(resource_type) if node.is_none_or(|node| node.path == "Resource") => {
                    r4().node(resource_type.as_str())
                }
                _ => node,
            };
            write_object(out, object, node);
        }
    }
}

fn write_object(out: &mut Vec<u8>, object: &Map<String, Value>, node: Option<&Node>) {
    let mut properties: Vec<(usize, &String, &Value, Option<&Slot>)> = object
        .iter()
        .map(|(name, value)| {
            let slot = node.and_then(|node| node.properties.get(name.strip_prefix('_').unwrap_or(name)));
            (rank(name, slot), name, value, slot)
        })
        .collect();
    // The map gives names in alphabetical order and the sort is stable, so that unknown elements keep that order.
    properties.sort_by_key(|(rank, ..)| *rank);
    out.push(b'{');
    for (index, (_, name, value, slot)) in properties.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, name);
        out.push(b':');
        write_value(out, value, slot.and_then(Slot::node));
    }
    out.push(b'}');
}

/// `resourceType` is 0, element n is 2n + 2, its `_` form one more, what is unknown comes last.
fn rank(name: &str, slot: Option<&Slot>) -> usize {
    match slot {
        Some(slot) => 2 * usize::from(slot.position) + 2 + usize::from(name.starts_with('_')),
        None if name == "resourceType" => 0,
        None => usize::MAX,
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x00..=0x1f => b'u',
            _ => continue,
        };
        out.extend_from_slice(text.as_bytes().get(plain_from..at).unwrap_or_default());
        plain_from = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(format!("{byte:04x}").as_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes().get(plain_from..).unwrap_or_default());
    out.push(b'"');
}
