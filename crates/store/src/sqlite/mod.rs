//! The SQLite adapter: [`Sqlite::open`] gives an object that implements every port of its role.

mod access;
#[cfg(feature = "clinical")]
mod apply;
mod body;
mod checkpoint;
#[cfg(feature = "clinical")]
mod code_items;
mod codes;
#[cfg(feature = "clinical")]
mod coverage;
mod fault;
mod file;
#[cfg(feature = "clinical")]
mod forward;
#[cfg(feature = "clinical")]
mod guarded;
mod history;
#[cfg(feature = "clinical")]
mod identity;
mod intake;
#[cfg(feature = "clinical")]
mod journal;
mod ledger;
#[cfg(feature = "clinical")]
pub mod limits;
#[cfg(feature = "clinical")]
mod messages;
#[cfg(feature = "clinical")]
mod month;
mod node;
#[cfg(feature = "clinical")]
mod outbox;
mod queue;
mod resources;
#[cfg(feature = "clinical")]
mod retention;
mod search;
#[cfg(feature = "postgres")]
mod server;
#[cfg(feature = "clinical")]
mod statistics;
mod upkeep;
mod watched;
#[cfg(feature = "clinical")]
mod withdrawal;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use fhir::CustomParameters;
use tokio::sync::watch;

use self::access::AccessWriter;
use self::checkpoint::{Checkpointer, Load};
#[cfg(feature = "postgres")]
pub(crate) use self::fault::unavailable;
use self::file::Settings;
use self::node::job::{Job, Waiting};
use self::node::prepare::{Defined, PreparedRecord};
use self::node::writer::{Published, Request, Writer};
use self::queue::Queue;
use self::upkeep::Upkeep;
use self::watched::{Kind, Watched};
use crate::sql::{Connection, Pool, query};
use crate::{Condition, Micros, Result, SearchIndex};

/// Which node a folder belongs to. Portal folders have no journal, no pseudonyms and no outbox, and are refused by a
/// clinical node; so are clinical ones by a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The on-prem node.
    Clinical,
    /// The cloud node.
    Portal,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// `false` is for the power-loss test's negative control only.
    pub synchronous_full: bool,
    /// Most connections that read one file at a time.
    pub read_connections: u32,
    /// The clock. No port reads it: instants are arguments.
    pub now_us: fn() -> Micros,
}

/// Pages of `node.db` that its writer keeps, 8 MB: what a batch changes stays in memory until it is committed, where SQLite's
/// default of 2 MB let a large one write its pages twice.
const CACHE_SIZE: &str = "PRAGMA cache_size = -8000";

/// An open store.
#[derive(Debug)]
pub struct Sqlite {
    role: Role,
    node: Pool,
    /// What packages define.
    index: SearchIndex,
    published: Published,
    writer: Queue<Request>,
    access: AccessWriter,
    #[cfg(feature = "clinical")]
    journal: Option<journal::JournalFiles>,
    checkpointer: Mutex<Option<Checkpointer>>,
    condition: Arc<watch::Sender<Condition>>,
    /// Of a server that it writes to.
    #[cfg(feature = "postgres")]
    heartbeat: Option<crate::postgres::Heartbeat>,
    /// Keeps a second process out until this is closed.
    lock: Mutex<Option<std::fs::File>>,
}

impl Sqlite {
    /// Opens the files of a folder, making what is missing.
    ///
    /// # Errors
    /// [`crate::Error::NewerSchema`]; [`crate::Error::Corrupt`] when a file is of another kind or role;
    /// [`crate::Error::Unavailable`] when another process has the folder open.
    pub async fn open(folder: &Path, role: Role, options: Options) -> Result<Arc<Self>> {
        Self::open_limited(folder, role, options, None).await
    }

