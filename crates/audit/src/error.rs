//! What can go wrong, by what the caller can do about it.

/// An error of the ledger. No variant carries a value: a rejected value may be what must not be written down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A string is outside the code alphabet, too long, or a list is full.
    #[error("value is not an audit code")]
    NotACode,
    /// The bytes are not a record in canonical form, or of a version this build does not know.
    #[error("record cannot be read")]
    Unreadable,
    /// The signature is not by this key, or over other bytes.
    #[error("signature does not verify")]
    Signature,
    /// The text is not a checkpoint.
    #[error("checkpoint cannot be read")]
    Checkpoint,
    /// The key's text, name or bytes are malformed, or the random source failed.
    #[error("key cannot be read")]
    Key,
    /// A seal does not continue the state of the tree it is committed to.
    #[error("seal does not continue this ledger")]
    Discontinuous,
}
