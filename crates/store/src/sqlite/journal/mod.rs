//! The journal month by month: one writer over all of them, readers of each.

mod duplicates;
mod files;
mod home;
mod known;
mod later;
mod marks;
mod month_writer;
mod months;
mod parts;
mod read;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use self::files::Files;
pub(super) use self::home::Home;
use self::known::Known;
use self::later::Give;
use self::marks::Salt;
use self::read::Most;
use self::write::{Append, Request, Writer};
use super::Sqlite;
use super::codes::message_state;
use super::fault::unavailable;
use super::queue::Queue;
use super::watched::Watched;
use crate::journal::PAGE_BYTES_MAX;
use crate::sql::{Row, Rows};
use crate::{
    AckOutcome, AckStage, Acknowledgments, Appended, Arrival, Entry, Journal, JournalId, Later, MessageState,
    Micros, NewLater, Promised, Result, Seq,
};

/// The journal of an open store.
#[derive(Debug)]
pub(super) struct JournalFiles {
    files: Files,
    salt: Salt,
    queue: Queue<Request>,
    appended: watch::Receiver<Seq>,
}

impl JournalFiles {
    /// Opens every month.
    pub async fn open(home: Home, watched: Watched) -> Result<Self> {
        let (files, salt) = Files::open(home, &watched).await?;
        let last = files.last();
        let (sender, appended) = watch::channel(last);
        let known = Known::new();
        let writer = Writer::new(files.clone(), salt, Arc::clone(&known), sender, watched);
        tokio::spawn(known.read(files.clone()));
        Ok(Self { files, salt, queue: Queue::start(|receiver| writer.run(receiver)), appended })
    }

    /// Opens every month for reading.
    pub async fn open_reading(home: Home) -> Result<Self> {
        let (files, salt) = Files::open_reading(home).await?;
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
        let most = Most { entries: limit, bytes: PAGE_BYTES_MAX };
        journal.files.window(Micros::MIN, Micros::MAX, seq, most, &journal.salt).await
    }

    async fn window(
        &self,
        from_us: Micros,
        until_us: Micros,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let journal = self.journal()?;
        let most = Most { entries: limit, bytes: usize::MAX };
        journal.files.window(from_us, until_us, after, most, &journal.salt).await
    }

    fn appended(&self) -> watch::Receiver<Seq> {
        match &self.journal {
            Some(journal) => journal.appended.clone(),
            None => watch::channel(Seq::default()).1,
        }
    }
}

/// The states of these entries in the message list.
const APPLIED_HEAD: &str = "SELECT m.id, m.state, m.reason FROM (";
const APPLIED_TAIL: &str = ") AS asked CROSS JOIN messages m ON m.id = asked.column1";

#[async_trait]
impl Acknowledgments for Sqlite {
    async fn promised(&self, channel: &str, after: Seq, through: Seq, limit: usize) -> Result<Vec<Promised>> {
        self.journal()?.files.promised(channel, after, through, limit).await
    }

    async fn give(&self, id: JournalId, given: NewLater) -> Result<()> {
        self.journal()?.queue.ask(|reply| Request::Give(Box::new(Give { id, given, reply }))).await
    }

    async fn note(&self, id: JournalId, stage: AckStage, outcome: AckOutcome) -> Result<()> {
        self.journal()?.queue.tell(Request::Note { id, stage, outcome }).await
    }

    async fn given(&self, id: JournalId) -> Result<Vec<Later>> {
        self.journal()?.files.given(id).await
    }

    async fn unsent(&self, channel: &str, after: Seq, limit: usize) -> Result<Vec<(Promised, Later)>> {
        self.journal()?.files.unsent(channel, after, limit).await
    }

    async fn applied(&self, ids: &[JournalId]) -> Result<Vec<(JournalId, MessageState, Option<String>)>> {
        let mut rows = Rows::statement(APPLIED_HEAD, APPLIED_TAIL, 1);
        ids.iter().for_each(|id| rows.push([id.0.as_bytes().to_vec().into()]));
        let mut connection = self.node.acquire().await?;
        let found = rows.fetch(&mut connection).await?;
        let read = |row: &Row| {
            let id = JournalId(read::id_of(row.try_get(0)?)?);
            Ok((id, message_state(row.try_get(1)?)?, row.try_get(2)?))
        };
        found.iter().map(read).collect()
    }
}
