//! A load on the node: so many senders at once, each waiting for its acknowledgment, then until all is searchable.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};
use tokio::task::JoinSet;

use super::per_second;
use super::place::Place;
use crate::generate::Feed;
use crate::{Exit, Failure};

/// Messages of one connection that are made before the clock starts; later ones are made while it runs.
const PREPARED: usize = 2_000;
/// Between two looks whether the last message is searchable.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Longest time from the last acknowledgment to searchable.
const SEARCHABLE_TIMEOUT: Duration = Duration::from_secs(600);
/// Seeds of different loads do not meet: more than the connections of one.
const SEEDS: u64 = 1_000;

/// How many send at once, and how far each sends ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: u16,
    /// Messages that a connection may have unanswered.
    pub(super) window: u16,
}

/// What a load came to.
pub(super) struct Loaded {
    /// From sent to acknowledged, in order of length.
    pub(super) latencies: Vec<Duration>,
    acknowledged_per_s: f64,
    searchable_per_s: f64,
}

impl Loaded {
    pub(super) fn messages(&self) -> usize {
        self.latencies.len()
    }

    pub(super) fn acknowledged_per_s(&self) -> f64 {
        self.acknowledged_per_s
    }

    pub(super) fn searchable_per_s(&self) -> f64 {
        self.searchable_per_s
    }
}

/// Sends for the time of `slice`, then waits until everything is applied. `run` makes people of its own.
pub(super) async fn run(place: &Place, load: Load, slice: Duration, run: u64) -> Result<Loaded, Failure> {
    let Load { connections, window } = load;
    let failed = |words: String| Failure::new(Exit::CheckFailed, words);
    let mut senders = Vec::new();
    for number in 0..connections {
        let mut config = ClientConfig::new(place.listener(number).to_string());
        config.reply_timeout = SEARCHABLE_TIMEOUT;
        let client =
            Client::connect(config).await.map_err(|error| Failure::because(Exit::Unavailable, &error))?;
        let seed = (run * SEEDS + u64::from(connections)) * SEEDS + u64::from(number);
        senders.push((client, Feed::new(seed)));
    }
    let mut tasks = JoinSet::new();
    let mut prepared = Vec::new();
    for (client, mut feed) in senders {
        let first: Vec<_> = feed.by_ref().take(PREPARED / usize::from(connections).max(1)).collect();
        prepared.push((client, first.into_iter().chain(feed)));
    }
    let begun = Instant::now();
    for (client, messages) in prepared {
        tasks.spawn(send(client, messages, window, begun + slice));
    }
    let mut latencies = Vec::new();
    for sent in tasks.join_all().await {
        latencies.extend(sent.map_err(failed)?);
    }
    let acknowledged_per_s = per_second(latencies.len(), begun);
    searchable(place, run, connections).await?;
    let searchable_per_s = per_second(latencies.len(), begun);
    latencies.sort();
    Ok(Loaded { latencies, acknowledged_per_s, searchable_per_s })
}

async fn send(
    mut client: Client,
    messages: impl Iterator<Item = crate::generate::Generated>,
    window: u16,
    until: Instant,
) -> Result<Vec<Duration>, String> {
    let mut latencies = Vec::new();
    let mut wrong = None;
    // What is sent and not answered, oldest first: the sending side adds, the answering side takes.
    let unanswered = Mutex::new(VecDeque::new());
    let sent = messages.take_while(|_| Instant::now() < until).map(|message| {
        unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back((Instant::now(), message.control_id));
        message.er7
    });
    let answered = client.exchange_all(sent, usize::from(window), |_, answer| {
        let oldest = unanswered.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some((begun, control_id)) = oldest else { return };
        latencies.push(begun.elapsed());
        let is_right = Acknowledgment::read(&answer)
            .is_ok_and(|read| read.code.is_accept() && read.answers(control_id.as_bytes()));
        if !is_right {
            wrong.get_or_insert(control_id);
        }
    });
    answered.await.map_err(|error| error.to_string())?;
    if let Some(control_id) = wrong {
        return Err(format!("{control_id} was not accepted, or not in its turn"));
    }
    client.close().await.map_err(|error| error.to_string())?;
    Ok(latencies)
}

/// Sends a patient of its own and waits until the search finds them: messages are applied in the order of the journal.
async fn searchable(place: &Place, run: u64, connections: u16) -> Result<(), Failure> {
    let number = format!("9{run:04}{connections:04}");
    let message = last(&number);
    let mut client = Client::connect(ClientConfig::new(place.addresses.mllp.to_string()))
        .await
        .map_err(|error| Failure::because(Exit::Unavailable, &error))?;
    client.exchange(message.as_bytes()).await.map_err(|error| Failure::because(Exit::Unavailable, &error))?;
    let (onprem, deadline) = (place.onprem(), Instant::now() + SEARCHABLE_TIMEOUT);
    loop {
        let found = onprem.total(&format!("Patient?identifier={number}")).await;
        if found.map_err(|words| Failure::new(Exit::Unavailable, words))? > 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::new(Exit::CheckFailed, "what was acknowledged is not searchable in time"));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// A made-up patient's arrival.
fn last(number: &str) -> String {
    format!(
        "MSH|^~\\&|HARBOR_EMR|HARBOR|TIDEGATE|ONPREM|20240102030405+0000||ADT^A04^ADT_A01|LAST{number}|P|2.5.1\r\
         EVN|A04|20240102030405+0000\r\
         PID|1||{number}^^^HARBOR&2.16.840.1.113883.3.9999.1&ISO^MR||Lastwick^Orla^^^^^L||19800101|F\r\
         PV1|1|O\r"
    )
}
