//! The writer: what is queued becomes one transaction of the month it belongs to.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::duplicates::{self, Verdict};
use super::files::Files;
use super::known::Known;
use super::later::{self, Give, Placed};
use super::marks::{Marks, Salt};
use super::month_writer::MonthWriter;
use super::parts::{self, Rest};
use super::read::outcome_number;
use crate::sql::{Boxed, Rows};
use crate::sqlite::fault::{again, unavailable};
use crate::sqlite::month::Month;
use crate::sqlite::queue::{Reply, Weighted, answer, fill};
use crate::sqlite::watched::Watched;
use crate::{AckOutcome, AckStage, Appended, Arrival, Disposition, Error, JournalId, Result, Seq};

/// How long an outcome waits for a commit to join.
const OUTCOME_DELAY: Duration = Duration::from_millis(200);
/// Entries whose place is remembered for their outcome.
const RECENT_MAX: usize = 16_384;
/// Outcomes kept while they cannot be written; older ones are dropped with a warning.
const OUTCOMES_MAX: usize = 65_536;
/// Months open for writing: the current, and its neighbour at the turn.
const MONTHS_OPEN_MAX: usize = 2;

const INSERT_ENTRIES: &str =
    "INSERT INTO entries (seq, id, received_us, channel, peer, refused, reused, sender, digest, bytes,
    parent, charset)";
const INSERT_ACKNOWLEDGMENTS: &str = "INSERT INTO acknowledgments (seq, code, bytes)";
const INSERT_OUTCOMES: &str = "INSERT INTO acknowledgment_outcomes (seq, outcome)";
const REPLACE_OUTCOME: &str = "ON CONFLICT (seq) DO UPDATE SET outcome = excluded.outcome";

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// Append an entry.
    Append(Box<Append>),
    /// Note the outcome of an acknowledgment.
    Settle { id: JournalId, outcome: AckOutcome },
    /// Keep an acknowledgment that is given later.
    Give(Box<Give>),
    /// Note the outcome of an acknowledgment given later.
    Note { id: JournalId, stage: AckStage, outcome: AckOutcome },
    /// Remove a month that retention dropped.
    Remove { month: Month, reply: Reply<()> },
}

/// An arrival that waits for its commit.
#[derive(Debug)]
pub(super) struct Append {
    pub arrival: Arrival,
    pub marks: Marks,
    pub reply: Reply<Appended>,
}

impl Weighted for Request {
    fn weight(&self) -> (usize, usize) {
        match self {
            Self::Append(append) => (1, append.arrival.bytes.len()),
            Self::Give(give) => (1, give.given.bytes.len()),
            Self::Settle { .. } | Self::Note { .. } | Self::Remove { .. } => (1, 0),
        }
    }
}

/// The state of the one writer.
pub(super) struct Writer {
    files: Files,
    salt: Salt,
    known: Arc<Known>,
    /// Open months, the one used last at the end.
    months: Vec<MonthWriter>,
    next: i64,
    recent: Recent,
    /// Without a stage: of the acknowledgment given with the arrival.
    outcomes: Vec<(Month, i64, Option<AckStage>, AckOutcome)>,
    /// Acknowledgments given later that wait for a commit.
    gives: Vec<Placed>,
    flush_at: Option<Instant>,
    appended: watch::Sender<Seq>,
    /// After a failed write or sync nothing more is acknowledged by this process.
    watched: Watched,
}

impl Writer {
    /// A writer that goes on after what the files hold.
    pub fn new(
        files: Files,
        salt: Salt,
        known: Arc<Known>,
        appended: watch::Sender<Seq>,
        watched: Watched,
    ) -> Self {
        let next = files.last().0 + 1;
        let recent = Recent::default();
        let (months, outcomes, gives) = (Vec::new(), Vec::new(), Vec::new());
        Self { files, salt, known, months, next, recent, outcomes, gives, flush_at: None, appended, watched }
    }

    /// Serves requests until the queue is closed and empty.
    pub async fn run(mut self, mut receiver: mpsc::Receiver<Request>) {
        loop {
            let first = match self.flush_at {
                None => receiver.recv().await,
                Some(at) => match tokio::time::timeout_at(at, receiver.recv()).await {
                    Ok(first) => first,
                    Err(_) => {
                        self.flush().await;
                        continue;
                    }
                },
            };
            let Some(first) = first else { break };
            let mut batch = vec![first];
            fill(&mut batch, &mut receiver);
            self.serve(batch).await;
        }
        self.flush().await;
        for month in self.months {
            month.close().await;
        }
    }

