//! Unknown keys are errors.

use super::Checker;
use crate::diagnostic::Findings;
use crate::yaml::Node;

/// The keys a map may have.
pub(crate) type KeyList = &'static [&'static str];

impl Checker<'_> {
    /// Refuses every key that is not in `allowed`.
    pub fn only_keys(&mut self, node: &Node, allowed: KeyList) {
        only_keys(node, allowed, self.findings);
    }
}

/// Refuses every key that is not in `allowed`.
pub(crate) fn only_keys(node: &Node, allowed: KeyList, findings: &mut Findings) {
    if !node.is_map() {
        findings.add(node.place, "E0104", "keys are expected here");
    }
    for entry in node.entries() {
        if !allowed.contains(&entry.key.as_str()) {
            findings.add_near(
                entry.place,
                "E0101",
                format!("unknown key {}", entry.key),
                &entry.key,
                allowed.iter().copied(),
            );
        }
    }
}
