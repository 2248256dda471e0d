//! What can go wrong in storage, by what the caller can do about it.

/// An error of a port. No text of it holds content: causes are codes of the database, never values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is closed, or failed in a way the store cannot mend. Transient.
    #[error("storage is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No space left. Nothing of the write is kept; the store works again when space is freed. Transient.
    #[error("the disk is full")]
    Full,
    /// A row that was read back is not what the store writes. Not transient.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(&'static str),
    /// The file was written by a later release; this one refuses to touch it.
    #[error("the database has a newer schema than this program")]
    NewerSchema,
    /// The write set's cause is not beyond the last applied entry. The write set was not written.
    #[error("journal entry {0} is applied already")]
    AlreadyApplied(i64),
    /// The row that the call names does not exist.
    #[error("no such row")]
    NotFound,
    /// The write contradicts a row that exists (a version, a delivery id, a leaf number). It was not written.
    #[error("the write contradicts a stored row: {0}")]
    Conflict(&'static str),
    /// A guard does not hold when its set is to be written. Nothing of any of the sets was.
    #[error("guard {guard} of set {set} does not hold")]
    Guard {
        /// Position of the set.
        set: usize,
        /// Position of the guard in it.
        guard: usize,
    },
    /// A search by a parameter whose index is being made ([`crate::Indexing`]).
    #[error("a search parameter is not indexed yet")]
    NotIndexed,
    /// The read would cost more than its limits allow; a narrower one may not.
    #[error("the read costs too much: {0}")]
    TooCostly(&'static str),
}

/// The result of a port's call.
pub type Result<T, E = Error> = std::result::Result<T, E>;
