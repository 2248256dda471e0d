//! Mutated input for every parser that reads what a stranger may have written.
//!
//! A [`Target`] is a parser, seeds to begin from, and what must hold for any bytes. [`run`] mutates the seeds by a numbered
//! random source, so that a run can be repeated, and cuts an input that breaks something down to its least form. It needs
//! neither a nightly compiler nor instrumentation; what it has not is coverage to steer by, which the seeds, one of each
//! syntax, and the words of the syntax make up for.

mod mutate;
mod random;
mod runner;
mod seeds;
mod targets;

pub use runner::{Failure, Plan, Report, run};
pub use targets::{TARGETS, Target};
