//! Replies on their way out.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::framing::Framing;
use crate::handler::{Delivery, Reply};

/// Encoded replies, and who wants to know when they are out.
pub(crate) struct Outbox {
    framing: Framing,
    wire: BytesMut,
    /// One for each reply in `wire`; they are settled together when the last byte is out.
    waiting: Vec<Option<oneshot::Sender<Delivery>>>,
    progress_at: Instant,
}

impl Outbox {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, wire: BytesMut::new(), waiting: Vec::new(), progress_at: Instant::now() }
    }

    /// Replies not yet out.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When bytes last went out, or waiting for that began.
    pub(crate) fn progress_at(&self) -> Instant {
        self.progress_at
    }

    /// Queues a reply. False: a payload of it cannot be framed; nothing of it is sent, and it is settled as undelivered.
    pub(crate) fn push(&mut self, reply: Reply) -> bool {
        if reply.payloads.is_empty() {
            settle(reply.delivery, Delivery::Sent);
            return true;
        }
        let queued_bytes = self.wire.len();
        if reply.payloads.iter().any(|payload| self.framing.encode(payload, &mut self.wire).is_err()) {
            self.wire.truncate(queued_bytes);
            settle(reply.delivery, Delivery::Undelivered);
            return false;
        }
        if self.waiting.is_empty() {
            self.progress_at = Instant::now();
        }
        self.waiting.push(reply.delivery);
        true
    }

    /// Settles everything as undelivered; returns how many replies that were.
    pub(crate) fn fail(&mut self) -> u64 {
        self.wire.clear();
        let failed = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        for delivery in self.waiting.drain(..) {
            settle(delivery, Delivery::Undelivered);
        }
        failed
    }

    /// Writes and flushes all there is. May be dropped and called again at any point.
    pub(crate) async fn write(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx, Pin::new(&mut *writer))).await
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut writer: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while !self.wire.is_empty() {
            let count = ready!(writer.as_mut().poll_write(cx, &self.wire))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wire.advance(count);
            self.progress_at = Instant::now();
        }
        ready!(writer.poll_flush(cx))?;
        for delivery in self.waiting.drain(..) {
            settle(delivery, Delivery::Sent);
        }
        Poll::Ready(Ok(()))
    }
}

pub(crate) fn settle(delivery: Option<oneshot::Sender<Delivery>>, outcome: Delivery) {
    // Nobody listening is nobody's error: the owner may not care any more.
    let _unheard = delivery.map(|delivery| delivery.send(outcome));
}
