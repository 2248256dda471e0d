//! The search parameters of a role: what the router reads, the intake indexes and the CapabilityStatement tells.

use fhir::{ResourceType, SearchKind, SearchParameter, reference_targets, searchable};

use crate::server::Role;
use crate::time::Precision;

/// Result parameters of a search, in the order in which they are told.
pub(super) const RESULT_PARAMETERS: [&str; 9] =
    ["_sort", "_include", "_revinclude", "_count", "_summary", "_elements", "_total", "_format", "_pretty"];

/// Search parameters of a role that this resource type has, by code; `_id` and `_lastUpdated` beside them. Chains and
/// `_has` lead over these alone.
pub(crate) fn registered(of: ResourceType, role: &Role) -> Vec<&'static SearchParameter> {
    searchable(of.as_str(), role.audience).collect()
}

/// `_id`, and `_lastUpdated` where instants are told.
pub(super) fn own_parameters(role: &Role) -> &'static [(&'static str, SearchKind)] {
    const BOTH: [(&str, SearchKind); 2] = [("_id", SearchKind::Token), ("_lastUpdated", SearchKind::Date)];
    match role.precision {
        Precision::Exact => &BOTH,
        Precision::Year => BOTH.split_at(1).0,
    }
}

/// Whether matches can be sorted by a parameter of this kind: those with one value in the index at a time.
pub(super) fn sorts(kind: SearchKind) -> bool {
    !matches!(kind, SearchKind::Composite | SearchKind::Special)
}

/// Whether a parameter of a type leads to resources: what names a definition by its url does not.
pub(super) fn leads(of: ResourceType, parameter: &SearchParameter) -> bool {
    parameter.kind == SearchKind::Reference && !reference_targets(of.as_str(), parameter).is_empty()
}

/// Values of `_include` for a type: its reference parameters.
pub(super) fn includes(of: ResourceType, role: &Role) -> Vec<&'static str> {
    let all = registered(of, role).into_iter();
    all.filter(|parameter| leads(of, parameter)).map(|parameter| parameter.code).collect()
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
            if points_at(*source, parameter, of) {
                found.push((*source, parameter.code));
            }
        }
    }
    found
}

/// Whether a parameter of a type can point at another.
pub(super) fn points_at(source: ResourceType, parameter: &SearchParameter, of: ResourceType) -> bool {
    parameter.kind == SearchKind::Reference
        && reference_targets(source.as_str(), parameter).binary_search(&of.as_str()).is_ok()
}

/// Whether members of a List can be asked for.
pub(super) fn serves_lists(served: &[ResourceType], role: &Role) -> bool {
    let list = served.iter().find(|of| of.as_str() == "List");
    list.is_some_and(|list| registered(*list, role).iter().any(|parameter| parameter.code == "item"))
}
