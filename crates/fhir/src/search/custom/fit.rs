//! Which types of elements have values for which kinds of search parameters (R4, search §3.1.1.4).

use super::super::SearchKind;
use crate::definitions::r4;

/// Whether an element of this path or type has values for a kind.
pub(super) fn fits(kind: SearchKind, of: &str) -> bool {
    let types = types(kind);
    types.contains(&of) || (kind == SearchKind::Reference && r4().is_resource(of))
}

/// The types that have values for a kind.
pub(super) fn types(kind: SearchKind) -> &'static [&'static str] {
    match kind {
        SearchKind::Token => &[
            "boolean",
            "canonical",
            "code",
            "CodeableConcept",
            "Coding",
            "ContactPoint",
            "id",
            "Identifier",
            "oid",
            "string",
            "uri",
            "url",
            "uuid",
        ],
        SearchKind::String => &["Address", "code", "HumanName", "id", "markdown", "string"],
        SearchKind::Date => &["date", "dateTime", "instant", "Period", "Timing"],
        SearchKind::Number => &["decimal", "integer", "positiveInt", "unsignedInt"],
        SearchKind::Quantity => &["Age", "Count", "Distance", "Duration", "Money", "Quantity"],
        SearchKind::Reference => &["canonical", "Reference", "uri"],
        SearchKind::Uri => &["canonical", "oid", "uri", "url", "uuid"],
        SearchKind::Composite | SearchKind::Special => &[],
    }
}
