//! Rules of the repository as tests: who may depend on whom, what a source file may hold, and that every document,
//! example and package says what is true.
//!
//! A rule that fails names the file and what to do. What a rule forgives stands in `allowed.txt` with its reason, and an
//! entry that forgives nothing any more fails too, so that the list only shrinks.

mod allowed;
mod containers;
mod decisions;
mod dependencies;
mod documents;
mod examples;
mod fixtures;
mod imports;
mod licences;
mod monitoring;
mod scan;
mod schema;
mod sources;
mod words;
mod workspace;
