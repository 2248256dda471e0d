//! The v2 dictionary (2.1 to 2.9 merged, facts only): the fields of segments, the components of data types, the group
//! grammar of message structures.
//!
//! The tables are the text files in the crate's `dictionary/` folder, parsed once on first use. Names and types are
//! those of v2.5.1; fields that later versions added follow. A field repeats when any version since 2.4 lets it.

mod arrange;
mod tables;

pub use arrange::{GroupInstance, Node, arrange};

/// One field of a segment.
#[derive(Debug)]
pub struct FieldDefinition {
    /// `Patient Identifier List`.
    pub name: &'static str,
    /// `CX`; `varies` for OBX-5 and its like.
    pub datatype: &'static str,
    /// Whether the field may repeat.
    pub repeats: bool,
    /// Number of the HL7 table its codes come from.
    pub table: Option<u16>,
}

/// One component of a data type.
#[derive(Debug)]
pub struct ComponentDefinition {
    /// `Assigning Authority`.
    pub name: &'static str,
    /// `HD`.
    pub datatype: &'static str,
    /// Number of the HL7 table its codes come from.
    pub table: Option<u16>,
}

/// A node of the grammar. The root's name is the structure id.
#[derive(Debug)]
pub struct Group {
    /// `ORDER_OBSERVATION`, or at the root `ORU_R01`.
    pub name: &'static str,
    /// The group may be absent.
    pub optional: bool,
    /// The group may occur more than once.
    pub repeats: bool,
    /// Its segments and groups in order.
    pub members: &'static [Member],
}

/// What a group is made of.
#[derive(Debug)]
pub enum Member {
    /// A segment.
    Segment {
        /// `OBX`.
        name: &'static str,
        /// The segment may be absent.
        optional: bool,
        /// The segment may occur more than once.
        repeats: bool,
    },
    /// A group of its own.
    Group(&'static Group),
}

/// Fields of a segment, index 0 = field 1. None: unknown segment (a Z segment, or not in any version).
#[must_use]
pub fn segment(name: &str) -> Option<&'static [FieldDefinition]> {
    tables::segments().get(name).copied()
}

/// Components of a data type, index 0 = component 1; `Some(&[])` for a primitive and for `varies`; None for an unknown type.
#[must_use]
pub fn datatype(name: &str) -> Option<&'static [ComponentDefinition]> {
    tables::datatypes().get(name).copied()
}

/// The group grammar of a message structure (`ADT_A01`, `ORU_R01`). Senders also write code and event where the
/// structure belongs (`ADT_A08`); that finds the structure of the event.
#[must_use]
pub fn structure(id: &str) -> Option<&'static Group> {
    let structures = tables::structures();
    structures.get(id).copied().or_else(|| {
        let (code, event) = id.split_once('_')?;
        structures.get(structure_of(code, event)?).copied()
    })
}

/// `ADT`, `A04` to `ADT_A01` (table 0354), for messages without MSH-9.3. An acknowledgment of any event is `ACK`.
#[must_use]
pub fn structure_of(code: &str, event: &str) -> Option<&'static str> {
    if code == "ACK" {
        return Some("ACK");
    }
    tables::events().get(&(code, event)).copied()
}
