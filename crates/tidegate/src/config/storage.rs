//! Where a node keeps what it has, when not in files of its data folder: a database of PostgreSQL.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Config, Problem};

/// A database in place of the files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Of PostgreSQL: journal, resources, messages, ledger and records of access.
    pub postgres: Postgres,
}

/// A database of a PostgreSQL server. Its password is in a file or in the environment, never here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Name or number of the machine, or the folder of a socket.
    pub host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Database, made with encoding UTF8 and collation C.
    pub database: String,
    /// Role that the node is.
    pub user: String,
    /// File whose first line is the password, user-only; absent: PGPASSWORD, or none.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Name of the node's schemas; two nodes of one database have two.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// Connections that read one schema at a time.
    #[serde(default = "default_connections")]
    pub connections: u32,
    /// How the server proves which it is; needed when it is on another machine.
    #[serde(default)]
    pub tls: Option<PostgresTls>,
}

/// PEM files of the connection to the server; its certificate must name `host`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresTls {
    /// CA of the server's certificate.
    pub ca: PathBuf,
    /// Certificate chain of this node, where the server asks for one.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
}

fn default_port() -> u16 {
    5432
}

fn default_schema() -> String {
    "tidegate".to_owned()
}

fn default_connections() -> u32 {
    4
}

/// The paths of it, which are relative to the file.
pub(super) fn paths(store: &mut Store) -> impl Iterator<Item = &mut PathBuf> {
    let Postgres { password_file, tls, .. } = &mut store.postgres;
    let tls = tls.iter_mut().flat_map(|PostgresTls { ca, certificate, key }| {
        [Some(ca), certificate.as_mut(), key.as_mut()].into_iter().flatten()
    });
    password_file.iter_mut().chain(tls)
}

/// What is wrong with it, as far as no server need be asked.
pub(super) fn check(config: &Config, place: &str) -> Vec<Problem> {
    let Some(Store { postgres }) = &config.store else { return Vec::new() };
    let mut problems = Vec::new();
    let mut wrong = |key: &str, cause: &str, fix: &str| {
        let place = format!("{place}: store.postgres{key}");
        problems.push(Problem { place, cause: cause.to_owned(), fix: fix.to_owned() });
    };
    if let Some((key, cause)) = unreachable(postgres) {
        wrong(key, &cause, fix(key));
    }
    if postgres.tls.as_ref().is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
        wrong(".tls", "has one of `certificate` and `key`", "give both, or neither");
    }
    if postgres.connections == 0 {
        wrong(".connections", "is 0", "use 1 at least, or leave it out for 4");
    }
    problems
}

fn fix(key: &str) -> &'static str {
    match key {
        ".tls" => "add `tls: {ca: FILE}` with the CA of the server's certificate",
        ".schema" => "use a plain word, or leave it out for `tidegate`",
        _ => "deploy/postgres.yaml explains each key",
    }
}

/// Why no connection can be made, with the key that it is about.
#[cfg(feature = "postgres")]
fn unreachable(postgres: &Postgres) -> Option<(&'static str, String)> {
    let error = postgres.address(None).err()?;
    let key = match error {
        store::postgres::AddressError::NotVerified => ".tls",
        store::postgres::AddressError::Name => ".schema",
        _ => "",
    };
    Some((key, error.to_string()))
}

#[cfg(not(feature = "postgres"))]
fn unreachable(_: &Postgres) -> Option<(&'static str, String)> {
    Some(("", "this build keeps everything in files: it was made without the feature `postgres`".to_owned()))
}

#[cfg(feature = "postgres")]
impl Postgres {
    /// The database with this password.
    ///
    /// # Errors
    /// When a part is missing, or it is on another machine that need not prove which it is.
    pub fn address(
        &self,
        password: Option<&str>,
    ) -> Result<store::postgres::Address, store::postgres::AddressError> {
        let Self { host, port, database, user, schema, tls, .. } = self;
        let tls = tls.as_ref().map(|tls| store::postgres::ServerTls {
            ca: &tls.ca,
            certificate: tls.certificate.as_deref().zip(tls.key.as_deref()),
        });
        let server = store::postgres::Server { host, port: *port, database, user, password, tls };
        store::postgres::Address::of(&server, Some(schema))
    }
}
