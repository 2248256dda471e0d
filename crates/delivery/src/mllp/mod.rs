//! Forwards: messages as they were received, to systems inside the hospital, over MLLP.
//!
//! One worker serves one destination over one connection, one message at a time; a message that waits for its next try
//! holds back the lanes of its patients alone. A message is settled by the acknowledgment that names it (MSA-2 equals
//! MSH-10, byte for byte); until then the same bytes are sent again (at least once). What an acknowledgment means is a
//! table ([`Classifier`]); what becomes of the message is a function of that, of what it asked for and of how often it
//! was tried.
//!
//! The bytes come from the journal at the moment of sending, and only with a permit that the policy in force gives then.

mod answer;
mod classify;
mod judge;
mod outstanding;
mod session;
mod settle;
mod worker;

pub use classify::{Class, Classifier, ResponseRule};
pub use judge::Patience;
pub use worker::Forwarder;
