//! HL7 v2 in ER7: a zero-copy index over the raw bytes.
//!
//! [`Message::read`] borrows the bytes of one message and finds its segments and fields in one pass; components are
//! split when they are asked for, and every part knows its bytes. Reading is lenient: only bytes without an MSH, or
//! beyond a named limit, are an error; whatever else is odd stands in [`Message::issues`] beside the value. Around it:
//! paths for people ([`path`]), escapes ([`escape`]), character sets ([`charset`]), dates ([`timestamp`]),
//! acknowledgments ([`acknowledgment`]), files of messages ([`batch`]), messages in parts ([`continuation`]) and the dictionary ([`dictionary`]).
//!
//! The crate knows ER7 and nothing of FHIR, sockets, storage or clocks.
//!
//! Invariants:
//! - no byte is lost: the pieces of a message, and of a file, concatenate to the input;
//! - no input makes it panic, and none is read in part: beyond a limit it is refused;
//! - `Debug` and error texts hold places and sizes, never content.
//!
//! ```
//! use hl7v2::{Message, Presence, path::Path};
//!
//! let bytes = b"MSH|^~\\&|EMR|WARD|||20260102030405-0500||ADT^A01|7|P|2.5.1\rPID|1||77^^^H&1.2.3&ISO^MR~88^^^^PI||Doe^Jo||\"\"\r";
//! let message = Message::read(bytes)?;
//! assert_eq!(message.header().structure(), "ADT_A01");
//!
//! let pid = message.segment_named("PID", 1).ok_or("no PID")?;
//! assert_eq!(pid.field(3).repetition(1).component(1).text(), "88");
//! assert_eq!(pid.field(7).presence(), Presence::Null);
//! assert_eq!(pid.field(8).presence(), Presence::Absent);
//!
//! let path: Path = "PID-3.4.2".parse()?;
//! assert_eq!(path.resolve(&message).text(), "1.2.3");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod acknowledgment;
pub mod batch;
pub mod charset;
pub mod continuation;
pub mod dictionary;
pub mod escape;
mod find;
pub mod header;
mod index;
mod issue;
pub mod limits;
pub mod message;
mod part;
pub mod path;
mod segment;
mod span;
pub mod timestamp;

pub use charset::Charset;
pub use header::{AckCondition, ControlId, Header};
pub use message::{
    Delimiters, IssueKind, Leaf, LeafPath, Message, Part, Peek, Piece, Presence, ReadIssue, SegmentRef, Span,
    Unreadable,
};
pub use timestamp::{Offset, Timestamp};
