//! Senders that remember what was acknowledged to them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};
use tidegate::generate::{Feed, Generated};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections at once.
const CONNECTIONS: u64 = 4;
/// Messages of one connection that wait for an answer.
const WINDOW: usize = 3;
/// How long a sender waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all senders together know.
#[derive(Default)]
pub struct Known {
    /// Accepted by the node, in the order the answers came.
    pub acknowledged: Vec<Generated>,
    /// Sent, and not answered.
    pub unanswered: Vec<Generated>,
    /// Answers that are no acceptance of the message they answer.
    pub wrong_answers: Vec<String>,
}

/// Senders at work.
pub struct Load {
    tasks: JoinSet<Known>,
    first: Arc<Notify>,
}

impl Load {
    /// Starts sending: first what is to be sent again, then a new feed for each connection, without end.
    pub fn start(address: SocketAddr, seed: u64, again: Vec<Generated>) -> Self {
        let (mut tasks, first_answer) = (JoinSet::new(), Arc::new(Notify::new()));
        let mut again = Some(again);
        for connection in 0..CONNECTIONS {
            let first = again.take().unwrap_or_default();
            let feed = Feed::new(seed * CONNECTIONS + connection);
            tasks.spawn(send(address, first.into_iter().chain(feed), Arc::clone(&first_answer)));
        }
        Self { tasks, first: first_answer }
    }

    /// Waits for the first answer to any connection.
    pub async fn begun(&self) {
        let first = timeout(PATIENCE, self.first.notified()).await;
        assert!(first.is_ok(), "no message was answered");
    }

    /// Waits until every connection has broken.
    pub async fn broken(mut self) -> Known {
        let mut all = Known::default();
        while let Some(known) = self.tasks.join_next().await {
            let known = known.expect("a sender does not panic");
            all.acknowledged.extend(known.acknowledged);
            all.unanswered.extend(known.unanswered);
            all.wrong_answers.extend(known.wrong_answers);
        }
        all
    }
}

async fn send(
    address: SocketAddr,
    messages: impl Iterator<Item = Generated> + Send,
    first: Arc<Notify>,
) -> Known {
    let mut config = ClientConfig::new(address.to_string());
    (config.connect_timeout, config.reply_timeout) = (PATIENCE, PATIENCE);
    let sent: Arc<Mutex<Vec<Generated>>> = Arc::default();
    let mut known = Known::default();
    // A connection that cannot be made or breaks is what the test does to it; what counts is what was answered.
    if let Ok(mut client) = Client::connect(config).await {
        let list = Arc::clone(&sent);
        let payloads = messages.map(move |message| {
            let er7 = message.er7.clone();
            list.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            er7
        });
        let mut answered = 0;
        let on_reply = |number: usize, answer: bytes::Bytes| {
            let message = sent.lock().unwrap_or_else(PoisonError::into_inner)[number].clone();
            note(&mut known, message, &answer);
            answered = number + 1;
            first.notify_one();
        };
        drop(client.exchange_all(payloads, WINDOW, on_reply).await);
        known.unanswered = sent.lock().unwrap_or_else(PoisonError::into_inner).split_off(answered);
    }
    known
}

fn note(known: &mut Known, message: Generated, answer: &[u8]) {
    match Acknowledgment::read(answer) {
        Ok(read) if read.code.is_accept() && read.answers(message.control_id.as_bytes()) => {
            known.acknowledged.push(message);
        }
        Ok(read) => known.wrong_answers.push(format!("{}: {}", message.control_id, read.code.code())),
        Err(error) => known.wrong_answers.push(format!("{}: {error}", message.control_id)),
    }
}
