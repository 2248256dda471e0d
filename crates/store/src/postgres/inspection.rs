//! A look at a database before anything is opened or made in it.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection as _};

#[cfg(feature = "clinical")]
use super::schema::CLINICAL;
use super::schema::{PORTAL, Schema, installed};
use super::{Address, fault};
use crate::sqlite::{Role, unavailable};
use crate::{Error, Result};

/// How long a connection is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What stands under the name of the node's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFound {
    /// Nothing yet.
    None,
    /// The schema of this release.
    Current,
    /// That of an earlier one: the node brings it up to date when it starts.
    Older,
    /// That of a later one: this program refuses it.
    Newer,
    /// Another role's.
    Foreign,
}

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Version of the server (`17.2`).
    pub version: String,
    /// Whether encoding and collation are what they must be: UTF8, byte by byte.
    pub is_bytewise: bool,
    /// Whether this connection is over TLS.
    pub is_encrypted: bool,
    /// Whether the user may make schemas in it: a month of the journal is one.
    pub may_make_schemas: bool,
    /// Whether the server only repeats what another one writes.
    pub is_standby: bool,
    /// Connections that the server lets in at most.
    pub connections_max: u32,
    /// The node's schema.
    pub schema: SchemaFound,
}

/// Whether the server answers now. False: it cannot be reached, or is starting or stopping, and may answer later.
///
/// # Errors
/// When it answers that this address is wrong (no such database, a wrong password, a certificate of somebody else).
pub async fn answers(address: &Address) -> Result<bool> {
    match tokio::time::timeout(CONNECT_TIMEOUT, address.options("").connect()).await {
        Err(_) => Ok(false),
        Ok(Err(error)) if fault::is_away(&error) => Ok(false),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(connection)) => {
            connection.close().await?;
            Ok(true)
        }
    }
}

/// Looks at a database; nothing is made or changed.
///
/// # Errors
/// [`Error::Unavailable`] when it cannot be reached or asked.
pub async fn inspect(address: &Address, role: Role) -> Result<Inspection> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, address.options("").connect()).await;
    let mut connection = connected.map_err(|_| unavailable("the server does not answer"))??;
    let (encoding, collation) = super::schema::texts(&mut connection).await?;
    let (version, is_encrypted, may_make_schemas, is_standby, connections_max): (
        String,
        bool,
        bool,
        bool,
        i32,
    ) = sqlx::query_as(
        "SELECT current_setting('server_version'),
                coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
                has_database_privilege(current_database(), 'CREATE'), pg_is_in_recovery(),
                current_setting('max_connections')::int",
    )
    .fetch_one(&mut connection)
    .await?;
    let schema = find(address, role, &mut connection).await?;
    connection.close().await?;
    Ok(Inspection {
        version,
        is_bytewise: super::schema::is_bytewise(&encoding, &collation),
        is_encrypted,
        may_make_schemas,
        is_standby,
        connections_max: u32::try_from(connections_max).unwrap_or_default(),
        schema,
    })
}

async fn find(address: &Address, role: Role, connection: &mut PgConnection) -> Result<SchemaFound> {
    let Some(schema) = of_role(role) else { return Ok(SchemaFound::Foreign) };
    match installed(connection, address.schema(), schema).await {
        Ok(None) => Ok(SchemaFound::None),
        Ok(Some(version)) if version == schema.current() => Ok(SchemaFound::Current),
        Ok(Some(_)) => Ok(SchemaFound::Older),
        Err(Error::NewerSchema) => Ok(SchemaFound::Newer),
        Err(Error::Corrupt(_)) => Ok(SchemaFound::Foreign),
        Err(error) => Err(error),
    }
}

/// The schema of a role, when this build has the role.
fn of_role(role: Role) -> Option<Schema> {
    match role {
        #[cfg(feature = "clinical")]
        Role::Clinical => Some(CLINICAL),
        #[cfg(not(feature = "clinical"))]
        Role::Clinical => None,
        Role::Portal => Some(PORTAL),
    }
}
