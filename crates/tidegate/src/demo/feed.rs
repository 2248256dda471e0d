//! The demo's feed: real MLLP traffic into the on-prem node.

use std::net::SocketAddr;
use std::time::Duration;

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};

use crate::generate::Feed;
use crate::{Exit, Failure};

/// Seed of the endless feed.
const SEED: u64 = 7;
/// Pause between messages: about three a second.
const PAUSE: Duration = Duration::from_millis(330);

/// One connection to a listener that sends and reads acknowledgments.
pub struct Sender {
    client: Client,
}

impl Sender {
    /// Connects; the error is words for a person.
    pub async fn connect(address: SocketAddr) -> Result<Self, String> {
        let client = Client::connect(ClientConfig::new(address.to_string()))
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self { client })
    }

    /// Sends one message and reads its acknowledgment.
    pub async fn send(&mut self, er7: &[u8]) -> Result<Acknowledgment, String> {
        let answer = self.client.exchange(er7).await.map_err(|error| error.to_string())?;
        Acknowledgment::read(&answer).map_err(|error| error.to_string())
    }
}

/// Feeds until it is dropped; without a feed it only waits.
pub async fn run(address: SocketAddr, is_feeding: bool) -> Result<(), Failure> {
    if !is_feeding {
        return std::future::pending().await;
    }
    let unavailable = |words: String| Failure::new(Exit::Unavailable, words);
    let mut sender = Sender::connect(address).await.map_err(unavailable)?;
    for message in Feed::new(SEED) {
        let acknowledgment = sender.send(message.er7.as_bytes()).await.map_err(unavailable)?;
        if !acknowledgment.code.is_accept() {
            let words = format!("{} was answered {}", message.control_id, acknowledgment.code.code());
            return Err(Failure::new(Exit::CheckFailed, words));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
