//! A write other than a write set: what it does, and who waits for it.

use async_trait::async_trait;

use super::prepare::PreparedRecord;
use super::state::State;
use crate::Result;
use crate::sql::Connection;
use crate::sqlite::fault::unavailable;
use crate::sqlite::queue::{Reply, answer};

/// A write in the transaction of a batch. It may run twice: the first attempt is rolled back then.
#[async_trait]
pub(in crate::sqlite) trait Job: Send + Sync + 'static {
    /// What its caller gets once it is durable.
    type Done: Send;
    /// Writes inside the open transaction.
    async fn run(&self, state: &mut State, connection: &mut Connection) -> Result<Self::Done>;
    /// Rows and bytes that it adds to a batch, its records apart.
    fn weight(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// Nothing but records.
pub(in crate::sqlite) struct OnlyRecords;

#[async_trait]
impl Job for OnlyRecords {
    type Done = ();

    async fn run(&self, _: &mut State, _: &mut Connection) -> Result<()> {
        Ok(())
    }

    fn weight(&self) -> (usize, usize) {
        (0, 0)
    }
}

/// A job in the writer's queue.
pub(in crate::sqlite) struct Waiting<J: Job> {
    job: J,
    /// Written after it, in its transaction.
    records: Vec<PreparedRecord>,
    done: Option<J::Done>,
    reply: Reply<J::Done>,
}

impl<J: Job> Waiting<J> {
    /// A job whose caller waits at the other end of `reply`.
    pub fn new(job: J, records: Vec<PreparedRecord>, reply: Reply<J::Done>) -> Self {
        Self { job, records, done: None, reply }
    }
}

/// What the writer sees of a job.
#[async_trait]
pub(in crate::sqlite) trait Queued: Send {
    /// Writes inside the open transaction.
    async fn run(&mut self, state: &mut State, connection: &mut Connection) -> Result<()>;
    /// Answers after the commit, or after what prevented it.
    fn answer(self: Box<Self>, outcome: Result<()>);
    /// Rows and bytes that it adds to a batch.
    fn weight(&self) -> (usize, usize);
}

#[async_trait]
impl<J: Job> Queued for Waiting<J> {
    async fn run(&mut self, state: &mut State, connection: &mut Connection) -> Result<()> {
        self.done = Some(self.job.run(state, connection).await?);
        state.write_records(self.records.iter().cloned(), connection).await
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { done, reply, .. } = *self;
        answer(reply, outcome.and_then(|()| done.ok_or_else(|| unavailable("the writer left out a job"))));
    }

    fn weight(&self) -> (usize, usize) {
        let (rows, bytes) = self.job.weight();
        let recorded: usize = self.records.iter().map(|record| record.bytes.len()).sum();
        (rows + self.records.len(), bytes + recorded)
    }
}
