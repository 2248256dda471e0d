//! What can go wrong outside of a resource's own issues.

/// The error of this crate. Problems of a resource are [`crate::Issue`]s instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The definitions pack does not have the form its decoder knows.
    #[error("definitions pack, line {line}: {problem}")]
    Pack {
        /// Line of the unpacked text, from 1.
        line: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The text is no resource id: 1 to 64 of `A-Z a-z 0-9 - .` (R4, datatypes §2.24.0.1, `id`).
    #[error("not a resource id")]
    ResourceId,
    /// A search expression is outside the subset of FHIRPath that search parameters use.
    #[error("search expression, byte {offset}: {problem}")]
    Expression {
        /// Byte offset in the expression.
        offset: usize,
        /// What was expected there.
        problem: &'static str,
    },
}
