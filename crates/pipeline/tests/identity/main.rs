//! One person known to several authorities is one patient here and one pseudonym at the destination.

#![allow(missing_docs, reason = "the names of the tests say what they are")]

mod answers;
mod clients;
mod feeds;
mod links;
mod merges;
mod orders;
mod records;
mod refusal;
mod rehearsal;
mod rig;
mod shared;
mod union;
mod validity;
mod watched;
mod withdrawal;
mod worklist;
