//! The worker of one destination.

use std::sync::Arc;
use std::time::Duration;

use hl7v2::{Charset, Peek};
use mllp::{ClientConfig, Error, TlsFailure};
use residency::{Denial, MessageFacts, MessagePermit, OnPrem, Policy, Released};
use store::{Entry, Forward, Forwards, Journal, JournalId, Micros};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::answer::{Answer, Reply, read};
use super::classify::{Class, Classifier};
use super::judge::{Expectation, First, Heard, Later, Patience, Verdict, judge, judge_outcome};
use super::outstanding::{Awaited, OUTSTANDING_MAX, Outstanding};
use super::session::Session;
use super::settle::Of;
use crate::backoff::Backoff;
use crate::events;

/// Forwards claimed at once; they are sent one by one.
const CLAIM_MAX: usize = 32;
/// Pause between looks when no bell rings, and after the store failed.
const IDLE_PAUSE: Duration = Duration::from_millis(500);
/// How long a worker that stops waits for the answer to what it has sent.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Replies to other messages that are passed over in one wait; a partner that sends more is cut off.
const OTHERS_MAX: usize = 256;

/// Claims, sends and settles the forwards of one destination.
pub struct Forwarder {
    /// Destination id of the policy.
    pub destination: String,
    /// How to reach it; its reply timeout bounds the wait for the first answer.
    pub client: ClientConfig,
    /// Longest wait for the application's outcome after a commit, or where only that was asked for.
    pub application_timeout: Duration,
    /// Least time between the starts of two messages.
    pub gap: Duration,
    /// What answers mean.
    pub classifier: Classifier,
    /// How long a message is tried.
    pub patience: Patience,
    /// Waits of a message between its tries, and of the worker between connections.
    pub backoff: Backoff,
    /// Where the bytes are.
    pub journal: Arc<dyn Journal>,
    /// What is to be sent.
    pub forwards: Arc<dyn Forwards>,
    /// The policy in force, asked again at the moment of sending.
    pub policy: Arc<Policy>,
    /// This node's name in the ledger.
    pub node: String,
    /// Microseconds since the epoch, UTC.
    pub now_us: fn() -> i64,
    /// Fills the buffer from the system's random source.
    pub fill_random: fn(&mut [u8]),
}

/// What a worker holds in memory.
struct Line {
    session: Session,
    outstanding: Outstanding,
    /// Connections in a row that could not be opened, or broke before they brought an answer.
    failures: u32,
    /// Of which message it was noted that the partner cannot be reached, and why.
    noted: Option<(Uuid, &'static str)>,
    stop: watch::Receiver<bool>,
}

/// How one message went.
enum Went {
    /// It is settled and done, or taken over.
    On,
    /// It waits, and so do its lanes: what else was claimed is asked for again.
    Waits,
    /// The worker stops; it is sent again after the next start.
    Stopped,
}

/// A message that may be sent now.
struct Ready {
    control_id: Vec<u8>,
    expectation: Expectation,
    rules: Vec<String>,
    released: Released<OnPrem>,
}

impl Forwarder {
    /// Runs until `stop` turns true. What was sent and not settled is sent again after a restart, the same bytes.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut queued = self.forwards.forwards_queued();
        let session = Session::new(self.client.clone(), self.gap);
        let outstanding = Outstanding::default();
        let mut line = Line { session, outstanding, failures: 0, noted: None, stop };
        while !*line.stop.borrow() {
            queued.borrow_and_update();
            let moved = match self.step(&mut line).await {
                Ok(moved) => moved,
                Err(error) => {
                    events::store_failed(&self.destination, &error);
                    false
                }
            };
            if !moved {
                self.idle(&mut line, &mut queued).await;
            }
        }
    }

    /// Waits for something to do: a message, an outcome, the end of an outcome's time.
    async fn idle(&self, line: &mut Line, queued: &mut watch::Receiver<i64>) {
        let Line { session, outstanding, stop, .. } = line;
        let is_listening = session.is_open() && !outstanding.is_empty();
        let until = Instant::now() + IDLE_PAUSE;
        let reply = tokio::select! {
            _ = queued.changed() => None,
            _ = stop.changed() => None,
            reply = session.receive(until), if is_listening => reply.ok(),
            () = tokio::time::sleep_until(until) => None,
        };
        if let Some(reply) = reply
            && let Err(error) = self.on_other(line, read(&reply)).await
        {
            events::store_failed(&self.destination, &error);
        }
    }

