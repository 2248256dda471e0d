//! A file as a source: what is in it becomes journal entries, exactly once, however often reading it is begun again.
//!
//! The file shell reads and keeps [`Progress`]; here nothing touches a file. An entry's id is made of the claim and the
//! place in the file, so an entry that was appended before a crash is recognised when the same bytes come again.

mod intake;
mod owed;
mod progress;

pub use intake::FileIntake;
pub use owed::Owed;
pub use progress::{Claim, Counts, Finding, Progress};
