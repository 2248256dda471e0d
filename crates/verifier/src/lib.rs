//! Re-checks what is about to leave, from the profile's tables alone.
//!
//! It shares no code with the transformer and must never depend on it: what one misreads the other should not. Three
//! checks: **structure** (every leaf of the output is explained by a row of the profile), **known identifiers** (none of
//! the source's names and numbers is there in any spelling or encoding), **patterns** (nothing looks like a number, date,
//! phone, address of the net). A leaf that none explains is a leak.
//!
//! It must never know where bytes go or come from. Findings and errors name elements and checks, never values.
//!
//! ```
//! use std::collections::BTreeMap;
//! let files = BTreeMap::from([
//!     ("fhir.tsv".to_owned(), "resource\tpath\ttype\toperation\nPatient\tPatient.id\tid\trekey\n".to_owned()),
//!     ("codes.tsv".to_owned(), "system\tmatch\tshape\n".to_owned()),
//!     ("extensions.tsv".to_owned(), "url\tresource\tpart\ttype\toperation\n".to_owned()),
//! ]);
//! let grammar = verifier::Grammar::compile("example", &files).expect("the tables are well-formed");
//! let found = verifier::verify_arrival(br#"{"resourceType":"Patient"}"#, &grammar).unwrap_err();
//! assert!(found.iter().all(|finding| finding.check == "meta"));
//! ```

mod decode;
mod fold;
mod grammar;
mod known;
mod patterns;
mod search;
mod searchable;
mod structure;
mod table;

use aws_lc_rs::digest;
use serde_json::Value;

pub use grammar::{Grammar, GrammarError};
pub use known::{IdentifierKind, KnownIdentifiers};

/// Proof that these exact bytes passed under one profile; only this crate makes it.
///
/// ```compile_fail
/// let pass = verifier::Pass { content_hash: [0; 32], profile_id: String::new() };
/// ```
#[derive(Debug, Clone)]
pub struct Pass {
    content_hash: [u8; 32],
    profile_id: String,
}

impl Pass {
    /// SHA-256 of the bytes that passed.
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// The profile whose grammar they passed under.
    pub fn profile_id(&self) -> &str {
        &self.profile_id
    }
}

/// One reason why bytes may not leave: the check and the element, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `json`, `canonical`, `structure`, `meta`, `known-identifier`, `pattern`.
    pub check: &'static str,
    /// Element path; an unknown property is named by its parent.
    pub location: String,
}

/// Checks structure, known identifiers and patterns of canonical JSON that is about to leave.
///
/// # Errors
/// Every [`Finding`].
pub fn verify(bytes: &[u8], grammar: &Grammar, known: &KnownIdentifiers) -> Result<Pass, Vec<Finding>> {
    check(bytes, grammar, Some(known))
}

/// Checks structure and patterns, for the cloud's intake, which knows no identifiers.
///
/// # Errors
/// Every [`Finding`].
pub fn verify_arrival(bytes: &[u8], grammar: &Grammar) -> Result<Pass, Vec<Finding>> {
    check(bytes, grammar, None)
}

fn check(bytes: &[u8], grammar: &Grammar, known: Option<&KnownIdentifiers>) -> Result<Pass, Vec<Finding>> {
    let at_root = |check| Finding { check, location: String::new() };
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return Err(vec![at_root("json")]);
    };
    let mut found = structure::check(&value, grammar, known);
    // A second key of the same name, or text between values, is not in the parsed value.
    if found.is_empty() && fhir::canonical_json(&value) != bytes {
        found.push(at_root("canonical"));
    }
    if known.is_some_and(|known| known.in_bytes(bytes)) {
        found.push(at_root("known-identifier"));
    }
    if !found.is_empty() {
        return Err(found);
    }
    let mut content_hash = [0; 32];
    content_hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    Ok(Pass { content_hash, profile_id: grammar.profile_id().to_owned() })
}
