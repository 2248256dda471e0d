//! Search parameters beside those of R4: which packages define them.

use std::path::PathBuf;

use serde::Deserialize;

/// Packages whose SearchParameters the node serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchParameters {
    /// FHIR packages: `.tgz`, folders of a package, or folders of packages.
    #[serde(default)]
    pub packages: Vec<PathBuf>,
    /// Canonicals, with or without version, of definitions that are left out.
    #[serde(default)]
    pub except: Vec<String>,
}
