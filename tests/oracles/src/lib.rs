//! Other people's parsers and models as judges of ours. Test-only: nothing ships from here.
//!
//! - `hl7_readers` compares the reader of `hl7v2` with er7 and hl7-parser, leaf by leaf.
//! - `corpora` translates every message of a folder and compares the counts with a committed table.
//! - `compare` holds what we make against what other converters made of the same message.
//! - `ig` holds the package against the tables of HL7's v2-to-FHIR guide, row by row.
//!
//! Both run over the project's fixtures, and over a folder of messages when `TIDEGATE_CORPORA` names one.

pub mod compare;
pub mod files;
pub mod ig;
pub mod measure;

pub mod readers;

use std::path::PathBuf;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of messages named by `TIDEGATE_CORPORA`, if any.
pub fn corpora() -> Option<PathBuf> {
    std::env::var_os("TIDEGATE_CORPORA").map(PathBuf::from)
}
