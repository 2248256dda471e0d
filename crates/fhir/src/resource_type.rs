//! Names and ids of resources as types that only valid text can become.

use crate::definitions::r4;
use crate::error::Error;

/// Most characters an id may have (R4, datatypes, `id`).
pub const RESOURCE_ID_CHARS_MAX: usize = 64;

/// A resource type of R4 (`Patient`); one constructor, so an unknown name cannot exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceType(&'static str);

impl ResourceType {
    /// The type of this name; `None` when R4 has no such resource type that can be instantiated.
    pub fn parse(name: &str) -> Option<Self> {
        let names = &r4().resources;
        let at = names.binary_search(&name).ok()?;
        names.get(at).map(|name| Self(name))
    }

    /// The type of a resource, by its `resourceType`.
    pub fn of(resource: &serde_json::Value) -> Option<Self> {
        Self::parse(resource.get("resourceType")?.as_str()?)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for ResourceType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

/// A resource id: 1 to 64 of `A-Z a-z 0-9 - .`, case-sensitive. Debug prints its length only: a sender's id can be a
/// record number.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(String);

impl ResourceId {
    /// # Errors
    /// [`Error::ResourceId`] when the text is not an id.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if is_resource_id(text) { Ok(Self(text.to_owned())) } else { Err(Error::ResourceId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ResourceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ResourceId({} characters)", self.0.len())
    }
}

/// Whether the text is a resource id.
pub fn is_resource_id(text: &str) -> bool {
    (1..=RESOURCE_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}
