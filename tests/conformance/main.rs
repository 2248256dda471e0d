//! The conformance suite: what a front door for HL7 v2 must do with every kind of input, shown on a running node.

mod files;
mod http;
mod mllp;
mod parts;
