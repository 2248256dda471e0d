//! The HTTP surfaces over ports in memory.

mod answer;
mod fake;

mod access;
#[cfg(feature = "clinical")]
mod agreement;
mod authorization;
#[cfg(feature = "clinical")]
mod batch;
mod capabilities;
#[cfg(feature = "clinical")]
mod desk;
mod health;
mod idp;
mod intake;
mod linked;
mod portal;
#[cfg(feature = "clinical")]
mod read;
#[cfg(feature = "clinical")]
mod scopes;
#[cfg(feature = "clinical")]
mod search;
mod serve;
mod stored;
#[cfg(feature = "clinical")]
mod writes;
