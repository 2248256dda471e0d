//! Acknowledgments that were given and did not arrive, that come again, and that come later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use harness::{Pair, Sender, eventually, ports, stored};
use hl7v2::acknowledgment::Acknowledgment;
use store::{
    AckOutcome, AckStage, Acknowledgments as _, Appended, Arrival, Entry, Journal, JournalId, Later, Micros,
    Result, Seq,
};
use tidegate::node::{self, Overrides};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot, watch};

use super::row::{Channel, Message};
use super::site::{Site, source};
use super::wire::Wire;

/// The longest wait for something that must come.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Tells of each commit, and answers it when the gate opens.
struct Gated(Arc<dyn Journal>);

static COMMITTED: Notify = Notify::const_new();
static GATE: Semaphore = Semaphore::const_new(0);

#[async_trait]
impl Journal for Gated {
    async fn append(&self, arrival: Arrival) -> Result<Appended> {
        let appended = self.0.append(arrival).await;
        COMMITTED.notify_one();
        GATE.acquire().await.expect("never closed").forget();
        appended
    }
    async fn settle(&self, id: JournalId, outcome: AckOutcome) -> Result<()> {
        self.0.settle(id, outcome).await
    }
    async fn read(&self, id: JournalId) -> Result<Option<Entry>> {
        self.0.read(id).await
    }
    async fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Entry>> {
        self.0.after(seq, limit).await
    }
    async fn window(&self, from: Micros, until: Micros, after: Seq, limit: usize) -> Result<Vec<Entry>> {
        self.0.window(from, until, after, limit).await
    }
    fn appended(&self) -> watch::Receiver<Seq> {
        self.0.appended()
    }
}

