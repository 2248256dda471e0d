//! FHIR R4: the packed element table, validation, references, outcomes, search parameters. Pure.

mod definitions;
mod error;
mod hash;
mod pack;
mod resource_type;
mod search;

pub use definitions::{Binding, CodeSet, Definitions, Element, Property, Strength, TypeRef, r4};
pub use error::Error;
pub use resource_type::{RESOURCE_ID_CHARS_MAX, ResourceId, ResourceType, is_resource_id};
pub use search::{SearchComponent, SearchKind, SearchParameter};
use serde_json::Value;

/// One problem of a resource or request: FHIRPath location, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub severity: Severity,
    pub code: IssueCode,
    pub location: String,
    pub text: String,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Fatal,
    Error,
    Warning,
    Information,
}
/// http://hl7.org/fhir/issue-type, the ones we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueCode {
    Invalid,
    Structure,
    Required,
    Value,
    Invariant,
    CodeInvalid,
    Extension,
    NotSupported,
    NotFound,
    Deleted,
    Login,
    Forbidden,
    Security,
    Processing,
    TooLong,
    TooCostly,
    Duplicate,
    Conflict,
    Exception,
    Timeout,
    Throttled,
    Incomplete,
    BusinessRule,
    Informational,
}
/// Structure, JSON types, primitive formats, cardinality, choice, required bindings, reference targets.
pub fn validate(_resource: &Value) -> Vec<Issue> {
    unimplemented!()
}
/// An OperationOutcome resource.
pub fn operation_outcome(_issues: &[Issue]) -> Value {
    unimplemented!()
}
/// Canonical JSON: specification element order, no insignificant space, numbers as received.
pub fn canonical_json(_resource: &Value) -> Vec<u8> {
    unimplemented!()
}
/// Visits every literal reference (`Reference.reference` strings) of a resource with its location; the callback may rewrite it.
pub fn for_each_reference(_resource: &mut Value, _f: &mut dyn FnMut(&str, &mut String)) {
    unimplemented!()
}
/// Values of one search parameter, extracted for the index.
pub fn extract(_resource: &Value, _parameter: &SearchParameter) -> Vec<IndexValue> {
    unimplemented!()
}
#[derive(Debug, Clone, PartialEq)]
pub enum IndexValue {
    Token { system: Option<String>, code: String },
    Reference { resource_type: Option<String>, id: String },
    String(String),
    Date { low_us: i64, high_us: i64 },
    Quantity { value: String, system: Option<String>, code: Option<String> },
    Uri(String),
    Number(String),
}
