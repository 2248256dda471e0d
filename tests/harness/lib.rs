//! What the end-to-end stories stand on: a pair of nodes in this process, a sender, a link that can be cut, and the
//! stores as they lie on disk afterwards.
//!
//! Stories wait for what they expect ([`eventually`]) and never for a time; each has its own folder and ports, so they
//! run side by side.

pub mod binary;
pub mod check;
pub mod folder;
pub mod messages;
pub mod pair;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod python;
pub mod rig;
pub mod sender;
pub mod stored;
pub mod surface;
pub mod visitor;
mod wait;

pub use binary::{Ran, tidegate};
pub use folder::TempFolder;
pub use messages::Person;
pub use pair::Pair;
pub use process::NodeProcess;
pub use proxy::Proxy;
pub use sender::Sender;
pub use surface::Surface;
pub use visitor::{Page, Visitor};
pub use wait::eventually;

use std::path::PathBuf;

/// The workspace's folder.
pub fn root() -> PathBuf {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Is a tool there? A run that names it as absent leaves out what needs it, and says so.
pub fn tool_is_there(name: &str) -> bool {
    let absent = std::env::var("TIDEGATE_ABSENT_TOOLS").unwrap_or_default();
    !absent.split(',').any(|tool| tool == name)
}
