//! The monthly files there are, with the positions each holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use sqlx::{Connection, SqliteConnection};

use super::marks::Salt;
use crate::sqlite::fault::of_io;
use crate::sqlite::file::{JOURNAL, Settings, check_reader, make_folder, open_writer, read_pool};
use crate::sqlite::month::Month;
use crate::{Error, Result, Seq};

/// Readers of a month that nobody reads are closed after this.
const READERS_IDLE: Duration = Duration::from_secs(60);

/// One monthly file.
#[derive(Debug)]
pub(super) struct MonthFile {
    pub month: Month,
    pub path: PathBuf,
    pub pool: SqlitePool,
    /// Highest position in it; 0 when it is empty.
    last: AtomicI64,
    /// Lowest position in it; `i64::MAX` when it is empty.
    first: AtomicI64,
}

impl MonthFile {
    /// Highest position in it.
    pub fn last(&self) -> i64 {
        self.last.load(Ordering::Acquire)
    }

    /// Lowest position in it.
    pub fn first(&self) -> i64 {
        self.first.load(Ordering::Acquire)
    }

    /// Positions `first..=last` were committed to it.
    pub fn extend(&self, first: i64, last: i64) {
        self.first.fetch_min(first, Ordering::AcqRel);
        self.last.fetch_max(last, Ordering::AcqRel);
    }
}

/// All monthly files of a journal.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
    settings: Settings,
    months: Arc<RwLock<BTreeMap<Month, Arc<MonthFile>>>>,
}

impl Files {
    /// Opens what is in the folder, brings each file to the current schema, and reads the salt or makes one.
    pub async fn open(folder: &Path, settings: Settings) -> Result<(Self, Salt)> {
        make_folder(folder)?;
        let files = Self { folder: folder.to_owned(), settings, months: Arc::default() };
        let mut salt = None;
        for month in months_in(folder)? {
            let mut connection = open_writer(&folder.join(month.file_name()), JOURNAL, settings).await?;
            files.survey(month, &mut salt, &mut connection).await?;
            connection.close().await?;
        }
        let salt = salt.map_or_else(Salt::generate, Ok)?;
        Ok((files, salt))
    }

    /// Opens what is in the folder for reading.
    pub async fn open_reading(folder: &Path, settings: Settings) -> Result<(Self, Salt)> {
        let files = Self { folder: folder.to_owned(), settings, months: Arc::default() };
        let mut salt = None;
        for month in months_in(folder)? {
            let file = files.enter(month);
            check_reader(&file.pool, JOURNAL).await?;
            let mut connection = file.pool.acquire().await?;
            files.survey(month, &mut salt, &mut connection).await?;
        }
        let salt = salt.map_or_else(Salt::generate, Ok)?;
        Ok((files, salt))
    }

    /// Reads the salt and the positions of a month.
    async fn survey(
        &self,
        month: Month,
        salt: &mut Option<Salt>,
        connection: &mut SqliteConnection,
    ) -> Result<()> {
        if let Some(found) = read_salt(connection).await?
            && *salt.get_or_insert(found) != found
        {
            return Err(Error::Corrupt("a journal file of another node"));
        }
        let range: (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT (SELECT min(seq) FROM entries), (SELECT max(seq) FROM entries)")
                .fetch_one(connection)
                .await?;
        if let (Some(first), Some(last)) = range {
            self.enter(month).extend(first, last);
        } else {
            self.enter(month);
        }
        Ok(())
    }

    /// A month's file opened for writing; it is made when there is none.
    pub async fn open_writer(&self, month: Month, salt: Salt) -> Result<(SqliteConnection, Arc<MonthFile>)> {
        let path = self.folder.join(month.file_name());
        let mut connection = open_writer(&path, JOURNAL, self.settings).await?;
        sqlx::query("INSERT INTO facts (name, value) VALUES ('salt', ?) ON CONFLICT (name) DO NOTHING")
            .bind(salt.to_bytes())
            .execute(&mut connection)
            .await?;
        Ok((connection, self.enter(month)))
    }

    /// The file of a month, if there is one.
    pub fn get(&self, month: Month) -> Option<Arc<MonthFile>> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).get(&month).cloned()
    }

    /// The folder of the files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes a month out.
    pub fn forget(&self, month: Month) -> Option<Arc<MonthFile>> {
        self.months.write().unwrap_or_else(PoisonError::into_inner).remove(&month)
    }

    /// Every file, newest month first.
    pub fn newest_first(&self) -> Vec<Arc<MonthFile>> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).values().rev().cloned().collect()
    }

    /// The highest position of all.
    pub fn last(&self) -> Seq {
        Seq(self.newest_first().iter().map(|file| file.last()).max().unwrap_or(0))
    }

    /// Closes the readers.
    pub async fn close(&self) {
        for file in self.newest_first() {
            file.pool.close().await;
        }
    }

    fn enter(&self, month: Month) -> Arc<MonthFile> {
        let mut months = self.months.write().unwrap_or_else(PoisonError::into_inner);
        let file = months.entry(month).or_insert_with(|| {
            let path = self.folder.join(month.file_name());
            let pool = read_pool(&path, self.settings, Some(READERS_IDLE));
            Arc::new(MonthFile {
                month,
                path,
                pool,
                last: AtomicI64::new(0),
                first: AtomicI64::new(i64::MAX),
            })
        });
        Arc::clone(file)
    }
}

fn months_in(folder: &Path) -> Result<Vec<Month>> {
    let mut months = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(of_io)? {
        let name = entry.map_err(of_io)?.file_name();
        months.extend(name.to_str().and_then(Month::of_file_name));
    }
    months.sort_unstable();
    Ok(months)
}

async fn read_salt(connection: &mut SqliteConnection) -> Result<Option<Salt>> {
    let salt: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM facts WHERE name = 'salt'").fetch_optional(connection).await?;
    salt.as_deref().map(Salt::from_bytes).transpose()
}
