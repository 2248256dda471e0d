//! Who keeps copies of this node's checkpoints.

use async_trait::async_trait;

/// Why a witness said nothing.
pub type WitnessError = Box<dyn std::error::Error + Send + Sync>;

/// Someone outside of this node who keeps its checkpoints.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Its name, a code.
    fn name(&self) -> &str;
    /// The signed note of the largest checkpoint of this node's ledger that it keeps; `None` when it keeps none. Must
    /// end within seconds.
    ///
    /// # Errors
    /// When it does not answer; the text is for the log and holds no content.
    async fn note(&self) -> Result<Option<String>, WitnessError>;
}
