//! Data on stdout, words on stderr; a closed pipe is an ordinary end.

use std::io::{ErrorKind, Write as _};

use crate::{Exit, Failure};

/// Writes bytes to stdout.
pub fn data(bytes: &[u8]) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(bytes).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::new(Exit::ReaderGone, ""),
        _ => Failure::because(Exit::Io, &error),
    })
}

/// Writes one line to stdout.
pub fn line(text: &str) -> Result<(), Failure> {
    data(format!("{text}\n").as_bytes())
}

/// Writes one line to stderr.
pub(crate) fn words(text: &str) {
    // Nothing sensible is left to do when stderr is gone.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
