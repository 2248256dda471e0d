//! An MLLP listener as a source: frames in, acknowledgments out.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use mllp::{Delivery, Frame, Handler, Listener, Peer, Refusal, Reply};
use tokio::sync::oneshot;

use crate::batch::{BatchReply, is_batch};
use crate::events;
use crate::junk::JunkLog;
use crate::receive::{Answer, Receiver};

/// One channel: what its listener hands to the journal.
pub struct Channel {
    receiver: Receiver,
    junk: JunkLog,
}

impl Channel {
    /// A channel of a receiver.
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver, junk: JunkLog::default() }
    }

    /// The reply of an answer; what became of it is noted in the journal afterwards.
    fn reply(&self, answer: Answer) -> Reply {
        let (sender, receiver) = oneshot::channel();
        let (notes, entry) = (self.receiver.clone(), answer.entry);
        tokio::spawn(async move {
            // Dropped without a word only with the listener itself: then nothing was sent.
            let sent = receiver.await == Ok(Delivery::Sent);
            notes.settle(entry, sent).await;
        });
        Reply::new(answer.bytes).on_delivery(sender)
    }

    /// The reply to a batch; what became of it is noted with each of its entries.
    async fn batch(&self, peer: &Peer, payload: Bytes) -> Reply {
        let answers = self.receiver.batch(&peer.address.to_string(), &payload).await;
        let payloads = match self.receiver.batch_reply {
            BatchReply::Batch => vec![answers.batch],
            BatchReply::Each => answers.each,
        };
        let (sender, receiver) = oneshot::channel();
        let (notes, entries) = (self.receiver.clone(), answers.entries);
        tokio::spawn(async move {
            let sent = receiver.await == Ok(Delivery::Sent);
            for entry in entries {
                notes.settle(Some(entry), sent).await;
            }
        });
        Reply::several(payloads).on_delivery(sender)
    }

    async fn refuse(&self, peer: &Peer, head: Bytes, reason: &'static str, is_answered: bool) -> Reply {
        let answer = self.receiver.refused(&peer.address.to_string(), head, reason, is_answered).await;
        answer.map_or_else(Reply::none, |answer| self.reply(answer))
    }
}

impl Handler for Channel {
    async fn frame(&self, peer: &Peer, frame: Frame) -> Reply {
        if is_batch(&frame.payload) {
            return self.batch(peer, frame.payload).await;
        }
        let answer = self.receiver.frame(&peer.address.to_string(), frame.payload).await;
        self.reply(answer)
    }

    async fn refused(&self, peer: &Peer, refusal: Refusal) -> Reply {
        match refusal {
            Refusal::Junk { head, .. } => {
                if self.junk.is_first(peer.address.ip(), (self.receiver.now_us)()) {
                    self.refuse(peer, head, "junk", false).await
                } else {
                    Reply::none()
                }
            }
            Refusal::Truncated(payload) => self.refuse(peer, payload, "truncated", false).await,
            Refusal::FrameTimeout(payload) => self.refuse(peer, payload, "frame-timeout", false).await,
            Refusal::Oversized { head, .. } => self.refuse(peer, head, "oversized", true).await.then_close(),
            // Refused before it could say anything; the listener's own event tells of it.
            Refusal::Connection(_) => Reply::none(),
        }
    }
}

/// Serves a bound listener until `stop` ends; what is in flight is answered first.
pub async fn serve(listener: Listener, receiver: Receiver, stop: impl Future<Output = ()> + Send) {
    let channel = receiver.channel.clone();
    let drained = listener.serve(Arc::new(Channel::new(receiver)), stop).await;
    events::drained(&channel, drained.cut);
}
