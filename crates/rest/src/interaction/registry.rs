//! The search parameters of a role: what the router reads, the intake indexes and the CapabilityStatement tells.

use fhir::{ResourceType, SearchKind, SearchParameter, indexed};

use crate::server::Role;
use crate::time::Precision;

/// Result parameters of a search, in the order in which they are told.
pub(super) const RESULT_PARAMETERS: [&str; 8] =
    ["_sort", "_include", "_revinclude", "_count", "_summary", "_total", "_format", "_pretty"];

/// Search parameters of a role that this resource type has, by code; `_id` and `_lastUpdated` beside them.
pub(crate) fn registered(of: ResourceType, role: &Role) -> Vec<&'static SearchParameter> {
    indexed(of.as_str(), role.audience).collect()
}

/// `_id`, and `_lastUpdated` where instants are told.
pub(super) fn own_parameters(role: &Role) -> &'static [(&'static str, SearchKind)] {
    const BOTH: [(&str, SearchKind); 2] = [("_id", SearchKind::Token), ("_lastUpdated", SearchKind::Date)];
    match role.precision {
        Precision::Exact => &BOTH,
        Precision::Year => BOTH.split_at(1).0,
    }
}

/// Whether matches can be sorted by a parameter of this kind.
pub(super) fn sorts(kind: SearchKind) -> bool {
    !matches!(kind, SearchKind::Reference | SearchKind::Composite | SearchKind::Special)
}

/// Modifiers of a kind, beside the types of a reference.
pub(super) fn modifiers(kind: SearchKind) -> &'static [&'static str] {
    match kind {
        SearchKind::Token => &["not", "missing"],
        SearchKind::String => &["exact", "contains", "missing"],
        _ => &["missing"],
    }
}

/// Values of `_include` for a type: its reference parameters.
pub(super) fn includes(of: ResourceType, role: &Role) -> Vec<&'static str> {
    let references = registered(of, role).into_iter();
    references
        .filter(|parameter| parameter.kind == SearchKind::Reference)
        .map(|parameter| parameter.code)
        .collect()
}

/// Values of `_revinclude` for a type: reference parameters of the served types that can point at it.
pub(super) fn reverse_includes(
    of: ResourceType,
    served: &[ResourceType],
    role: &Role,
) -> Vec<(ResourceType, &'static str)> {
    let mut found = Vec::new();
    for source in served {
        for parameter in registered(*source, role) {
            if parameter.kind == SearchKind::Reference && points_at(parameter, of) {
                found.push((*source, parameter.code));
            }
        }
    }
    found
}

/// Whether a reference parameter can point at a type; one that names no targets can point anywhere.
pub(super) fn points_at(parameter: &SearchParameter, of: ResourceType) -> bool {
    parameter.targets.is_empty() || parameter.targets.contains(&of.as_str())
}
