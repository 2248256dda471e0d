//! The journal in monthly files: one writer over all of them, readers of each.

mod duplicates;
mod files;
mod marks;
mod month_writer;
mod read;
mod write;

use std::path::Path;

use async_trait::async_trait;
use tokio::sync::watch;

use self::files::Files;
use self::marks::Salt;
use self::write::{Append, Request, Writer};
use super::Sqlite;
use super::fault::unavailable;
use super::file::Settings;
use super::queue::Queue;
use crate::{AckOutcome, Appended, Arrival, Entry, Journal, JournalId, Micros, Result, Seq};

/// The journal of an open store.
#[derive(Debug)]
pub(super) struct JournalFiles {
    files: Files,
    salt: Salt,
    queue: Queue<Request>,
    appended: watch::Receiver<Seq>,
}

impl JournalFiles {
    /// Opens every monthly file of the folder.
    pub async fn open(folder: &Path, settings: Settings) -> Result<Self> {
        let (files, salt) = Files::open(folder, settings).await?;
        let last = files.last();
        let (sender, appended) = watch::channel(last);
        let writer = Writer::new(files.clone(), salt, settings, sender);
        Ok(Self { files, salt, queue: Queue::start(|receiver| writer.run(receiver)), appended })
    }

    /// Opens every monthly file of the folder for reading.
    pub async fn open_reading(folder: &Path, settings: Settings) -> Result<Self> {
        let (files, salt) = Files::open_reading(folder, settings).await?;
        let (_, appended) = watch::channel(files.last());
        Ok(Self { files, salt, queue: Queue::closed(), appended })
    }

    /// Writes what is queued, and closes.
    pub async fn close(&self) -> Result<()> {
        self.queue.close().await?;
        self.files.close().await;
        Ok(())
    }
}

impl Sqlite {
    fn journal(&self) -> Result<&JournalFiles> {
        self.journal.as_ref().ok_or_else(|| unavailable("this role has no journal"))
    }

    /// Entries beyond a position: (channel, how many, when the oldest was received); a channel once for each month.
    pub(super) async fn journaled_after(&self, after: Seq, limit: i64) -> Result<Vec<(String, u64, Micros)>> {
        self.journal()?.files.count_after(after, limit).await
    }
}

#[async_trait]
impl Journal for Sqlite {
    async fn append(&self, arrival: Arrival) -> Result<Appended> {
        let journal = self.journal()?;
        let marks = journal.salt.marks(&arrival);
        journal.queue.ask(|reply| Request::Append(Box::new(Append { arrival, marks, reply }))).await
    }

    async fn settle(&self, id: JournalId, outcome: AckOutcome) -> Result<()> {
        self.journal()?.queue.tell(Request::Settle { id, outcome }).await
    }

    async fn read(&self, id: JournalId) -> Result<Option<Entry>> {
        let journal = self.journal()?;
        journal.files.read(id, &journal.salt).await
    }

    async fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Entry>> {
        let journal = self.journal()?;
        journal.files.window(Micros::MIN, Micros::MAX, seq, limit, &journal.salt).await
    }

    async fn window(
        &self,
        from_us: Micros,
        until_us: Micros,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let journal = self.journal()?;
        journal.files.window(from_us, until_us, after, limit, &journal.salt).await
    }

    fn appended(&self) -> watch::Receiver<Seq> {
        match &self.journal {
            Some(journal) => journal.appended.clone(),
            None => watch::channel(Seq::default()).1,
        }
    }
}
