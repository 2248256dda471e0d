//! Python, for what must share no code with the product: a second verifier, and changing a store behind its back.

use std::process::Command;

/// Is Python there? A run that names it as absent skips what needs it, and says so.
pub fn is_there() -> bool {
    crate::tool_is_there("python3")
}

/// Runs a script with arguments; exit code and stdout.
///
/// # Panics
/// When Python cannot be started.
pub fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> (i32, String) {
    let output = Command::new("python3").args(arguments).output().expect("python3 can be started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!words.contains("Traceback"), "{words}");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs statements on a database file; how many rows the last one changed.
///
/// # Panics
/// When one of them fails.
pub fn sql(database: &std::path::Path, statements: &str) -> u64 {
    const SCRIPT: &str = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nn=0\n\
                          for s in sys.argv[2].split(';'): n=c.execute(s).rowcount\nc.commit()\nc.close()\nprint(n)";
    let database = database.as_os_str().to_owned();
    let (code, words) = run(&["-c".into(), SCRIPT.into(), database, statements.into()]);
    assert_eq!(code, 0, "the statements run");
    words.trim().parse().expect("a number of rows")
}
