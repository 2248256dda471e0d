//! Hexadecimal text and digests.

use aws_lc_rs::digest::{SHA256, digest};

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    // SHA-256 is 32 bytes, so the lengths are equal.
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
