//! Programs of PostgreSQL: where they lie, and as whom they run. The suite of `store` has this file as well, by its path.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian keeps the programs of a server.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A command that runs what follows as somebody who is not root, for whom PostgreSQL does not run.
pub fn as_nobody() -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !is_root {
        return Command::new("env");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]);
    command
}

/// Where programs are looked for: as always, then where Debian keeps those of each version, the newest last.
///
/// # Panics
/// When a folder's name is no text.
pub fn program_folders() -> String {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let versions = std::fs::read_dir(Path::new(DEBIAN)).into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    std::env::join_paths(folders).expect("a path").into_string().expect("a path of text")
}
