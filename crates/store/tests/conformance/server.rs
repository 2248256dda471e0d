//! A PostgreSQL server of the suite's own, in a folder and on a socket of its own; both go when the suite ends.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::OnceLock;

#[path = "../../../../tests/harness/programs.rs"]
pub mod programs;

use programs::{as_nobody, program_folders};

/// A running server. It ends, and its folder goes, when the pipe closes: with this process, however that ends.
pub struct Server {
    folder: PathBuf,
    _pipe: ChildStdin,
    _script: Child,
}

/// Makes a cluster, runs it on a socket in its own folder, says where, waits for the end of its input, and removes all.
/// Nothing is synced: no test is about a loss of power of the server.
const SCRIPT: &str = r#"
set -eu
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/store-postgres-XXXXXX")
trap 'rm -rf "$folder"' EXIT
initdb -D "$folder/data" -U tidegate -A trust -E UTF8 --locale=C --no-sync >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
postgres -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c max_connections=400 \
    -c shared_buffers=64MB -c autovacuum=off >>"$folder/log" 2>&1 &
server=$!
tries=0
until psql -h "$folder" -U tidegate -d postgres -qtAc 'SELECT 1' >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done
echo "$folder"
cat >/dev/null
kill -INT "$server"
wait "$server" || true
"#;

impl Server {
    fn start() -> Self {
        let mut script = as_nobody();
        script.args(["sh", "-c", SCRIPT]).env("PATH", program_folders()).current_dir("/");
        let mut script =
            script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let pipe = script.stdin.take().expect("its input");
        let mut folder = String::new();
        BufReader::new(script.stdout.take().expect("its output"))
            .read_line(&mut folder)
            .expect("it says where");
        assert!(!folder.trim().is_empty(), "PostgreSQL did not start");
        Self { folder: folder.trim().into(), _pipe: pipe, _script: script }
    }

    /// The one server of this process.
    pub fn running() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://tidegate@localhost/postgres?host={}", self.folder.display())
    }
}

/// Whether the gate found no PostgreSQL; it names what is left out then.
pub fn is_absent() -> bool {
    let absent = std::env::var("TIDEGATE_ABSENT_TOOLS").unwrap_or_default();
    absent.split(',').any(|tool| tool == "postgres")
}
