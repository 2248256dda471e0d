//! FHIR R4: the packed element table, validation, references, outcomes, search parameters. Pure.
#![allow(missing_docs, clippy::all)]
use serde_json::Value;

/// A resource type of R4 (`Patient`); one constructor, so an unknown name cannot exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceType(&'static str);
impl ResourceType { pub fn parse(_name: &str) -> Option<Self> { unimplemented!() } pub fn as_str(self) -> &'static str { self.0 } }

/// The R4 definitions, decoded once from the committed pack.
pub fn r4() -> &'static Definitions { unimplemented!() }
pub struct Definitions {}
impl Definitions {
    /// Element by its StructureDefinition path (`Patient.contact.name`, `Observation.value[x]`, `HumanName.family`). Data types and resources alike.
    pub fn element(&self, _path: &str) -> Option<&Element> { unimplemented!() }
    /// Direct children of a type or backbone element, in specification order, inherited ones (id, meta, extension ...) included; follows contentReference.
    pub fn children(&self, _path: &str) -> &[&'static Element] { unimplemented!() }
    /// Resolves one JSON property under a type or backbone path: `valueQuantity` under `Observation` -> (value[x], "Quantity"). `_birthDate` is the caller's matter.
    pub fn property(&self, _parent: &str, _json_name: &str) -> Option<Property<'_>> { unimplemented!() }
    pub fn is_resource(&self, _name: &str) -> bool { unimplemented!() }
    pub fn is_primitive(&self, _type_code: &str) -> bool { unimplemented!() }
    /// Codes of a required binding's value set (url without version), if the pack can expand it.
    pub fn codes(&self, _value_set: &str) -> Option<&CodeSet> { unimplemented!() }
    pub fn search_parameters(&self, _resource: &str) -> &[SearchParameter] { unimplemented!() }
    pub fn resource_names(&self) -> impl Iterator<Item = &'static str> { std::iter::empty() }
    /// Is this resource type in the Patient compartment, and by which search parameters (CompartmentDefinition/patient)?
    pub fn patient_compartment(&self, _resource: &str) -> &[&'static str] { unimplemented!() }
}
pub struct Element { pub path: &'static str, pub name: &'static str, pub min: u32, pub max: Option<u32>, pub types: &'static [TypeRef], pub binding: Option<Binding>, pub is_modifier: bool, pub is_summary: bool, pub content_reference: Option<&'static str> }
impl Element { pub fn repeats(&self) -> bool { self.max != Some(1) } pub fn is_choice(&self) -> bool { self.name.ends_with("[x]") } }
pub struct TypeRef { pub code: &'static str, pub targets: &'static [&'static str] }
#[derive(Clone, Copy)] pub struct Binding { pub strength: Strength, pub value_set: &'static str }
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum Strength { Required, Extensible, Preferred, Example }
pub struct Property<'a> { pub element: &'a Element, /// chosen type
    pub type_code: &'a str, /// path to use as `parent` for its children
    pub child_path: &'a str }
pub struct CodeSet {}
impl CodeSet { pub fn contains(&self, _code: &str) -> bool { unimplemented!() } /// code system that defines the code, for Coding
    pub fn system_of(&self, _code: &str) -> Option<&str> { unimplemented!() } pub fn codes(&self) -> impl Iterator<Item = &str> { std::iter::empty() } pub fn display(&self, _code: &str) -> Option<&str> { unimplemented!() } }
pub struct SearchParameter { pub code: &'static str, pub kind: SearchKind, pub expression: &'static str, pub targets: &'static [&'static str] }
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum SearchKind { Number, Date, String, Token, Reference, Composite, Quantity, Uri, Special }

/// One problem of a resource or request: FHIRPath location, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue { pub severity: Severity, pub code: IssueCode, pub location: String, pub text: String }
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)] pub enum Severity { Fatal, Error, Warning, Information }
/// http://hl7.org/fhir/issue-type, the ones we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub enum IssueCode { Invalid, Structure, Required, Value, Invariant, CodeInvalid, Extension, NotSupported, NotFound, Deleted, Login, Forbidden, Security, Processing, TooLong, TooCostly, Duplicate, Conflict, Exception, Timeout, Throttled, Incomplete, BusinessRule, Informational }
/// Structure, JSON types, primitive formats, cardinality, choice, required bindings, reference targets.
pub fn validate(_resource: &Value) -> Vec<Issue> { unimplemented!() }
/// An OperationOutcome resource.
pub fn operation_outcome(_issues: &[Issue]) -> Value { unimplemented!() }
/// Canonical JSON: specification element order, no insignificant space, numbers as received.
pub fn canonical_json(_resource: &Value) -> Vec<u8> { unimplemented!() }
/// Visits every literal reference (`Reference.reference` strings) of a resource with its location; the callback may rewrite it.
pub fn for_each_reference(_resource: &mut Value, _f: &mut dyn FnMut(&str, &mut String)) { unimplemented!() }
/// Values of one search parameter, extracted for the index.
pub fn extract(_resource: &Value, _parameter: &SearchParameter) -> Vec<IndexValue> { unimplemented!() }
#[derive(Debug, Clone, PartialEq)]
pub enum IndexValue { Token { system: Option<String>, code: String }, Reference { resource_type: Option<String>, id: String }, String(String), Date { low_us: i64, high_us: i64 }, Quantity { value: String, system: Option<String>, code: Option<String> }, Uri(String), Number(String) }
