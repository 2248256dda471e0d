//! The store of a node, from its configuration to an open one: files of its data folder, or a database of PostgreSQL.

use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::time::{Duration, Instant};

use fhir::CustomParameters;
use store::sqlite::{Options, Role as StoreRole, Sqlite};
#[cfg(feature = "postgres")]
use zeroize::Zeroizing;

#[cfg(feature = "postgres")]
use crate::config::Postgres;
use crate::config::{Config, Role};
use crate::{Exit, Failure, clock};

/// Readers of a folder's files.
const READ_CONNECTIONS: u32 = 4;
/// How long a node that starts waits for its database; then it ends, and its supervisor decides.
#[cfg(feature = "postgres")]
const SERVER_WAIT_MAX: Duration = Duration::from_secs(600);
/// First and longest time between two questions whether the database is there.
#[cfg(feature = "postgres")]
const SERVER_PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// The environment's word for the password, as libpq has it.
#[cfg(feature = "postgres")]
const PASSWORD: &str = "PGPASSWORD";

/// The role of a store.
pub(crate) fn role(role: Role) -> StoreRole {
    match role {
        Role::Clinical => StoreRole::Clinical,
        Role::Portal => StoreRole::Portal,
    }
}

/// Opens the store of a node for writing, with the search parameters that its packages define.
///
/// # Errors
/// [`Exit::Configuration`] when its database cannot be named; [`Exit::Io`] when it cannot be opened.
pub(crate) async fn open(
    config: &Config,
    is_synchronous: bool,
    parameters: &CustomParameters,
) -> Result<Arc<Sqlite>, Failure> {
    #[cfg(feature = "postgres")]
    if let Some(store) = &config.store {
        let readers = store.postgres.connections;
        let (address, role) = (address(&store.postgres)?, role(config.role));
        let opened = Sqlite::open_postgres_indexing(&address, role, readers, parameters).await;
        return opened.map_err(|error| Failure::because(Exit::Io, &error));
    }
    let options = Options {
        synchronous_full: is_synchronous,
        read_connections: READ_CONNECTIONS,
        now_us: clock::now_us,
    };
    let opened = Sqlite::open_indexing(&config.data, role(config.role), options, parameters).await;
    opened.map_err(|error| Failure::because(Exit::Io, &error))
}

/// Opens the store of a node for reading beside the node: nothing is locked, migrated or written.
///
/// # Errors
/// As [`open`], as the store has them.
pub(crate) async fn open_reading(config: &Config, readers: u32) -> store::Result<Arc<Sqlite>> {
    #[cfg(feature = "postgres")]
    if let Some(store) = &config.store {
        let address =
            address(&store.postgres).map_err(|failure| store::Error::Unavailable(failure.words.into()))?;
        return Sqlite::read_postgres(&address, role(config.role), readers).await;
    }
    open_folder(&config.data, role(config.role), readers).await
}

/// Opens files for reading: a node's own, or a copy of them.
///
/// # Errors
/// As the store has them.
pub(crate) async fn open_folder(folder: &Path, role: StoreRole, readers: u32) -> store::Result<Arc<Sqlite>> {
    let options = Options { synchronous_full: true, read_connections: readers, now_us: clock::now_us };
    Sqlite::open_reading(folder, role, options).await
}

/// The database that a configuration names, with its password.
///
/// # Errors
/// [`Exit::Configuration`] when the password cannot be read, or the database cannot be named.
#[cfg(feature = "postgres")]
pub(crate) fn address(postgres: &Postgres) -> Result<store::postgres::Address, Failure> {
    let password = password(postgres)?;
    let address = postgres.address(password.as_ref().map(|password| password.as_str()));
    address.map_err(|error| Failure::because(Exit::Configuration, &error))
}

/// From its file, else from the environment, else none.
#[cfg(feature = "postgres")]
fn password(postgres: &Postgres) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(file) = &postgres.password_file else {
        return Ok(std::env::var(PASSWORD).ok().map(Zeroizing::new));
    };
    let words = |error: &str| format!("store.postgres.password_file: {}: {error}", file.display());
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::new(Exit::Configuration, words(&error.to_string())))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Some(Zeroizing::new(line.to_owned()))),
        _ => Err(Failure::new(Exit::Configuration, words("its first line is empty"))),
    }
}

/// What can be wrong with the store of a configuration before anything is opened.
///
/// # Errors
/// [`Exit::Configuration`] when the password or a certificate of its database cannot be read.
#[cfg(feature = "postgres")]
pub(crate) fn prove(config: &Config) -> Result<(), Failure> {
    let Some(store) = &config.store else { return Ok(()) };
    address(&store.postgres)?;
    let tls = store.postgres.tls.iter();
    let files = tls.flat_map(|tls| [Some(&tls.ca), tls.certificate.as_ref(), tls.key.as_ref()]);
    for file in files.flatten() {
        std::fs::read(file).map(Zeroizing::new).map_err(|error| {
            Failure::new(Exit::Configuration, format!("store.postgres.tls: {}: {error}", file.display()))
        })?;
    }
    Ok(())
}

/// Of files nothing can be.
///
/// # Errors
/// None.
#[cfg(not(feature = "postgres"))]
pub(crate) fn prove(_: &Config) -> Result<(), Failure> {
    Ok(())
}

/// Waits until the database of a node can be reached, so that a node that starts before its server does not end and start
/// again and again. Files are there at once.
///
/// # Errors
/// [`Exit::Io`] when the server refuses, [`Exit::Unavailable`] when it did not come.
#[cfg(feature = "postgres")]
pub(crate) async fn wait(config: &Config) -> Result<(), Failure> {
    let Some(store) = &config.store else { return Ok(()) };
    let address = address(&store.postgres)?;
    let (begun, mut pause) = (Instant::now(), SERVER_PAUSES.0);
    loop {
        match store::postgres::answers(&address).await {
            Ok(true) => return Ok(()),
            Err(error) => return Err(Failure::because(Exit::Io, &error)),
            Ok(false) if begun.elapsed() > SERVER_WAIT_MAX => {
                return Err(Failure::new(Exit::Unavailable, "store.postgres: the server cannot be reached"));
            }
            Ok(false) => {
                tracing::warn!(node = config.node, "waits for its database, which cannot be reached")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SERVER_PAUSES.1);
    }
}

/// Files are there at once.
///
/// # Errors
/// None.
#[cfg(not(feature = "postgres"))]
pub(crate) async fn wait(_: &Config) -> Result<(), Failure> {
    Ok(())
}
