//! The one connection to a partner: opened when needed, paced, and renewed where a late answer could be taken for
//! another message's.

use std::time::Duration;

use bytes::Bytes;
use mllp::{Client, ClientConfig, Error};
use residency::{OnPrem, Released};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

/// Messages without an answer on one connection; beyond them it is renewed.
const UNANSWERED_MAX: usize = 64;

/// A message that was sent on this connection and not answered.
struct Unanswered {
    forward: Uuid,
    control_id: Vec<u8>,
}

/// At most one connection at a time.
pub(super) struct Session {
    config: ClientConfig,
    /// Least time between the starts of two messages.
    gap: Duration,
    client: Option<Client>,
    unanswered: Vec<Unanswered>,
    sent_at: Option<Instant>,
}

impl Session {
    pub(super) fn new(config: ClientConfig, gap: Duration) -> Self {
        Self { config, gap, client: None, unanswered: Vec::new(), sent_at: None }
    }

    /// Opens the connection when there is none. One on which another message with this control id is unanswered is
    /// closed before: its late acknowledgment would be taken for this one's.
    pub(super) async fn open(&mut self, forward: Uuid, control_id: &[u8]) -> Result<(), Error> {
        let is_ambiguous =
            self.unanswered.iter().any(|one| one.forward != forward && one.control_id == control_id);
        if is_ambiguous || self.unanswered.len() >= UNANSWERED_MAX {
            self.close();
        }
        if self.client.as_ref().is_none_or(|client| !client.is_connected()) {
            self.close();
            self.client = Some(Client::connect(self.config.clone()).await?);
        }
        Ok(())
    }

    /// Waits until the gap since the last message is over. May be dropped.
    pub(super) async fn pace(&self) {
        if let Some(sent_at) = self.sent_at {
            sleep_until(sent_at + self.gap).await;
        }
    }

    /// Sends one message. What went wrong while writing may have arrived in part, never as a whole frame.
    pub(super) async fn send(
        &mut self,
        forward: Uuid,
        control_id: &[u8],
        released: &Released<OnPrem>,
    ) -> Result<(), Error> {
        let client = self.client.as_mut().ok_or(Error::Closed)?;
        self.sent_at = Some(Instant::now());
        client.send(released.bytes()).await?;
        self.unanswered.push(Unanswered { forward, control_id: control_id.to_owned() });
        Ok(())
    }

    /// The next reply, until an instant. May be dropped and called again. After [`Error::Timeout`] the connection holds;
    /// after another error it is gone.
    pub(super) async fn receive(&mut self, until: Instant) -> Result<Bytes, Error> {
        let client = self.client.as_mut().ok_or(Error::Closed)?;
        loop {
            let reply = match timeout_at(until, client.receive()).await {
                Err(_) => return Err(Error::Timeout),
                // The client's own time is up, which is not the caller's.
                Ok(Err(Error::Timeout)) => continue,
                Ok(reply) => reply,
            };
            if reply.is_err() {
                self.close();
            }
            return reply;
        }
    }

    /// Whether there is a connection to listen on.
    pub(super) fn is_open(&self) -> bool {
        self.client.is_some()
    }

    /// Notes that a message was answered.
    pub(super) fn answered(&mut self, control_id: &[u8]) {
        if let Some(at) = self.unanswered.iter().position(|one| one.control_id == control_id) {
            self.unanswered.remove(at);
        }
    }

    /// Drops the connection, with all that may still come on it.
    pub(super) fn close(&mut self) {
        self.client = None;
        self.unanswered.clear();
    }
}
