//! The HTTP surfaces over ports in memory.

mod answer;
mod expression;
mod fake;

mod access;
#[cfg(feature = "clinical")]
mod agreement;
mod authorization;
#[cfg(feature = "clinical")]
mod batch;
#[cfg(feature = "clinical")]
mod binary;
mod capabilities;
#[cfg(feature = "clinical")]
mod cases;
#[cfg(feature = "clinical")]
mod consent;
#[cfg(feature = "clinical")]
mod custom;
#[cfg(feature = "clinical")]
mod desk;
#[cfg(feature = "clinical")]
mod explain;
mod export;
mod health;
mod identity;
mod idp;
mod intake;
mod limits;
mod linked;
mod made;
mod openapi;
#[cfg(feature = "clinical")]
mod packed;
mod portal;
#[cfg(feature = "clinical")]
mod read;
#[cfg(feature = "clinical")]
mod scopes;
#[cfg(feature = "clinical")]
mod search;
mod serve;
mod stated_includes;
mod stated_interactions;
mod stated_parameters;
mod stored;
#[cfg(feature = "clinical")]
mod us_core;
#[cfg(feature = "clinical")]
mod writes;