/// The one entry of a stopped node.
async fn only_entry(pair: &Pair) -> Entry {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let mut journal = stored::journal(&store).await;
    stored::close(store).await;
    assert_eq!(journal.len(), 1, "entries of one message");
    journal.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_before_the_acknowledgment_is_noted_and_the_resend_gets_the_stored_one() {
    let pair = Pair::make("reset").await;
    let message = Message::new("S9");
    // What was stored, was sent, and is stored still.
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for is_reset in [true, false] {
        let (stop, stopped) = oneshot::channel::<()>();
        let journal = is_reset.then_some((|journal| Arc::new(Gated(journal)) as _) as node::AroundJournal);
        let overrides = Overrides { journal, ..Overrides::default() };
        let until = async move { stopped.await.unwrap_or_default() };
        let node = tokio::spawn(node::run(pair.onprem_config.clone(), overrides, until));
        let connect = || async { TcpStream::connect(pair.mllp()).await.map_err(|error| error.to_string()) };
        let mut stream = eventually("the listener", connect).await;
        if is_reset {
            stream.write_all(&message.framed()).await.expect("sent");
            COMMITTED.notified().await;
            stream.set_zero_linger().expect("a reset at the close");
            drop(stream);
            GATE.add_permits(1);
        } else {
            drop(stream);
            seen.push(Sender::connect(pair.mllp()).await.exchange(&message.er7).await);
        }
        stop.send(()).expect("the node runs");
        node.await.expect("no panic").unwrap_or_else(|failure| panic!("{}", failure.words));
        let entry = only_entry(&pair).await;
        let given = entry.acknowledgment.expect("given");
        let outcome = if is_reset { AckOutcome::Undelivered } else { AckOutcome::Sent };
        assert_eq!((given.code.as_str(), given.outcome), ("AA", outcome));
        seen.push(given.bytes.to_vec());
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "what came again is what was stored");
    assert_eq!(seen.len(), 3);
}

pub fn asking(id: &str) -> Message {
    Message::new(id).with("|P|2.5.1||||", "|P|2.5.1|||AL|AL")
}

async fn frame(wire: &mut Wire) -> Vec<u8> {
    wire.frame().await.expect("a frame").expect("not closed")
}

fn said(frame: &[u8]) -> (&'static str, String, Option<&'static str>) {
    let read = Acknowledgment::read(frame).expect("an acknowledgment");
    let id = String::from_utf8(read.control_id.clone()).expect("text");
    (read.code.code(), id, read.error.map(|error| error.code()))
}

/// What was given later for the message with these bytes, by a stopped node.
pub async fn given_later(site: &Site, message: &Message) -> Vec<Later> {
    let store = stored::clinical(&site.pair.onprem_config.data).await;
    let journal = stored::journal(&store).await;
    let mut of: Vec<&Entry> = journal.iter().filter(|entry| entry.bytes == message.er7).collect();
    assert_eq!(of.len(), 1, "entries of one message");
    let given = store.given(of.remove(0).id).await.expect("readable");
    stored::close(store).await;
    given
}

pub fn outcomes(given: &[Later]) -> Vec<(AckStage, &str, AckOutcome)> {
    given.iter().map(|later| (later.given.stage, later.given.code.as_str(), later.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_gets_both_acknowledgments_again() {
    let mut site = Site::start("repeated", &[]).await;
    let message = asking("D4-BOTH");
    let mut wire = Wire::connect(source(0), site.listener("emr")).await;
    wire.write(&message.framed()).await.expect("sent");
    let mut first = [frame(&mut wire).await, frame(&mut wire).await];
    assert_eq!(said(&first[0]), ("CA", "D4-BOTH".to_owned(), None));
    assert_eq!(said(&first[1]), ("AA", "D4-BOTH".to_owned(), None));
    // On another connection, after the first has gone.
    drop(wire);
    let mut wire = Wire::connect(source(1), site.listener("emr")).await;
    wire.write(&message.framed()).await.expect("sent");
    let mut second = [frame(&mut wire).await, frame(&mut wire).await];
    first.sort();
    second.sort();
    assert!(first == second, "byte for byte");
    site.stop();
    let given = given_later(&site, &message).await;
    assert_eq!(outcomes(&given), [(AckStage::Final, "AA", AckOutcome::Sent)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_applied_in_time_is_answered_at_the_resend() {
    const CHANNELS: &[Channel] =
        &[Channel { name: "hurried", options: &["acknowledge: applied", "applied_seconds_max: 0"] }];
    let mut site = Site::start("hurried", CHANNELS).await;
    let message = Message::new("LATE");
    let mut wire = Wire::connect(source(0), site.listener("hurried")).await;
    wire.write(&message.framed()).await.expect("sent");
    assert_eq!(said(&frame(&mut wire).await), ("AE", "LATE".to_owned(), Some("207")));
    site.settle().await;
    let mut again = Vec::new();
    for _ in 0..50 {
        wire.write(&message.framed()).await.expect("sent");
        again.push(frame(&mut wire).await);
        if again.iter().filter(|frame| said(frame).0 == "AA").count() == 2 {
            break;
        }
    }
    let (early, last): (Vec<_>, Vec<_>) = again.iter().partition(|frame| said(frame).0 == "AE");
    assert!(early.windows(2).all(|pair| pair[0] == pair[1]), "one interim acknowledgment");
    assert!(last.len() == 2 && last[0] == last[1], "the stored one, byte for byte");
    site.stop();
    let given = given_later(&site, &message).await;
    let expected = [(AckStage::Interim, "AE", AckOutcome::Sent), (AckStage::Final, "AA", AckOutcome::Sent)];
    assert_eq!(outcomes(&given), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_owed_when_the_node_died_is_given_to_the_resend() {
    let mut site = Site::start("owed", &[]).await;
    let message = asking("OWED");
    let mut wire = Wire::connect(source(0), site.listener("emr")).await;
    wire.write(&message.framed()).await.expect("sent");
    assert_eq!(said(&frame(&mut wire).await).0, "CA");
    site.kill();
    site.run().await;
    let mut wire = Wire::connect(source(1), site.listener("emr")).await;
    wire.write(&message.framed()).await.expect("sent");
    let mut codes = [said(&frame(&mut wire).await).0, said(&frame(&mut wire).await).0];
    codes.sort_unstable();
    assert_eq!(codes, ["AA", "CA"]);
    site.stop();
    let given = given_later(&site, &message).await;
    assert_eq!(outcomes(&given), [(AckStage::Final, "AA", AckOutcome::Sent)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_acknowledgments_go_to_the_address_of_their_channel_and_outlive_a_crash() {
    let address = ports::free();
    let option = format!("application_acknowledgments: {{address: \"{address}\"}}");
    // Channels are constants, and a port is known only now.
    let option: &'static str = option.leak();
    let channels: &'static [Channel] = vec![Channel { name: "lis", options: vec![option].leak() }].leak();
    let mut site = Site::start("outgoing", channels).await;
    let message = asking("OUT-1");
    let mut wire = Wire::connect(source(0), site.listener("lis")).await;
    wire.write(&message.framed()).await.expect("sent");
    assert_eq!(said(&frame(&mut wire).await), ("CA", "OUT-1".to_owned(), None));
    site.settle().await;
    wire.end().await.expect("ended");
    assert_eq!(wire.frame().await, Ok(None), "the other one does not come by this connection");
    site.kill();
    let listener = TcpListener::bind(address).await.expect("a free port");
    site.run().await;
    let mut stream = accept(&listener).await;
    assert_eq!(said(&read_frame(&mut stream).await), ("AA", "OUT-1".to_owned(), None));
    // The next one, after the partner has closed, comes on a connection of its own.
    drop(stream);
    let second = asking("OUT-2");
    let mut wire = Wire::connect(source(1), site.listener("lis")).await;
    wire.write(&second.framed()).await.expect("sent");
    assert_eq!(said(&frame(&mut wire).await).0, "CA");
    let mut stream = accept(&listener).await;
    assert_eq!(said(&read_frame(&mut stream).await), ("AA", "OUT-2".to_owned(), None));
    site.stop();
    for message in [message, second] {
        let given = given_later(&site, &message).await;
        assert_eq!(outcomes(&given), [(AckStage::Final, "AA", AckOutcome::Sent)]);
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(WAIT_MAX, listener.accept()).await;
    accepted.expect("the node dials in time").expect("accepted").0
}

async fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\x1c\r") {
        let read = tokio::time::timeout(WAIT_MAX, stream.read_buf(&mut bytes)).await;
        assert!(read.expect("in time").expect("readable") > 0, "closed within a frame");
    }
    bytes[1..bytes.len() - 2].to_vec()
}
