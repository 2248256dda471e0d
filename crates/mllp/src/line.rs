//! Frames to a peer outside of the ordered replies: what is answered later, or not at all in that order.

use std::fmt;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::handler::{Delivery, Reply};

/// Frames of one [`Line`] that wait for the connection to take them; with as many, [`Line::send`] waits.
pub const LINE_FRAMES_MAX: usize = 64;

/// A way to send frames on one connection at any later time, between the ordered replies. Clones share the connection;
/// holding one does not keep the connection open.
#[derive(Clone)]
pub struct Line {
    frames: mpsc::Sender<Reply>,
}

/// The connection's end of its line.
pub(crate) type LineEnd = mpsc::Receiver<Reply>;

impl Line {
    pub(crate) fn open() -> (Self, LineEnd) {
        let (frames, end) = mpsc::channel(LINE_FRAMES_MAX);
        (Self { frames }, end)
    }

    /// Sends one frame, after what is queued before it, and says what became of it. Waits while [`LINE_FRAMES_MAX`] frames
    /// wait already or the peer takes none; a peer that takes none for the listener's write timeout is cut. A payload that
    /// cannot be framed is undelivered.
    pub async fn send(&self, payload: impl Into<Bytes>) -> Delivery {
        let (told, outcome) = oneshot::channel();
        match self.frames.send(Reply::new(payload).on_delivery(told)).await {
            // Dropped without a word: with the connection.
            Ok(()) => outcome.await.unwrap_or(Delivery::Undelivered),
            Err(_) => Delivery::Undelivered,
        }
    }

    /// True once nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }
}

/// A line that leads nowhere.
impl Default for Line {
    fn default() -> Self {
        Self::open().0
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line(closed: {})", self.is_closed())
    }
}
