//! The console through its router, with ports in memory.

mod browser;
mod ledger;
mod pages;
mod ports;
mod sign_in;
mod vocabulary;

#[cfg(feature = "clinical")]
mod admin;
#[cfg(feature = "clinical")]
mod dashboard;
#[cfg(feature = "clinical")]
mod edit;
#[cfg(feature = "clinical")]
mod lent;
#[cfg(feature = "clinical")]
mod list;
#[cfg(feature = "clinical")]
mod live;
#[cfg(feature = "clinical")]
mod mappings;
#[cfg(feature = "clinical")]
mod message;
#[cfg(feature = "clinical")]
mod numbers;
#[cfg(feature = "clinical")]
mod quarantine;
#[cfg(feature = "clinical")]
mod reviews;
#[cfg(feature = "clinical")]
mod sample;
#[cfg(feature = "clinical")]
mod search;
#[cfg(feature = "clinical")]
mod worklist;
