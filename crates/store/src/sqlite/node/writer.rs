//! The writer of `node.db`: one connection, one transaction for all that is queued.
//!
//! A batch is first tried as a whole, with write sets that follow one another merged into one plan. Only when SQLite
//! refuses something is it rolled back and written again with each request in a savepoint of its own, so that one bad
//! request fails alone.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{mpsc, watch};

use super::job::Queued;
use super::names::Names;
use super::state::{Counters, State};
use crate::sql::{Connection, query};
use crate::sqlite::fault::{again, is_of_one_write};
use crate::sqlite::queue::{BATCH_BYTES_MAX, Weighted, fill};
use crate::sqlite::upkeep::Upkeep;
use crate::{Result, SearchIndex, Seq};

#[cfg(feature = "clinical")]
use super::write_set::{self, PreparedSet};
#[cfg(feature = "clinical")]
use crate::sqlite::queue::{Reply, answer};

/// What the writer is asked for.
pub(in crate::sqlite) enum Request {
    #[cfg(feature = "clinical")]
    Commit {
        set: Box<PreparedSet>,
        reply: Reply<()>,
    },
    Job(Box<dyn Queued>),
}

impl std::fmt::Debug for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Request{:?}", self.weight())
    }
}

impl Weighted for Request {
    fn weight(&self) -> (usize, usize) {
        match self {
            #[cfg(feature = "clinical")]
            Self::Commit { set, .. } => set.weight(),
            Self::Job(job) => job.weight(),
        }
    }
}

impl Request {
    /// The journal position that it applies.
    fn applies(&self) -> Option<i64> {
        match self {
            #[cfg(feature = "clinical")]
            Self::Commit { set, .. } => set.applies(),
            Self::Job(_) => None,
        }
    }

    fn answer(self, outcome: Result<()>) {
        match self {
            #[cfg(feature = "clinical")]
            Self::Commit { reply, .. } => answer(reply, outcome),
            Self::Job(job) => job.answer(outcome),
        }
    }
}

/// The ends of the writer that readers hold.
#[derive(Debug, Clone)]
pub(in crate::sqlite) struct Published {
    /// Names of committed rows.
    pub names: Arc<RwLock<Arc<Names>>>,
    #[cfg_attr(not(feature = "clinical"), expect(dead_code, reason = "only the clinical ports hand it out"))]
    pub processed: watch::Receiver<Seq>,
    #[cfg_attr(not(feature = "clinical"), expect(dead_code, reason = "only the clinical ports hand it out"))]
    pub queued: watch::Receiver<i64>,
    #[cfg_attr(not(feature = "clinical"), expect(dead_code, reason = "only the clinical ports hand it out"))]
    pub forwarded: watch::Receiver<i64>,
}

impl Published {
    /// What a store that is open for reading knows: the database as it was when it was opened.
    pub async fn load(connection: &mut Connection, clinical: bool) -> Result<Self> {
        let State { names, counters } = State::load(connection, clinical, SearchIndex::default()).await?;
        let (_, processed) = watch::channel(Seq(counters.applied));
        let (_, queued) = watch::channel(counters.delivery);
        let (_, forwarded) = watch::channel(counters.forward);
        Ok(Self { names: Arc::new(RwLock::new(Arc::new(names))), processed, queued, forwarded })
    }

    /// The names as of the last commit.
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How a batch is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// As a whole; what is refused is tried again apart.
    Together,
    /// Each request in a savepoint, for the last time.
    Apart,
}

/// The one writer.
pub(in crate::sqlite) struct Writer {
    connection: Connection,
    state: State,
    clinical: bool,
    upkeep: Upkeep,
    names: Arc<RwLock<Arc<Names>>>,
    processed: watch::Sender<Seq>,
    queued: watch::Sender<i64>,
    forwarded: watch::Sender<i64>,
}

impl Writer {
    /// A writer that goes on after what the database holds.
    pub async fn new(
        mut connection: Connection,
        clinical: bool,
        upkeep: Upkeep,
        index: SearchIndex,
    ) -> Result<(Self, Published)> {
        let state = State::load(&mut connection, clinical, index).await?;
        let names = Arc::new(RwLock::new(Arc::new(state.names.clone())));
        let (processed, processed_receiver) = watch::channel(Seq(state.counters.applied));
        let (queued, queued_receiver) = watch::channel(state.counters.delivery);
        let (forwarded, forwarded_receiver) = watch::channel(state.counters.forward);
        let published = Published {
            names: Arc::clone(&names),
            processed: processed_receiver,
            queued: queued_receiver,
            forwarded: forwarded_receiver,
        };
        Ok((Self { connection, state, clinical, upkeep, names, processed, queued, forwarded }, published))
    }

