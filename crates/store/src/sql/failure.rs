//! What SQLite reports to a reader, as the errors that everything else of the store gives.

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
