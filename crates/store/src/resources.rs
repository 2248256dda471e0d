//! Resources and their search index; both roles have them.

use async_trait::async_trait;
use fhir::{IndexValue, ResourceType};

use crate::{Micros, Result};

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
    /// The package of mappings it was made with.
    pub package_hash: String,
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
    /// The parameter's code.
    pub parameter: String,
    /// Its value. PHI.
    pub value: IndexValue,
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
    /// Canonical JSON.
    pub body: ResourceBody,
}

/// A search of one type: all clauses must hold.
#[derive(Clone)]
pub struct Search {
    /// The type.
    pub resource_type: ResourceType,
    /// AND of clauses.
    pub clauses: Vec<Clause>,
    /// Most matches of a page.
    pub count: usize,
    /// Keyset cursor from the previous page.
    pub after: Option<i64>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Search({}, {} clauses)", self.resource_type, self.clauses.len())
    }
}

/// One condition; values inside one clause are OR.
#[derive(Clone)]
pub enum Clause {
    /// `_id`.
    Id(Vec<String>),
    /// A token parameter.
    Token {
        /// Its code. One without values in the index matches nothing; whether it exists is the caller's matter.
        parameter: String,
        /// The values, any of which may match.
        values: Vec<TokenValue>,
    },
    /// A reference parameter.
    Reference {
        /// Its code.
        parameter: String,
        /// (type, id) of the targets; without a type, any target of that id.
        values: Vec<(Option<String>, String)>,
    },
}

/// One value of a token parameter (R4, search, 3.1.1.4.10). Codes match whatever their case, as the section advises.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenValue {
    /// `None`: any system; `Some("")`: no system.
    pub system: Option<String>,
    /// `None`: any code of the system.
    pub code: Option<String>,
}

/// One page of a search, in the order the resources were first stored.
#[derive(Debug)]
pub struct Page {
    /// The matches; deleted resources never match.
    pub matches: Vec<Stored>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<i64>,
    /// All matches, where counting is cheap.
    pub total: Option<u64>,
}

/// Reads resources.
#[async_trait]
pub trait Resources: Send + Sync {
    /// The current version, deletions included; `None` when the resource never existed.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when the row cannot be read.
    async fn read(&self, key: &ResourceKey) -> Result<Option<Stored>>;
    /// One version.
    ///
    /// # Errors
    /// As [`Resources::read`].
    async fn vread(&self, key: &ResourceKey, version: u32) -> Result<Option<Stored>>;
    /// One page of matches.
    ///
    /// # Errors
    /// As [`Resources::read`].
    async fn search(&self, search: &Search) -> Result<Page>;
    /// Live resources of each type.
    ///
    /// # Errors
    /// When the database cannot be read.
    async fn counts(&self) -> Result<Vec<(ResourceType, u64)>>;
}
