//! A message of a running node, by its id.

use serde_json::json;
use uuid::Uuid;

use crate::cli::ExplainArgs;
use crate::commands::check;
use crate::commands::node_api::{Node, bytes};
use crate::commands::output;
use crate::{Exit, Failure};

/// What the node has of it. PHI.
pub struct Message {
    /// As received.
    pub bytes: Vec<u8>,
    /// Hash of the package that the node translates with.
    package: String,
}

impl Message {
    /// Says so when this explanation is not of the node's package.
    pub fn compare(&self, package: &str) {
        if self.package != package {
            output::words("the node runs another mapping package than the one that explains here");
        }
    }
}

/// Asks the node for a message; takes the mapping package from the node's configuration when there is one.
pub async fn message(args: &mut ExplainArgs, id: Uuid) -> Result<Message, Failure> {
    let Some(reason) = &args.reveal else {
        let words = "an explanation shows values: say why with --reveal, which the node records";
        return Err(Failure::new(Exit::Usage, words));
    };
    let node = Node::of(&args.node)?;
    let path = format!("/admin/messages/{id}/reveal");
    let found = node.post(&path, &json!({"reason": reason})).await?;
    if let Some(file) = &args.node.config
        && let Some(mappings) = check::load(file)?.mappings
    {
        args.mappings = mappings;
    }
    let package = found["package"].as_str().unwrap_or_default().to_owned();
    Ok(Message { bytes: bytes(&found)?, package })
}
