//! A journal that takes its time: senders wait, nothing piles up, and what was not delivered is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use harness::{Pair, Surface, eventually, stored};
use store::{AckOutcome, Appended, Arrival, Entry, Journal, JournalId, Micros, Result, Seq};
use tidegate::node::{AroundJournal, Overrides, run};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::row::Message;
use super::site::source;
use super::wire::Wire;

/// A node in this process whose journal stands behind another.
struct Node {
    pair: Pair,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::result::Result<(), tidegate::Failure>>,
}

impl Node {
    async fn start(name: &str, around: AroundJournal) -> Self {
        let pair = Pair::make(name).await;
        let (stop, stopped) = oneshot::channel();
        let overrides = Overrides { journal: Some(around), ..Overrides::default() };
        let config = pair.onprem_config.clone();
        let task = tokio::spawn(run(config, overrides, async { drop(stopped.await) }));
        let here: Surface = pair.here();
        eventually("the node's readiness", || async {
            match here.get("/readyz").await?.status {
                200 => Ok(()),
                status => Err(format!("status {status}")),
            }
        })
        .await;
        Self { pair, stop, task }
    }

    async fn stop(self) -> Pair {
        self.stop.send(()).expect("the node runs");
        self.task.await.expect("it does not panic").unwrap_or_else(|failure| panic!("{}", failure.words));
        self.pair
    }
}

/// How many arrivals wait at once.
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
    /// Acknowledgments that were noted as undelivered.
    undelivered: AtomicUsize,
}

impl Gauge {
    const fn new() -> Self {
        Self { now: AtomicUsize::new(0), most: AtomicUsize::new(0), undelivered: AtomicUsize::new(0) }
    }
}

static STEADY: Gauge = Gauge::new();
static LATE: Gauge = Gauge::new();

/// A disk that takes 4 ms a message.
fn steady(inner: Arc<dyn Journal>) -> Arc<dyn Journal> {
    let (turn, pause) = (tokio::sync::Mutex::new(()), Duration::from_millis(4));
    Arc::new(Slow { inner, turn, pause, gauge: &STEADY })
}

/// A disk that takes 400 ms a message.
fn late(inner: Arc<dyn Journal>) -> Arc<dyn Journal> {
    let (turn, pause) = (tokio::sync::Mutex::new(()), Duration::from_millis(400));
    Arc::new(Slow { inner, turn, pause, gauge: &LATE })
}

/// Appends one after the other, each after a pause.
struct Slow {
    inner: Arc<dyn Journal>,
    turn: tokio::sync::Mutex<()>,
    pause: Duration,
    gauge: &'static Gauge,
}

#[async_trait]
impl Journal for Slow {
    async fn append(&self, arrival: Arrival) -> Result<Appended> {
        let now = self.gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.gauge.most.fetch_max(now, Ordering::SeqCst);
        let turn = self.turn.lock().await;
        tokio::time::sleep(self.pause).await;
        let appended = self.inner.append(arrival).await;
        drop(turn);
        self.gauge.now.fetch_sub(1, Ordering::SeqCst);
        appended
    }

    async fn settle(&self, id: JournalId, outcome: AckOutcome) -> Result<()> {
        self.inner.settle(id, outcome).await?;
        if outcome == AckOutcome::Undelivered {
            self.gauge.undelivered.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn read(&self, id: JournalId) -> Result<Option<Entry>> {
        self.inner.read(id).await
    }

    async fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Entry>> {
        self.inner.after(seq, limit).await
    }

    async fn window(
        &self,
        from_us: Micros,
        until_us: Micros,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        self.inner.window(from_us, until_us, after, limit).await
    }

    fn appended(&self) -> watch::Receiver<Seq> {
        self.inner.appended()
    }
}

/// A sender that does not wait is slowed down: no more than the channel allows is begun, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_makes_senders_slower_and_loses_nothing() {
    const MESSAGES: usize = 400;
    let node = Node::start("slow", steady).await;
    let in_flight_max = node.pair.onprem_config.mllp[0].in_flight_max;
    let mut wire = Wire::connect(source(0), node.pair.mllp()).await;
    let messages: Vec<Message> = (0..MESSAGES).map(|n| Message::new(&format!("SLOW-{n}"))).collect();
    let sent = messages.iter().flat_map(Message::framed).collect::<Vec<u8>>();
    wire.write(&sent).await.expect("written");
    for message in &messages {
        let answer = wire.frame().await.expect("an answer").expect("the connection is open");
        let id = format!("MSA|AA|{}\r", message.control_id);
        assert!(String::from_utf8_lossy(&answer).contains(&id), "{id} in its turn");
    }
    let most = STEADY.most.load(Ordering::SeqCst);
    assert!((2..=in_flight_max).contains(&most), "{most} were begun at once");
    let pair = node.stop().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let kept: Vec<_> = stored::journal(&store).await.into_iter().map(|entry| entry.bytes.to_vec()).collect();
    let expected: Vec<_> = messages.into_iter().map(|message| message.er7).collect();
    assert_eq!(kept.len(), MESSAGES);
    assert!(kept == expected, "each once, in the order sent");
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_did_not_arrive_is_given_when_the_message_comes_again() {
    let node = Node::start("undelivered", late).await;
    let message = Message::new("S9");
    let mut gone = Wire::connect(source(0), node.pair.mllp()).await;
    gone.write(&message.framed()).await.expect("written");
    eventually("the append", || async {
        if LATE.most.load(Ordering::SeqCst) > 0 { Ok(()) } else { Err("nothing is appended".to_owned()) }
    })
    .await;
    gone.reset();
    eventually("the outcome of the answer", || async {
        let undelivered = LATE.undelivered.load(Ordering::SeqCst);
        if undelivered == 1 { Ok(()) } else { Err(format!("{undelivered} are undelivered")) }
    })
    .await;
    let mut again = Wire::connect(source(0), node.pair.mllp()).await;
    again.write(&message.framed()).await.expect("written");
    let answer = again.frame().await.expect("an answer").expect("the connection is open");
    let pair = node.stop().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let journal = stored::journal(&store).await;
    assert_eq!(journal.len(), 1, "it is one message");
    let given = journal[0].acknowledgment.as_ref().expect("an acknowledgment");
    assert_eq!(given.bytes[..], answer[..], "the stored one");
    assert_eq!(given.outcome, AckOutcome::Sent, "it has arrived now");
    stored::close(store).await;
}
