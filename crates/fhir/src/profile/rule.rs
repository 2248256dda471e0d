//! A profile as rules: what its snapshot asks beyond the base definition, as a tree of elements and slices.

use serde_json::Value;

use crate::outcome::Severity;
use crate::path::Constraint;

/// One profile, or the definition of one extension.
pub(crate) struct Profile {
    /// Canonical without version.
    pub(crate) url: Box<str>,
    pub(crate) version: Box<str>,
    /// Its id (`us-core-patient`), for issues.
    pub(crate) id: Box<str>,
    /// The type it constrains.
    pub(crate) type_code: Box<str>,
    pub(crate) root: Rule,
}

/// What is asked of one element.
#[derive(Default)]
pub(crate) struct Rule {
    /// Name without the choice marker.
    pub(crate) name: Box<str>,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
    /// The types it may have, where they are fewer than R4's.
    pub(crate) types: Option<Box<[Box<str>]>>,
    /// The resource types a reference may name, where they are fewer.
    pub(crate) targets: Option<Box<[Box<str>]>>,
    /// Profiles of its data type, of which one must hold.
    pub(crate) profiles: Box<[Box<str>]>,
    pub(crate) fixed: Option<Value>,
    pub(crate) pattern: Option<Value>,
    /// Required value set.
    pub(crate) binding: Option<Box<str>>,
    pub(crate) constraints: Box<[(Severity, Constraint)]>,
    pub(crate) children: Box<[Rule]>,
    pub(crate) slices: Box<[Slice]>,
    /// Whether each item must be in a slice.
    pub(crate) is_closed: bool,
}

impl Rule {
    /// Whether it asks nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.min == 0
            && self.max.is_none()
            && self.types.is_none()
            && self.targets.is_none()
            && self.profiles.is_empty()
            && self.fixed.is_none()
            && self.pattern.is_none()
            && self.binding.is_none()
            && self.constraints.is_empty()
            && self.children.is_empty()
            && self.slices.is_empty()
    }
}

/// Items of a repeating element, or one type of a choice, with rules of their own.
pub(crate) struct Slice {
    pub(crate) name: Box<str>,
    /// What tells that an item is in it: all of them.
    pub(crate) criteria: Box<[Criterion]>,
    pub(crate) rule: Rule,
}

/// One discriminator of a slice.
pub(crate) struct Criterion {
    /// Where to look, from the item.
    pub(crate) path: Box<[Segment]>,
    pub(crate) test: Test,
}

/// A step of a discriminator's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Child(Box<str>),
    /// The extensions of this url.
    Extension(Box<str>),
    OfType(Box<str>),
    /// The target of a reference.
    Resolve,
}

/// What a discriminator asks of what it finds.
pub(crate) enum Test {
    Fixed(Value),
    Pattern(Value),
    Member(Box<str>),
    Type(Box<[Box<str>]>),
    Exists(bool),
}

/// Whether a value has all that a pattern has.
pub(crate) fn fits(value: &Value, pattern: &Value) -> bool {
    match (value, pattern) {
        (Value::Object(value), Value::Object(pattern)) => {
            pattern.iter().all(|(name, pattern)| value.get(name).is_some_and(|value| fits(value, pattern)))
        }
        (Value::Array(values), Value::Array(patterns)) => {
            patterns.iter().all(|pattern| values.iter().any(|value| fits(value, pattern)))
        }
        _ => value == pattern,
    }
}
