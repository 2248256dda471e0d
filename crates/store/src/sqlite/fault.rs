//! What SQLite reports, as errors of the ports.

use std::sync::Arc;

use crate::Error;

/// SQLite's primary result codes (https://www.sqlite.org/rescode.html); an extended code holds one in its low byte.
const PRIMARY_CODE: i32 = 0xff;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_NOTADB: i32 = 26;
/// Extended codes of the shared-memory index, which is no durable state: it could not be opened, made larger (a full
/// disk) or mapped.
const SQLITE_IOERR_SHMOPEN: i32 = 4_618;
const SQLITE_IOERR_SHMSIZE: i32 = 4_874;
const SQLITE_IOERR_SHMMAP: i32 = 5_386;
/// `errno` of a device that failed.
const EIO: i32 = 5;

/// Said of a page that is not what was written.
const DAMAGED: &str = "a page of the database";

/// A cause that several waiters share. Its text is SQLite's own, which names tables and columns and no values.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database refused")]
struct Cause(#[source] Arc<sqlx::Error>);

/// A cause that is only a sentence.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0}")]
struct Said(&'static str);

/// An [`Error::Unavailable`] for this reason.
pub(crate) fn unavailable(reason: &'static str) -> Error {
    Error::Unavailable(Box::new(Said(reason)))
}

/// An error of a file operation.
pub(super) fn of_io(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::Full,
        _ => Error::Unavailable(Box::new(error)),
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        #[cfg(feature = "postgres")]
        if let Some(refused) = crate::postgres::fault::refused(&error) {
            return refused;
        }
        match primary_code(&error) {
            Some(SQLITE_FULL) => Self::Full,
            _ if extended_code(&error) == Some(SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt(DAMAGED),
            Some(SQLITE_CONSTRAINT) => Self::Conflict("a key exists already"),
            _ if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                Self::Corrupt("a column of another type")
            }
            _ => Self::Unavailable(Box::new(Cause(Arc::new(error)))),
        }
    }
}

/// Whether the file can no longer be trusted to keep what it is given: after a failed write or sync, pages the kernel
/// dropped look clean, so nothing more may be acknowledged by it.
pub(super) fn is_fatal(error: &sqlx::Error) -> bool {
    let is_index = matches!(
        extended_code(error),
        Some(SQLITE_IOERR_SHMOPEN | SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_SHMMAP)
    );
    !is_index && matches!(primary_code(error), Some(SQLITE_IOERR | SQLITE_CORRUPT | SQLITE_NOTADB))
        || matches!(error, sqlx::Error::WorkerCrashed)
}

/// [`is_fatal`] of the cause of an [`Error::Unavailable`]; so is a folder that could not be synced.
pub(super) fn is_fatal_cause(error: &Error) -> bool {
    let Error::Unavailable(cause) = error else { return false };
    cause.downcast_ref::<Cause>().is_some_and(|cause| is_fatal(&cause.0))
        || cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.raw_os_error() == Some(EIO))
}

/// Whether a page of a file is not what was written.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Corrupt(DAMAGED)) || is_fatal_cause(error)
}

/// Whether the error belongs to one write of a batch, so that the others can go on without it.
pub(super) fn is_of_one_write(error: &Error) -> bool {
    matches!(
        error,
        Error::Conflict(_)
            | Error::NotFound
            | Error::AlreadyApplied(_)
            | Error::Corrupt(_)
            | Error::Guard { .. }
            | Error::NotIndexed
    )
}

/// The same error for another waiter.
pub(super) fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(cause) => Error::Unavailable(match cause.downcast_ref::<Cause>() {
            Some(cause) => Box::new(cause.clone()),
            None => match cause.downcast_ref::<Said>() {
                Some(said) => Box::new(*said),
                None => Box::new(Said("the batch it was in failed")),
            },
        }),
        Error::Full => Error::Full,
        Error::Corrupt(what) => Error::Corrupt(what),
        Error::NewerSchema => Error::NewerSchema,
        Error::AlreadyApplied(seq) => Error::AlreadyApplied(*seq),
        Error::NotFound => Error::NotFound,
        Error::Conflict(what) => Error::Conflict(what),
        Error::Guard { set, guard } => Error::Guard { set: *set, guard: *guard },
        Error::TooCostly(what) => Error::TooCostly(what),
        Error::NotIndexed => Error::NotIndexed,
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    Some(extended_code(error)? & PRIMARY_CODE)
}

fn extended_code(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code()?.parse().ok()
}
