//! A PostgreSQL server of a test's own, which can be killed and started again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::programs::{as_nobody, program_folders};

/// What the server asks for. It is made up, and must stand in no log.
pub const PASSWORD: &str = "Brindlewick-93";
/// Its one role, and the owner of the database `postgres`.
pub const USER: &str = "tidegate";

/// Makes a cluster in a folder of its own, says where, and does what its input says, a word a line; removes all when that
/// ends. Nothing is synced: a server that is killed loses nothing of what it wrote, for the machine goes on.
const SCRIPT: &str = r#"
set -eu
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/harness-postgres-XXXXXX")
server=
end() { [ -z "$server" ] || kill -QUIT "$server" 2>/dev/null || true; wait || true; rm -rf "$folder"; }
trap end EXIT
printf '%s\n' "$TIDEGATE_TEST_PASSWORD" >"$folder/password"
network='-c listen_addresses='
initdb -D "$folder/data" -U "$TIDEGATE_TEST_USER" -A scram-sha-256 --pwfile="$folder/password" -E UTF8 --locale=C --no-sync \
    >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
if [ -n "${TIDEGATE_TEST_CERTIFICATE:-}" ]; then
    printf '%s' "$TIDEGATE_TEST_CERTIFICATE" >"$folder/data/server.crt"
    printf '%s' "$TIDEGATE_TEST_KEY" >"$folder/data/server.key"
    # Over the network by TLS alone.
    printf 'local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n' >"$folder/data/pg_hba.conf"
    network="-c listen_addresses=127.0.0.1 -c port=$TIDEGATE_TEST_PORT -c ssl=on"
fi
echo "$folder"
while read -r act; do
    case "$act" in
    start)
        postgres -D "$folder/data" -k "$folder" $network -c fsync=off -c shared_buffers=64MB \
            >>"$folder/log" 2>&1 &
        server=$!
        tries=0
        until pg_isready -q -h "$folder" -p "${TIDEGATE_TEST_PORT:-5432}"; do
            tries=$((tries + 1))
            [ "$tries" -lt 300 ] || { cat "$folder/log" >&2; exit 1; }
            sleep 0.1
        done
        ;;
    # Every process of it ends where it stands; the next start recovers from the log.
    kill)
        kill -QUIT "$server"
        wait "$server" || true
        server=
        ;;
    esac
    echo "$act"
done
"#;

/// A server on a socket in its own folder. It ends, and its folder goes, with this, or with this process however that ends.
pub struct PostgresServer {
    folder: PathBuf,
    acts: Option<ChildStdin>,
    done: BufReader<ChildStdout>,
    script: Child,
}

impl PostgresServer {
    /// A cluster whose server does not run yet; none where the gate found no PostgreSQL.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn make() -> Option<Self> {
        Self::make_with(&[])
    }

    /// One that is reached at a port of this machine as well, over TLS alone, with this certificate and key (PEM).
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn make_with_tls(port: u16, certificate: &str, key: &str) -> Option<Self> {
        let port = port.to_string();
        Self::make_with(&[
            ("TIDEGATE_TEST_PORT", &port),
            ("TIDEGATE_TEST_CERTIFICATE", certificate),
            ("TIDEGATE_TEST_KEY", key),
        ])
    }

    fn make_with(more: &[(&str, &str)]) -> Option<Self> {
        if !crate::tool_is_there("postgres") {
            return None;
        }
        let mut script = as_nobody();
        script.args(["sh", "-c", SCRIPT]).env("PATH", program_folders()).current_dir("/");
        script.env("TIDEGATE_TEST_PASSWORD", PASSWORD).env("TIDEGATE_TEST_USER", USER);
        script.envs(more.iter().copied());
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().expect("a shell starts");
        let acts = script.stdin.take();
        let done = BufReader::new(script.stdout.take().expect("its output"));
        let mut server = Self { folder: PathBuf::new(), acts, done, script };
        server.folder = server.answer().into();
        Some(server)
    }

    /// Starts it; it takes connections then.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(&mut self) {
        self.act("start");
    }

    /// Kills it; it is gone then.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.act("kill");
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    fn act(&mut self, word: &str) {
        let acts = self.acts.as_mut().expect("its input");
        writeln!(acts, "{word}").expect("the script reads");
        assert_eq!(self.answer(), word, "PostgreSQL did not {word}");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.done.read_line(&mut line).expect("the script answers");
        assert!(!line.trim().is_empty(), "the script of PostgreSQL ended");
        line.trim().to_owned()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.acts.take());
        // It removes its folder before it ends.
        drop(self.script.wait());
    }
}
