//! What is worked out before a request queues, so that the writer only writes: packed bodies, record bytes.

use fhir::{Audience, ResourceType};
use serde_json::Value;
use uuid::Uuid;

use crate::sqlite::body::pack;
use crate::{Error, IndexEntry, Micros, ResourceVersion, Result, SearchIndex};

/// The parameters that packages define, and who searches by them.
pub(in crate::sqlite) struct Defined<'a> {
    pub index: &'a SearchIndex,
    pub audience: Audience,
}

impl Defined<'_> {
    /// Their values of a resource; a body is read only where its type has some.
    fn entries(&self, of: ResourceType, body: &[u8]) -> Result<Vec<IndexEntry>> {
        if self.index.held(of.as_str()).is_empty() || body.is_empty() {
            return Ok(Vec::new());
        }
        let resource: Value =
            serde_json::from_slice(body).map_err(|_| Error::Conflict("a body that is no JSON"))?;
        Ok(self.index.entries(&resource, self.audience))
    }
}

/// A version ready to be written.
#[derive(Debug)]
pub(in crate::sqlite) struct PreparedVersion {
    pub resource_type: &'static str,
    pub id: String,
    pub version: u32,
    pub updated_us: Micros,
    pub patient: Option<String>,
    pub deleted: bool,
    pub index: Vec<IndexEntry>,
    /// The stored text of what made it.
    pub origin: String,
    /// The stored form of the body.
    pub body: Vec<u8>,
}

impl PreparedVersion {
    /// Packs a version, with its values of parameters that packages define.
    pub fn new(version: ResourceVersion, parameters: &Defined<'_>) -> Result<Self> {
        if version.version == 0 {
            return Err(Error::Conflict("a version number of zero"));
        }
        let mut index = version.index;
        index.extend(parameters.entries(version.key.resource_type, version.body.expose())?);
        Ok(Self {
            resource_type: version.key.resource_type.as_str(),
            body: pack(version.body.expose())?,
            id: version.key.id,
            version: version.version,
            updated_us: version.updated_us,
            patient: version.patient,
            deleted: version.deleted,
            index: if version.deleted { Vec::new() } else { index },
            origin: version.origin.to_text(),
        })
    }

    /// Rows and bytes of it.
    pub fn weight(&self) -> (usize, usize) {
        (1, self.body.len())
    }
}

/// A record ready to be written.
#[derive(Debug, Clone)]
pub(in crate::sqlite) struct PreparedRecord {
    pub at_us: Micros,
    pub message: Option<Uuid>,
    pub bytes: Vec<u8>,
}

impl PreparedRecord {
    /// The row of a record.
    pub fn new(record: &audit::Record) -> Self {
        Self { at_us: record.at_us(), message: record.message_id(), bytes: record.to_bytes() }
    }
}
