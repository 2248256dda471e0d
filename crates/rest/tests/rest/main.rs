//! The HTTP surfaces over ports in memory.

mod answer;
mod fake;

mod access;
mod capabilities;
mod health;
mod intake;
mod linked;
mod portal;
#[cfg(feature = "clinical")]
mod read;
#[cfg(feature = "clinical")]
mod search;
mod serve;
mod stored;
