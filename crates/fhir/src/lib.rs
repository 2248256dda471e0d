//! FHIR R4: the packed element table, validation, references, outcomes, search parameters. Pure.

mod bundle;
mod canonical;
mod date;
mod definitions;
mod error;
mod hash;
mod location;
mod outcome;
mod pack;
mod primitive;
mod reference;
mod resource_type;
mod search;
mod validate;

pub use bundle::{Method, SearchMode, TransactionEntry, entries, searchset, transaction};
pub use canonical::canonical_json;
pub use date::{DateInterval, Precision, date_interval};
pub use definitions::{Binding, CodeSet, Definitions, Element, Property, Strength, TypeRef, r4};
pub use error::Error;
pub use outcome::{Issue, IssueCode, Severity, http_status, operation_outcome};
pub use primitive::STRING_BYTES_MAX;
pub use reference::{Reference, for_each_reference};
pub use resource_type::{RESOURCE_ID_CHARS_MAX, ResourceId, ResourceType, is_resource_id};
pub use search::{IndexValue, SearchComponent, SearchKind, SearchParameter, extract};
pub use validate::{DEPTH_MAX, ISSUES_MAX, validate};
