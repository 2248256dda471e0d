//! Literal references (R4, references §2.27.0.1): what their text says, and a visitor over all of a resource.

use serde_json::Value;

use crate::definitions::{Node, Slot, r4};
use crate::location::Location;
use crate::resource_type::{ResourceType, is_resource_id};

/// Values nested deeper than this are not visited; a parser of JSON text refuses them before.
const DEPTH_MAX: usize = 128;

/// The text of `Reference.reference`, read. Debug names the form only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `Patient/123`, `Patient/123/_history/2`.
    Relative {
        /// Type of the target.
        resource_type: ResourceType,
        /// Id of the target.
        id: &'a str,
        /// Version of the target.
        version: Option<&'a str>,
    },
    /// `https://example.org/fhir/Patient/123`.
    Absolute {
        /// Service base, without its last slash.
        base: &'a str,
        /// Type of the target.
        resource_type: ResourceType,
        /// Id of the target.
        id: &'a str,
        /// Version of the target.
        version: Option<&'a str>,
    },
    /// `urn:uuid:…` or `urn:oid:…`: an entry of the same bundle.
    Urn(&'a str),
    /// `#p1`: a contained resource by its id; empty for the container itself.
    Contained(&'a str),
    /// `Patient?identifier=…`: resolved by a search while a transaction runs.
    Conditional {
        /// Type of the target.
        resource_type: ResourceType,
        /// The query after `?`.
        query: &'a str,
    },
    /// A URL of another kind.
    Other(&'a str),
}

impl<'a> Reference<'a> {
    /// Reads a reference; text of no known form is [`Reference::Other`].
    pub fn parse(text: &'a str) -> Self {
        if let Some(id) = text.strip_prefix('#') {
            return Self::Contained(id);
        }
        if text.starts_with("urn:") {
            return Self::Urn(text);
        }
        if let Some((name, query)) = text.split_once('?')
            && let Some(resource_type) = ResourceType::parse(name)
        {
            return Self::Conditional { resource_type, query };
        }
        let (path, version) = match text.split_once("/_history/") {
            Some((path, version)) if is_resource_id(version) => (path, Some(version)),
            Some(_) => return Self::Other(text),
            None => (text, None),
        };
        let Some((head, id)) = path.rsplit_once('/').filter(|(_, id)| is_resource_id(id)) else {
            return Self::Other(text);
        };
        let (base, name) = match head.rsplit_once('/') {
            Some((base, name)) => (Some(base), name),
            None => (None, head),
        };
        match (ResourceType::parse(name), base) {
            (Some(resource_type), None) => Self::Relative { resource_type, id, version },
            (Some(resource_type), Some(base)) if base.contains("://") => {
                Self::Absolute { base, resource_type, id, version }
            }
            _ => Self::Other(text),
        }
    }

    /// Type of the target, where the text names it.
    pub fn resource_type(self) -> Option<ResourceType> {
        match self {
            Self::Relative { resource_type, .. }
            | Self::Absolute { resource_type, .. }
            | Self::Conditional { resource_type, .. } => Some(resource_type),
            Self::Urn(_) | Self::Contained(_) | Self::Other(_) => None,
        }
    }
}

impl std::fmt::Debug for Reference<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let form = match self {
            Self::Relative { .. } => "relative",
            Self::Absolute { .. } => "absolute",
            Self::Urn(_) => "urn",
            Self::Contained(_) => "contained",
            Self::Conditional { .. } => "conditional",
            Self::Other(_) => "other",
        };
        match self.resource_type() {
            Some(resource_type) => write!(formatter, "Reference({form}, {resource_type})"),
            None => write!(formatter, "Reference({form})"),
        }
    }
}

/// Visits every literal reference (`Reference.reference` strings) of a resource, contained and bundled resources
/// included, with the location of the Reference (`Observation.subject`); the callback may rewrite it.
///
/// Elements that R4 does not know are searched too, for a rewrite that misses a reference would leave it dangling.
pub fn for_each_reference(resource: &mut Value, f: &mut dyn FnMut(&str, &mut String)) {
    let name = ResourceType::of(resource).map_or("Resource", ResourceType::as_str);
    rewrite(resource, r4().node(name), &Location::root(name), 0, f);
}

/// As [`for_each_reference`], for who only reads them.
pub fn references(resource: &Value, f: &mut dyn FnMut(&str, &str)) {
    let name = ResourceType::of(resource).map_or("Resource", ResourceType::as_str);
    read(resource, r4().node(name), &Location::root(name), 0, f);
}

/// The same walk over values that may and that may not be changed.
macro_rules! walk {
    ($name:ident, $value:ty, $text:ty, $items:ident) => {
        fn $name(
            value: $value,
            node: Option<&Node>,
            at: &Location<'_>,
            depth: usize,
            f: &mut dyn FnMut(&str, $text),
        ) {
            if depth > DEPTH_MAX {
                return;
            }
            let is_any = node.is_none_or(|node| node.path == "Resource");
            let node = match is_any.then(|| ResourceType::of(value)).flatten() {
                Some(resource_type) => r4().node(resource_type.as_str()),
                None => node,
            };
            let Value::Object(object) = value else { return };
            let may_be_reference = node.is_none_or(|node| node.path == "Reference");
            for (name, value) in object {
                if may_be_reference
                    && name == "reference"
                    && let Value::String(text) = value
                {
                    f(&at.to_string(), text);
                    continue;
                }
                if !matches!(value, Value::Array(_) | Value::Object(_)) {
                    continue;
                }
                let json_name = name.strip_prefix('_').unwrap_or(name);
                let slot = node.and_then(|node| node.properties.get(json_name));
                let child = slot.and_then(Slot::node);
                let here = at.child(slot.map_or(name, |slot| slot.element.base_name()));
                match value {
                    Value::Array(items) => {
                        for (index, item) in items.$items().enumerate() {
                            $name(item, child, &here.repetition(index), depth + 1, f);
                        }
                    }
                    value => $name(value, child, &here, depth + 1, f),
                }
            }
        }
    };
}
walk!(rewrite, &mut Value, &mut String, iter_mut);
walk!(read, &Value, &str, iter);
