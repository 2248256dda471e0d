//! Acknowledgments given later: once a message was applied, its sender is told, on the connection that it came by or over
//! an address of the channel's own.
//!
//! A promise is durable with the message, and what is given is durable before it is sent; so a node that stops between
//! the two goes on with what it owes when it starts again.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hl7v2::Message;
use hl7v2::acknowledgment::{AckMode, Reply, acknowledge};
use mllp::{Delivery, Line};
use store::{
    AckOutcome, AckStage, Acknowledgments, Journal, JournalId, Later as Given, MessageState, NewLater,
    Promise, Promised, Seq,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use uuid::Uuid;

use crate::events;
use crate::outcome::Outcome;
use crate::outgoing::Outgoing;
use crate::receive::control_id;
use crate::rules::Types;
use crate::waiting::{Waiter, Waiting};

/// Promises kept at one time.
const PROMISES_MAX: usize = 256;
/// Acknowledgments on their way to connections at one time; with as many, the next waits for one to arrive or to fail.
const SENDING_MAX: usize = 1_024;
/// Pause after the store failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Where application acknowledgments go.
pub enum Sink {
    /// Back on the connection that their message came by.
    Connection,
    /// To an address of the channel's own.
    Address(Box<Outgoing>),
    /// Nowhere by themselves: whoever put the message away fetches them ([`Receiver::owed_to_files`]).
    ///
    /// [`Receiver::owed_to_files`]: crate::Receiver::owed_to_files
    Fetched,
}

/// What keeps the promises of one channel.
pub struct Later {
    /// Channel name.
    pub(crate) channel: String,
    journal: Arc<dyn Journal>,
    pub(crate) acknowledgments: Arc<dyn Acknowledgments>,
    /// Last processed position.
    processed: watch::Receiver<Seq>,
    types: Types,
    pub(crate) clock: Clock,
    /// How long a sender of original mode waits.
    applied_wait: Duration,
    hurry: watch::Sender<bool>,
    pub(crate) outgoing: Option<Outgoing>,
    /// [`Sink::Fetched`].
    is_fetched: bool,
    /// Something may have been given since it was asked for last.
    given: AtomicBool,
    waiting: Waiting,
    /// Highest position for which something was promised.
    promised: AtomicI64,
    wake: Notify,
    sending: Arc<Semaphore>,
}

/// Time and ids, as arguments.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Microseconds since the epoch, UTC.
    pub now_us: fn() -> i64,
    /// A UUIDv7.
    pub new_id: fn() -> Uuid,
    /// An instant in HL7's form, `20260102030405+0000`.
    pub hl7_time: fn(i64) -> String,
}

/// The ports that it acts by.
pub struct LaterPorts {
    /// Reads messages.
    pub journal: Arc<dyn Journal>,
    /// Reads promises and outcomes, and makes acknowledgments durable.
    pub acknowledgments: Arc<dyn Acknowledgments>,
    /// Last processed position; wakes it.
    pub processed: watch::Receiver<Seq>,
}

impl Later {
    /// For a channel.
    pub fn new(
        channel: &str,
        ports: LaterPorts,
        types: Types,
        clock: Clock,
        applied_wait: Duration,
        sink: Sink,
    ) -> Self {
        let LaterPorts { journal, acknowledgments, processed } = ports;
        let (outgoing, is_fetched) = match sink {
            Sink::Connection => (None, false),
            Sink::Address(outgoing) => (Some(*outgoing), false),
            Sink::Fetched => (None, true),
        };
        Self {
            channel: channel.to_owned(),
            journal,
            acknowledgments,
            processed,
            types,
            clock,
            applied_wait,
            hurry: watch::channel(false).0,
            outgoing,
            is_fetched,
            given: AtomicBool::new(true),
            waiting: Waiting::default(),
            promised: AtomicI64::new(0),
            wake: Notify::new(),
            sending: Arc::new(Semaphore::new(SENDING_MAX)),
        }
    }

