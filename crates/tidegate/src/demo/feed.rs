//! The demo's feed: real MLLP traffic into the on-prem node, each system over a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};

use crate::generate::{Feed, Generated, System};
use crate::init::Addresses;
use crate::{Exit, Failure};

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

/// One connection for each system that writes.
pub struct Systems {
    emr: Sender,
    laboratory: Sender,
    pharmacy: Sender,
    payer: Sender,
}

impl Systems {
    /// Connects all four; the error is words for a person.
    pub async fn connect(addresses: &Addresses) -> Result<Self, String> {
        Ok(Self {
            emr: Sender::connect(addresses.mllp).await?,
            laboratory: Sender::connect(addresses.mllp).await?,
            pharmacy: Sender::connect(addresses.pharmacy_mllp).await?,
            payer: Sender::connect(addresses.payer_mllp).await?,
        })
    }

    /// Sends one message over its system's connection; it must be accepted under its own control id.
    pub async fn send(&mut self, message: &Generated) -> Result<(), String> {
        let sender = match message.system {
            System::Emr => &mut self.emr,
            System::Laboratory => &mut self.laboratory,
            System::Pharmacy => &mut self.pharmacy,
            System::Payer => &mut self.payer,
        };
        let acknowledgment = sender.send(message.er7.as_bytes()).await?;
        if acknowledgment.code.is_accept() && acknowledgment.answers(message.control_id.as_bytes()) {
            return Ok(());
        }
        let code = acknowledgment.code.code();
        Err(format!("{} {} was answered {code}", message.message_type, message.control_id))
    }
}

/// Feeds until it is dropped; without a feed it only waits.
pub async fn run(addresses: &Addresses, seed: u64, is_feeding: bool) -> Result<(), Failure> {
    if !is_feeding {
        return std::future::pending().await;
    }
    let unavailable = |words: String| Failure::new(Exit::Unavailable, words);
    let mut systems = Systems::connect(addresses).await.map_err(unavailable)?;
    for message in Feed::new(seed) {
        systems.send(&message).await.map_err(|words| Failure::new(Exit::CheckFailed, words))?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
