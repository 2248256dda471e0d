//! Folders and key files: there, and for this user alone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Finding;
use crate::config::{Config, Role, Smart};
use crate::keys;

/// Bits that let group or others in.
const OTHERS: u32 = 0o077;

const BOTH: [&str; 7] = [
    keys::LEDGER,
    keys::LEDGER_PUBLIC,
    keys::CURSOR,
    keys::TOKENS,
    keys::LINK_CA,
    keys::LINK_CERTIFICATE,
    keys::LINK_KEY,
];
const CLINICAL: [&str; 4] = [keys::NAMESPACE, keys::SEALING, keys::PATIENT_TOKEN, keys::RECEIPT_PUBLIC];
const PORTAL: [&str; 2] = [keys::RECEIPT, keys::PEER_LEDGER_PUBLIC];
/// What a cloud node must not have: with one of these it could undo a pseudonym or make a certificate.
const NEVER_IN_CLOUD: [&str; 4] = [keys::NAMESPACE, keys::SEALING, keys::PATIENT_TOKEN, keys::LINK_CA_KEY];

/// What there is to say of the data folder and the keys.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut found = vec![folder("data", &config.data), folder("keys", &config.keys)];
    let own: &[&str] = match config.role {
        Role::Clinical => &CLINICAL,
        Role::Portal => &PORTAL,
    };
    let wanted: Vec<&str> = BOTH.iter().chain(own).copied().collect();
    let wrong: Vec<Finding> = wanted.iter().filter_map(|name| key(&config.keys.join(name), name)).collect();
    if wrong.is_empty() {
        found.push(Finding::ok("key files", format!("{} there, for this user alone", wanted.len())));
    }
    found.extend(wrong);
    let users = config.smart.server.as_ref().and_then(|server| server.users.as_deref());
    found.extend(users.and_then(|file| key(file, "the file of users")));
    if config.smart != Smart::default() {
        found.push(match crate::node::prove_smart(config) {
            Ok(()) => Finding::ok("smart", "key sets, clients and users can be used"),
            Err(failure) => Finding::fail(
                "smart",
                failure.words,
                "mend the file that is named; deploy/onprem.yaml says its form",
            ),
        });
    }
    if config.role == Role::Portal {
        let strange = NEVER_IN_CLOUD.iter().filter(|name| config.keys.join(name).exists());
        found.extend(strange.map(|name| {
            let words = format!("{name} belongs to the on-prem node");
            Finding::fail("key files", words, "remove it here, and make a new pair if it was ever copied")
        }));
    }
    found
}

fn folder(name: &str, path: &Path) -> Finding {
    let shown = path.display();
    match mode(path) {
        Ok(mode) if mode & OTHERS != 0 => {
            let fix = format!("chmod 700 {shown}");
            Finding::fail(name, format!("{shown} is open to other users ({:o})", mode & 0o777), &fix)
        }
        Ok(_) => Finding::ok(name, format!("{shown}, for this user alone")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == "data" => {
            Finding::ok(name, format!("{shown} will be made"))
        }
        Err(error) => Finding::fail(
            name,
            format!("{shown}: {error}"),
            "`tidegate init DIR` makes a pair of nodes with their keys; run this as the node's user",
        ),
    }
}

/// What is wrong with a key file.
fn key(path: &Path, name: &str) -> Option<Finding> {
    let shown = path.display();
    match mode(path) {
        Ok(mode) if mode & OTHERS != 0 => Some(Finding::fail(
            "key files",
            format!("{name} is open to other users ({:o})", mode & 0o777),
            &format!("chmod 600 {shown}; if others use this machine, make new keys"),
        )),
        Ok(_) => match std::fs::read(path) {
            Ok(bytes) if bytes.is_empty() => {
                Some(Finding::fail("key files", format!("{name} is empty"), "restore it from the backup"))
            }
            Ok(_) => None,
            Err(error) => Some(Finding::fail(
                "key files",
                format!("{name}: {error}"),
                "run this as the node's user, who must own the keys",
            )),
        },
        Err(error) => Some(Finding::fail(
            "key files",
            format!("{name}: {error}"),
            "restore it from the backup; a new pair by `tidegate init` has other ids and pseudonyms",
        )),
    }
}

fn mode(path: &Path) -> std::io::Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode())
}
