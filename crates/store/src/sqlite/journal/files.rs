//! The monthly files there are, with the positions each holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::home::Home;
use super::marks::Salt;
use super::month_writer::MonthWriter;
use crate::sql::{Connection, Pool, query_as, query_scalar};
use crate::sqlite::month::Month;
use crate::sqlite::watched::Watched;
use crate::{Error, Result, Seq};

/// One monthly file.
#[derive(Debug)]
pub(super) struct MonthFile {
    pub month: Month,
    pub pool: Pool,
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
    home: Home,
    months: Arc<RwLock<BTreeMap<Month, Arc<MonthFile>>>>,
}

impl Files {
    /// Opens what is there, brings each month to the current schema, and reads the salt or makes one.
    pub async fn open(home: Home, watched: &Watched) -> Result<(Self, Salt)> {
        home.make()?;
        let files = Self { home, months: Arc::default() };
        let mut salt = None;
        for month in files.home.months().await? {
            let (mut connection, _) = files.home.open_writer(month, None, watched.clone()).await?;
            files.survey(month, &mut salt, &mut connection).await?;
            connection.close().await?;
        }
        let salt = salt.map_or_else(Salt::generate, Ok)?;
        Ok((files, salt))
    }

    /// Opens what is there for reading.
    pub async fn open_reading(home: Home) -> Result<(Self, Salt)> {
        let files = Self { home, months: Arc::default() };
        let mut salt = None;
        for month in files.home.months().await? {
            files.home.check(month).await?;
            let file = files.enter(month);
            let mut connection = file.pool.acquire().await?;
            files.survey(month, &mut salt, &mut connection).await?;
        }
        let salt = salt.map_or_else(Salt::generate, Ok)?;
        Ok((files, salt))
    }

    /// Reads the positions of every month again, for another process may have written.
    pub async fn refresh(&self, own: Salt) -> Result<()> {
        for month in self.home.months().await? {
            let file = self.enter(month);
            let mut connection = file.pool.acquire().await?;
            self.survey(month, &mut Some(own), &mut connection).await?;
        }
        Ok(())
    }

    /// Reads the salt and the positions of a month.
    async fn survey(&self, month: Month, salt: &mut Option<Salt>, connection: &mut Connection) -> Result<()> {
        if let Some(found) = read_salt(connection).await?
            && *salt.get_or_insert(found) != found
        {
            return Err(Error::Corrupt("a journal file of another node"));
        }
        let range: (Option<i64>, Option<i64>) =
            query_as("SELECT (SELECT min(seq) FROM entries), (SELECT max(seq) FROM entries)")
                .fetch_one(connection)
                .await?;
        if let (Some(first), Some(last)) = range {
            self.enter(month).extend(first, last);
        } else {
            self.enter(month);
        }
        Ok(())
    }

    /// A month opened for writing; it is made when there is none.
    pub async fn open_writer(&self, month: Month, salt: Salt, watched: Watched) -> Result<MonthWriter> {
        let (connection, upkeep) = self.home.open_writer(month, Some(salt), watched).await?;
        self.enter(month);
        MonthWriter::start(&self.home, month, connection, upkeep).await
    }

    /// The file of a month, if there is one.
    pub fn get(&self, month: Month) -> Option<Arc<MonthFile>> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).get(&month).cloned()
    }

    /// Where the months lie.
    pub fn home(&self) -> &Home {
        &self.home
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
            let pool = self.home.readers(month);
            Arc::new(MonthFile { month, pool, last: AtomicI64::new(0), first: AtomicI64::new(i64::MAX) })
        });
        Arc::clone(file)
    }
}

async fn read_salt(connection: &mut Connection) -> Result<Option<Salt>> {
    let salt: Option<Vec<u8>> =
        query_scalar("SELECT value FROM facts WHERE name = 'salt'").fetch_optional(connection).await?;
    salt.as_deref().map(Salt::from_bytes).transpose()
}
