//! FHIR R4 for the engine: the packed element table, validation, canonical JSON, references, bundles, outcomes and
//! search-value extraction.
//!
//! Resources are `serde_json::Value`; numbers keep the digits they came with. The definitions of R4 (4.0.1) are decoded
//! once from a committed pack of about 100 kB.
//!
//! It must never know HL7 v2, storage, networks, clocks or a site's configuration: every function here is pure.
//!
//! Invariants:
//! - an issue carries a FHIRPath location and never a value of the resource; Debug of what holds content prints none;
//! - [`ResourceType`] and [`ResourceId`] exist only of valid text;
//! - no input makes a function panic; depth, issue count and string length have named limits.
//!
//! ```
//! use fhir::{canonical_json, extract, r4, validate, IndexValue, IssueCode};
//!
//! let mut patient = serde_json::json!({
//!     "gender": "female",
//!     "birthDate": "1980-05",
//!     "name": [{"given": ["Ada"], "family": "Example"}],
//!     "resourceType": "Patient",
//! });
//! assert!(validate(&patient).is_empty());
//! assert_eq!(
//!     canonical_json(&patient),
//!     br#"{"resourceType":"Patient","name":[{"family":"Example","given":["Ada"]}],"gender":"female","birthDate":"1980-05"}"#,
//! );
//!
//! let birthdate = r4().search_parameter("Patient", "birthdate").ok_or("no such parameter")?;
//! let may_1980 = IndexValue::Date { low_us: 325_987_200_000_000, high_us: 328_665_600_000_000 };
//! assert!(extract(&patient, birthdate) == [may_1980]);
//!
//! patient["birthDate"] = "1980-13".into();
//! let issues = validate(&patient);
//! assert_eq!((issues[0].code, issues[0].location.as_str()), (IssueCode::Value, "Patient.birthDate"));
//! # Ok::<(), &str>(())
//! ```

pub mod bundle;
mod canonical;
mod date;
mod definitions;
mod error;
mod hash;
mod location;
mod outcome;
mod pack;
mod path;
mod primitive;
pub mod profile;
mod reference;
mod resource_type;
mod search;
mod validate;

pub use canonical::canonical_json;
pub use date::{DateInterval, Precision, date_interval};
pub use definitions::{Binding, CodeSet, Definitions, Element, Property, Strength, TypeRef, r4};
pub use error::Error;
pub use outcome::{Issue, IssueCode, Severity, http_status, operation_outcome};
pub use primitive::STRING_BYTES_MAX;
pub use profile::Profiles;
pub use reference::{Reference, for_each_reference, references};
pub use resource_type::{RESOURCE_ID_CHARS_MAX, ResourceId, ResourceType, is_resource_id};
pub use search::{
    Audience, Comparator, CustomDefinition, CustomParameters, DateMatch, ElementRead, FOLDED_CHARS_MAX,
    IndexValue, Limits, NumberMatch, OwnExtension, PREFIXES, Prefix, QueryProblem, SearchComponent,
    SearchKind, SearchParameter, TypedIdentifier, UCUM, begins_a_word, bounded_name, component_name,
    custom_entries, extract, extract_composite, extract_texts, extract_typed, fold_string, identifier_name,
    index_entries, indexed, is_plain, reference_targets, searchable,
};
pub use validate::{DEPTH_MAX, ISSUES_MAX, validate, validate_structure};
