//! The short tour of a demo: watch, break, prove.

use async_trait::async_trait;

/// Why nothing was broken.
pub type GuideError = Box<dyn std::error::Error + Send + Sync>;

/// What the dashboard's tour can do to a node whose data are all synthetic.
#[async_trait]
pub trait Guide: Send + Sync {
    /// Sends a few broken synthetic messages through the node's real listeners; returns how many were sent, once each
    /// was answered. Called for a person who pressed a button; must end within seconds.
    ///
    /// # Errors
    /// When a message could not be sent or was not answered; the text is for the log and holds no content.
    async fn break_something(&self) -> Result<u32, GuideError>;
}
