//! What the engine reads and writes without a map: its conversions, and the Provenance of each message.

use mapping::V2Path;

/// Parts of a value that a built-in conversion reads, and the element each goes to.
pub fn conversion(name: &str, datatype: &str) -> &'static [(&'static [u16], &'static str)] {
    match (name, datatype) {
        // The authority: OID, UUID or URI, else what the site's registry says of the namespace.
        ("system", "HD") => &[(&[1], ""), (&[2], ""), (&[3], "")],
        ("system", "EI") => &[(&[2], ""), (&[3], ""), (&[4], "")],
        ("NM.Quantity", _) => &[(&[], "value"), (&[], "comparator")],
        ("SN.Quantity", _) => &[(&[1], "comparator"), (&[2], "value")],
        ("SN.Range", _) => &[(&[2], "low.value"), (&[4], "high.value")],
        ("SN.Ratio", _) => {
            &[(&[1], "numerator.comparator"), (&[2], "numerator.value"), (&[4], "denominator.value")]
        }
        _ => &[],
    }
}

/// v2 paths and what of Provenance the engine makes of them; `execute/provenance.rs` in the crate `mapping`.
/// The test `provenance_is_as_listed` proves each by leaving the value out.
pub const PROVENANCE: &[(&str, &[u16], &str)] = &[
    ("MSH", &[7], "recorded"),
    ("EVN", &[2], "recorded"),
    ("EVN", &[6], "occurredDateTime"),
    ("EVN", &[7], "location.display"),
    ("EVN", &[4], "reason.coding.code"),
    ("MSH", &[21], "policy"),
    ("MSH", &[3], "agent.who.identifier.value"),
    ("MSH", &[4], "agent.who.identifier.value"),
    ("MSH", &[5], "agent.who.identifier.value"),
    ("MSH", &[6], "agent.who.identifier.value"),
    ("EVN", &[5], "agent.who.identifier.value"),
    ("MSH", &[22], "agent.who.identifier.value"),
    ("SFT", &[1], "agent.who.display"),
    ("SFT", &[2], "agent.who.display"),
    ("SFT", &[3], "agent.who.display"),
    ("MSH", &[19], "language"),
    ("PID", &[33], "occurredDateTime"),
    ("PID", &[34], "agent.who.display"),
    ("ORC", &[10], "agent.who.identifier.value"),
    ("ORC", &[17], "agent.onBehalfOf.identifier.value"),
    ("ORC", &[18], "agent.who.identifier.value"),
    ("ORC", &[19], "agent.who.identifier.value"),
];

/// Constants of each Provenance: the segment they come with, the element, the text. Proven by the same test.
pub const PROVENANCE_CONSTANTS: &[(&str, &str, &str)] = &[
    ("MSH", "agent.type.coding.code", "author"),
    ("MSH", "agent.type.coding.code", "assembler"),
    ("MSH", "agent.type.coding.system", "http://terminology.hl7.org/CodeSystem/provenance-participant-type"),
    ("MSH", "entity.role", "source"),
    ("ORC", "agent.type.coding.code", "enterer"),
    ("ORC", "agent.type.coding.code", "performer"),
];

/// A path of [`PROVENANCE`].
pub fn path(segment: &str, numbers: &[u16]) -> V2Path {
    V2Path { root: segment.to_owned(), numbers: numbers.to_vec() }
}

/// Tables of the guide about a type that our maps read as another: the same components in the same places.
pub fn read_as(datatype: &str) -> &[&str] {
    match datatype {
        "CE" | "CNE" | "CF" | "CWE" => &["CWE", "CE", "CNE", "CF"],
        "ID" | "IS" => &["ID", "IS", "CWE", "CE"],
        "ST" => &["ST", "CWE"],
        "TS" | "DTM" => &["TS", "DTM", "DT"],
        "RPT" | "RI" => &["RPT", "RI"],
        "CNN" => &["CNN", "XCN"],
        _ => &[],
    }
}