    /// Keeps promises, for ever. What is open when it is dropped is kept at the next start.
    pub async fn run(&self) {
        let sending = async {
            match &self.outgoing {
                Some(outgoing) => outgoing.run(self).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(self.keep(), sending);
    }

    /// Nobody waits any more: senders of original mode are told that their message is stored and not applied yet.
    pub(crate) fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// What a handler waits for, as long as it may wait; `None`: it did not come in time.
    pub(crate) async fn awaited(&self, reply: oneshot::Receiver<Bytes>) -> Option<Bytes> {
        let mut hurry = self.hurry.subscribe();
        tokio::select! {
            biased;
            reply = reply => reply.ok(),
            _ = hurry.wait_for(|hurry| *hurry) => None,
            () = tokio::time::sleep(self.applied_wait) => None,
        }
    }

    async fn keep(&self) {
        let mut processed = self.processed.clone();
        while let Err(error) = self.note_lost().await {
            events::promises_wait(&self.channel, &error);
            tokio::time::sleep(PAUSE).await;
        }
        // Any entry from before this process began may have a promise that is not kept.
        self.promised.fetch_max(self.journal.appended().borrow().0, Ordering::AcqRel);
        let mut after = Seq(0);
        loop {
            let through = *processed.borrow_and_update();
            if self.promised.load(Ordering::Acquire) > after.0
                && let Err(error) = self.keep_through(&mut after, through).await
            {
                events::promises_wait(&self.channel, &error);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            tokio::select! {
                changed = processed.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                () = self.wake.notified() => {}
            }
        }
    }

    /// What was given and is owed since an earlier run had a connection that is gone; an address of the channel's own gets
    /// it still.
    async fn note_lost(&self) -> store::Result<()> {
        let mut after = Seq(0);
        loop {
            let unsent = self.acknowledgments.unsent(&self.channel, after, PROMISES_MAX).await?;
            let Some((last, _)) = unsent.last() else { return Ok(()) };
            after = last.seq;
            for (promised, _) in unsent {
                if promised.promise == Promise::Original || self.outgoing.is_none() && !self.is_fetched {
                    let outcome = AckOutcome::Undelivered;
                    self.acknowledgments.note(promised.id, AckStage::Final, outcome).await?;
                }
            }
        }
    }

    /// Gives what was promised up to a position.
    async fn keep_through(&self, after: &mut Seq, through: Seq) -> store::Result<()> {
        while *after < through {
            let promised =
                self.acknowledgments.promised(&self.channel, *after, through, PROMISES_MAX).await?;
            let ids: Vec<JournalId> = promised.iter().map(|promised| promised.id).collect();
            let applied = self.acknowledgments.applied(&ids).await?;
            let mut kept = Vec::with_capacity(promised.len());
            for one in &promised {
                // An entry that was passed and left no row was not applied, whatever the reason.
                let row = applied.iter().find(|(id, ..)| *id == one.id);
                let (state, reason) =
                    row.map_or((MessageState::Error, None), |(_, state, reason)| (*state, reason.as_deref()));
                kept.push((one, self.build(one, state, reason).await?));
            }
            self.give_all(&kept).await?;
            for (one, given) in kept {
                self.deliver(one, given).await?;
            }
            *after = promised.last().map_or(through, |last| last.seq);
        }
        Ok(())
    }

    /// Makes all durable, in as few commits as the journal can.
    async fn give_all(&self, kept: &[(&Promised, NewLater)]) -> store::Result<()> {
        let gives = kept.iter().map(|(one, given)| self.acknowledgments.give(one.id, given.clone()));
        let mut gives: Vec<_> = gives.collect();
        let mut failure = Ok(());
        let mut results = vec![false; gives.len()];
        poll_fn(|context| {
            let mut is_pending = false;
            for (give, done) in gives.iter_mut().zip(&mut results).filter(|(_, done)| !**done) {
                match give.as_mut().poll(context) {
                    Poll::Ready(result) => {
                        *done = true;
                        if let Err(error) = result {
                            failure = Err(error);
                        }
                    }
                    Poll::Pending => is_pending = true,
                }
            }
            if is_pending { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        failure
    }

    async fn build(
        &self,
        promised: &Promised,
        state: MessageState,
        reason: Option<&str>,
    ) -> store::Result<NewLater> {
        let entry = self.journal.read(promised.id).await?.ok_or(store::Error::NotFound)?;
        let message = Message::read_as(&entry.bytes, entry.charset.as_deref())
            .map_err(|_| store::Error::Corrupt("an accepted message"))?;
        let header = message.header();
        let support = (self.types)(header.code().trim(), header.event().trim());
        let outcome = Outcome::of(state, reason, support);
        let owed = match promised.promise {
            Promise::Original => Some(outcome.code),
            Promise::Application => AckMode::of(&header).at_application(outcome.code),
        };
        let given_us = (self.clock.now_us)();
        let bytes = owed.map(|code| {
            let control_id = control_id(JournalId((self.clock.new_id)()));
            let time = (self.clock.hl7_time)(given_us);
            acknowledge(
                &message,
                &Reply { code, control_id: &control_id, time: &time, error: outcome.error() },
            )
        });
        let code = outcome.code.code().to_owned();
        let bytes = Bytes::from(bytes.unwrap_or_default());
        Ok(NewLater { stage: AckStage::Final, given_us, code, bytes })
    }

    /// Sends what is durable to whoever waits for it.
    async fn deliver(&self, promised: &Promised, given: NewLater) -> store::Result<()> {
        let waiters = self.waiting.take(promised.id);
        if given.bytes.is_empty() {
            return Ok(());
        }
        if promised.promise == Promise::Application && self.is_fetched {
            self.note_given();
            return Ok(());
        }
        if promised.promise == Promise::Application
            && let Some(outgoing) = &self.outgoing
        {
            outgoing.wake();
            return Ok(());
        }
        let mut lines = Vec::new();
        let mut is_taken = false;
        for waiter in waiters {
            match waiter {
                // Whoever answers with it notes what became of it.
                Waiter::Reply(reply) => is_taken |= reply.send(given.bytes.clone()).is_ok(),
                Waiter::Line(line) => lines.push(line),
            }
        }
        if !lines.is_empty() {
            self.send(promised.id, given.bytes, lines).await;
        } else if !is_taken {
            self.acknowledgments.note(promised.id, AckStage::Final, AckOutcome::Undelivered).await?;
        }
        Ok(())
    }

    /// Hands an acknowledgment to connections, in the order of the calls for each, and notes what became of it.
    async fn send(&self, id: JournalId, bytes: Bytes, lines: Vec<Line>) {
        // Never closed.
        let Ok(permit) = Arc::clone(&self.sending).acquire_owned().await else { return };
        let (acknowledgments, channel) = (Arc::clone(&self.acknowledgments), self.channel.clone());
        let mut sending = Box::pin(send(acknowledgments, channel, id, bytes, lines, permit));
        // The first poll takes the place in the line of the connection.
        let is_pending = poll_fn(|context| {
            let polled = std::pin::pin!(tokio::task::unconstrained(sending.as_mut())).poll(context);
            Poll::Ready(polled.is_pending())
        });
        if is_pending.await {
            tokio::spawn(sending);
        }
    }

    /// Notes one who waits for an entry's acknowledgment; false: too many wait.
    pub(crate) fn wait(&self, id: JournalId, waiter: Waiter) -> bool {
        self.waiting.add(id, waiter)
    }

    /// Nobody waits for this entry after all.
    pub(crate) fn forget(&self, id: JournalId) {
        drop(self.waiting.take(id));
    }

    /// Some who waited for it have gone.
    pub(crate) fn forget_gone(&self, id: JournalId) {
        self.waiting.forget_gone(id);
    }

    /// Something was promised with the entry at this position.
    pub(crate) fn note_promise(&self, seq: Seq) {
        self.promised.fetch_max(seq.0, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Something is to be fetched.
    pub(crate) fn note_given(&self) {
        self.given.store(true, Ordering::Release);
    }

    /// Whether something is; it is not asked for twice.
    pub(crate) fn take_given(&self) -> bool {
        self.given.swap(false, Ordering::AcqRel)
    }

    /// What was given for an entry at a stage.
    pub(crate) async fn given(&self, id: JournalId, stage: AckStage) -> store::Result<Option<Given>> {
        let given = self.acknowledgments.given(id).await?;
        Ok(given.into_iter().find(|later| later.given.stage == stage))
    }

    /// The application acknowledgment again, to a sender that came again.
    pub(crate) async fn again(&self, id: JournalId, line: Option<&Line>) -> store::Result<()> {
        if self.is_fetched {
            // It stands beside the file that the message came in first.
            return Ok(());
        }
        if self.outgoing.is_none() {
            // Waits first, and looks then: what is given in between reaches it either way.
            if let Some(line) = line {
                self.wait(id, Waiter::Line(line.clone()));
            }
        }
        let Some(later) = self.given(id, AckStage::Final).await? else { return Ok(()) };
        if later.given.bytes.is_empty() {
            self.forget(id);
            return Ok(());
        }
        match &self.outgoing {
            Some(outgoing) => outgoing.again(id, later.given.bytes),
            None => {
                let lines = self.waiting.take(id).into_iter().filter_map(|waiter| match waiter {
                    Waiter::Line(line) => Some(line),
                    Waiter::Reply(_) => None,
                });
                let lines: Vec<Line> = lines.collect();
                if !lines.is_empty() {
                    self.send(id, later.given.bytes, lines).await;
                }
            }
        }
        Ok(())
    }
}

async fn send(
    acknowledgments: Arc<dyn Acknowledgments>,
    channel: String,
    id: JournalId,
    bytes: Bytes,
    lines: Vec<Line>,
    permit: OwnedSemaphorePermit,
) {
    let mut outcome = AckOutcome::Undelivered;
    for line in lines {
        if line.send(bytes.clone()).await == Delivery::Sent {
            outcome = AckOutcome::Sent;
        }
    }
    drop(permit);
    if let Err(error) = acknowledgments.note(id, AckStage::Final, outcome).await {
        events::not_settled(&channel, id, &error);
    }
}
