//! The product's stories, from a message on the wire to what both nodes keep.

mod admin;
mod bad_input;
mod bench;
mod broad;
mod configuration;
mod correct;
mod demo;
mod doctor;
mod gauges;
mod identity;
mod journey;
mod large;
mod ledger;
mod link;
mod listen;
mod logs;
mod markup;
mod merge;
mod once;
mod packages;
mod reload;
mod reprocess;
mod residency;
mod rest;
mod retention;
mod scene;
