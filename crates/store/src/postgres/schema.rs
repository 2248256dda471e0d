//! Schemas and their migrations.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

use crate::sql::Boxed;
use crate::sqlite::unavailable;
use crate::{Error, Result};

/// What a schema is, with its migrations: append-only, applied in order, counted in `schema_version`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    /// Another kind of schema is not opened.
    kind: &'static str,
    migrations: &'static [&'static str],
}

const NODE_0001: &str = include_str!("../migrations/postgres/node_0001.sql");
const NODE_0003: &str = include_str!("../migrations/postgres/node_0003_instants.sql");

const NODE_0004: &str = include_str!("../migrations/postgres/node_0004_custom_parameters.sql");

#[cfg(feature = "clinical")]
pub(crate) const CLINICAL: Schema = Schema {
    kind: "clinical",
    migrations: &[NODE_0001, include_str!("../migrations/postgres/clinical_0002.sql"), NODE_0003, NODE_0004],
};
#[cfg(feature = "clinical")]
pub(crate) const JOURNAL: Schema =
    Schema { kind: "journal", migrations: &[include_str!("../migrations/postgres/journal_0001.sql")] };
pub(crate) const PORTAL: Schema = Schema {
    kind: "portal",
    migrations: &[NODE_0001, include_str!("../migrations/postgres/portal_0002.sql"), NODE_0003, NODE_0004],
};
pub(crate) const ACCESS: Schema =
    Schema { kind: "access", migrations: &[include_str!("../migrations/postgres/access_0001.sql")] };

impl Schema {
    /// The version that this program makes.
    pub fn current(self) -> usize {
        self.migrations.len()
    }
}

/// Makes a schema, or brings it to the current version. Another process that does the same waits.
///
/// # Errors
/// [`Error::NewerSchema`]; [`Error::Corrupt`] when the schema is of another kind or role; [`Error::Unavailable`] when
/// the database has not the encoding and collation that it must have.
pub(crate) fn migrate<'f>(
    options: &'f PgConnectOptions,
    name: &'f str,
    schema: Schema,
) -> Boxed<'f, Result<()>> {
    Box::pin(async move {
        let mut connection = options.connect().await?;
        demand_bytewise(&mut connection).await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('tidegate schema ' || $1, 0))")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        // The name is a simple word (`Address::parse`).
        let make = format!(
            "CREATE SCHEMA IF NOT EXISTS {name};
         CREATE TABLE IF NOT EXISTS {name}.schema_version (kind TEXT NOT NULL, version BIGINT PRIMARY KEY);"
        );
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *transaction).await?;
        let version = version(&mut transaction, name, schema).await?;
        for (number, migration) in (1_i64..).zip(schema.migrations).skip(version) {
            sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
            let note = format!("INSERT INTO {name}.schema_version (kind, version) VALUES ($1, $2)");
            sqlx::query(AssertSqlSafe(note))
                .bind(schema.kind)
                .bind(number)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        connection.close().await?;
        Ok(())
    })
}

/// Refuses a schema that this program cannot read as it is: reading never migrates.
///
/// # Errors
/// As [`migrate`]; [`Error::Unavailable`] when the schema is missing or older.
pub(crate) fn check<'f>(
    options: &'f PgConnectOptions,
    name: &'f str,
    schema: Schema,
) -> Boxed<'f, Result<()>> {
    Box::pin(async move {
        let mut connection = options.connect().await?;
        let version = installed(&mut connection, name, schema).await?;
        connection.close().await?;
        if version == Some(schema.current()) {
            Ok(())
        } else {
            Err(unavailable("the database has an older schema; start its node once"))
        }
    })
}

/// The version of a schema; none when there is no such schema.
///
/// # Errors
/// As [`migrate`].
pub(super) async fn installed(
    connection: &mut PgConnection,
    name: &str,
    schema: Schema,
) -> Result<Option<usize>> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{name}.schema_version"))
        .fetch_one(&mut *connection)
        .await?;
    if is_there { version(connection, name, schema).await.map(Some) } else { Ok(None) }
}

/// What follows `start` in the names of schemas that begin with it.
#[cfg(feature = "clinical")]
pub(crate) fn schemas_of<'f>(
    options: &'f PgConnectOptions,
    start: &'f str,
) -> Boxed<'f, Result<Vec<String>>> {
    Box::pin(async move {
        let mut connection = options.connect().await?;
        let names: Vec<String> =
            sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)")
                .bind(start)
                .fetch_all(&mut connection)
                .await?;
        connection.close().await?;
        Ok(names.iter().filter_map(|name| name.strip_prefix(start)).map(str::to_owned).collect())
    })
}

/// Drops a schema with all that it holds; one that is gone already is as good.
#[cfg(feature = "clinical")]
pub(crate) fn drop_schema<'f>(options: &'f PgConnectOptions, name: &'f str) -> Boxed<'f, Result<()>> {
    Box::pin(async move {
        let mut connection = options.connect().await?;
        let drop = format!("DROP SCHEMA IF EXISTS {name} CASCADE");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    })
}

/// How many migrations a schema has had; 0 when it is new.
async fn version(connection: &mut PgConnection, name: &str, schema: Schema) -> Result<usize> {
    let asked = format!("SELECT kind, version FROM {name}.schema_version ORDER BY version DESC LIMIT 1");
    let found: Option<(String, i64)> =
        sqlx::query_as(AssertSqlSafe(asked)).fetch_optional(connection).await?;
    let Some((kind, version)) = found else { return Ok(0) };
    if kind != schema.kind {
        return Err(Error::Corrupt("the schema is of another kind or role"));
    }
    let version = usize::try_from(version).map_err(|_| Error::Corrupt("the schema version"))?;
    if version > schema.migrations.len() { Err(Error::NewerSchema) } else { Ok(version) }
}

/// Texts are compared byte by byte, as everywhere in this program; a locale would put them in another order.
async fn demand_bytewise(connection: &mut PgConnection) -> Result<()> {
    let (encoding, collation) = texts(connection).await?;
    if is_bytewise(&encoding, &collation) {
        Ok(())
    } else {
        Err(unavailable(
            "the database must be made with TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
        ))
    }
}

/// Encoding and collation of the database.
pub(super) async fn texts(connection: &mut PgConnection) -> Result<(String, String)> {
    Ok(sqlx::query_as(
        "SELECT pg_encoding_to_char(encoding)::text, datcollate::text FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(connection)
    .await?)
}

/// Whether texts are UTF-8 and compared byte by byte.
pub(super) fn is_bytewise(encoding: &str, collation: &str) -> bool {
    encoding == "UTF8" && matches!(collation, "C" | "POSIX" | "C.UTF-8" | "C.utf8")
}
