//! What a listener asks of its owner.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::codec::Frame;
use crate::line::Line;
use crate::tls::PeerCertificate;

/// Answers what arrives. Frames of one connection are begun in the order they came, run concurrently, and are answered
/// in that order. A panic ends the connection, not the listener.
pub trait Handler: Send + Sync + 'static {
    /// A frame came. What it returns goes back, each payload as one frame.
    fn frame(&self, peer: &Peer, frame: Frame) -> impl Future<Output = Reply> + Send;

    /// Something came that is no frame, or a connection was not taken. A reply to a refused connection is not sent.
    fn refused(&self, peer: &Peer, refusal: Refusal) -> impl Future<Output = Reply> + Send;
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Number of the connection within this listener, from 1.
    pub connection: u64,
    /// Its client certificate, when TLS asked for one.
    pub certificate: Option<PeerCertificate>,
    /// Sends frames on this connection outside of the ordered replies. Closed for a connection that was not taken.
    pub line: Line,
}

/// What was refused. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Bytes outside of frames.
    Junk {
        /// The first of them.
        head: Bytes,
        /// How many there were.
        count: u64,
        /// The connection is closed for it, because no frame ever came.
        closing: bool,
    },
    /// A frame that broke off; its payload so far.
    Truncated(Bytes),
    /// A payload over the limit; its first bytes, and how many were seen. The connection is closed.
    Oversized {
        /// The first bytes of the payload.
        head: Bytes,
        /// Bytes of the payload seen when the limit was passed.
        length_seen: u64,
    },
    /// A frame that did not end in time; its payload so far. The connection is closed.
    FrameTimeout(Bytes),
    /// The connection itself.
    Connection(ConnectionRefusal),
}

/// Why a connection was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// The address is in no allowed block.
    NotAllowed,
    /// As many connections are open as may be.
    TooMany,
    /// The TLS handshake failed or took too long.
    Handshake,
}

/// The answer to a frame: no payload, one, or several. `Debug` shows sizes only.
#[derive(Default)]
pub struct Reply {
    pub(crate) payloads: Vec<Bytes>,
    pub(crate) delivery: Option<oneshot::Sender<Delivery>>,
    pub(crate) close: bool,
    pub(crate) is_refused: bool,
}

/// What became of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// All its bytes were handed to the network.
    Sent,
    /// The connection ended before.
    Undelivered,
}

impl Reply {
    /// Sends `payload` back as one frame.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self::several([payload.into()])
    }

    /// Sends each payload back as a frame of its own, in this order with nothing between them; none when there are none.
    /// They are sent or undelivered together. The caller bounds how many there are: they are held until they are out.
    pub fn several(payloads: impl IntoIterator<Item = Bytes>) -> Self {
        Self { payloads: payloads.into_iter().collect(), delivery: None, close: false, is_refused: false }
    }

    /// Sends nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Says afterwards what became of it, of all its payloads as one. The sender is dropped without a word only when the listener itself is dropped;
    /// take that as undelivered.
    pub fn on_delivery(mut self, delivery: oneshot::Sender<Delivery>) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// The frame is not in safe storage: in release 2 its commit block is a NAK.
    pub fn not_stored(mut self) -> Self {
        self.is_refused = true;
        self
    }

    /// Closes the connection once it is sent.
    pub fn then_close(mut self) -> Self {
        self.close = true;
        self
    }
}

impl Refusal {
    /// Bytes that it holds in memory.
    pub(crate) fn kept_bytes(&self) -> usize {
        match self {
            Self::Junk { head, .. } | Self::Oversized { head, .. } => head.len(),
            Self::Truncated(payload) | Self::FrameTimeout(payload) => payload.len(),
            Self::Connection(_) => 0,
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<usize> = self.payloads.iter().map(Bytes::len).collect();
        write!(f, "Reply({sizes:?} bytes, close: {})", self.close)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Junk { count, .. } => write!(f, "Junk({count} bytes)"),
            Self::Truncated(payload) => write!(f, "Truncated({} bytes)", payload.len()),
            Self::Oversized { length_seen, .. } => write!(f, "Oversized(over {length_seen} bytes)"),
            Self::FrameTimeout(payload) => write!(f, "FrameTimeout({} bytes)", payload.len()),
            Self::Connection(reason) => write!(f, "Connection({reason:?})"),
        }
    }
}
