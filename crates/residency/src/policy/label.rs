//! Security labels by code rules.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Policy;

/// Label of a resource that no rule matched: Confidentiality `N` (HL7 v3 Confidentiality).
pub const LABEL_NORMAL: &str = "N";

/// Most levels of a resource that are searched for codes.
const DEPTH_MAX: usize = 64;

/// Security labels of one resource, sorted. Empty means that nobody labelled it, which a policy treats as restricted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(pub Vec<String>);

/// One rule: a code of a system, or a prefix of it, gives a label.
#[derive(Debug)]
pub(crate) struct LabelRule {
    pub(crate) label: String,
    pub(crate) system: String,
    pub(crate) codes: BTreeSet<String>,
    pub(crate) prefixes: Vec<String>,
}

impl LabelRule {
    fn matches(&self, system: &str, code: &str) -> bool {
        self.system == system
            && (self.codes.contains(code)
                || self.prefixes.iter().any(|prefix| code.starts_with(prefix.as_str())))
    }
}

/// Labels of a resource: those whose rule matches a coding anywhere in it, [`LABEL_NORMAL`] when none does. A resource
/// nested deeper than any of R4 gets no label at all.
pub fn label(policy: &Policy, resource: &Value) -> Labels {
    let mut found = BTreeSet::new();
    if !collect(policy, resource, 0, &mut found) {
        return Labels::default();
    }
    if found.is_empty() {
        found.insert(LABEL_NORMAL.to_owned());
    }
    Labels(found.into_iter().collect())
}

/// False when the value is nested too deep.
fn collect(policy: &Policy, value: &Value, depth: usize, found: &mut BTreeSet<String>) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    match value {
        Value::Object(map) => {
            if let (Some(Value::String(system)), Some(Value::String(code))) =
                (map.get("system"), map.get("code"))
            {
                let rules = policy.label_rules.iter().filter(|rule| rule.matches(system, code));
                found.extend(rules.map(|rule| rule.label.clone()));
            }
            map.values().all(|child| collect(policy, child, depth + 1, found))
        }
        Value::Array(items) => items.iter().all(|child| collect(policy, child, depth + 1, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
