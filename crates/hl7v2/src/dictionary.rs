//! CONTRACT: the v2 dictionary (2.1-2.9 merged; facts only): segments' fields, data types' components, message structures.

pub struct FieldDefinition { pub name: &'static str, pub datatype: &'static str, pub repeats: bool, pub table: Option<u16> }
pub struct ComponentDefinition { pub name: &'static str, pub datatype: &'static str, pub table: Option<u16> }

/// Fields of a segment, index 0 = field 1. None: unknown segment (a Z segment, or not in any version).
pub fn segment(_name: &str) -> Option<&'static [FieldDefinition]> { unimplemented!() }
/// Components of a data type, index 0 = component 1; Some(&[]) for a primitive; None for an unknown type.
pub fn datatype(_name: &str) -> Option<&'static [ComponentDefinition]> { unimplemented!() }
/// The group grammar of a message structure (`ADT_A01`, `ORU_R01`).
pub fn structure(_id: &str) -> Option<&'static Group> { unimplemented!() }
/// `ADT`,`A04` -> `ADT_A01` (table 0354), for messages without MSH-9.3.
pub fn structure_of(_code: &str, _event: &str) -> Option<&'static str> { unimplemented!() }

/// A node of the grammar. The root's name is the structure id.
pub struct Group { pub name: &'static str, pub optional: bool, pub repeats: bool, pub members: &'static [Member] }
pub enum Member { Segment { name: &'static str, optional: bool, repeats: bool }, Group(&'static Group) }

/// One group instance met in a message: its segments and child groups, in order.
#[derive(Debug)]
pub struct GroupInstance { pub name: &'static str, pub children: Vec<Node> }
#[derive(Debug)]
pub enum Node { Segment(usize), Group(GroupInstance) }

/// Sorts the segments of a message into group instances, leniently: an unexpected segment stays in the innermost open group.
pub fn arrange(_message: &crate::Message<'_>, _structure: &'static Group) -> GroupInstance { unimplemented!() }
