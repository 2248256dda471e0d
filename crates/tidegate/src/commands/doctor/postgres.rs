//! The PostgreSQL database of a node: reachable, of the right making, open to its user, over TLS, not from the future.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use store::postgres::{Inspection, SchemaFound, inspect};

use super::Finding;
use crate::config::{Config, Postgres};
use crate::{Exit, Failure, database};

const NAME: &str = "PostgreSQL";
/// The oldest major version that the statements are tested with.
const VERSION_MIN: u32 = 15;
/// Connections that a node has open at most beside its readers: writers of five schemas, the question whether the server
/// is there, and what migrates.
const CONNECTIONS_BESIDE: u32 = 8;
/// Schemas that are read at the same time: resources, records of access, the journal's months in use.
const SCHEMAS_READ: u32 = 5;
/// Bits that let group or others in.
const OTHERS: u32 = 0o077;

/// What there is to say of the database, when the node has one.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let Some(store) = &config.store else { return Vec::new() };
    let postgres = &store.postgres;
    let mut findings: Vec<Finding> =
        postgres.password_file.as_deref().and_then(password_file).into_iter().collect();
    let address = match database::address(postgres) {
        Ok(address) => address,
        Err(failure) => {
            let fix = "name a file that this user can read, with the password in its first line";
            findings.push(Finding::fail(NAME, failure.words, fix));
            return findings;
        }
    };
    match inspect(&address, database::role(config.role)).await {
        Ok(found) => findings.extend(said(postgres, &found)),
        Err(error) => findings.push(Finding::fail(
            NAME,
            format!("{}: {}", place(postgres), Failure::because(Exit::Io, &error).words),
            "start the server, let this user in (pg_hba.conf), and look at host, port, database, user and password",
        )),
    }
    findings
}

fn place(postgres: &Postgres) -> String {
    format!("{} at {}:{}", postgres.database, postgres.host, postgres.port)
}

/// A password that others of this machine can read.
fn password_file(file: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    let words = || format!("{} is open to other users ({:o})", file.display(), mode & 0o777);
    let fix =
        format!("chmod 600 {}; if others use this machine, give the role another password", file.display());
    (mode & OTHERS != 0).then(|| Finding::fail("password file", words(), &fix))
}

fn said(postgres: &Postgres, found: &Inspection) -> Vec<Finding> {
    let major: u32 = found.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
    let reached = format!("{}, version {}", place(postgres), found.version);
    let mut findings = vec![if major < VERSION_MIN {
        Finding::fail(NAME, reached, "use PostgreSQL 15 or later")
    } else {
        Finding::ok(NAME, reached)
    }];
    findings.push(transport(postgres, found));
    let checks = [
        (
            found.is_bytewise,
            "encoding UTF8, collation C",
            "another encoding or collation",
            "make it anew: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
        ),
        (
            found.may_make_schemas,
            "this user may make schemas",
            "this user may not make schemas, and a month of the journal is one",
            "make the user its owner: ALTER DATABASE … OWNER TO …",
        ),
        (
            !found.is_standby,
            "takes writes",
            "a standby, which takes no writes",
            "name the primary, or an address that follows it",
        ),
    ];
    findings.extend(checks.map(|(is_right, right, wrong, fix)| match is_right {
        true => Finding::ok(NAME, right),
        false => Finding::fail(NAME, wrong, fix),
    }));
    findings.push(schema(postgres, found.schema));
    findings.push(connections(postgres, found.connections_max));
    findings
}

fn transport(postgres: &Postgres, found: &Inspection) -> Finding {
    match (found.is_encrypted, &postgres.tls) {
        (true, _) => Finding::ok(NAME, "over TLS, with a certificate for its host"),
        (false, None) => Finding::ok(NAME, "without TLS, on this machine"),
        (false, Some(_)) => {
            Finding::fail(NAME, "without TLS, though it is asked for", "set `ssl = on` in postgresql.conf")
        }
    }
}

fn schema(postgres: &Postgres, found: SchemaFound) -> Finding {
    let name = format!("schema {}", postgres.schema);
    match found {
        SchemaFound::None => Finding::ok(name, "none yet; it is made when the node starts"),
        SchemaFound::Current => Finding::ok(name, "of this release"),
        SchemaFound::Older => {
            Finding::ok(name, "of an earlier release; the node brings it up to date when it starts")
        }
        SchemaFound::Newer => {
            Finding::fail(name, "of a later release", "a newer Tidegate wrote it: install that version")
        }
        SchemaFound::Foreign => Finding::fail(
            name,
            "of another role's node",
            "give each node a schema, or a database, of its own",
        ),
    }
}

fn connections(postgres: &Postgres, most: u32) -> Finding {
    let own = CONNECTIONS_BESIDE.saturating_add(postgres.connections.saturating_mul(SCHEMAS_READ));
    let words = format!("lets {most} connections in; this node has {own} at most");
    if most < own {
        let fix = "raise `max_connections` in postgresql.conf, or lower `store.postgres.connections`";
        Finding::fail(NAME, words, fix)
    } else {
        Finding::ok(NAME, words)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn postgres() -> Postgres {
        Postgres {
            host: "/run/postgresql".to_owned(),
            port: 5432,
            database: "tg".to_owned(),
            user: "tg".to_owned(),
            password_file: None,
            schema: "tidegate".to_owned(),
            connections: 4,
            tls: None,
        }
    }

    fn right() -> Inspection {
        Inspection {
            version: "17.2 (Debian 17.2-1)".to_owned(),
            is_bytewise: true,
            is_encrypted: false,
            may_make_schemas: true,
            is_standby: false,
            connections_max: 100,
            schema: SchemaFound::Current,
        }
    }

    #[test]
    fn each_thing_that_is_wrong_is_told_with_its_fix() {
        let failed = |found: Inspection| {
            said(&postgres(), &found).iter().filter(|finding| finding.level == Level::Fail).count()
        };
        assert_eq!(failed(right()), 0);
        for wrong in [
            Inspection { version: "13.4".to_owned(), ..right() },
            Inspection { is_bytewise: false, ..right() },
            Inspection { may_make_schemas: false, ..right() },
            Inspection { is_standby: true, ..right() },
            Inspection { connections_max: 10, ..right() },
            Inspection { schema: SchemaFound::Newer, ..right() },
            Inspection { schema: SchemaFound::Foreign, ..right() },
        ] {
            assert_eq!(failed(wrong.clone()), 1, "{wrong:?}");
        }
    }
}
