//! Application acknowledgments over an address of the channel's own: one connection, in order.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mllp::{Client, ClientConfig};
use store::{AckOutcome, AckStage, JournalId, Promise, Seq};
use tokio::sync::Notify;

use crate::events;
use crate::later::Later;

/// Acknowledgments read at one time.
const BATCH_MAX: usize = 64;
/// Acknowledgments that are to be sent again for a sender that came again; more are not, it will come again.
const AGAIN_MAX: usize = 1_024;
/// First and longest pause before the address is tried again.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Age at which an acknowledgment that cannot be sent is given up, and counts as undelivered.
const GIVE_UP_AFTER_US: i64 = 24 * 3_600 * 1_000_000;

/// Where application acknowledgments go.
pub struct Outgoing {
    config: ClientConfig,
    wake: Notify,
    again: Mutex<Vec<(JournalId, Bytes)>>,
}

impl Outgoing {
    /// To this address. Nothing is awaited in return: an acknowledgment is not acknowledged.
    pub fn new(config: ClientConfig) -> Self {
        Self { config, wake: Notify::new(), again: Mutex::default() }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn again(&self, id: JournalId, bytes: Bytes) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        if again.len() < AGAIN_MAX && !again.iter().any(|(waiting, _)| *waiting == id) {
            again.push((id, bytes));
        }
        drop(again);
        self.wake();
    }

    /// Sends what is owed, for ever.
    pub(crate) async fn run(&self, later: &Later) {
        let mut after = Seq(0);
        let mut sender = Sender { config: self.config.clone(), client: None };
        let mut pause = PAUSE_FIRST;
        loop {
            match self.send_owed(later, &mut after, &mut sender).await {
                Ok(()) => {
                    pause = PAUSE_FIRST;
                    self.wake.notified().await;
                }
                Err(Interruption::Store(error)) => {
                    events::promises_wait(&later.channel, &error);
                    tokio::time::sleep(PAUSE_FIRST).await;
                }
                Err(Interruption::Peer(error)) => {
                    events::not_reached(&later.channel, &error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn send_owed(
        &self,
        later: &Later,
        after: &mut Seq,
        sender: &mut Sender,
    ) -> Result<(), Interruption> {
        loop {
            let unsent = later.acknowledgments.unsent(&later.channel, *after, BATCH_MAX).await?;
            if unsent.is_empty() {
                break;
            }
            for (promised, owed) in unsent {
                if promised.promise == Promise::Application {
                    let age_us = (later.clock.now_us)().saturating_sub(owed.given.given_us);
                    let outcome = match sender.send(&owed.given.bytes).await {
                        Ok(()) => AckOutcome::Sent,
                        Err(error) if error.is_transient() && age_us < GIVE_UP_AFTER_US => {
                            return Err(error.into());
                        }
                        Err(_) => AckOutcome::Undelivered,
                    };
                    later.acknowledgments.note(promised.id, AckStage::Final, outcome).await?;
                }
                *after = promised.seq;
            }
        }
        while let Some((id, bytes)) = self.first_again() {
            sender.send(&bytes).await?;
            self.again.lock().unwrap_or_else(PoisonError::into_inner).retain(|(waiting, _)| *waiting != id);
            later.acknowledgments.note(id, AckStage::Final, AckOutcome::Sent).await?;
        }
        Ok(())
    }

    fn first_again(&self) -> Option<(JournalId, Bytes)> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }
}

enum Interruption {
    Store(store::Error),
    Peer(mllp::Error),
}

impl From<store::Error> for Interruption {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<mllp::Error> for Interruption {
    fn from(error: mllp::Error) -> Self {
        Self::Peer(error)
    }
}

struct Sender {
    config: ClientConfig,
    client: Option<Client>,
}

impl Sender {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), mllp::Error> {
        self.look();
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::connect(self.config.clone()).await?),
        };
        let sent = client.send(bytes).await;
        if sent.is_err() && !client.is_connected() {
            self.client = None;
        }
        sent
    }

    /// Reads off what the peer says all the same, and notices that it has closed.
    fn look(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        if let Some(client) = &mut self.client {
            while let Poll::Ready(Ok(_)) = pin!(client.receive()).poll(&mut context) {}
        }
        self.client = self.client.take().filter(Client::is_connected);
    }
}
