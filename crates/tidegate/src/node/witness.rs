//! The cloud node as the console asks it: what it keeps of this node's ledger.

use async_trait::async_trait;
use console::{Witness, WitnessError};
use delivery::Link;

/// A cloud destination that keeps this node's checkpoints.
pub struct CloudWitness {
    /// Destination id.
    pub name: String,
    /// How it is dialled.
    pub link: Link,
    /// The name of this node's ledger.
    pub origin: String,
}

#[async_trait]
impl Witness for CloudWitness {
    fn name(&self) -> &str {
        &self.name
    }

    async fn note(&self) -> Result<Option<String>, WitnessError> {
        Ok(delivery::kept_checkpoint(&self.link, &self.origin).await?)
    }
}
