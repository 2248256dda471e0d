//! Where a database is and how it is reached.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

/// Prepared statements a connection keeps.
const STATEMENTS_KEPT: usize = 512;
/// How long a read waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement that reads may take before the server ends it, unless a node says otherwise.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest name of a schema; `_journal` is put behind it, and PostgreSQL cuts names at 63 bytes.
const NAME_BYTES_MAX: usize = 40;
/// The schema that is used when none is named.
const NAME: &str = "tidegate";

/// A database of a server, who opens it, and how the server proves which it is.
pub struct Server<'a> {
    /// Name or number of the machine, or the folder of a socket (`/run/postgresql`).
    pub host: &'a str,
    /// Port; of a socket, the number in its file's name.
    pub port: u16,
    /// Name of the database.
    pub database: &'a str,
    /// Role that opens it.
    pub user: &'a str,
    /// Its password, where the server asks for one.
    pub password: Option<&'a str>,
    /// How the server proves which it is; needed when it is on another machine.
    pub tls: Option<ServerTls<'a>>,
}

/// Files of a TLS connection, PEM. The certificate must come from the CA and name the host.
pub struct ServerTls<'a> {
    /// CA of the server's certificate.
    pub ca: &'a Path,
    /// Certificate chain of this node and its key, where the server asks for one.
    pub certificate: Option<(&'a Path, &'a Path)>,
}

/// A database and the schemas in it that are a node's. It holds a password: `Debug` prints `[secret]`.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    name: String,
    read_timeout: Duration,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Address([secret])")
    }
}

