//! A store in a database of a PostgreSQL server.

use std::sync::{Arc, Mutex};

use fhir::CustomParameters;
use tokio::sync::watch;

use super::access::AccessWriter;
#[cfg(not(feature = "clinical"))]
use super::fault::unavailable;
#[cfg(feature = "clinical")]
use super::journal::{Home, JournalFiles};
use super::node::writer::{Published, Writer};
use super::queue::Queue;
use super::upkeep::Upkeep;
use super::watched::{Kind, Watched};
use super::{Role, Sqlite};
#[cfg(feature = "clinical")]
use crate::postgres::CLINICAL;
use crate::postgres::{ACCESS, Address, Heartbeat, PORTAL, Schema, Session, check, migrate};
use crate::sql::Pool;
use crate::{Condition, Result, SearchIndex};

/// What follows the name of the schema of records of access.
const ACCESS_PART: &str = "_access";

impl Sqlite {
    /// Opens a database, making the schemas that are missing. It is written by this process alone until it is closed.
    ///
    /// # Errors
    /// [`crate::Error::NewerSchema`]; [`crate::Error::Corrupt`] when a schema is of another kind or role;
    /// [`crate::Error::Unavailable`] when it cannot be reached, is not made as it must be, or another process writes.
    pub async fn open_postgres(address: &Address, role: Role, read_connections: u32) -> Result<Arc<Self>> {
        Self::open_postgres_indexing(address, role, read_connections, &CustomParameters::default()).await
    }

    /// As [`Sqlite::open_postgres`], with search parameters that packages define, as [`Sqlite::open_indexing`] has them.
    ///
    /// # Errors
    /// As [`Sqlite::open_postgres`].
    pub async fn open_postgres_indexing(
        address: &Address,
        role: Role,
        read_connections: u32,
        parameters: &CustomParameters,
    ) -> Result<Arc<Self>> {
        let schema = schema(role)?;
        let condition = Arc::new(watch::channel(Condition::default()).0);
        let (node, name) = (address.options(""), address.part(""));
        let (session, mut connection) = Session::open(node.clone(), name.clone()).await?;
        migrate(&node, &name, schema).await?;
        #[cfg(feature = "clinical")]
        if role == Role::Clinical {
            let home = Home::Server(Box::new(address.clone()), read_connections);
            super::retention::finish_drops(&home, &mut connection).await?;
        }
        let index = super::node::custom::define(parameters, &mut connection).await?;
        super::node::reindex::reindex(role, &index, &mut connection).await?;
        let upkeep = Upkeep::Server(Box::new(session), Watched::new(Kind::Node, &condition));
        let (writer, published) =
            Writer::new(connection, role == Role::Clinical, upkeep, index.clone()).await?;
        let (access, name) = (address.options(ACCESS_PART), address.part(ACCESS_PART));
        let (session, connection) = Session::open(access.clone(), name.clone()).await?;
        migrate(&access, &name, ACCESS).await?;
        let upkeep = Upkeep::Server(Box::new(session), Watched::new(Kind::Access, &condition));
        let pool = Pool::Postgres(address.pool(ACCESS_PART, read_connections));
        let access = AccessWriter::of_server(connection, upkeep, pool).await?;
        #[cfg(feature = "clinical")]
        let journal = match role {
            Role::Clinical => {
                let home = Home::Server(Box::new(address.clone()), read_connections);
                Some(JournalFiles::open(home, Watched::new(Kind::Journal, &condition)).await?)
            }
            Role::Portal => None,
        };
        Ok(Arc::new(Self {
            role,
            node: Pool::Postgres(address.pool("", read_connections)),
            index,
            published,
            writer: Queue::start(|receiver| writer.run(receiver)),
            access,
            #[cfg(feature = "clinical")]
            journal,
            checkpointer: Mutex::new(None),
            heartbeat: Some(Heartbeat::start(node, Arc::clone(&condition))),
            condition,
            lock: Mutex::new(None),
        }))
    }

    /// Opens a database for reading beside the process that writes it. Nothing is migrated or written; ports that write
    /// fail. Search parameters that are new since are not seen.
    ///
    /// # Errors
    /// As [`Sqlite::open_postgres`], and [`crate::Error::Unavailable`] when a schema is missing or older.
    pub async fn read_postgres(address: &Address, role: Role, read_connections: u32) -> Result<Arc<Self>> {
        let schema = schema(role)?;
        check(&address.options(""), &address.part(""), schema).await?;
        check(&address.options(ACCESS_PART), &address.part(ACCESS_PART), ACCESS).await?;
        let node = Pool::Postgres(address.pool("", read_connections));
        let published = Published::load(&mut *node.acquire().await?, role == Role::Clinical).await?;
        #[cfg(feature = "clinical")]
        let journal = match role {
            Role::Clinical => Some(
                JournalFiles::open_reading(Home::Server(Box::new(address.clone()), read_connections)).await?,
            ),
            Role::Portal => None,
        };
        Ok(Arc::new(Self {
            role,
            node,
            index: SearchIndex::default(),
            published,
            writer: Queue::closed(),
            access: AccessWriter::reading(Pool::Postgres(address.pool(ACCESS_PART, read_connections))),
            #[cfg(feature = "clinical")]
            journal,
            checkpointer: Mutex::new(None),
            condition: Arc::new(watch::channel(Condition::default()).0),
            heartbeat: None,
            lock: Mutex::new(None),
        }))
    }
}

#[cfg(feature = "clinical")]
fn schema(role: Role) -> Result<Schema> {
    Ok(match role {
        Role::Clinical => CLINICAL,
        Role::Portal => PORTAL,
    })
}

#[cfg(not(feature = "clinical"))]
fn schema(role: Role) -> Result<Schema> {
    match role {
        Role::Clinical => Err(unavailable("this build has no clinical role")),
        Role::Portal => Ok(PORTAL),
    }
}
