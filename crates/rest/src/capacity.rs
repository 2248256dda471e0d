//! The limits of the HTTP surfaces, by name.

use std::time::Duration;

/// Connections open at once on one listener; more wait in the accept queue.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Requests in work at once on one surface; more are answered 503 with `Retry-After`.
pub const CONCURRENT_REQUESTS_MAX: usize = 256;
/// Longest a request may take until its response head.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest a client may take to send the head of a request.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest a TLS handshake may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest that open requests may go on after shutdown begins.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (out of file descriptors).
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of the address of a request: a sealed cursor and a search beside it.
pub(crate) const ADDRESS_BYTES_MAX: usize = CURSOR_CHARS_MAX + SEARCH_BYTES_MAX;
/// Bytes of all names and values of the header fields of a request.
pub(crate) const FIELDS_BYTES_MAX: usize = 32 * 1024;
/// Header fields of a request.
pub(crate) const FIELDS_MAX: usize = 100;
/// Bytes of a request head that are read at all, and its fields; what is beyond is refused by the connection, before there
/// is a request that could be answered or recorded.
pub(crate) const HEAD_READ_BYTES_MAX: usize = 128 * 1024;
/// See [`HEAD_READ_BYTES_MAX`].
pub(crate) const FIELDS_READ_MAX: usize = 2 * FIELDS_MAX;
/// Bytes of the form of `POST [type]/_search`.
pub const SEARCH_FORM_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a resource, a bundle or a patch that is sent, packed or unpacked.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries of a batch or transaction.
#[cfg(feature = "clinical")]
pub const ENTRIES_MAX: usize = 5_000;
/// How often a condition is looked at again because something was written between the look and the write.
#[cfg(feature = "clinical")]
pub(crate) const ATTEMPTS_MAX: usize = 8;
/// Bytes of all names and values of one search, after decoding.
pub(crate) const SEARCH_BYTES_MAX: usize = 8 * 1024;
/// Parameters of one request.
pub(crate) const PARAMETERS_MAX: usize = 64;
/// Values in the OR-list of one parameter.
pub(crate) const OR_VALUES_MAX: usize = 100;
/// References that one chain or `_has` follows, one after another.
pub(crate) const HOPS_MAX: usize = 4;
/// Characters of a sealed cursor.
pub(crate) const CURSOR_CHARS_MAX: usize = 32 * 1024;
/// Seconds in `Retry-After`.
pub(crate) const RETRY_AFTER_SECONDS: &str = "1";
/// Exports that are planned at once; more are answered 429.
pub(crate) const EXPORTS_RUNNING_MAX: usize = 4;
/// Exports of one client that are known at once.
pub(crate) const EXPORTS_OF_CLIENT_MAX: usize = 8;
/// Exports that are known at once.
pub(crate) const EXPORTS_MAX: usize = 64;
/// Longest that an export may be planned.
pub(crate) const EXPORT_PLANNING_TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);
/// How long the files of an export can be fetched.
pub(crate) const EXPORT_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Resources of one file of an export.
pub(crate) const EXPORT_FILE_ROWS_MAX: usize = 100_000;
/// Resources of an export that are read at once.
pub(crate) const EXPORT_PAGE_ROWS: usize = 200;
/// Files that are fetched at once; more are answered 429.
pub(crate) const EXPORT_FETCHES_MAX: usize = 16;
/// Members of a group that is exported.
pub(crate) const EXPORT_MEMBERS_MAX: usize = 10_000;