/// Why an address is refused. No text of it repeats the address, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL of a database.
    #[error("not an address of the form postgres://USER@HOST:PORT/DATABASE")]
    NotAnUrl,
    /// A part of it is empty.
    #[error("host, database or user is empty")]
    Empty,
    /// The other machine could be anyone.
    #[error("a database on another machine is reached over TLS alone, with a certificate that is verified")]
    NotVerified,
    /// The name of a schema is no simple word.
    #[error("a schema is named by up to 40 of a-z, 0-9 and _, beginning with a letter")]
    Name,
}

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE`; `host` may be a parameter
    /// that names a folder of a socket. `schema` names the node's schemas, `tidegate` when absent.
    ///
    /// # Errors
    /// When it cannot be read, or would reach another machine without proof of which it is.
    pub fn parse(url: &str, schema: Option<&str>) -> Result<Self, AddressError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(AddressError::NotAnUrl);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| AddressError::NotAnUrl)?;
        Self::checked(options, schema)
    }

    /// The database of a server; `schema` names the node's schemas, `tidegate` when absent.
    ///
    /// # Errors
    /// When a part is missing, or it would reach another machine without proof of which it is.
    pub fn of(server: &Server<'_>, schema: Option<&str>) -> Result<Self, AddressError> {
        let Server { host, port, database, user, password, tls } = server;
        if host.is_empty() || database.is_empty() || user.is_empty() {
            return Err(AddressError::Empty);
        }
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(*port)
            .database(database)
            .username(user)
            .ssl_mode(PgSslMode::Disable);
        if let Some(password) = password {
            options = options.password(password);
        }
        if let Some(ServerTls { ca, certificate }) = tls {
            options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(ca);
            if let Some((certificate, key)) = certificate {
                options = options.ssl_client_cert(certificate).ssl_client_key(key);
            }
        }
        Self::checked(options, schema)
    }

    fn checked(options: PgConnectOptions, schema: Option<&str>) -> Result<Self, AddressError> {
        let name = schema.unwrap_or(NAME);
        let is_word = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '_'));
        if !is_word || name.len() > NAME_BYTES_MAX {
            return Err(AddressError::Name);
        }
        let is_verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull | PgSslMode::VerifyCa);
        if !is_verified && !is_local(&options) {
            return Err(AddressError::NotVerified);
        }
        Ok(Self { options, name: name.to_owned(), read_timeout: READ_TIMEOUT })
    }

    /// The same, where the server ends a statement that reads after so long. Those that write have no such end: they are few,
    /// and of known size.
    #[must_use]
    pub fn reading_within(self, read_timeout: Duration) -> Self {
        Self { read_timeout, ..self }
    }

    /// The schema of resources and messages; the names of the others begin with it.
    pub fn schema(&self) -> &str {
        &self.name
    }

    /// How a schema of the node is connected to; `part` is what follows its name.
    pub(crate) fn options(&self, part: &str) -> PgConnectOptions {
        // A join is done in the order in which it is written, row by row by an index, as SQLite does it: searches stay as
        // steady as their statements, whatever the statistics say. Notices may hold content.
        self.options
            .clone()
            .application_name("tidegate")
            .statement_cache_capacity(STATEMENTS_KEPT)
            .options([
                ("search_path", self.part(part).as_str()),
                ("client_min_messages", "error"),
                ("join_collapse_limit", "1"),
                ("enable_seqscan", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
                ("jit", "off"),
                ("timezone", "UTC"),
            ])
            .disable_statement_logging()
    }

    /// The name of a schema.
    pub(crate) fn part(&self, part: &str) -> String {
        format!("{}{part}", self.name)
    }

    /// Connections that read a schema. They are made when they are first used.
    pub(crate) fn pool(&self, part: &str, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections.max(1))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(self.reading(part))
    }

    /// How a schema is connected to in order to read.
    fn reading(&self, part: &str) -> PgConnectOptions {
        let longest = self.read_timeout.as_millis().to_string();
        self.options(part).options([("statement_timeout", longest.as_str())])
    }
}

impl Address {
    /// As [`Address::pool`]; connections that nobody uses are closed after so long.
    #[cfg(feature = "clinical")]
    pub(crate) fn idle_pool(&self, part: &str, connections: u32, idle: Duration) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections.max(1))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(idle)
            .connect_lazy_with(self.reading(part))
    }
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_must_prove_which_it_is() {
        let parse = |url: &str| Address::parse(url, None).map(|_| ());
        for local in [
            "postgres://tg@localhost/tg",
            "postgres://tg@127.0.0.1:5433/tg",
            "postgresql://tg@[::1]/tg",
            "postgres://tg@h/tg?host=/run/postgresql",
        ] {
            assert_eq!(parse(local), Ok(()), "{local}");
        }
        for mode in ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require"] {
            let url = format!("postgres://tg@db.example.org/tg{mode}");
            assert_eq!(parse(&url), Err(AddressError::NotVerified), "{url}");
        }
        for mode in ["verify-full", "verify-ca"] {
            assert_eq!(parse(&format!("postgres://tg@db.example.org/tg?sslmode={mode}")), Ok(()));
        }
        for wrong in ["", "mysql://tg@localhost/tg", "postgres://tg@localhost:port/tg", "/run/postgresql"] {
            assert_eq!(parse(wrong), Err(AddressError::NotAnUrl), "{wrong}");
        }
    }

    #[test]
    fn parts_make_an_address_as_an_url_does() {
        let server = |host: &'static str, tls| Server {
            host,
            port: 5432,
            database: "tg",
            user: "tg",
            password: Some("hush-hush"),
            tls,
        };
        let of = |host, tls| Address::of(&server(host, tls), None).map(|_| ());
        for local in ["localhost", "127.0.0.1", "::1", "/run/postgresql"] {
            assert_eq!(of(local, None), Ok(()), "{local}");
        }
        assert_eq!(of("db.example.org", None), Err(AddressError::NotVerified));
        let tls = || Some(ServerTls { ca: Path::new("ca.pem"), certificate: None });
        assert_eq!(of("db.example.org", tls()), Ok(()));
        assert_eq!(of("", tls()), Err(AddressError::Empty));
    }

    #[test]
    fn a_schema_is_a_simple_word() {
        let named = |name: &str| Address::parse("postgres://tg@localhost/tg", Some(name)).map(|_| ());
        assert_eq!(named("tide_2"), Ok(()));
        for wrong in ["", "2tide", "Tide", "tide-gate", "a\"; DROP", &"a".repeat(41)] {
            assert_eq!(named(wrong), Err(AddressError::Name), "{wrong}");
        }
    }

    #[test]
    fn no_text_of_it_shows_the_password() {
        let address = Address::parse("postgres://tg:hush-hush@localhost/tg", None).expect("an address");
        assert!(!format!("{address:?}").contains("hush"));
        let refused = Address::parse("postgres://tg:hush-hush@db.example.org/tg", None).expect_err("refused");
        assert!(!format!("{refused} {refused:?}").contains("hush"));
    }
}
