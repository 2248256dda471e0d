//! What feeds the journal: MLLP listeners, and files and HTTP bodies that a shell reads.
//!
//! A listener turns frames into journal entries and answers only what is durable: the acknowledgment is written into
//! the journal with the message, in one commit, and sent afterwards. Every byte sequence on a port ends in exactly one
//! of {acknowledged, refused, quarantined}, with a row that an auditor can open.
//!
//! What this crate must never do: look at more of a message than its header, keep a message anywhere but in the
//! journal, or log content.

mod batch;
mod check;
mod events;
pub mod folder;
mod http;
mod junk;
mod later;
mod mllp_source;
mod ordered;
mod origin;
mod outcome;
mod outgoing;
mod receive;
mod rules;
mod waiting;

pub use batch::{BATCH_MESSAGES_MAX, BatchAnswers, BatchReply, is_batch};
pub use http::{MediaType, Posted};
pub use later::{Clock, Later, LaterPorts, Sink};
pub use mllp_source::{Channel, serve};
pub use origin::{Origin, SenderRule, may_send};
pub use outgoing::Outgoing;
pub use receive::{Answer, Receiver};
pub use rules::{Acknowledge, Rules, TypeSupport, Types};
pub use waiting::WAITING_MAX;
