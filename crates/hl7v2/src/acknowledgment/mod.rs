//! Acknowledgments (HL7 v2.5.1 section 2.9): which are owed, building one, reading one, and the checks made before one is
//! given.

mod build;
mod check;
mod code;
mod mode;
mod read;

pub use build::{AckError, Location, Reply, Severity, acknowledge, acknowledge_unreadable};
pub use check::{HeaderRefusal, HeaderRules, check_header, check_header_by};
pub use code::{AckCode, ErrorCode};
pub use mode::AckMode;
pub use read::{Acknowledgment, NoAcknowledgment};
