//! The Tidegate binary: configuration, wiring and commands. It alone reads the clock, the environment and files.
//!
//! [`node`] wires one node from one configuration file; [`demo`] starts one of each role and tells the story of the
//! product between them; the rest are the commands that [`cli`] lists.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
mod database;
#[cfg(all(feature = "clinical", feature = "portal"))]
pub mod demo;
pub mod disk;
mod exit;
#[cfg(feature = "clinical")]
pub mod generate;
pub mod http;
pub mod init;
pub mod keys;
pub mod node;
pub mod package;

pub use exit::{Exit, Failure};