    async fn serve(&mut self, batch: Vec<Request>) {
        let mut appends = Vec::with_capacity(batch.len());
        for request in batch {
            match request {
                Request::Append(append) => appends.push(*append),
                Request::Settle { id, outcome } => self.settle(id, None, outcome).await,
                Request::Note { id, stage, outcome } => self.settle(id, Some(stage), outcome).await,
                Request::Give(give) => self.place(*give).await,
                Request::Remove { month, reply } => {
                    let removed = self.remove(month).await;
                    answer(reply, removed);
                }
            }
        }
        while let Some(first) = appends.first() {
            let month = Month::of(first.arrival.received_us);
            let same =
                appends.iter().take_while(|append| Month::of(append.arrival.received_us) == month).count();
            let rest = appends.split_off(same);
            self.append(month, std::mem::replace(&mut appends, rest)).await;
        }
        self.write_gives().await;
    }

    /// Closes a month and removes its file. Nothing that waits may make it anew.
    async fn remove(&mut self, month: Month) -> Result<()> {
        self.outcomes.retain(|(of, ..)| *of != month);
        self.recent.forget(month);
        if let Some(at) = self.months.iter().position(|open| open.month() == month) {
            self.months.remove(at).close().await;
        }
        self.files.remove(month).await
    }

    async fn locate(&self, id: JournalId) -> Result<Option<(Month, i64)>> {
        match self.recent.get(id) {
            Some(place) => Ok(Some(place)),
            None => self.files.locate(id).await,
        }
    }

    /// What is given later goes into the next commit of its month.
    async fn place(&mut self, give: Give) {
        match self.locate(give.id).await {
            Ok(Some((month, seq))) => {
                if give.given.bytes.is_empty() {
                    self.outcomes.push((month, seq, Some(give.given.stage), AckOutcome::NotOwed));
                }
                self.gives.push(Placed { month, seq, give });
            }
            Ok(None) => answer(give.reply, Err(Error::NotFound)),
            Err(error) => answer(give.reply, Err(error)),
        }
    }

    /// Commits what no arrival of its month took along.
    async fn write_gives(&mut self) {
        while let Some(month) = self.gives.first().map(|placed| placed.month) {
            let written = if self.watched.has_failed() {
                Err(unavailable("the journal failed to write; restart after its disk is checked"))
            } else {
                self.write(month, &[], &[]).await
            };
            if let Err(error) = written {
                self.answer_gives(month, &Err(error));
            }
        }
    }

    fn answer_gives(&mut self, month: Month, written: &Result<()>) {
        let (done, waiting) = std::mem::take(&mut self.gives).into_iter().partition(|it| it.month == month);
        self.gives = waiting;
        let done: Vec<Placed> = done;
        for placed in done {
            answer(placed.give.reply, written.as_ref().map(|&()| ()).map_err(again));
        }
    }

    async fn settle(&mut self, id: JournalId, stage: Option<AckStage>, outcome: AckOutcome) {
        match self.locate(id).await {
            Ok(Some((month, seq))) => self.outcomes.push((month, seq, stage, outcome)),
            Ok(None) => tracing::warn!(entry = %id.0, "the outcome of an acknowledgment names no entry"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(entry = %id.0, error, "the outcome of an acknowledgment found no entry");
            }
        }
        self.flush_at.get_or_insert_with(|| Instant::now() + OUTCOME_DELAY);
    }

