//! Where the months of a journal lie: in files of a folder, or in schemas of a server.

use std::path::PathBuf;
use std::time::Duration;

use super::marks::Salt;
use crate::Result;
#[cfg(feature = "postgres")]
use crate::postgres::{Address, JOURNAL as JOURNAL_SCHEMA, Session, check, drop_schema, migrate, schemas_of};
#[cfg(feature = "postgres")]
use crate::sql::query_scalar;
use crate::sql::{Boxed, Connection, Pool, query};
use crate::sqlite::checkpoint::{Checkpointer, Load};
use crate::sqlite::fault::of_io;
use crate::sqlite::file::{JOURNAL, Settings, check_reader, make_folder, open_writer, read_pool};
use crate::sqlite::month::Month;
use crate::sqlite::upkeep::Upkeep;
use crate::sqlite::watched::Watched;

/// Readers of a month that nobody reads are closed after this.
const READERS_IDLE: Duration = Duration::from_secs(60);
/// What follows the name of the node's schema in that of a month.
#[cfg(feature = "postgres")]
const MONTH_PART: &str = "_journal_";

/// The place of a journal.
#[derive(Debug, Clone)]
pub(in crate::sqlite) enum Home {
    /// A file a month.
    Folder(PathBuf, Settings),
    /// A schema a month, each read by so many connections.
    #[cfg(feature = "postgres")]
    Server(Box<Address>, u32),
}

impl Home {
    /// The months there are, ascending.
    pub fn months<'f>(&'f self) -> Boxed<'f, Result<Vec<Month>>> {
        Box::pin(async move {
            let mut months = Vec::new();
            match self {
                Self::Folder(folder, _) => {
                    for entry in std::fs::read_dir(folder).map_err(of_io)? {
                        let name = entry.map_err(of_io)?.file_name();
                        months.extend(name.to_str().and_then(Month::of_file_name));
                    }
                }
                #[cfg(feature = "postgres")]
                Self::Server(address, _) => {
                    for name in schemas_of(&address.options(""), &address.part(MONTH_PART)).await? {
                        months.extend(Month::of_name(&name.replace('_', "-")));
                    }
                }
            }
            months.sort_unstable();
            Ok(months)
        })
    }

    /// Makes what holds the months.
    pub fn make(&self) -> Result<()> {
        match self {
            Self::Folder(folder, _) => make_folder(folder),
            #[cfg(feature = "postgres")]
            Self::Server(..) => Ok(()),
        }
    }

    /// A month opened for writing; it is made when there is none, with this salt.
    pub(super) fn open_writer<'f>(
        &'f self,
        month: Month,
        salt: Option<Salt>,
        watched: Watched,
    ) -> Boxed<'f, Result<(Connection, Upkeep)>> {
        Box::pin(async move {
            let (mut connection, upkeep) = match self {
                Self::Folder(folder, settings) => {
                    let path = folder.join(month.file_name());
                    let connection = Connection::from(open_writer(&path, JOURNAL, *settings).await?);
                    (connection, Upkeep::File(std::sync::Arc::new(Load::new(watched))))
                }
                #[cfg(feature = "postgres")]
                Self::Server(address, _) => {
                    let (options, name) = (address.options(&part(month)), address.part(&part(month)));
                    let (session, connection) = Session::open(options.clone(), name.clone()).await?;
                    migrate(&options, &name, JOURNAL_SCHEMA).await?;
                    (connection, Upkeep::Server(Box::new(session), watched))
                }
            };
            if let Some(salt) = salt {
                query("INSERT INTO facts (name, value) VALUES ('salt', ?) ON CONFLICT (name) DO NOTHING")
                    .bind(salt.to_bytes())
                    .execute(&mut connection)
                    .await?;
            }
            Ok((connection, upkeep))
        })
    }

    /// What moves the log of a file into it, beside its writer.
    pub fn checkpointer<'f>(
        &'f self,
        month: Month,
        upkeep: &'f Upkeep,
    ) -> Boxed<'f, Result<Option<Checkpointer>>> {
        Box::pin(async move {
            match (self, upkeep) {
                (Self::Folder(folder, settings), Upkeep::File(load)) => {
                    let path = folder.join(month.file_name());
                    Checkpointer::start(path, *settings, std::sync::Arc::clone(load)).await.map(Some)
                }
                #[cfg(feature = "postgres")]
                _ => Ok(None),
            }
        })
    }

    /// Readers of a month.
    pub fn readers(&self, month: Month) -> Pool {
        match self {
            Self::Folder(folder, settings) => {
                Pool::Sqlite(read_pool(&folder.join(month.file_name()), *settings, Some(READERS_IDLE)))
            }
            #[cfg(feature = "postgres")]
            Self::Server(address, connections) => {
                Pool::Postgres(address.idle_pool(&part(month), *connections, READERS_IDLE))
            }
        }
    }

    /// Refuses a month that this program cannot read as it is.
    pub fn check<'f>(&'f self, month: Month) -> Boxed<'f, Result<()>> {
        Box::pin(async move {
            match self {
                Self::Folder(folder, settings) => {
                    let pool = read_pool(&folder.join(month.file_name()), *settings, Some(READERS_IDLE));
                    let checked = check_reader(&pool, JOURNAL).await;
                    pool.close().await;
                    checked
                }
                #[cfg(feature = "postgres")]
                Self::Server(address, _) => {
                    check(&address.options(&part(month)), &address.part(&part(month)), JOURNAL_SCHEMA).await
                }
            }
        })
    }

    /// Bytes that a month takes.
    pub fn size<'f>(&'f self, month: Month, readers: &'f Pool) -> Boxed<'f, Result<u64>> {
        Box::pin(async move {
            match (self, readers) {
                (Self::Folder(folder, _), _) => {
                    Ok(std::fs::metadata(folder.join(month.file_name())).map_err(of_io)?.len())
                }
                #[cfg(feature = "postgres")]
                (Self::Server(..), readers) => {
                    let size: i64 = query_scalar(
                    "SELECT CAST(coalesce(sum(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c
                     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'",
                )
                .fetch_one(readers)
                .await?;
                    crate::sqlite::codes::unsigned(size)
                }
            }
        })
    }

    /// Removes a month; one that is gone already is as good.
    pub fn remove<'f>(&'f self, month: Month) -> Boxed<'f, Result<()>> {
        Box::pin(async move {
            match self {
                Self::Folder(folder, _) => super::months::remove_files(folder, month),
                #[cfg(feature = "postgres")]
                Self::Server(address, _) => {
                    drop_schema(&address.options(""), &address.part(&part(month))).await
                }
            }
        })
    }
}

/// The name of a month's schema, behind that of the node's.
#[cfg(feature = "postgres")]
fn part(month: Month) -> String {
    format!("{MONTH_PART}{}", month.name().replace('-', "_"))
}
