//! What feeds the journal: MLLP listeners, and files and HTTP bodies that a shell reads.
//!
//! A listener turns frames into journal entries and answers only what is durable: the acknowledgment is written into
//! the journal with the message, in one commit, and sent afterwards. Every byte sequence on a port ends in exactly one
//! of {acknowledged, refused, quarantined}, with a row that an auditor can open.
//!
//! What this crate must never do: look at more of a message than its header, keep a message anywhere but in the
//! journal, or log content.

mod batch;
mod events;
pub mod folder;
mod http;
mod junk;
mod mllp_source;
mod ordered;
mod receive;

pub use batch::{BATCH_MESSAGES_MAX, BatchAnswers, BatchReply, is_batch};
pub use http::{MediaType, Posted};
pub use mllp_source::{Channel, serve};
pub use receive::{Answer, Receiver};
