//! An MLLP listener as a source: frames in, acknowledgments out.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use mllp::{ConnectionRefusal, Delivery, Frame, Handler, Listener, Peer, Refusal, Reply};
use tokio::sync::oneshot;

use crate::batch::{BatchReply, is_batch};
use crate::events;
use crate::junk::{JunkLog, Noted};
use crate::origin::Origin;
use crate::receive::{Answer, Receiver};

/// One channel: what its listener hands to the journal.
pub struct Channel {
    receiver: Receiver,
    junk: JunkLog,
    refused_connections: JunkLog,
}

/// What begins like a message was meant as one.
const MESSAGE_START: &[u8] = b"MSH";

impl Channel {
    /// A channel of a receiver.
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver, junk: JunkLog::default(), refused_connections: JunkLog::default() }
    }

    /// The reply of an answer; what became of it is noted in the journal afterwards.
    fn reply(&self, answer: Answer) -> Reply {
        let Some(bytes) = answer.bytes else {
            let nothing = Reply::none();
            return if answer.is_lost { nothing.not_stored().then_close() } else { nothing };
        };
        let (sender, receiver) = oneshot::channel();
        let (notes, entry, stage) = (self.receiver.clone(), answer.entry, answer.stage);
        tokio::spawn(async move {
            // Dropped without a word only with the listener itself: then nothing was sent.
            let sent = receiver.await == Ok(Delivery::Sent);
            notes.settle(entry, stage, sent).await;
        });
        let reply = Reply::new(bytes).on_delivery(sender);
        if entry.is_some() { reply } else { reply.not_stored() }
    }

    /// Is this one to be journaled? Says how many were not.
    fn is_first(&self, log: &JunkLog, peer: &Peer) -> bool {
        let address = peer.address.ip();
        let noted = log.note(address, (self.receiver.now_us)());
        if let Noted::First { left_out: count @ 1.. } = noted {
            events::left_out(&self.receiver.channel, address, count);
        }
        noted != Noted::Again
    }

    /// The reply to a batch; what became of it is noted with each of its entries.
    async fn batch(&self, peer: &Peer, payload: Bytes) -> Reply {
        let answers = self.receiver.batch(&Origin::of_peer(peer), &payload).await;
        let payloads = match self.receiver.batch_reply {
            BatchReply::Batch => vec![answers.batch],
            BatchReply::Each => answers.each,
        };
        let (sender, receiver) = oneshot::channel();
        let (notes, entries) = (self.receiver.clone(), answers.entries);
        tokio::spawn(async move {
            let sent = receiver.await == Ok(Delivery::Sent);
            for (entry, stage) in entries {
                notes.settle(Some(entry), stage, sent).await;
            }
        });
        let reply = Reply::several(payloads).on_delivery(sender);
        let reply = if answers.is_stored { reply } else { reply.not_stored() };
        if answers.is_lost { reply.then_close() } else { reply }
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
        let answer = self.receiver.frame(&Origin::of_peer(peer), frame.payload).await;
        self.reply(answer)
    }

    async fn refused(&self, peer: &Peer, refusal: Refusal) -> Reply {
        match refusal {
            // A sender without frames is told so before the connection ends; nothing else of it is in flight then.
            Refusal::Junk { head, closing, .. } if head.starts_with(MESSAGE_START) => {
                self.refuse(peer, head, "junk", closing).await
            }
            Refusal::Junk { head, .. } if self.is_first(&self.junk, peer) => {
                self.refuse(peer, head, "junk", false).await
            }
            Refusal::Junk { .. } => Reply::none(),
            Refusal::Truncated(payload) => self.refuse(peer, payload, "truncated", false).await,
            Refusal::FrameTimeout(payload) => self.refuse(peer, payload, "frame-timeout", false).await,
            Refusal::Oversized { head, .. } => self.refuse(peer, head, "oversized", true).await.then_close(),
            Refusal::Connection(reason) if self.is_first(&self.refused_connections, peer) => {
                self.refuse(peer, Bytes::new(), connection_reason(reason), false).await
            }
            Refusal::Connection(_) => Reply::none(),
        }
    }
}

fn connection_reason(reason: ConnectionRefusal) -> &'static str {
    match reason {
        ConnectionRefusal::NotAllowed => "address-not-allowed",
        ConnectionRefusal::TooMany => "connection-limit",
        ConnectionRefusal::Handshake => "tls-handshake",
    }
}

/// Serves a bound listener until `stop` ends, and keeps what its channel promised; what is in flight is answered first.
/// One at a time for a channel.
pub async fn serve(listener: Listener, receiver: Receiver, stop: impl Future<Output = ()> + Send) {
    let (channel, later) = (receiver.channel.clone(), receiver.later.clone());
    let stop = async {
        stop.await;
        // What is not applied by now may not be before the next start: nobody waits for it any more.
        later.iter().for_each(|later| later.hurry());
    };
    let keeping = async {
        match &later {
            Some(later) => later.run().await,
            None => std::future::pending().await,
        }
    };
    let serving = listener.serve(Arc::new(Channel::new(receiver)), stop);
    tokio::select! {
        drained = serving => events::drained(&channel, drained.cut),
        // Does not end by itself.
        () = keeping => {}
    }
}
