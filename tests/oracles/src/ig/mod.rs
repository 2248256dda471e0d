//! The tables of the HL7 v2-to-FHIR guide against our package, row by row.
//!
//! A row is *implemented* when a rule of ours reads its v2 path and writes its element (a code row: gives the same code of
//! the same system; a message row: makes such a resource and reads that segment for it). Conditions are not compared. It
//! *deviates* when our data give a reason: `deviates` on the rule or table, an `ignore`, or `ig.yaml`. Rows without a target, or
//! whose target is no valid R4, stand apart, as do code rows without a v2 code. All else is *missing*.

pub mod builtin;
pub mod index;
pub mod judge;
pub mod read;
pub mod report;
pub mod target;

use std::path::PathBuf;

/// The folder of the guide's tables, beside the corpora, if there is one.
pub fn folder() -> Option<PathBuf> {
    let folder = crate::corpora()?.join("../ig-v2-to-fhir/mappings");
    folder.is_dir().then_some(folder)
}
