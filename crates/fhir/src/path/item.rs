//! What an expression is evaluated on: elements of a resource with what the table says of them, and values.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::definitions::{Node, Slot, r4};
use crate::primitive::Primitive;
use crate::resource_type::ResourceType;

/// One item of a collection.
#[derive(Clone)]
pub(crate) enum Item<'a> {
    Element(Typed<'a>),
    Text(Cow<'a, str>),
    Integer(i64),
    Truth(bool),
    /// What a reference points at, when only its type is known.
    Target(&'static str),
}

/// An element with its type.
#[derive(Clone, Copy)]
pub(crate) struct Typed<'a> {
    /// The JSON value; `None` for a primitive that has extensions only.
    pub(crate) value: Option<&'a Value>,
    /// Id and extensions of a primitive.
    pub(crate) sidecar: Option<&'a Value>,
    pub(crate) type_code: &'static str,
    pub(crate) node: Option<&'static Node>,
    pub(crate) primitive: Option<Primitive>,
}

impl<'a> Typed<'a> {
    /// A resource; `None` when the value is not one of R4.
    pub(crate) fn resource(value: &'a Value) -> Option<Self> {
        let name = ResourceType::of(value)?.as_str();
        Some(Self {
            value: Some(value),
            sidecar: None,
            type_code: name,
            node: r4().node(name),
            primitive: None,
        })
    }

    /// The value of a property, by its slot.
    pub(crate) fn of(value: Option<&'a Value>, sidecar: Option<&'a Value>, slot: &'static Slot) -> Self {
        if slot.type_ref.code == "Resource"
            && let Some(resource) = value.and_then(Self::resource)
        {
            return resource;
        }
        let node = slot.node();
        Self { value, sidecar, type_code: slot.type_ref.code, node, primitive: slot.primitive }
    }

    /// The object that holds its children: of a primitive that of its extensions.
    pub(crate) fn object(&self) -> Option<&'a Map<String, Value>> {
        if self.primitive.is_some() { self.sidecar?.as_object() } else { self.value?.as_object() }
    }

    /// The value of a primitive.
    pub(crate) fn primitive_value(&self) -> Option<&'a Value> {
        self.primitive.and(self.value)
    }

    /// The text of a property of a data type.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.object()?.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Its children of one name; a choice by its name without the type.
    pub(crate) fn children(&self, name: &str, each: &mut dyn FnMut(Typed<'a>)) {
        let (Some(node), Some(object)) = (self.node, self.object()) else { return };
        if let Some(slot) = node.properties.get(name) {
            return property(object, name, slot, each);
        }
        // A choice: its JSON name carries the type.
        for key in object.keys() {
            let json_name = key.strip_prefix('_').unwrap_or(key);
            if !json_name.starts_with(name) || (json_name.len() < key.len() && object.contains_key(json_name))
            {
                continue;
            }
            if let Some(slot) = node.properties.get(json_name).filter(|slot| slot.element.base_name() == name)
            {
                property(object, json_name, slot, each);
            }
        }
    }

    /// Whether its children of this name are a list.
    pub(crate) fn repeats(&self, name: &str) -> bool {
        let slot = self.node.and_then(|node| node.properties.get(name));
        slot.is_some_and(|slot| slot.element.repeats())
    }

    /// All of its children, in the order of the JSON.
    pub(crate) fn all_children(&self, each: &mut dyn FnMut(&'static Slot, Typed<'a>)) {
        let (Some(node), Some(object)) = (self.node, self.object()) else { return };
        for name in object.keys() {
            let json_name = name.strip_prefix('_').unwrap_or(name);
            let is_second = json_name.len() < name.len() && object.contains_key(json_name);
            if let Some(slot) = node.properties.get(json_name).filter(|_| !is_second) {
                property(object, json_name, slot, &mut |child| each(slot, child));
            }
        }
    }
}

fn property<'a>(
    object: &'a Map<String, Value>,
    json_name: &str,
    slot: &'static Slot,
    each: &mut dyn FnMut(Typed<'a>),
) {
    let value = object.get(json_name);
    // Only primitives have a second property for their extensions; the name is built only where one can be.
    let sidecar = match slot.primitive {
        Some(_) if object.keys().any(|name| name.starts_with('_')) => object.get(&format!("_{json_name}")),
        _ => None,
    };
    let (values, sidecars) = (items(value), items(sidecar));
    for index in 0..values.len().max(sidecars.len()) {
        let value = values.get(index).filter(|value| !value.is_null());
        let sidecar = sidecars.get(index).filter(|sidecar| !sidecar.is_null());
        if value.is_some() || sidecar.is_some() {
            each(Typed::of(value, sidecar, slot));
        }
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(value) => std::slice::from_ref(value),
    }
}

/// Whether a type is the named one or derives from it. Case is ignored: expressions of R4 and of US Core say `Boolean`
/// and `DateTime` of FHIR's own primitives.
pub(crate) fn is_of(type_code: &str, name: &str) -> bool {
    if type_code.eq_ignore_ascii_case(name) {
        return true;
    }
    let mut base = type_code;
    while let Some(next) = r4().base_of(base) {
        if next.eq_ignore_ascii_case(name) {
            return true;
        }
        base = next;
    }
    false
}
