//! Key files: user-only, one purpose each, read once at start. A missing key is fatal; none is ever made silently.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Secret UUIDv5 namespace of the site (clinical).
pub const NAMESPACE: &str = "namespace";
/// Seals stored deliveries (clinical).
pub const SEALING: &str = "sealing.key";
/// Makes the tokens under which the ledger knows patients (clinical).
pub const PATIENT_TOKEN: &str = "patient-token.key";
/// Signs this node's checkpoints (both roles).
pub const LEDGER: &str = "ledger.key";
/// The same, public.
pub const LEDGER_PUBLIC: &str = "ledger.pub";
/// Signs receipts (portal).
pub const RECEIPT: &str = "receipt.key";
/// The cloud node's receipt key, public, as the on-prem node pinned it (clinical).
pub const RECEIPT_PUBLIC: &str = "receipt.pub";
/// The on-prem node's ledger key, public, as the cloud node pinned it (portal).
pub const PEER_LEDGER_PUBLIC: &str = "peer-ledger.pub";
/// Authenticates paging cursors (both roles).
pub const CURSOR: &str = "cursor.key";
/// SHA-256 of bearer tokens, a line each: `<client> <hex>`, and ` write` behind those that may change resources (both roles; on
/// the portal role nothing is changed).
pub const TOKENS: &str = "tokens";
/// SHA-256 of bearer tokens of the admin API, in the same form (clinical).
pub const ADMIN_TOKENS: &str = "admin-tokens";
/// Who may sign in to the authorization server of a demo, as `smart.server.users` names it (clinical).
pub const SMART_USERS: &str = "smart-users";
/// SHA-256 of bearer tokens of `POST /hl7v2`, in the same form (clinical).
pub const HL7V2_TOKENS: &str = "hl7v2-tokens";
/// SHA-256 of the one-time console link's code, while it is unused (both roles).
pub const LOGIN: &str = "login";
/// Link CA, certificate.
pub const LINK_CA: &str = "link-ca.pem";
/// Link CA, private key; stays on-prem.
pub const LINK_CA_KEY: &str = "link-ca.key";
/// This node's link certificate.
pub const LINK_CERTIFICATE: &str = "link.pem";
/// This node's link private key.
pub const LINK_KEY: &str = "link.key";

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not there, or not readable.
    #[error("key file {path} cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not writable, or there already.
    #[error("key file {path} cannot be written")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not in the form that `tidegate init` writes.
    #[error("key file {path} has not the expected form")]
    Form {
        /// Which.
        path: PathBuf,
    },
}

/// Makes a user-only folder and its parents.
pub fn make_folder(path: &Path) -> Result<(), KeyError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| KeyError::Write { path: path.to_owned(), source })
}

/// Writes a new user-only file; never overwrites.
pub fn write_new(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let path = folder.join(name);
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| KeyError::Write { path: path.clone(), source })
}

/// Writes a user-only file in place of whatever has its name: another process sees the old bytes or the new ones.
pub fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)
    };
    write().map_err(|source| KeyError::Write { path: path.clone(), source })
}

/// The text of a key file, without its last line feed.
pub fn read_text(folder: &Path, name: &str) -> Result<Zeroizing<String>, KeyError> {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).map_err(|source| KeyError::Read { path, source })?;
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}

/// A 32-byte key, stored as 64 hexadecimal digits.
pub fn read_32(folder: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let text = read_text(folder, name)?;
    let bytes = from_hex(&text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Zeroizing::new).ok_or_else(|| KeyError::Form { path: folder.join(name) })
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// SHA-256, as token files have it.
pub fn sha256_hex(text: &str) -> String {
    to_hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
}