    /// One batch; `false` when nothing was due.
    async fn step(&self, line: &mut Line) -> store::Result<bool> {
        self.settle_overdue(line).await?;
        if line.outstanding.is_empty() {
            self.load_outstanding(line).await?;
        }
        if line.outstanding.is_full() {
            return Ok(false);
        }
        let claimed = self.forwards.claim_forwards(&self.destination, (self.now_us)(), CLAIM_MAX).await?;
        let is_any = !claimed.is_empty();
        for forward in claimed {
            if *line.stop.borrow() || line.outstanding.is_full() {
                break;
            }
            match self.forward(line, &forward).await? {
                Went::On => {}
                Went::Waits | Went::Stopped => break,
            }
        }
        Ok(is_any)
    }

    /// One message: permitted, sent, answered, settled.
    async fn forward(&self, line: &mut Line, forward: &Forward) -> store::Result<Went> {
        let ready = match self.ready(forward).await? {
            Ok(ready) => ready,
            Err(reason) => {
                self.settle(of(forward, false), Verdict::Dead(reason), None, &[]).await?;
                return Ok(Went::On);
            }
        };
        if !self.connect(line, forward, &ready).await? {
            return Ok(Went::Stopped);
        }
        if line.outstanding.awaits(&ready.control_id) {
            // Two messages of one control id: the outcome of the first must not be taken for the second's answer.
            self.settle(of(forward, false), Verdict::Retry("control-id-in-use"), None, &[]).await?;
            return Ok(Went::Waits);
        }
        let sent = line.session.send(forward.id, &ready.control_id, &ready.released).await;
        let heard = match sent {
            Ok(()) => self.listen(line, forward, &ready).await?,
            Err(Error::NotEncodable) => {
                self.settle(of(forward, false), Verdict::Dead("not-encodable"), None, &[]).await?;
                return Ok(Went::On);
            }
            Err(error) => {
                events::partner_failed(&self.destination, &error);
                line.session.close();
                Some(Heard::Lost)
            }
        };
        match heard {
            Some(heard) => self.conclude(line, forward, &ready, &heard).await,
            None => Ok(Went::Stopped),
        }
    }