    /// Serves requests until the queue is closed and empty.
    pub async fn run(mut self, mut receiver: mpsc::Receiver<Request>) {
        while let Some(first) = receiver.recv().await {
            let mut batch = vec![first];
            fill(&mut batch, &mut receiver);
            self.serve(batch).await;
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "node.db did not close cleanly");
        }
    }

    async fn serve(&mut self, mut batch: Vec<Request>) {
        // What fills a batch by itself is tried once, so that its bodies need not be kept for another time.
        let first = match batch.as_slice() {
            [one] if one.weight().1 >= BATCH_BYTES_MAX => Attempt::Apart,
            _ => Attempt::Together,
        };
        let outcome = match self.transaction(&mut batch, first).await {
            Err(error) if is_of_one_write(&error) && first == Attempt::Together => {
                self.transaction(&mut batch, Attempt::Apart).await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(outcomes) => {
                batch.into_iter().zip(outcomes).for_each(|(request, outcome)| request.answer(outcome))
            }
            Err(error) => {
                batch.iter().filter_map(Request::applies).for_each(|seq| self.state.counters.refuse(seq));
                batch.into_iter().for_each(|request| request.answer(Err(again(&error))));
            }
        }
    }

    /// One transaction; the outcome of each request, or the error that kept all of them from being written.
    async fn transaction(&mut self, batch: &mut [Request], attempt: Attempt) -> Result<Vec<Result<()>>> {
        if self.upkeep.before_batch(&mut self.connection).await?
            && let Err(error) = self.reload().await
        {
            self.upkeep.judge(&error);
            return Err(error);
        }
        let before = self.state.counters;
        let bytes = batch.iter().map(|request| request.weight().1).sum();
        match self.write(batch, attempt).await {
            Ok((outcomes, new_names)) => {
                self.upkeep.took(bytes);
                self.publish(&outcomes, new_names, before);
                Ok(outcomes)
            }
            Err(error) => {
                // Some errors end the transaction themselves; then there is nothing to roll back.
                let rolled_back = query("ROLLBACK").execute(&mut self.connection).await;
                tracing::debug!(was_open = rolled_back.is_ok(), "a transaction of node.db failed");
                self.state.counters = before;
                let names = Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner));
                self.state.names = Names::clone(&names);
                self.upkeep.judge(&error);
                Err(error)
            }
        }
    }

    /// Reads again what another process may have changed.
    async fn reload(&mut self) -> Result<()> {
        let refused = self.state.counters.refused;
        let index = self.state.names.index.clone();
        self.state = State::load(&mut self.connection, self.clinical, index).await?;
        let counters = &mut self.state.counters;
        counters.refused = refused.filter(|refused| *refused > counters.applied);
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(self.state.names.clone());
        Ok(())
    }

    async fn write(&mut self, batch: &mut [Request], attempt: Attempt) -> Result<(Vec<Result<()>>, bool)> {
        let begin = self.connection.begin();
        query(begin).execute(&mut self.connection).await?;
        let outcomes = match attempt {
            Attempt::Together => self.together(batch, attempt).await?,
            Attempt::Apart => self.apart(batch).await?,
        };
        let new_names = self.state.names.save(&mut self.connection).await?;
        query("COMMIT").execute(&mut self.connection).await?;
        self.state.names.committed();
        Ok((outcomes, new_names))
    }

    async fn apart(&mut self, batch: &mut [Request]) -> Result<Vec<Result<()>>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch.chunks_mut(1) {
            let before = self.state.counters;
            query("SAVEPOINT one").execute(&mut self.connection).await?;
            match self.together(request, Attempt::Apart).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error) if is_of_one_write(&error) => {
                    query("ROLLBACK TO one").execute(&mut self.connection).await?;
                    self.state.counters = before;
                    let applies = request.first().and_then(Request::applies);
                    applies.into_iter().for_each(|seq| self.state.counters.refuse(seq));
                    outcomes.push(Err(error));
                }
                Err(error) => return Err(error),
            }
            query("RELEASE one").execute(&mut self.connection).await?;
        }
        Ok(outcomes)
    }

    #[cfg(feature = "clinical")]
    async fn together(&mut self, batch: &mut [Request], attempt: Attempt) -> Result<Vec<Result<()>>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut rest = batch;
        while !rest.is_empty() {
            let mut sets: Vec<&mut PreparedSet> = rest
                .iter_mut()
                .map_while(|request| match request {
                    Request::Commit { set, .. } => Some(&mut **set),
                    Request::Job(_) => None,
                })
                .collect();
            let taken = sets.len().max(1);
            if !sets.is_empty() {
                outcomes.extend(
                    write_set::write(&mut sets, attempt, &mut self.state, &mut self.connection).await?,
                );
            } else if let Some(Request::Job(job)) = rest.first_mut() {
                job.run(&mut self.state, &mut self.connection).await?;
                outcomes.push(Ok(()));
            }
            rest = rest.split_at_mut(taken).1;
        }
        Ok(outcomes)
    }

    #[cfg(not(feature = "clinical"))]
    async fn together(&mut self, batch: &mut [Request], _: Attempt) -> Result<Vec<Result<()>>> {
        for Request::Job(job) in batch.iter_mut() {
            job.run(&mut self.state, &mut self.connection).await?;
        }
        Ok(batch.iter().map(|_| Ok(())).collect())
    }

    fn publish(&mut self, outcomes: &[Result<()>], new_names: bool, before: Counters) {
        if new_names {
            *self.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(self.state.names.clone());
        }
        if outcomes.iter().any(Result::is_ok) && self.state.counters.applied > 0 {
            self.processed.send_replace(Seq(self.state.counters.applied));
        }
        if self.state.counters.delivery > before.delivery {
            self.queued.send_replace(self.state.counters.delivery);
        }
        if self.state.counters.forward > before.forward {
            self.forwarded.send_replace(self.state.counters.forward);
        }
    }
}
