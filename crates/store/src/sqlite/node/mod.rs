//! `node.db`: its writer and what the writer knows.

pub(in crate::sqlite) mod custom;
#[cfg(feature = "clinical")]
pub(super) mod deliveries;
pub(super) mod entries;
mod index_change;
pub(super) mod job;
pub(super) mod names;
pub(super) mod plan;
pub(super) mod prepare;
pub(in crate::sqlite) mod reindex;
pub(super) mod state;
#[cfg(feature = "clinical")]
pub(super) mod write_set;
pub(super) mod writer;
