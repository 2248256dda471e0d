//! Resources and their search index; both roles have them.

use async_trait::async_trait;
use fhir::{IndexValue, ResourceType};

use crate::{History, HistoryOf, HistoryPage, Micros, Origin, Page, Result, Search};

/// A stored resource body: canonical JSON. PHI on the clinical role: `Debug` prints `[phi]`, and there is no
/// `Serialize`, `Display` or `AsRef`.
#[derive(Clone, PartialEq, Eq)]
pub struct ResourceBody(Vec<u8>);

impl ResourceBody {
    /// A body of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for who may see them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_exposed(self) -> Vec<u8> {
        self.0
    }
}

impl std::fmt::Debug for ResourceBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[phi]")
    }
}

/// What names a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceKey {
    /// Its type.
    pub resource_type: ResourceType,
    /// Its logical id.
    pub id: String,
}

/// A new version of a resource, with what its search index holds.
#[derive(Clone)]
pub struct ResourceVersion {
    /// Which resource.
    pub key: ResourceKey,
    /// Greater than any stored version.
    pub version: u32,
    /// `meta.lastUpdated`, µs since the epoch, UTC.
    pub updated_us: Micros,
    /// The clinical id of the patient whose compartment owns it.
    pub patient: Option<String>,
    /// Whether this version is the deletion; it leaves no index entries.
    pub deleted: bool,
    /// Canonical JSON.
    pub body: ResourceBody,
    /// Values of the search parameters, extracted before.
    pub index: Vec<IndexEntry>,
    /// What made it.
    pub origin: Origin,
}

impl std::fmt::Debug for ResourceVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, size) = (self.key.resource_type, self.body.0.len());
        write!(formatter, "ResourceVersion({kind}, version {}, {size} bytes)", self.version)
    }
}

/// One value of one search parameter.
#[derive(Clone, PartialEq)]
pub struct IndexEntry {
    /// The parameter's code, or with a mark what the code alone cannot say ([`fhir::index_entries`]).
    pub parameter: String,
    /// Its value. PHI.
    pub value: IndexValue,
}

impl IndexEntry {
    /// All that an audience can search a resource by.
    pub fn all_of(resource: &serde_json::Value, audience: fhir::Audience) -> Vec<Self> {
        let entries = fhir::index_entries(resource, audience).into_iter();
        entries.map(|(parameter, value)| Self { parameter, value }).collect()
    }
}

impl std::fmt::Debug for IndexEntry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "IndexEntry({})", self.parameter)
    }
}

/// A resource as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Which resource.
    pub key: ResourceKey,
    /// Its version.
    pub version: u32,
    /// When that version was made.
    pub updated_us: Micros,
    /// The patient that owns it.
    pub patient: Option<String>,
    /// Whether that version is its deletion.
    pub deleted: bool,
    /// What made that version.
    pub origin: Origin,
    /// Canonical JSON.
    pub body: ResourceBody,
}

/// Reads resources.
#[async_trait]
pub trait Resources: Send + Sync {
    /// The current version, deletions included; `None` when the resource never existed.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when the row cannot be read.
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>>;
    /// The current versions of many, in no particular order; what never existed is left out. As many calls of
    /// [`Resources::read`], unless an adapter can do it for the price of one.
    ///
    /// # Errors
    /// As [`Resources::read`].
    async fn read_all(&self, keys: &[ResourceKey]) -> Result<Vec<Stored>> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.read(key).await?);
        }
        Ok(found)
    }
    /// One version.
    ///
    /// # Errors
    /// As [`Resources::read`].
    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>>;
    /// One page of matches.
    ///
    /// # Errors
    /// As [`Resources::read`]; [`crate::Error::TooCostly`] when the order or the total asked for would cost too much.
    async fn search(&self, search: &Search) -> Result<Page>;
    /// One page of versions; `None` when a resource that is asked for never existed.
    ///
    /// # Errors
    /// As [`Resources::read`].
    async fn history(&self, history: &History) -> Result<Option<HistoryPage>>;
    /// The last change of a resource of a type, by its place in the sequence of changes; 0 when there was none. The first of
    /// its history, unless an adapter knows it for less.
    ///
    /// # Errors
    /// As [`Resources::read`].
    async fn newest_change(&self, of: ResourceType) -> Result<i64> {
        let page = self.history(&History::of(HistoryOf::Type(of), 1)).await?;
        Ok(page.and_then(|page| page.places.first().copied()).unwrap_or(0))
    }
    /// Live resources of each type.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>>;
}
