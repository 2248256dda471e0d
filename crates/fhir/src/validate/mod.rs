//! Validation: is this JSON a resource of R4?
//!
//! Checked, in this order at each object: known properties, JSON types, primitive formats, choice types, cardinality,
//! required bindings, reference targets, the rules of `Extension`, the invariants of R4. Profiles are another matter:
//! [`crate::Profiles`].

mod invariants;
mod rules;

use std::cell::Cell;

pub(crate) use invariants::contained;
use serde_json::{Map, Value};

use crate::bundle::Entries;
use crate::definitions::{Node, Slot, r4};
use crate::location::{Location, presentable};
use crate::outcome::{Issue, IssueCode};
use crate::primitive::{Misfit, Primitive};
use crate::resource_type::ResourceType;

/// Objects nested deeper than this are refused.
pub const DEPTH_MAX: usize = 64;
/// Issues after this many are not recorded.
pub const ISSUES_MAX: usize = 200;

/// Validates a resource: structure, JSON types, primitive formats, cardinality, choice, required bindings, reference
/// targets, and the invariants that R4 marks as errors; contained resources and bundle entries included. An empty list
/// means that nothing was found. Issues are all errors, they carry FHIRPath locations and never a value.
/// [`IssueCode::Invalid`] says one thing only: a reference to a type that its element does not allow.
/// [`IssueCode::Invariant`] says that a rule is broken whose key stands at the end of the text; a resource without any
/// other issue has the form of R4.
pub fn validate(resource: &Value) -> Vec<Issue> {
    walk(resource, true)
}

/// [`validate`] without the invariants that are FHIRPath: what costs least.
pub fn validate_structure(resource: &Value) -> Vec<Issue> {
    walk(resource, false)
}

fn walk(resource: &Value, checks_invariants: bool) -> Vec<Issue> {
    let budget = checks_invariants.then(|| Cell::new(0));
    let mut walk = Walk { issues: Vec::new(), budget };
    let name = ResourceType::of(resource).map_or("Resource", ResourceType::as_str);
    let entries = Entries::of(resource);
    let scope =
        Scope { container: resource, resource, entries: entries.as_ref(), contained: false, depth: 0 };
    walk.resource(resource, &Location::root(name), scope);
    walk.issues
}

/// The walk over one resource, with what it found.
struct Walk {
    issues: Vec<Issue>,
    /// Steps left for invariants; `None`: they are not checked.
    budget: Option<Cell<u32>>,
}

/// What surrounds the object in hand.
#[derive(Clone, Copy)]
struct Scope<'a> {
    /// Nearest resource that is not contained: where `#id` is looked up.
    container: &'a Value,
    /// Nearest resource, contained or not.
    resource: &'a Value,
    /// The entries of the bundle around it.
    entries: Option<&'a Entries<'a>>,
    contained: bool,
    depth: usize,
}

impl Scope<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl Walk {
    fn error(&mut self, code: IssueCode, at: &Location<'_>, text: impl Into<String>) {
        if self.issues.len() < ISSUES_MAX {
            self.issues.push(Issue::error(code, at.to_string(), text));
        }
    }

