//! Declarative HL7 v2 to FHIR mappings: compiler and translator.
//!
//! [`Package::compile`] reads a set of YAML files once, proves them against the v2 dictionary and the R4 element table, and
//! gives a plan; [`Package::translate`] runs it over a message. Both are pure: no clock, no randomness, no files, no network.
//! The crate never sees storage, transport or destinations.
//!
//! Invariants: same bytes, package and context give the same result; the trace changes nothing but itself; each populated
//! leaf ends as exactly one [`LeafFate`]; no error, issue or `Debug` output carries message content.
//!
//! ```
//! # use std::collections::BTreeMap;
//! let files = [
//!     ("package.yaml", "name: demo\nversion: 1.0.0\n"),
//!     ("messages/ADT_A01.yaml", "message: ADT_A01\nfor: [A01]\nmake: {patient: PID -> Patient}\n"),
//!     ("segments/PID.Patient.yaml", "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate: PID-7 as date\n"),
//! ];
//! let sources = mapping::Sources(files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect::<BTreeMap<_, _>>());
//! let package = mapping::Package::compile(&sources).expect("compiles");
//! let message = hl7v2::Message::read(b"MSH|^~\\&|A|B|||20240102||ADT^A01|1|P|2.5\rPID|1||42^^^H||||1970\r").expect("has a header");
//! let context = mapping::Context { namespace: uuid::Uuid::nil(), site: None, trace: false };
//! let translation = package.translate(&message, &context).expect("translates");
//! assert_eq!(translation.change.sets[0].resource["birthDate"], "1970");
//! ```
#![doc = include_str!("language.md")]

mod basis;
mod catalog;
mod check;
mod codes;
mod concept_map;
mod convert;
mod coverage;
mod diagnostic;
mod difference;
mod execute;
mod few;
mod identity;
mod json;
mod missed_code;
mod number_hash;
mod package;
mod plan;
mod rules;
mod schema;
mod segment_code;
mod site;
mod syntax;
mod systems;
mod test_file;
mod trace;
mod translation;
mod validation;
mod yaml;

pub use catalog::{Answer, At, Catalog, CatalogMap, CatalogMessage, CatalogTable, Made, V2Path, Write};
pub use concept_map::{ConceptMapError, code_table_of};
pub use coverage::{Coverage, LeafCoverage, LeafFate, LeafName};
pub use diagnostic::Diagnostic;
pub use difference::{Difference, Differences, Group};
pub use identity::patient_id;
pub use missed_code::MissedCode;
pub use package::{Package, Sources};
pub use rules::{FileRules, RuleCoverage, RuleFate, RuleRun};
pub use schema::schemas;
pub use test_file::TestOutcome;
pub use trace::{Miss, Read, Step, Trace, Why};
pub use translation::{
    BusinessKey, Change, Context, Issue, KeyKind, Mode, PatientLink, PatientMerge, Person, PersonNumber,
    RecordMove, Rejection, ReplacedSet, ResourceSet, Translation,
};
pub use validation::{PACKAGES_FOLDER, Validated};
