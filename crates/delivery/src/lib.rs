//! Deliveries: claim what the outbox holds, send it over the link, back off, settle with a receipt; and messages as they
//! are, to systems inside the hospital, settled by their acknowledgment.
//!
//! The on-prem node dials out and nothing dials in. One worker serves one destination; within a lane (one patient)
//! deliveries arrive in order, across lanes they travel together. A delivery is settled only with a receipt that
//! the destination signed over the bytes that were sent; until then it is sent again under the same idempotency key.
//!
//! What this crate must never do: send bytes that [`residency::reopen`] did not open or a
//! [`residency::MessagePermit`] did not release, send what today's policy would
//! not let out, or log anything but ids, codes and counts.

mod backoff;
mod events;
mod link;
mod mllp;
mod receipt;
mod wire;
mod witness;
mod worker;

pub use self::mllp::{Class, Classifier, Forwarder, Patience, ResponseRule};
pub use backoff::Backoff;
pub use link::{Link, LinkError};
pub use receipt::{Expected, ReceiptError};
pub use wire::Refusal;
pub use witness::{Witness, kept as kept_checkpoint};
pub use worker::{Judged, Recheck, Verdict, Worker};
