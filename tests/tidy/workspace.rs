//! What cargo knows of the workspace, and its files as git would keep them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders that hold no source of ours.
const FOLDERS_LEFT_OUT: [&str; 4] = [".git", "target", "data", "__pycache__"];

/// A text file of the repository.
pub struct File {
    /// Path from the workspace, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Every text file of the repository, in order of path.
pub fn files() -> Vec<File> {
    let mut found = Vec::new();
    walk(&harness::root(), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 300, "only {} files were found: the walk is broken", found.len());
    found
}

/// Those whose path ends so.
pub fn files_ending(ending: &str) -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(ending)).collect()
}

/// One file of the repository.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(harness::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let entry = entry.expect("an entry can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if entry.file_type().expect("an entry has a type").is_dir() {
            if !FOLDERS_LEFT_OUT.contains(&name.as_str()) {
                walk(&entry.path(), &path, found);
            }
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            found.push(File { path, text });
        }
    }
}

/// `cargo metadata` of this machine's platform, offline.
pub fn metadata() -> Value {
    let text = cargo(&["metadata", "--format-version", "1", "--filter-platform", &host()]);
    serde_json::from_str(&text).expect("cargo metadata writes JSON")
}

/// stdout of `cargo`, run offline in the workspace.
pub fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    command.args(arguments).args(["--offline", "--locked"]).current_dir(harness::root());
    let output = command.output().expect("cargo can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {stderr}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn host() -> String {
    let program = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let output = Command::new(program).arg("-vV").output().expect("rustc can be started");
    let text = String::from_utf8(output.stdout).expect("rustc writes UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}