    /// Everything that is known before the connection is touched; else why it is given up.
    async fn ready(&self, forward: &Forward) -> store::Result<Result<Ready, &'static str>> {
        let entry = match self.journal.read(forward.message).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Err("bytes-gone")),
            Err(store::Error::Corrupt(_)) => return Ok(Err("bytes-damaged")),
            Err(error) => return Err(error),
        };
        let Ok(peek) = Peek::read(&entry.bytes, Charset::UTF_8) else { return Ok(Err("no-header")) };
        let header = peek.header();
        if header.control_id().is_empty() {
            return Ok(Err("no-control-id"));
        }
        let Ok(permit) = self.permit(&peek, &entry) else { return Ok(Err("policy")) };
        let rules = permit.rules().to_vec();
        Ok(Ok(Ready {
            control_id: header.control_id().raw().to_vec(),
            expectation: Expectation::of(&header),
            rules,
            released: permit.release(entry.bytes.to_vec(), forward.decision_id),
        }))
    }

    /// Today's policy, asked at the moment of sending.
    fn permit(&self, peek: &Peek<'_>, entry: &Entry) -> Result<MessagePermit, Denial> {
        let header = peek.header();
        let (application, facility) = (header.sending_application(), header.sending_facility());
        let (application, facility) = (application.component(1).text(), facility.component(1).text());
        let (code, event) = (header.code(), header.event());
        let facts = MessageFacts::of(&code, &event, &application, &facility, &entry.channel);
        self.policy.permit_message(&self.destination, &facts)
    }

    /// A connection on which nothing stands unread, after the gap. Nothing counts against a message while its partner
    /// cannot be reached. `false`: the worker stops, or the connection has to wait for its next try.
    async fn connect(&self, line: &mut Line, forward: &Forward, ready: &Ready) -> store::Result<bool> {
        self.drain(line).await?;
        if line.failures > 0 && !line.session.is_open() {
            tokio::select! {
                () = sleep(self.backoff.wait(line.failures, self.random())) => {}
                _ = line.stop.changed() => return Ok(false),
            }
        }
        let opened = tokio::select! {
            opened = line.session.open(forward.id, &ready.control_id) => opened,
            _ = line.stop.changed() => return Ok(false),
        };
        if let Err(error) = opened {
            self.unreached(line, forward, &error).await?;
            return Ok(false);
        }
        line.noted = None;
        let Line { session, stop, .. } = line;
        Ok(tokio::select! {
            () = session.pace() => true,
            _ = stop.changed() => false,
        })
    }

    /// The partner could not be reached, or one side does not trust the other. The message waits, nothing counts against
    /// it, and its row says why; again only when that has changed.
    async fn unreached(&self, line: &mut Line, forward: &Forward, error: &Error) -> store::Result<()> {
        line.failures = line.failures.saturating_add(1);
        events::partner_failed(&self.destination, error);
        let noted = (forward.id, unreached(error));
        if line.noted != Some(noted) {
            self.note(forward.id, noted.1).await?;
            line.noted = Some(noted);
        }
        Ok(())
    }

    /// Reads what came since the last answer; notices a partner that has closed.
    async fn drain(&self, line: &mut Line) -> store::Result<()> {
        for _ in 0..OTHERS_MAX {
            if !line.session.is_open() {
                return Ok(());
            }
            match timeout(Duration::ZERO, line.session.receive(Instant::now() + IDLE_PAUSE)).await {
                Ok(Ok(reply)) => self.on_other(line, read(&reply)).await?,
                Ok(Err(_)) | Err(_) => return Ok(()),
            }
        }
        line.session.close();
        Ok(())
    }

    /// Waits for the answer to what was sent; `None`: the worker stops, or it is as if it had not been sent.
    async fn listen(
        &self,
        line: &mut Line,
        forward: &Forward,
        ready: &Ready,
    ) -> store::Result<Option<Heard>> {
        let wait = match ready.expectation.first {
            First::Answer | First::ErrorOnly => self.client.reply_timeout,
            First::Application => self.application_timeout,
            First::Nothing => return Ok(Some(Heard::Silence)),
        };
        let mut until = Instant::now() + wait;
        let mut is_stopping = false;
        for _ in 0..OTHERS_MAX {
            let Line { session, stop, .. } = line;
            let reply = tokio::select! {
                reply = session.receive(until) => reply,
                _ = stop.changed(), if !is_stopping => {
                    is_stopping = true;
                    until = until.min(Instant::now() + STOP_GRACE);
                    continue;
                }
            };
            match reply {
                Ok(reply) => match read(&reply) {
                    Reply::Of { control_id, answer } if control_id == ready.control_id => {
                        line.session.answered(&control_id);
                        let class = self.classifier.classify(&answer);
                        return Ok(Some(Heard::Answer(answer, class)));
                    }
                    Reply::OfNothing => {
                        // What comes next on this connection may be anybody's.
                        line.session.close();
                        return Ok(Some(Heard::Unreadable));
                    }
                    other => self.on_other(line, other).await?,
                },
                Err(Error::Timeout) if is_stopping => return Ok(None),
                Err(Error::Timeout) => return Ok(Some(Heard::Silence)),
                // It read nothing of a client that it does not trust.
                Err(error) if error.tls_failure() == Some(TlsFailure::CertificateRefused) => {
                    self.unreached(line, forward, &error).await?;
                    return Ok(None);
                }
                Err(error) => {
                    events::partner_failed(&self.destination, &error);
                    return Ok(Some(Heard::Lost));
                }
            }
        }
        line.session.close();
        Ok(Some(Heard::Unreadable))
    }

    /// Judges what was heard and writes it down.
    async fn conclude(
        &self,
        line: &mut Line,
        forward: &Forward,
        ready: &Ready,
        heard: &Heard,
    ) -> store::Result<Went> {
        let now_us = (self.now_us)();
        let age_us = forward.tried_us.map_or(0, |tried_us| now_us.saturating_sub(tried_us));
        let age = Duration::from_micros(u64::try_from(age_us).unwrap_or(0));
        let attempts = forward.attempts.saturating_add(1);
        let verdict = judge(heard, ready.expectation, attempts, age, &self.patience);
        let answer = match heard {
            Heard::Answer(answer, _) => Some(answer),
            Heard::Unreadable | Heard::Silence | Heard::Lost => None,
        };
        let is_failure = matches!(heard, Heard::Unreadable | Heard::Lost);
        line.failures = if is_failure { line.failures.saturating_add(1) } else { 0 };
        self.settle(of(forward, true), verdict, answer, &ready.rules).await?;
        Ok(match verdict {
            Verdict::Delivered(_) | Verdict::Dead(_) => Went::On,
            Verdict::Retry(_) => Went::Waits,
            Verdict::Accepted => {
                let later = ready.expectation.later;
                line.outstanding.add(self.awaited(forward, ready.control_id.clone(), later, now_us));
                Went::On
            }
        })
    }

    /// A reply that is not the one awaited: the outcome of what was taken over, or late, and passed over.
    async fn on_other(&self, line: &mut Line, reply: Reply) -> store::Result<()> {
        let Reply::Of { control_id, answer } = reply else {
            events::reply_passed_over(&self.destination);
            return Ok(());
        };
        line.session.answered(&control_id);
        // A second commit is no outcome.
        let is_outcome = answer.acknowledgment().is_none_or(|code| !code.is_commit());
        match is_outcome.then(|| line.outstanding.take(&control_id)).flatten() {
            Some(awaited) => {
                let class = self.classifier.classify(&answer);
                self.settle_outcome(&awaited, Some((&answer, class))).await
            }
            None => {
                events::reply_passed_over(&self.destination);
                Ok(())
            }
        }
    }

    async fn settle_outcome(
        &self,
        awaited: &Awaited,
        outcome: Option<(&Answer, Class)>,
    ) -> store::Result<()> {
        let verdict = judge_outcome(outcome.map(|(_, class)| class), awaited.later);
        let of = Of {
            forward: awaited.forward,
            message: awaited.message,
            decision_id: awaited.decision_id,
            attempts: 0,
            is_attempt: false,
        };
        match self.settle(of, verdict, outcome.map(|(answer, _)| answer), &[]).await {
            // A person revived it meanwhile, or it is settled: nothing is owed any more.
            Err(store::Error::NotFound) => Ok(()),
            settled => settled,
        }
    }

    async fn settle_overdue(&self, line: &mut Line) -> store::Result<()> {
        while let Some(awaited) = line.outstanding.take_overdue((self.now_us)()) {
            self.settle_outcome(&awaited, None).await?;
        }
        Ok(())
    }

    /// What was taken over before this process, or while the store failed.
    async fn load_outstanding(&self, line: &mut Line) -> store::Result<()> {
        for forward in self.forwards.accepted_forwards(&self.destination, OUTSTANDING_MAX).await? {
            let (control_id, later) = self.asked(forward.message).await?;
            let accepted_us = forward.accepted_us.unwrap_or(0);
            line.outstanding.add(self.awaited(&forward, control_id, later, accepted_us));
        }
        Ok(())
    }

    /// Control id and what is awaited of a message of the journal; without its bytes nothing can be.
    async fn asked(&self, message: JournalId) -> store::Result<(Vec<u8>, Later)> {
        let entry = match self.journal.read(message).await {
            Err(store::Error::Corrupt(_)) => None,
            read => read?,
        };
        let peek = entry.as_ref().and_then(|entry| Peek::read(&entry.bytes, Charset::UTF_8).ok());
        Ok(peek.map_or((Vec::new(), Later::Nothing), |peek| {
            let header = peek.header();
            (header.control_id().raw().to_vec(), Expectation::of(&header).later)
        }))
    }

    fn awaited(&self, forward: &Forward, control_id: Vec<u8>, later: Later, since_us: Micros) -> Awaited {
        let wait_us = i64::try_from(self.application_timeout.as_micros()).unwrap_or(i64::MAX);
        Awaited {
            forward: forward.id,
            message: forward.message.0,
            decision_id: forward.decision_id,
            control_id,
            later,
            until_us: since_us.saturating_add(wait_us),
        }
    }
}

/// Why a partner could not be reached, as its rows say it.
fn unreached(error: &Error) -> &'static str {
    match (error.tls_failure(), error) {
        (Some(failure), _) => failure.code(),
        (None, Error::Connect(_)) => "partner-unreachable",
        (None, Error::Timeout) => "partner-connect-timeout",
        (None, _) => "partner-closed",
    }
}

fn of(forward: &Forward, is_attempt: bool) -> Of {
    Of {
        forward: forward.id,
        message: forward.message.0,
        decision_id: forward.decision_id,
        attempts: forward.attempts,
        is_attempt,
    }
}