    /// As [`Sqlite::open`], with search parameters that packages define. What their index lacks is made by [`crate::Indexing`];
    /// what was defined before and is not among them leaves it. Opened without them, none is.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_indexing(
        folder: &Path,
        role: Role,
        options: Options,
        parameters: &CustomParameters,
    ) -> Result<Arc<Self>> {
        Self::open_files(folder, role, options, None, parameters).await
    }

    /// As [`Sqlite::open`], with files that cannot grow beyond so many pages of 4 KiB: a full disk for tests.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    #[doc(hidden)]
    pub async fn open_limited(
        folder: &Path,
        role: Role,
        options: Options,
        pages_max: Option<u32>,
    ) -> Result<Arc<Self>> {
        Self::open_files(folder, role, options, pages_max, &CustomParameters::default()).await
    }

    async fn open_files(
        folder: &Path,
        role: Role,
        options: Options,
        pages_max: Option<u32>,
        parameters: &CustomParameters,
    ) -> Result<Arc<Self>> {
        let Options { synchronous_full, read_connections, now_us: _ } = options;
        let settings = Settings { synchronous_full, pages_max, read_connections };
        file::make_folder(folder)?;
        let lock = file::lock(folder)?;
        let path = folder.join("node.db");
        let mut connection = Connection::from(file::open_writer(&path, schema(role)?, settings).await?);
        query(CACHE_SIZE).execute(&mut connection).await?;
        #[cfg(feature = "clinical")]
        if role == Role::Clinical {
            let home = journal::Home::Folder(folder.join("journal"), settings);
            retention::finish_drops(&home, &mut connection).await?;
        }
        let index = node::custom::define(parameters, &mut connection).await?;
        node::reindex::reindex(role, &index, &mut connection).await?;
        let condition = Arc::new(watch::channel(Condition::default()).0);
        let watched = |kind| Watched::new(kind, &condition);
        let load = Arc::new(Load::new(watched(Kind::Node)));
        let checkpointer = Checkpointer::start(path.clone(), settings, Arc::clone(&load)).await?;
        let upkeep = Upkeep::File(load);
        let (writer, published) =
            Writer::new(connection, role == Role::Clinical, upkeep, index.clone()).await?;
        let access = AccessWriter::open(&folder.join("access.db"), settings, watched(Kind::Access)).await?;
        #[cfg(feature = "clinical")]
        let journal = match role {
            Role::Clinical => {
                let folder = folder.join("journal");
                let home = journal::Home::Folder(folder, settings);
                Some(journal::JournalFiles::open(home, watched(Kind::Journal)).await?)
            }
            Role::Portal => None,
        };
        Ok(Arc::new(Self {
            role,
            node: Pool::Sqlite(file::read_pool(&path, settings, None)),
            index,
            published,
            writer: Queue::start(|receiver| writer.run(receiver)),
            access,
            #[cfg(feature = "clinical")]
            journal,
            checkpointer: Mutex::new(Some(checkpointer)),
            condition,
            #[cfg(feature = "postgres")]
            heartbeat: None,
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// Opens a folder for reading beside the process that writes it. Nothing is migrated or written; ports that write
    /// fail. Journal positions and search parameters that are new since are not seen.
    ///
    /// # Errors
    /// As [`Sqlite::open`], and [`crate::Error::Unavailable`] when a file is missing or of an older schema.
    pub async fn open_reading(folder: &Path, role: Role, options: Options) -> Result<Arc<Self>> {
        let Options { synchronous_full, read_connections, now_us: _ } = options;
        let settings = Settings { synchronous_full, pages_max: None, read_connections };
        let node = file::read_pool(&folder.join("node.db"), settings, None);
        file::check_reader(&node, schema(role)?).await?;
        let node = Pool::Sqlite(node);
        let published = Published::load(&mut *node.acquire().await?, role == Role::Clinical).await?;
        #[cfg(feature = "clinical")]
        let journal = match role {
            Role::Clinical => {
                let home = journal::Home::Folder(folder.join("journal"), settings);
                Some(journal::JournalFiles::open_reading(home).await?)
            }
            Role::Portal => None,
        };
        Ok(Arc::new(Self {
            role,
            node,
            index: SearchIndex::default(),
            published,
            writer: Queue::closed(),
            access: AccessWriter::open_reading(&folder.join("access.db"), settings).await?,
            #[cfg(feature = "clinical")]
            journal,
            checkpointer: Mutex::new(None),
            condition: Arc::new(watch::channel(Condition::default()).0),
            #[cfg(feature = "postgres")]
            heartbeat: None,
            lock: Mutex::new(None),
        }))
    }

    /// Commits what is queued, moves the WALs into their databases, and closes. Later calls fail.
    ///
    /// # Errors
    /// When a writer ended before.
    pub async fn close(&self) -> Result<()> {
        #[cfg(feature = "postgres")]
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.stop();
        }
        #[cfg(feature = "clinical")]
        if let Some(journal) = &self.journal {
            journal.close().await?;
        }
        self.access.close().await?;
        // The connection that closes last moves the WAL, and it must be one that may write.
        self.node.close().await;
        let checkpointer = self.checkpointer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(checkpointer) = checkpointer {
            checkpointer.stop().await;
        }
        self.writer.close().await?;
        if let Some(lock) = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Dropping it would not do: a child that is about to be executed has the descriptor too, for a moment.
            lock.unlock().map_err(fault::of_io)?;
        }
        Ok(())
    }

    /// Whether its files still take what they are given; wakes when that changes.
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// The search parameters that packages define, and how far the index of each is.
    pub fn search_index(&self) -> SearchIndex {
        self.index.clone()
    }

    fn defined(&self) -> Defined<'_> {
        Defined { index: &self.index, audience: node::custom::audience(self.role) }
    }

    /// The role it was opened in.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Refuses a clinical write where its tables do not exist.
    #[cfg(feature = "clinical")]
    fn clinical(&self) -> Result<()> {
        match self.role {
            Role::Clinical => Ok(()),
            Role::Portal => Err(fault::unavailable("this role has no messages")),
        }
    }

    /// The highest journal position whose effects are durable.
    #[cfg(feature = "clinical")]
    fn published_through(&self) -> i64 {
        self.published.processed.borrow().0
    }

    /// Queues a job of the writer of `node.db`, with the records of its transaction, and waits for the commit.
    async fn job<J: Job>(&self, job: J, records: impl IntoIterator<Item = audit::Record>) -> Result<J::Done> {
        let records = records.into_iter().map(|record| PreparedRecord::new(&record)).collect();
        self.writer.ask(|reply| Request::Job(Box::new(Waiting::new(job, records, reply)))).await
    }
}

#[cfg(feature = "clinical")]
fn schema(role: Role) -> Result<file::Schema> {
    Ok(match role {
        Role::Clinical => file::CLINICAL,
        Role::Portal => file::PORTAL,
    })
}

#[cfg(not(feature = "clinical"))]
fn schema(role: Role) -> Result<file::Schema> {
    match role {
        Role::Clinical => Err(fault::unavailable("this build has no clinical role")),
        Role::Portal => Ok(file::PORTAL),
    }
}
