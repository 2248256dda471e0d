//! What can go wrong outside of a request.

/// The error of this crate. Problems of a request are answered to its client instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A cursor key is not 32 bytes.
    #[error("cursor key is not 32 bytes")]
    CursorKey,
    /// The listener's address cannot be read.
    #[error("listener is not usable")]
    Listener(#[source] std::io::Error),
}
