//! The search parameters of a role: what the router reads, the intake indexes and the CapabilityStatement tells.

use std::collections::HashMap;

use fhir::{ResourceType, SearchKind, SearchParameter, reference_targets, searchable};
use store::IndexState;

use super::by_audience::ByAudience;
use super::refusal;
use crate::outcome::Failure;
use crate::server::{Fhir, Role, every_type};
use crate::time::Precision;

/// Result parameters of a search, in the order in which they are told.
pub(super) const RESULT_PARAMETERS: [&str; 9] =
    ["_sort", "_include", "_revinclude", "_count", "_summary", "_elements", "_total", "_format", "_pretty"];

/// Search parameters of R4 of a role that this resource type has, by code; `_id` and `_lastUpdated` beside them.
/// They are looked for once: one request asks for those of a hundred types.
pub(crate) fn registered(of: ResourceType, role: &Role) -> Vec<&'static SearchParameter> {
    static KNOWN: ByAudience<Registered> = ByAudience::new();
    let of_all = || {
        every_type().into_iter().map(|of| (of, searchable(of.as_str(), role.audience).collect())).collect()
    };
    KNOWN.of(role, of_all).get(&of).cloned().unwrap_or_default()
}

/// By type.
type Registered = HashMap<ResourceType, Vec<&'static SearchParameter>>;

/// Search parameters of a type that can be asked for now, by code: those of the role, and those that packages define whose
/// index is made. Chains and `_has` lead over these alone.
pub(crate) fn usable(of: ResourceType, fhir: &Fhir, role: &Role) -> Vec<&'static SearchParameter> {
    let mut all = registered(of, role);
    let ready = fhir.index.of(of.as_str()).filter(|(_, state)| *state == IndexState::Ready);
    all.extend(ready.map(|(parameter, _)| parameter));
    all.sort_by_key(|parameter| parameter.code);
    all
}

/// That a parameter is not one whose index is being made: it would find part of what there is, so that it is refused
/// whatever a client prefers.
///
/// # Errors
/// 400 with how far its index is.
pub(super) fn demand_indexed(of: ResourceType, code: &str, fhir: &Fhir) -> Result<(), Failure> {
    let found = fhir.index.of(of.as_str()).find(|(parameter, _)| parameter.code == code);
    match found {
        Some((parameter, IndexState::Building(percent))) => {
            Err(refusal::not_indexed(of, parameter.code, percent))
        }
        _ => Ok(()),
    }
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

/// Values of `_include` for a type: the reference parameters among these of it.
pub(super) fn includes(of: ResourceType, parameters: &[&'static SearchParameter]) -> Vec<&'static str> {
    let leading = parameters.iter().filter(|parameter| leads(of, parameter));
    leading.map(|parameter| parameter.code).collect()
}

/// Values of `_revinclude` for a type: reference parameters of the served types that can point at it.
pub(super) fn reverse_includes(
    of: ResourceType,
    fhir: &Fhir,
    role: &Role,
) -> Vec<(ResourceType, &'static str)> {
    let mut found = Vec::new();
    for source in &fhir.types {
        for parameter in usable(*source, fhir, role) {
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
