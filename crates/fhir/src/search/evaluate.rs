//! Evaluates a search expression on a resource.

use serde_json::Value;

use super::expression::{Expression, Literal};
use crate::definitions::{Element, Node, Slot, r4};
use crate::reference::Reference;
use crate::resource_type::ResourceType;

/// One item of a FHIRPath collection.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Element(Found<'a>),
    Truth(bool),
    /// What a reference points at: only its type is known.
    Target(ResourceType),
}

/// An element with what the table says of it.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) value: &'a Value,
    pub(super) type_code: &'static str,
    pub(super) node: Option<&'static Node>,
    pub(super) element: Option<&'static Element>,
}

impl<'a> Found<'a> {
    /// A resource; `None` when the value is not one of R4.
    pub(super) fn resource(value: &'a Value) -> Option<Self> {
        let name = ResourceType::of(value)?.as_str();
        Some(Self { value, type_code: name, node: r4().node(name), element: None })
    }

    /// The text of a property of a data type.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}

/// Evaluates with `context` as the start of paths, `resource` as `%resource`.
pub(super) fn evaluate<'a>(
    expression: &Expression,
    context: Found<'a>,
    resource: Found<'a>,
) -> Vec<Item<'a>> {
    let on = |inner: &Expression| evaluate(inner, context, resource);
    match expression {
        Expression::Context => vec![Item::Element(context)],
        Expression::Resource => vec![Item::Element(resource)],
        Expression::Root(name) if is_of(context.type_code, name) => vec![Item::Element(context)],
        Expression::Root(_) => Vec::new(),
        Expression::Child(left, name) => {
            let mut found = Vec::new();
            for parent in elements(on(left)) {
                children(parent, name, &mut found);
            }
            found
        }
        Expression::Index(left, index) => on(left).into_iter().skip(*index).take(1).collect(),
        Expression::OfType(left, name) => on(left)
            .into_iter()
            .filter(|item| matches!(item, Item::Element(found) if is_of(found.type_code, name)))
            .collect(),
        Expression::Is(left, name) => {
            on(left).into_iter().map(|item| Item::Truth(item_is(item, name))).collect()
        }
        Expression::Where(left, condition) => {
            let holds = |found: &Found<'a>| truth(&evaluate(condition, *found, resource)) == Some(true);
            elements(on(left)).into_iter().filter(holds).map(Item::Element).collect()
        }
        Expression::Exists(left) => vec![Item::Truth(!on(left).is_empty())],
        Expression::Resolve(left) => {
            elements(on(left)).into_iter().filter_map(target).map(Item::Target).collect()
        }
        Expression::Equals(left, literal) => equality(&on(left), *literal, true),
        Expression::NotEquals(left, literal) => equality(&on(left), *literal, false),
        Expression::And(left, right) => match (truth(&on(left)), truth(&on(right))) {
            (Some(false), _) | (_, Some(false)) => vec![Item::Truth(false)],
            (Some(true), Some(true)) => vec![Item::Truth(true)],
            _ => Vec::new(),
        },
        Expression::Union(branches) => branches.iter().flat_map(on).collect(),
    }
}

pub(super) fn elements(items: Vec<Item<'_>>) -> Vec<Found<'_>> {
    let element = |item| match item {
        Item::Element(found) => Some(found),
        Item::Truth(_) | Item::Target(_) => None,
    };
    items.into_iter().filter_map(element).collect()
}

fn children<'a>(parent: Found<'a>, name: &str, out: &mut Vec<Item<'a>>) {
    let (Some(node), Value::Object(object)) = (parent.node, parent.value) else { return };
    match node.properties.get(name) {
        Some(slot) => {
            if let Some(value) = object.get(name) {
                child(value, slot, out);
            }
        }
        // A choice: its JSON name carries the type.
        None => {
            for (json_name, value) in object.iter().filter(|(json_name, _)| json_name.starts_with(name)) {
                if let Some(slot) =
                    node.properties.get(json_name.as_str()).filter(|slot| slot.element.base_name() == name)
                {
                    child(value, slot, out);
                }
            }
        }
    }
}

fn child<'a>(value: &'a Value, slot: &'static Slot, out: &mut Vec<Item<'a>>) {
    let node = slot.node();
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for value in values.iter().filter(|value| !value.is_null()) {
        let found = Found { value, type_code: slot.type_ref.code, node, element: Some(slot.element) };
        let found = match slot.type_ref.code {
            "Resource" => Found::resource(value).unwrap_or(found),
            _ => found,
        };
        out.push(Item::Element(found));
    }
}

/// Whether a type is the named one or a special kind of it. Case is ignored: one expression of R4 says `DateTime`.
pub(super) fn is_of(type_code: &str, name: &str) -> bool {
    type_code.eq_ignore_ascii_case(name)
        || (name == "Quantity" && matches!(type_code, "Age" | "Count" | "Distance" | "Duration"))
        || (matches!(name, "Resource" | "DomainResource") && r4().is_resource(type_code))
}

fn item_is(item: Item<'_>, name: &str) -> bool {
    match item {
        Item::Element(found) => is_of(found.type_code, name),
        Item::Target(resource_type) => is_of(resource_type.as_str(), name),
        Item::Truth(_) => name.eq_ignore_ascii_case("boolean"),
    }
}

/// The type of a reference's target, by its text or its `type`.
fn target(found: Found<'_>) -> Option<ResourceType> {
    let by_text = found.text("reference").and_then(|text| Reference::parse(text).resource_type());
    by_text.or_else(|| ResourceType::parse(found.text("type")?))
}

fn equality<'a>(items: &[Item<'a>], literal: Literal, wanted: bool) -> Vec<Item<'a>> {
    let [item] = items else { return Vec::new() };
    let equal = match (item, literal) {
        (Item::Element(found), Literal::Text(text)) => found.value.as_str() == Some(text),
        (Item::Element(found), Literal::Truth(truth)) => found.value.as_bool() == Some(truth),
        (Item::Truth(is), Literal::Truth(truth)) => *is == truth,
        (Item::Truth(_), Literal::Text(_)) | (Item::Target(_), _) => false,
    };
    vec![Item::Truth(equal == wanted)]
}

/// One item as a truth value: of an element, a boolean's own and otherwise that it is there.
fn truth(items: &[Item<'_>]) -> Option<bool> {
    match items {
        [Item::Truth(is)] => Some(*is),
        [Item::Element(found)] => Some(found.value.as_bool().unwrap_or(true)),
        _ => None,
    }
}
