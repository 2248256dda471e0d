//! The `tidegate` command as a process.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// The binary beside the running test.
///
/// # Panics
/// When it was not built.
pub fn path() -> PathBuf {
    built(&profile(), "cargo build -p tidegate")
}

/// The binary as it is shipped, for what sends it more requests than a build for tests answers in time.
///
/// # Panics
/// When it was not built.
pub fn optimised() -> PathBuf {
    let release = profile().parent().map(|folder| folder.join("release"));
    built(&release.expect("a profile lies in a build folder"), "cargo build --release -p tidegate")
}

/// Where the running test was built.
fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let profile = test.ancestors().find(|folder| folder.join("deps").is_dir());
    profile.expect("tests lie below a build folder").to_owned()
}

fn built(profile: &Path, how: &str) -> PathBuf {
    let binary = profile.join("tidegate");
    assert!(binary.is_file(), "{} is not there; build it first: {how}", binary.display());
    binary
}

/// Runs `tidegate` in the workspace's folder.
///
/// # Panics
/// When it cannot be started.
pub fn tidegate<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Ran {
    run(arguments, &crate::root(), b"")
}

/// Runs `tidegate` in `folder` with `stdin`.
///
/// # Panics
/// When it cannot be started.
pub fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A], folder: &Path, stdin: &[u8]) -> Ran {
    let mut command = Command::new(path());
    command.args(arguments).current_dir(folder);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let mut input = child.stdin.take().expect("stdin is piped");
    let stdin = stdin.to_vec();
    // A command that reads nothing may close its stdin first; what it answers is what counts.
    let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
    let output = child.wait_with_output().expect("the command ends");
    writer.join().expect("writing does not panic");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
