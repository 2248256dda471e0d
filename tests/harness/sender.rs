//! A sending application: MLLP out, acknowledgments in.

use std::net::SocketAddr;

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection to a listener.
pub struct Sender(Client);

impl Sender {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Self {
        let client = Client::connect(ClientConfig::new(address.to_string())).await;
        Self(client.expect("the listener is up"))
    }

    /// Sends one message; the acknowledgment as it came.
    ///
    /// # Panics
    /// When none comes.
    pub async fn exchange(&mut self, er7: &[u8]) -> Vec<u8> {
        self.0.exchange(er7).await.expect("an acknowledgment comes").to_vec()
    }

    /// Sends one message and reads its acknowledgment.
    ///
    /// # Panics
    /// When none comes, or it cannot be read.
    pub async fn send(&mut self, er7: &[u8]) -> Acknowledgment {
        read(&self.exchange(er7).await)
    }

    /// Sends one message, which must be accepted.
    ///
    /// # Panics
    /// When it is not.
    pub async fn accepted(&mut self, er7: &str) {
        let acknowledgment = self.send(er7.as_bytes()).await;
        assert_eq!(acknowledgment.code.code(), "AA", "{:?}", acknowledgment.error);
    }
}

/// Reads an acknowledgment.
///
/// # Panics
/// When it is none.
pub fn read(bytes: &[u8]) -> Acknowledgment {
    Acknowledgment::read(bytes).expect("an acknowledgment can be read")
}

/// Writes bytes as they are on a connection of their own, ends it, and gives back what came.
///
/// # Panics
/// When nobody listens.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("the listener is up");
    // A listener that refuses may close while bytes are still on their way; what it said before is what counts.
    let written = stream.write_all(bytes).await;
    if written.is_ok() {
        drop(stream.shutdown().await);
    }
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    answer
}
