//! One database file: made user-only, brought to the current schema, connected to for writing, reading, checkpointing.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use super::fault::{of_io, unavailable};
use crate::sql::{Pool, Readers, Reading, query_scalar};
use crate::{Error, Result};

/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements a connection keeps.
const STATEMENTS_KEPT: usize = 512;
const VERSION: &str = "PRAGMA user_version";
const APPLICATION: &str = "PRAGMA application_id";
/// Reads of more rows than this are several statements.
pub(super) const READ_ROWS_MAX: usize = 10_000;

/// What a file is, with its migrations: append-only, applied in order, `user_version` counts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    /// `application_id`: another kind of file is not opened.
    application_id: i32,
    migrations: &'static [&'static str],
}

#[cfg(feature = "clinical")]
pub(super) const JOURNAL: Schema = Schema {
    application_id: 0x5467_4a01,
    migrations: &[
        include_str!("../migrations/journal_0001.sql"),
        include_str!("../migrations/journal_0002_acknowledgments.sql"),
        include_str!("../migrations/journal_0003_parts.sql"),
        include_str!("../migrations/journal_0004_charset.sql"),
    ],
};
#[cfg(feature = "clinical")]
pub(super) const CLINICAL: Schema = Schema {
    application_id: 0x5467_4e01,
    migrations: &[
        include_str!("../migrations/node_0001.sql"),
        include_str!("../migrations/clinical_0002.sql"),
        include_str!("../migrations/clinical_0003_identity.sql"),
        include_str!("../migrations/clinical_0004_withdrawal.sql"),
        include_str!("../migrations/clinical_0005_console.sql"),
        include_str!("../migrations/node_0003_search.sql"),
        include_str!("../migrations/clinical_0006_retention.sql"),
        include_str!("../migrations/clinical_0007_forwards.sql"),
        include_str!("../migrations/clinical_0008_worklist.sql"),
        include_str!("../migrations/clinical_0009_settled_forwards.sql"),
        include_str!("../migrations/node_0004_index_state.sql"),
        include_str!("../migrations/node_0005_instants.sql"),
        include_str!("../migrations/node_0006_custom_parameters.sql"),
    ],
};
pub(super) const PORTAL: Schema = Schema {
    application_id: 0x5467_5001,
    migrations: &[
        include_str!("../migrations/node_0001.sql"),
        include_str!("../migrations/portal_0002.sql"),
        include_str!("../migrations/node_0003_search.sql"),
        include_str!("../migrations/node_0004_index_state.sql"),
        include_str!("../migrations/node_0005_instants.sql"),
        include_str!("../migrations/node_0006_custom_parameters.sql"),
    ],
};
pub(super) const ACCESS: Schema =
    Schema { application_id: 0x5467_4101, migrations: &[include_str!("../migrations/access_0001.sql")] };

/// How the writing connection is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Off only for the negative control of the power-loss test.
    pub synchronous_full: bool,
    /// Most pages of a file; for tests of a full disk.
    pub pages_max: Option<u32>,
    /// Connections of a read pool.
    pub read_connections: u32,
}

/// Makes a folder that only the user may enter.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(of_io)?;
    restrict(folder, 0o700)?;
    sync_folder(folder.parent().unwrap_or(folder))
}

/// Opens a file for writing and brings it to the current schema.
///
/// # Errors
/// [`Error::NewerSchema`]; [`Error::Corrupt`] when it is another kind of file.
pub(super) async fn open_writer(path: &Path, schema: Schema, settings: Settings) -> Result<SqliteConnection> {
    create(path)?;
    let mut connection = options(path, settings).connect().await?;
    migrate(&mut connection, schema).await?;
    if let Some(pages) = settings.pages_max {
        sqlx::query(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
            .execute(&mut connection)
            .await?;
    }
    sync_folder(path.parent().unwrap_or(path))?;
    Ok(connection)
}

/// A connection for the checkpointer.
pub(super) async fn open_checkpointer(path: &Path, settings: Settings) -> Result<SqliteConnection> {
    Ok(options(path, settings).connect().await?)
}

/// Connections that cannot write. They are opened when they are first used.
pub(super) fn read_pool(path: &Path, settings: Settings, idle: Option<Duration>) -> Arc<Readers> {
    Readers::new(Reading {
        path: path.to_owned(),
        connections: NonZeroU32::new(settings.read_connections).unwrap_or(NonZeroU32::MIN),
        acquire_timeout: ACQUIRE_TIMEOUT,
        busy_timeout: BUSY_TIMEOUT,
        idle,
        statements_kept: STATEMENTS_KEPT,
    })
}

/// How a file is connected to.
pub(super) fn options(path: &Path, settings: Settings) -> SqliteConnectOptions {
    let synchronous =
        if settings.synchronous_full { SqliteSynchronous::Full } else { SqliteSynchronous::Off };
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .pragma("wal_autocheckpoint", "0")
        .disable_statement_logging()
}

/// Creates the file user-only, so that SQLite gives its WAL the same rights.
pub(super) fn create(path: &Path) -> Result<()> {
    let mut open = std::fs::OpenOptions::new();
    open.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map_err(of_io)?;
    restrict(path, 0o600)
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(of_io)
}

#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) -> Result<()> {
    Ok(())
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) && !folder.as_os_str().is_empty() {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(of_io)?;
    }
    Ok(())
}

async fn migrate(connection: &mut SqliteConnection, schema: Schema) -> Result<()> {
    let version = check(connection, schema).await?;
    for (number, migration) in schema.migrations.iter().enumerate().skip(version) {
        let (application_id, version) = (schema.application_id, number + 1);
        let script = format!(
            "BEGIN IMMEDIATE;\n{migration}\nPRAGMA application_id = {application_id};\nPRAGMA user_version = {version};\nCOMMIT;"
        );
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The schema version of an opened file; 0 when it is new.
async fn check(connection: &mut SqliteConnection, schema: Schema) -> Result<usize> {
    let version: i64 = sqlx::query_scalar(VERSION).fetch_one(&mut *connection).await?;
    let application: i64 = sqlx::query_scalar(APPLICATION).fetch_one(&mut *connection).await?;
    known(version, application, schema)
}

/// The schema version that a file names, when it is one of ours.
fn known(version: i64, application: i64, schema: Schema) -> Result<usize> {
    if version != 0 && application != i64::from(schema.application_id) {
        return Err(Error::Corrupt("the file is of another kind or role"));
    }
    let version = usize::try_from(version).map_err(|_| Error::Corrupt("the schema version"))?;
    if version > schema.migrations.len() { Err(Error::NewerSchema) } else { Ok(version) }
}

/// Refuses a file that this program cannot read as it is: reading never migrates.
pub(super) async fn check_reader(readers: &Arc<Readers>, schema: Schema) -> Result<()> {
    let pool = Pool::Sqlite(Arc::clone(readers));
    let version = query_scalar(VERSION).fetch_one(&pool).await?;
    let version = known(version, query_scalar(APPLICATION).fetch_one(&pool).await?, schema)?;
    if version == schema.migrations.len() {
        Ok(())
    } else {
        Err(unavailable("the database has an older schema; start its node once"))
    }
}

/// The lock that keeps a second process out.
pub(super) fn lock(folder: &Path) -> Result<std::fs::File> {
    let path = folder.join("store.lock");
    create(&path)?;
    let file = std::fs::OpenOptions::new().write(true).open(path).map_err(of_io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(unavailable("another process has the folder open")),
        Err(std::fs::TryLockError::Error(error)) => Err(of_io(error)),
    }
}
