//! Which search parameters a surface has. One table: indexing, routes, validation and CapabilityStatement read it.

use super::{SearchKind, SearchParameter};
use crate::definitions::r4;

/// Who a surface serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Identified resources: every parameter that has an index.
    Identified,
    /// De-identified resources: the parameters of [`DEIDENTIFIED`] alone.
    Deidentified,
}

/// Answered from the resource's own row, or with rules of their own.
const NOT_INDEXED: [&str; 8] =
    ["_content", "_filter", "_id", "_lastUpdated", "_query", "_text", "near", "phonetic"];

/// Parameters of de-identified resources: codes, references to pseudonymous ids, dates to the year, measured values.
/// None of them can test a name, an identifier, an address, a contact or a birth date; a parameter that is not here
/// does not exist there.
const DEIDENTIFIED: [&str; 41] = [
    "_security",
    "account",
    "active",
    "authored",
    "authoredon",
    "based-on",
    "beneficiary",
    "bodysite",
    "category",
    "class",
    "clinical-status",
    "code",
    "context",
    "criticality",
    "date",
    "diagnosis",
    "encounter",
    "gender",
    "general-practitioner",
    "intent",
    "issued",
    "location",
    "medication",
    "onset-date",
    "organization",
    "part-of",
    "patient",
    "performer",
    "practitioner",
    "prescription",
    "requester",
    "result",
    "specimen",
    "status",
    "subject",
    "target",
    "type",
    "value-quantity",
    "verification-status",
    "whenhandedover",
    "whenprepared",
];

/// The parameters of a resource type that are indexed for an audience, by code: every one of R4 with an expression whose
/// type is token, string, date, reference, uri, number or quantity, less those that need an index of their own.
pub fn indexed(resource: &str, audience: Audience) -> impl Iterator<Item = &'static SearchParameter> {
    r4().search_parameters(resource).iter().filter(move |parameter| is_indexed(parameter, audience))
}

fn is_indexed(parameter: &SearchParameter, audience: Audience) -> bool {
    let kind_has_index = !matches!(parameter.kind, SearchKind::Composite | SearchKind::Special);
    let open = match audience {
        Audience::Identified => true,
        Audience::Deidentified => DEIDENTIFIED.binary_search(&parameter.code).is_ok(),
    };
    kind_has_index && open && parameter.program.is_some() && !NOT_INDEXED.contains(&parameter.code)
}

/// The parameters of a resource type that can be asked for by an audience, by code: those that are indexed and, of
/// identified resources, the composites, whose parts are.
pub fn searchable(resource: &str, audience: Audience) -> impl Iterator<Item = &'static SearchParameter> {
    r4().search_parameters(resource).iter().filter(move |parameter| match parameter.kind {
        SearchKind::Composite => audience == Audience::Identified && parameter.program.is_some(),
        _ => is_indexed(parameter, audience),
    })
}

/// Whether values of a parameter can be shown in an address: codes and ids that de-identified resources have too. A name,
/// a number of a person or a date of care cannot.
pub fn is_plain(parameter: &SearchParameter) -> bool {
    // What a package defines may hold anything.
    parameter.custom.is_none()
        && matches!(parameter.kind, SearchKind::Token | SearchKind::Reference)
        && DEIDENTIFIED.binary_search(&parameter.code).is_ok()
}
