//! The PostgreSQL adapter under the suite. The suite starts its own server, in a folder and on a socket of its own, and a
//! database schema for each test; both go when the suite ends.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use store::postgres::Address;
use store::sqlite::{Role, Sqlite};
use tokio::sync::Mutex;

use crate::conformance;
use crate::harness::{Adapter, Clinical, Portal};

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

/// Where Debian keeps the programs of a server.
const DEBIAN: &str = "/usr/lib/postgresql";

impl Server {
    fn start() -> Self {
        let mut script = as_nobody();
        script.args(["sh", "-c", SCRIPT]).env("PATH", path()).current_dir("/");
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

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://tidegate@localhost/postgres?host={}", self.folder.display())
    }
}

/// PostgreSQL refuses to run as root.
fn as_nobody() -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !is_root {
        return Command::new("env");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]);
    command
}

/// Where programs are looked for: as always, then where Debian keeps those of each version, the newest last.
fn path() -> String {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let versions = std::fs::read_dir(Path::new(DEBIAN)).into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    std::env::join_paths(folders).expect("a path").into_string().expect("a path of text")
}

/// Whether the gate found no PostgreSQL; it names what is left out then.
fn is_absent() -> bool {
    let absent = std::env::var("TIDEGATE_ABSENT_TOOLS").unwrap_or_default();
    absent.split(',').any(|tool| tool == "postgres")
}

struct Schemas {
    open: Mutex<Option<Arc<Sqlite>>>,
    address: Address,
}

impl Schemas {
    fn new() -> Self {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let address = Address::parse(&Server::running().url(), Some(&name)).expect("an address");
        Self { open: Mutex::new(None), address }
    }

    async fn close(&self) {
        if let Some(store) = self.open.lock().await.take() {
            store.close().await.expect("closes");
        }
    }

    async fn again(&self, role: Role) -> Arc<Sqlite> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.take() {
            store.close().await.expect("closes");
        }
        let store = Sqlite::open_postgres(&self.address, role, 2).await.expect("opens");
        *open = Some(Arc::clone(&store));
        store
    }
}

#[async_trait]
impl Adapter for Schemas {
    async fn clinical(&self) -> Clinical {
        let store = self.again(Role::Clinical).await;
        Clinical {
            journal: store.clone(),
            acknowledgments: store.clone(),
            apply: store.clone(),
            resources: store.clone(),
            messages: store.clone(),
            outbox: store.clone(),
            forwards: store.clone(),
            ledger: store.clone(),
            access: store.clone(),
            index: store.clone(),
            statistics: store.clone(),
            accesses: store.clone(),
            withdrawals: store.clone(),
            coverage: store.clone(),
            codes: store,
        }
    }

    async fn portal(&self) -> Portal {
        let store = self.again(Role::Portal).await;
        Portal { resources: store.clone(), intake: store.clone(), ledger: store }
    }
}

conformance!(super::is_absent(); super::Schemas::new());

/// What a schema of a server alone can go through.
mod server {
    use std::process::Command;

    use store::sqlite::{Role, Sqlite};
    use store::{Arrived, Error, IntakeWrite, Ledger as _, Resources as _};
    use uuid::Uuid;

    use super::{Schemas, Server, is_absent, path};
    use crate::harness::Adapter as _;
    use crate::samples::{key, record, token, version};

    /// Runs a statement beside the store; what it says of an error.
    fn psql(sql: &str) -> Result<(), String> {
        let mut psql = Command::new("psql");
        let psql = psql.env("PATH", path()).arg("-h").arg(&Server::running().folder);
        let done = psql.args(["-U", "tidegate", "-d", "postgres", "-qtAc", sql]).output().expect("psql runs");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(said) }
    }

    fn write(number: u128) -> IntakeWrite {
        let id = format!("r{number}");
        IntakeWrite {
            idempotency_key: Uuid::from_u128(number),
            version: Some(token(version("Patient", &id, 1), "identifier", None, "v")),
            receipt: format!("receipt {number}"),
            record: record(audit::Kind::Arrived),
        }
    }

    #[tokio::test]
    async fn records_are_only_added_to_whoever_asks() {
        if is_absent() {
            return;
        }
        let schemas = Schemas::new();
        schemas.portal().await.intake.arrive(vec![write(1)]).await.expect("arrives");
        let name = schemas.address.schema();
        for act in ["UPDATE {}.records SET at_us = 0", "DELETE FROM {}.records", "TRUNCATE {}.leaves"] {
            let refused = psql(&act.replace("{}", name)).expect_err(act);
            assert!(refused.contains("append-only"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_session_that_ended_is_begun_anew() {
        if is_absent() {
            return;
        }
        let schemas = Schemas::new();
        let portal = schemas.portal().await;
        portal.intake.arrive(vec![write(1)]).await.expect("arrives");
        psql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
             AND (classid::bigint << 32 | objid::bigint) = hashtextextended('tidegate writer {}', 0)",
            schemas.address.schema()
        ))
        .expect("ends it");
        let lost = portal.intake.arrive(vec![write(2)]).await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
        assert_eq!(portal.intake.arrive(vec![write(2)]).await.expect("arrives"), [Arrived::New]);
        assert!(portal.resources.read(&key("Patient", "r2")).await.expect("reads").is_some());
        assert_eq!(portal.ledger.unsealed(10).await.expect("reads").len(), 2);
    }

    #[tokio::test]
    async fn what_others_wrote_is_not_touched() {
        if is_absent() {
            return;
        }
        let schemas = Schemas::new();
        schemas.portal().await.intake.arrive(vec![write(1)]).await.expect("arrives");
        let opened = Sqlite::open_postgres(&schemas.address, Role::Portal, 1).await;
        assert!(matches!(opened, Err(Error::Unavailable(_))), "one process writes at a time");
        let beside = Sqlite::read_postgres(&schemas.address, Role::Portal, 1).await.expect("others read");
        assert!(beside.read(&key("Patient", "r1")).await.expect("reads").is_some());
        assert!(matches!(beside.append(vec![record(audit::Kind::SignIn)]).await, Err(Error::Unavailable(_))));
        beside.close().await.expect("closes");
        schemas.close().await;
        let other = Sqlite::open_postgres(&schemas.address, Role::Clinical, 1).await;
        assert!(matches!(other, Err(Error::Corrupt(_))), "a portal's schema is no clinical one");
        psql(&format!("INSERT INTO {}.schema_version VALUES ('portal', 99)", schemas.address.schema()))
            .expect("writes");
        let newer = Sqlite::open_postgres(&schemas.address, Role::Portal, 1).await;
        assert!(matches!(newer, Err(Error::NewerSchema)));
        let newer = Sqlite::read_postgres(&schemas.address, Role::Portal, 1).await;
        assert!(matches!(newer, Err(Error::NewerSchema)));
    }
}
