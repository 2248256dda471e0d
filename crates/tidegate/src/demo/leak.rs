//! The leak scan with its positive controls: the scanner must find what was sent where it may be, must find a planted
//! identifier in a copy of the cloud's store, and must find nothing in the cloud's own store, logs and temporary files.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::generate::Sent;

/// The scanner: standard-library Python that shares no code with the product.
const SCANNER: &str = include_str!("../../../../tests/leak/scan.py");
/// Puts one identifier, compressed, into a table of a copied store.
const PLANTER: &str = include_str!("../../../../tests/leak/plant.py");
/// Share of sent identifiers that must be found on-prem, in percent.
const ONPREM_FOUND_PERCENT_MIN: u64 = 99;

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// Identifiers looked for.
    pub identifiers: u64,
    /// Distinct identifiers found.
    pub found: u64,
    /// Values looked at.
    pub values: u64,
    /// Where, without the identifiers themselves.
    pub places: String,
}

/// Is a Python there to scan with?
pub async fn has_python() -> bool {
    let probe = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.await.is_ok_and(|status| status.success())
}

/// Writes the manifest of what was sent.
pub fn write_manifest(file: &Path, sent: &Sent) -> Result<(), String> {
    let text = serde_json::to_vec(sent).map_err(|error| error.to_string())?;
    std::fs::write(file, text).map_err(|error| error.to_string())
}

/// The identified store holds (nearly) all that was sent: the scanner can read our stores.
pub async fn onprem(manifest: &Path, data: &Path) -> Result<String, String> {
    let scan = scan(manifest, data).await?;
    if scan.found * 100 >= scan.identifiers * ONPREM_FOUND_PERCENT_MIN && scan.identifiers > 0 {
        Ok(format!(
            "{} of {} identifiers found in {} values on-prem",
            scan.found, scan.identifiers, scan.values
        ))
    } else {
        Err(format!("the scanner finds only {} of {} identifiers on-prem", scan.found, scan.identifiers))
    }
}

/// A copy of the cloud's store with one identifier planted: the scanner must find it.
pub async fn planted(manifest: &Path, cloud: &Path, copy: &Path, sent: &Sent) -> Result<String, String> {
    copy_folder(cloud, copy).map_err(|error| error.to_string())?;
    let name = sent.names.first().ok_or("nothing was sent")?;
    python(PLANTER, &[copy.as_os_str(), name.as_ref()]).await?;
    let scan = scan(manifest, copy).await?;
    if scan.found == 1 {
        Ok("one planted identifier found in a copy of the cloud's store".to_owned())
    } else {
        Err(format!("{} identifiers found where one was planted: {}", scan.found, scan.places))
    }
}

/// Everything the cloud node left on disk holds none of what was sent.
pub async fn cloud(manifest: &Path, folder: &Path) -> Result<String, String> {
    let scan = scan(manifest, folder).await?;
    if scan.found == 0 && scan.values > 0 {
        Ok(format!("none of {} identifiers in {} values of the cloud node", scan.identifiers, scan.values))
    } else {
        Err(format!(
            "{} identifiers found in the cloud node ({} values): {}",
            scan.found, scan.values, scan.places
        ))
    }
}

async fn scan(manifest: &Path, root: &Path) -> Result<Scan, String> {
    let output = python(SCANNER, &[manifest.as_os_str(), root.as_os_str()]).await?;
    let result: Value = serde_json::from_slice(&output).map_err(|error| format!("scanner: {error}"))?;
    let number = |name: &str| result[name].as_u64().ok_or_else(|| format!("scanner gave no {name}"));
    let places = result["places"].to_string();
    Ok(Scan {
        identifiers: number("identifiers")?,
        found: number("found")?,
        values: number("values")?,
        places,
    })
}

async fn python(script: &str, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>, String> {
    let words = |error: std::io::Error| format!("python3: {error}");
    let mut child = Command::new("python3")
        .arg("-")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(words)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes()).await.map_err(words)?;
    }
    let output = child.wait_with_output().await.map_err(words)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("python3: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
    }
}

/// Copies a folder tree.
pub fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
