//! HL7 v2 in ER7: a zero-copy index over the raw bytes.
pub mod charset;
pub mod dictionary;
pub mod escape;
pub mod header;
mod index;
mod issue;
pub mod limits;
pub mod message;
mod part;
mod segment;
mod span;

pub use charset::Charset;
pub use header::{AckCondition, ControlId, Header};
pub use message::{
    Delimiters, IssueKind, Leaf, LeafPath, Message, Part, Peek, Piece, Presence, ReadIssue, SegmentRef, Span,
    Unreadable,
};
