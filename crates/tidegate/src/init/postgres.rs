//! A pair whose on-prem node keeps what it has in a database of PostgreSQL.

use std::path::{Path, PathBuf};

/// Port of a server whose port is not said.
const PORT: u16 = 5432;
/// The file of the password, beside the keys.
const PASSWORD_FILE: &str = "onprem/keys/postgres.password";

/// A database: `USER@HOST[:PORT]/DATABASE`. The host may be the folder of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnPostgres {
    user: String,
    host: String,
    port: u16,
    database: String,
}

impl std::str::FromStr for OnPostgres {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, rest) = text.split_once('@').ok_or("write USER@HOST[:PORT]/DATABASE")?;
        if user.contains(':') {
            return Err("a password has no place here, where other users see it: it goes into a file");
        }
        let (server, database) =
            rest.rsplit_once('/').ok_or("name the database: USER@HOST[:PORT]/DATABASE")?;
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
                (host, port.parse().map_err(|_| "the port is no number")?)
            }
            _ => (server, PORT),
        };
        let host = host.trim_matches(['[', ']']);
        if [user, host, database].iter().any(|part| part.is_empty()) {
            return Err("user, host and database are not empty");
        }
        let [user, host, database] = [user, host, database].map(str::to_owned);
        Ok(Self { user, host, port, database })
    }
}

impl OnPostgres {
    /// Where the node looks for the password, below the folder of the pair; over a socket the server knows the user.
    pub fn password_file(&self, folder: &Path) -> Option<PathBuf> {
        (!self.host.starts_with('/')).then(|| folder.join(PASSWORD_FILE))
    }

    /// The key `store` of a configuration.
    pub(super) fn yaml(&self, ca: Option<&str>) -> String {
        let Self { user, host, port, database } = self;
        let mut text = format!("store:\n  postgres:\n    host: {}\n    port: {port}\n", quoted(host));
        text.push_str(&format!("    database: {}\n    user: {}\n", quoted(database), quoted(user)));
        if self.password_file(Path::new("")).is_some() {
            text.push_str(&format!("    password_file: {PASSWORD_FILE}\n"));
        }
        if let Some(ca) = ca {
            text.push_str(&format!("    tls:\n      ca: {ca}\n"));
        }
        text
    }
}

/// A text as a double-quoted YAML scalar.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_in_one_word_without_a_password() {
        let of = |user: &str, host: &str, port, database: &str| {
            let [user, host, database] = [user, host, database].map(str::to_owned);
            Ok(OnPostgres { user, host, port, database })
        };
        assert_eq!("tg@db.example.org/tide".parse(), of("tg", "db.example.org", 5432, "tide"));
        assert_eq!("tg@127.0.0.1:6432/tide".parse(), of("tg", "127.0.0.1", 6432, "tide"));
        assert_eq!("tg@[::1]:6432/tide".parse(), of("tg", "::1", 6432, "tide"));
        assert_eq!("tg@/run/postgresql/tide".parse(), of("tg", "/run/postgresql", 5432, "tide"));
        for wrong in ["", "db/tide", "tg@db", "tg:hush@db/tide", "@db/tide", "tg@db/", "tg@db:x/tide"] {
            assert!(wrong.parse::<OnPostgres>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was_named() {
        let named: OnPostgres = "tg@127.0.0.1:6432/tide".parse().expect("a database");
        let yaml = named.yaml(Some("\"ca.pem\""));
        let read: std::collections::BTreeMap<String, crate::config::Store> =
            serde_saphyr::from_str(&yaml).expect("it is read");
        let postgres = &read["store"].postgres;
        assert_eq!((postgres.host.as_str(), postgres.port), ("127.0.0.1", 6432));
        assert_eq!((postgres.database.as_str(), postgres.user.as_str()), ("tide", "tg"));
        assert!(postgres.password_file.is_some() && postgres.tls.is_some());
    }
}
