//! HL7 v2 in ER7: a zero-copy index over the raw bytes.

pub mod dictionary;
pub mod message;

pub use message::{Delimiters, Leaf, LeafPath, Message, Part, Presence, SegmentRef, Span, Unreadable};
