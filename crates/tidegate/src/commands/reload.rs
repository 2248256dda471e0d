//! `tidegate reload`: the mapping package of a running node, exchanged or found wrong.

use serde_json::json;

use super::message::write;
use super::node_api::{Node, cell};
use crate::Failure;
use crate::cli::OnNode;

/// Runs the command.
pub async fn run(args: OnNode) -> Result<(), Failure> {
    let done = Node::of(&args.node)?.post("/admin/mappings/reload", &json!({})).await?;
    write(&[done], args.output, |done| format!("{} {}", cell(&done["outcome"]), cell(&done["package"])))
}