    /// Commits arrivals of one month and answers them.
    fn append(&mut self, month: Month, appends: Vec<Append>) -> Boxed<'_, ()> {
        Box::pin(async move {
            let verdicts = match self.judge(month, &appends).await {
                Ok(verdicts) => verdicts,
                Err(error) => return refuse(appends, &error),
            };
            match self.write(month, &appends, &verdicts).await {
                Ok(()) => self.answer(month, appends, verdicts),
                Err(Error::Conflict(_)) if appends.len() > 1 => {
                    for append in appends {
                        self.append(month, vec![append]).await;
                    }
                }
                Err(error) => refuse(appends, &error),
            }
        })
    }

    async fn judge(&mut self, month: Month, appends: &[Append]) -> Result<Vec<Verdict>> {
        if self.watched.has_failed() {
            return Err(unavailable("the journal failed to write; restart after its disk is checked"));
        }
        self.renew(month).await?;
        let (files, known) = (self.files.clone(), Arc::clone(&self.known));
        let open = self.month(month).await?;
        duplicates::judge(appends, open.connection(), month, &files, &known).await
    }

    async fn write(&mut self, month: Month, appends: &[Append], verdicts: &[Verdict]) -> Result<()> {
        self.renew(month).await?;
        let first = self.next;
        let mut entries = Rows::insert(INSERT_ENTRIES, 12);
        let mut acknowledgments = Rows::insert(INSERT_ACKNOWLEDGMENTS, 3);
        let mut promises = later::promises();
        let (mut unowed, mut large) = (Vec::new(), Vec::new());
        let mut seq = first;
        let mut size = 0;
        for (append, verdict) in appends.iter().zip(verdicts) {
            if let Verdict::New { reused } = verdict {
                size += append.arrival.bytes.len();
                append.marks.sender.iter().for_each(|mark| self.known.add(*mark));
                push(&mut entries, &mut acknowledgments, seq, append, *reused);
                large.extend(Rest::of(seq, &append.arrival.bytes));
                let Arrival { id, channel, acknowledgment, promise, .. } = &append.arrival;
                if let Some(promise) = promise {
                    later::push_promise(&mut promises, seq, *id, channel, *promise);
                }
                if acknowledgment.as_ref().is_some_and(|given| !given.is_owed) {
                    unowed.push(seq);
                }
                seq += 1;
            }
        }
        let gives = later::later(&self.gives, month);
        let (outcomes, later_outcomes) = self.outcomes_of(month, &unowed);
        let tables = vec![entries, acknowledgments, promises, gives, outcomes, later_outcomes];
        if tables.iter().all(Rows::is_empty) {
            return Ok(());
        }
        let open = self.month(month).await?;
        let committed = open.commit(tables, &large, size).await;
        self.outcomes.retain(|(of, ..)| committed.is_err() || *of != month);
        if self.outcomes.is_empty() {
            self.flush_at = None;
        }
        committed?;
        self.answer_gives(month, &Ok(()));
        if seq > first {
            self.next = seq;
            if let Some(file) = self.files.get(month) {
                file.extend(first, seq - 1);
            }
        }
        Ok(())
    }

    fn answer(&mut self, month: Month, appends: Vec<Append>, verdicts: Vec<Verdict>) {
        let mut seq = self.next - verdicts.iter().map(|verdict| i64::from(verdict.is_new())).sum::<i64>();
        self.appended.send_if_modified(|last| {
            let new = Seq(self.next - 1);
            let grown = *last < new;
            *last = new;
            grown
        });
        let firsts: Vec<(JournalId, Option<bytes::Bytes>)> = appends
            .iter()
            .map(|append| {
                let given = append.arrival.acknowledgment.as_ref().filter(|given| given.is_owed);
                let acknowledgment = given.map(|given| given.bytes.clone());
                (append.arrival.id, acknowledgment)
            })
            .collect();
        for (append, verdict) in appends.into_iter().zip(verdicts) {
            let appended = match verdict {
                Verdict::New { reused } => {
                    self.recent.put(append.arrival.id, (month, seq));
                    seq += 1;
                    Ok(Appended::New { seq: Seq(seq - 1), control_id_reused: reused })
                }
                Verdict::Stored { of, acknowledgment } => Ok(Appended::Duplicate { of, acknowledgment }),
                Verdict::SameBatch { at } => match firsts.get(at) {
                    Some((of, given)) => Ok(Appended::Duplicate { of: *of, acknowledgment: given.clone() }),
                    None => Err(unavailable("the first of two duplicates is not in its batch")),
                },
            };
            answer(append.reply, appended);
        }
    }

    /// Writes outcomes that no commit came by for.
    async fn flush(&mut self) {
        self.flush_at = None;
        let mut months: Vec<Month> = self.outcomes.iter().map(|(month, ..)| *month).collect();
        months.dedup();
        for month in months {
            if let Err(error) = self.write(month, &[], &[]).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "outcomes of acknowledgments wait");
                // A file that failed takes none before a restart.
                self.flush_at = (!self.watched.has_failed()).then(|| Instant::now() + OUTCOME_DELAY);
            }
        }
        if self.outcomes.len() > OUTCOMES_MAX {
            let dropped = self.outcomes.len() - OUTCOMES_MAX;
            self.outcomes.drain(..dropped);
            tracing::warn!(dropped, "outcomes of acknowledgments were dropped");
        }
    }

    /// Outcomes of acknowledgments given with the arrival, those of new entries that owe none among them, and of those
    /// given later.
    fn outcomes_of(&self, month: Month, unowed: &[i64]) -> (Rows, Rows) {
        let mut rows = Rows::statement(INSERT_OUTCOMES, REPLACE_OUTCOME, 2);
        let mut later_rows = later::outcomes();
        for seq in unowed {
            rows.push([(*seq).into(), outcome_number(AckOutcome::NotOwed).into()]);
        }
        for (_, seq, stage, outcome) in self.outcomes.iter().filter(|(of, ..)| *of == month) {
            match stage {
                None => rows.push([(*seq).into(), outcome_number(*outcome).into()]),
                Some(stage) => later::push_outcome(&mut later_rows, *seq, *stage, *outcome),
            }
        }
        (rows, later_rows)
    }

    /// Goes on after a session that broke: another process may have written meanwhile.
    async fn renew(&mut self, month: Month) -> Result<()> {
        if self.month(month).await?.renew().await? {
            self.files.refresh(self.salt).await?;
            self.known.forget();
            self.next = self.files.last().0 + 1;
        }
        Ok(())
    }

    async fn month(&mut self, month: Month) -> Result<&mut MonthWriter> {
        match self.months.iter().position(|open| open.month() == month) {
            Some(at) => {
                let open = self.months.remove(at);
                self.months.push(open);
            }
            None => {
                if self.months.len() >= MONTHS_OPEN_MAX {
                    self.months.remove(0).close().await;
                }
                let opened = self.open(month).await;
                let opened = opened.inspect_err(|error| self.watched.judge(error))?;
                self.months.push(opened);
            }
        }
        self.months.last_mut().ok_or_else(|| unavailable("no month is open"))
    }

    async fn open(&self, month: Month) -> Result<MonthWriter> {
        let is_new = self.files.get(month).is_none();
        let opened = self.files.open_writer(month, self.salt, self.watched.clone()).await?;
        if is_new {
            // All that it will hold is written here.
            self.known.knows(month);
        }
        Ok(opened)
    }
}