    fn resource<'a>(&mut self, value: &'a Value, at: &Location<'_>, scope: Scope<'a>) {
        let Value::Object(object) = value else {
            return self.error(IssueCode::Structure, at, "a resource is expected");
        };
        let Some(Value::String(name)) = object.get("resourceType") else {
            return self.error(IssueCode::Structure, at, "resourceType is absent");
        };
        let Some(node) = ResourceType::parse(name).and_then(|name| r4().node(name.as_str())) else {
            return self.error(IssueCode::NotSupported, at, "resourceType is not a resource type of R4");
        };
        if scope.contained && object.contains_key("contained") {
            self.error(IssueCode::Invariant, at, "a contained resource contains no resources (dom-2)");
        }
        let container = if scope.contained { scope.container } else { value };
        let scope = Scope { container, resource: value, ..scope };
        self.renew_budget(scope);
        self.properties(object, node, at, scope);
        self.resource_invariants(value, object, at, scope);
    }

    fn properties<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        node: &'static Node,
        at: &Location<'_>,
        scope: Scope<'a>,
    ) {
        if scope.depth > DEPTH_MAX {
            return self.error(IssueCode::TooCostly, at, "nested too deep");
        }
        if object.is_empty() {
            return self.error(IssueCode::Structure, at, "an object holds at least one element");
        }
        let has_sidecars = object.keys().any(|name| name.starts_with('_'));
        let mut present = 0_u128;
        for (name, value) in object {
            let (json_name, is_sidecar) = match name.strip_prefix('_') {
                Some(json_name) => (json_name, true),
                None => (name.as_str(), false),
            };
            let Some(slot) = node.properties.get(json_name).filter(|slot| slot.element.max != Some(0)) else {
                if name != "resourceType" || r4().types.get(node.path).is_none_or(|kind| !kind.is_resource())
                {
                    self.unknown(name, at);
                }
                continue;
            };
            let here = at.child(slot.element.base_name());
            if is_sidecar && (slot.primitive.is_none() || object.contains_key(json_name)) {
                if slot.primitive.is_none() {
                    self.unknown(name, at);
                }
                continue;
            }
            let bit = position_bit(usize::from(slot.position));
            if present & bit != 0 {
                self.error(IssueCode::Structure, &here, "only one type of a choice may be given");
            }
            present |= bit;
            match slot.primitive {
                None => self.complex_property(value, slot, here, scope),
                Some(primitive) if is_sidecar => {
                    self.primitive_property(None, Some(value), slot, primitive, here, scope)
                }
                Some(primitive) => {
                    let sidecar = if has_sidecars { object.get(&format!("_{name}")) } else { None };
                    self.primitive_property(Some(value), sidecar, slot, primitive, here, scope);
                }
            }
        }
        self.absent(node, present, at);
    }

    fn unknown(&mut self, name: &str, at: &Location<'_>) {
        match presentable(name) {
            Some(name) => self.error(IssueCode::Structure, &at.child(name), "unknown element"),
            None => self.error(IssueCode::Structure, at, "unknown element"),
        }
    }

    fn absent(&mut self, node: &'static Node, present: u128, at: &Location<'_>) {
        if node.required & !present == 0 {
            return;
        }
        for (position, element) in node.children.iter().enumerate() {
            if element.min > 0 && present & position_bit(position) == 0 {
                self.error(
                    IssueCode::Required,
                    &at.child(element.base_name()),
                    "a required element is absent",
                );
            }
        }
    }

    /// The items of a property that repeats, the value itself of one that does not; `None` after a wrong JSON type.
    fn items<'v>(&mut self, value: &'v Value, slot: &Slot, here: &Location<'_>) -> Option<&'v [Value]> {
        match (slot.element.repeats(), value) {
            (true, Value::Array(items)) if items.is_empty() => {
                self.error(IssueCode::Structure, here, "an array holds at least one value");
                None
            }
            (true, Value::Array(items)) => {
                if slot
                    .element
                    .max
                    .is_some_and(|max| items.len() > usize::try_from(max).unwrap_or(usize::MAX))
                {
                    self.error(IssueCode::Structure, here, "more repetitions than allowed");
                }
                if items.len() < usize::try_from(slot.element.min).unwrap_or(usize::MAX) {
                    self.error(IssueCode::Required, here, "fewer repetitions than required");
                }
                Some(items)
            }
            (true, _) => {
                self.error(IssueCode::Structure, here, "an array is expected");
                None
            }
            (false, Value::Array(_)) => {
                self.error(IssueCode::Structure, here, "the element does not repeat, yet it is an array");
                None
            }
            (false, _) => Some(std::slice::from_ref(value)),
        }
    }

    fn complex_property<'a>(
        &mut self,
        value: &'a Value,
        slot: &'static Slot,
        here: Location<'_>,
        scope: Scope<'a>,
    ) {
        let Some(items) = self.items(value, slot, &here) else { return };
        let Some(node) = slot.node() else { return };
        for (index, item) in items.iter().enumerate() {
            let at = if slot.element.repeats() { here.repetition(index) } else { here };
            if node.path == "Resource" {
                let contained = slot.element.name == "contained";
                self.resource(item, &at, Scope { contained, ..scope.deeper() });
                continue;
            }
            match item {
                Value::Object(object) => {
                    self.properties(object, node, &at, scope.deeper());
                    self.rules(object, slot, &at, scope);
                    self.element_invariants(item, slot, &at, scope);
                }
                Value::Null => self.error(IssueCode::Structure, &at, "null is not allowed"),
                _ => self.error(IssueCode::Structure, &at, "an object is expected"),
            }
        }
    }

    fn primitive_property<'a>(
        &mut self,
        value: Option<&'a Value>,
        sidecar: Option<&'a Value>,
        slot: &'static Slot,
        primitive: Primitive,
        here: Location<'_>,
        scope: Scope<'a>,
    ) {
        let values = match value {
            Some(value) => self.items(value, slot, &here),
            None => Some(&[][..]),
        };
        let sidecars = match sidecar {
            Some(sidecar) => self.items(sidecar, slot, &here),
            None => Some(&[][..]),
        };
        let (Some(values), Some(sidecars)) = (values, sidecars) else { return };
        if !values.is_empty() && !sidecars.is_empty() && values.len() != sidecars.len() {
            self.error(IssueCode::Structure, &here, "values and their extensions differ in number");
        }
        for index in 0..values.len().max(sidecars.len()) {
            let at = if slot.element.repeats() { here.repetition(index) } else { here };
            let sidecar = sidecars.get(index).filter(|sidecar| !sidecar.is_null());
            match values.get(index) {
                Some(Value::Null) if slot.element.repeats() && sidecar.is_some() => {}
                Some(Value::Null) => self.error(IssueCode::Structure, &at, "null is not allowed"),
                Some(value) => {
                    let has_form = self.primitive(value, slot, primitive, &at);
                    if has_form {
                        self.element_invariants(value, slot, &at, scope);
                    }
                }
                None if sidecar.is_none() => self.error(IssueCode::Structure, &at, "null is not allowed"),
                None => {}
            }
            match sidecar {
                None => {}
                Some(Value::Object(object)) => {
                    if let Some(node) = slot.node() {
                        self.properties(object, node, &at, scope.deeper());
                    }
                    if values.get(index).is_none_or(Value::is_null) {
                        self.has_more_than_an_id(object, &at);
                    }
                }
                Some(_) => {
                    self.error(IssueCode::Structure, &at, "the extensions of a primitive are an object")
                }
            }
        }
    }

    /// Whether the value has the form of its type.
    fn primitive(&mut self, value: &Value, slot: &Slot, primitive: Primitive, at: &Location<'_>) -> bool {
        let checked = primitive.check(value);
        match checked {
            Ok(()) => self.code_binding(value, slot, at),
            Err(Misfit::JsonType(expected)) => {
                self.error(IssueCode::Structure, at, format!("{expected} is expected"))
            }
            Err(Misfit::Empty) => self.error(IssueCode::Value, at, "a string is not empty"),
            Err(Misfit::Form) => {
                self.error(IssueCode::Value, at, format!("not a valid {}", primitive.as_str()))
            }
        }
        checked.is_ok()
    }
}

/// The bit of an element among its siblings. A test holds every type below 128 elements.
pub(crate) fn position_bit(position: usize) -> u128 {
    u32::try_from(position).ok().and_then(|position| 1_u128.checked_shl(position)).unwrap_or(0)
}
