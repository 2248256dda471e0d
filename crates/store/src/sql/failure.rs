//! What SQLite reports to a reader, and why a statement has no answer, as the errors that everything else of the store
//! gives.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

/// A result code with SQLite's words, which name tables and columns and no values.
#[derive(Debug)]
struct Failure {
    extended_code: i32,
    text: String,
}

/// An error of a reader, by the code that it has.
pub(super) fn failure(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, text) => sqlx::Error::Database(Box::new(Failure {
            extended_code: code.extended_code,
            text: text.unwrap_or_else(|| code.to_string()),
        })),
        other => sqlx::Error::Decode(Box::new(other)),
    }
}

/// Why a statement has no answer, where nothing is wrong with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    /// Its thread was not begun before the program ended.
    #[error("the read was cut off: the program ends")]
    Ending,
    /// The one before it was given up with the connection that it ran on, and so the instant that both were to be of.
    #[error("the read before it was given up")]
    GivenUp,
}

impl From<Unanswered> for sqlx::Error {
    fn from(why: Unanswered) -> Self {
        Self::Io(std::io::Error::other(why))
    }
}

/// The error of a statement whose thread did not come to its end: cut off, or by a panic.
pub(super) fn not_ended(error: &tokio::task::JoinError) -> sqlx::Error {
    if error.is_cancelled() { Unanswered::Ending.into() } else { sqlx::Error::WorkerCrashed }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "(code: {}) {}", self.extended_code, self.text)
    }
}

impl Error for Failure {}

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        &self.text
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.extended_code.to_string().into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
