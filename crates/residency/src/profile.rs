//! A de-identification profile: one decision for every element that a listed resource type can reach.

mod codes;
mod compile;
mod operation;
mod prove;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::diagnostic::Diagnostic;
use crate::pseudonym::hex;

pub(crate) use codes::{Codes, UCUM, Vocabulary};
pub(crate) use operation::{AddressParts, Operation};

/// Hexadecimal digits of the content hash that the policy tag carries.
const TAG_DIGITS: usize = 16;

/// A de-identification profile, compiled from `profiles/deidentification/<id>/`. It does not load when an element has no
/// decision.
pub struct Profile {
    pub(crate) id: String,
    pub(crate) hash: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) roots: HashMap<&'static str, usize>,
    pub(crate) subjects: BTreeSet<fhir::ResourceType>,
    pub(crate) codes: Codes,
    pub(crate) extensions: Vec<ExtensionRule>,
    pub(crate) zip3: BTreeSet<String>,
    pub(crate) over_age: i32,
    pub(crate) age_band_extension: String,
    pub(crate) age_codes: Arc<Vocabulary>,
    pub(crate) policy_tag_system: String,
    pub(crate) states: Arc<Vocabulary>,
    pub(crate) countries: Arc<Vocabulary>,
}

/// A type or backbone element with the decisions on its properties.
#[derive(Default)]
pub(crate) struct Node {
    /// By JSON name (`valueQuantity`).
    pub(crate) rules: HashMap<String, Rule>,
    /// Elements that must be there.
    pub(crate) required: Vec<Required>,
    /// JSON names of elements that are made anew.
    pub(crate) rebuilt: Vec<String>,
}

/// The decision on one JSON property.
pub(crate) struct Rule {
    pub(crate) operation: Operation,
    /// Name without the type (`value` of `valueQuantity`).
    pub(crate) base: &'static str,
    pub(crate) type_code: &'static str,
    pub(crate) primitive: bool,
    pub(crate) repeats: bool,
    pub(crate) required: bool,
    /// Node of its children, for operations that enter them.
    pub(crate) child: Option<usize>,
    /// The codes of its required binding.
    pub(crate) codes: Option<&'static fhir::CodeSet>,
}

/// An element with a cardinality of at least one.
pub(crate) struct Required {
    /// JSON names it can have.
    pub(crate) names: Vec<String>,
    /// Whether it changes the meaning of what contains it, so that it cannot be masked.
    pub(crate) modifier: bool,
}

/// One row of `extensions.tsv`.
pub(crate) struct ExtensionRule {
    pub(crate) url: String,
    pub(crate) resource: String,
    /// Nested extension; `None` is the extension's own value.
    pub(crate) part: Option<String>,
    /// JSON name of the value (`valueCoding`).
    pub(crate) value: String,
    pub(crate) operation: Operation,
}

impl Profile {
    /// Compiles a profile. `files`: path inside the profile's folder → text.
    ///
    /// # Errors
    /// Every [`Diagnostic`] found: an element without a decision, a path that does not exist, a row given twice, an
    /// operation that does not fit its type or would keep free text, a required element that is dropped.
    pub fn compile(id: &str, files: &BTreeMap<String, String>) -> Result<Self, Vec<Diagnostic>> {
        compile::compile(id, files)
    }

    /// Its name (`safe-harbor-us`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// SHA-256 of its files, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether resources of this type may leave under it.
    pub fn covers(&self, resource_type: fhir::ResourceType) -> bool {
        self.roots.contains_key(resource_type.as_str())
    }

    /// The start of the content hash, which every output carries in `meta.tag`.
    pub(crate) fn policy_tag(&self) -> &str {
        self.hash.get(..TAG_DIGITS).unwrap_or(&self.hash)
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Profile")
            .field("id", &self.id)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// SHA-256 over names and texts in the order of their names, each with its length before it.
pub(crate) fn content_hash(files: &BTreeMap<String, String>) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in files.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]) {
        context.update(&length_prefix(part));
        context.update(part);
    }
    hex(context.finish().as_ref())
}

/// Length of a part as eight bytes, so that joined parts cannot be read in two ways.
pub(crate) fn length_prefix(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}