fn push(entries: &mut Rows, acknowledgments: &mut Rows, seq: i64, append: &Append, reused: bool) {
    let Append { arrival, marks, .. } = append;
    let refused = match arrival.disposition {
        Disposition::Accepted => None,
        Disposition::Refused(code) => Some(code),
    };
    entries.push([
        seq.into(),
        arrival.id.0.as_bytes().to_vec().into(),
        arrival.received_us.into(),
        arrival.channel.as_str().into(),
        arrival.peer.as_str().into(),
        refused.into(),
        reused.into(),
        marks.sender.into(),
        marks.digest.to_vec().into(),
        parts::first(&arrival.bytes).to_vec().into(),
        arrival.parent.map(|parent| parent.0.as_bytes().to_vec()).into(),
        arrival.charset.as_deref().into(),
    ]);
    if let Some(given) = &arrival.acknowledgment {
        // What is not owed is never sent: only its code is kept.
        let bytes = if given.is_owed { given.bytes.to_vec() } else { Vec::new() };
        acknowledgments.push([seq.into(), given.code.as_str().into(), bytes.into()]);
    }
}

fn refuse(appends: Vec<Append>, error: &Error) {
    for append in appends {
        answer(append.reply, Err(again(error)));
    }
}

/// Where the last entries are.
#[derive(Debug, Default)]
struct Recent {
    places: HashMap<Uuid, (Month, i64)>,
    order: VecDeque<Uuid>,
}

impl Recent {
    fn get(&self, id: JournalId) -> Option<(Month, i64)> {
        self.places.get(&id.0).copied()
    }

    fn forget(&mut self, month: Month) {
        self.places.retain(|_, (of, _)| *of != month);
    }

    fn put(&mut self, id: JournalId, place: (Month, i64)) {
        if self.order.len() >= RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        self.places.insert(id.0, place);
        self.order.push_back(id.0);
    }
}
