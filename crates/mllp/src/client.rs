//! The sending side.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{TlsConnector, TlsStream};

use crate::codec::{Decoder, Event, Limits, Pending};
use crate::framing::{Commit, Framing};
use crate::server::{KEEPALIVE, tune};
use crate::stream::Stream;
use crate::tls::ClientTls;
use crate::{Error, events};

/// Largest window of [`Client::exchange_all`]: that many replies fit into the buffers of a socket.
pub const WINDOW_MAX: usize = 256;
/// Bytes asked for in one read.
const READ_BYTES: usize = 8 * 1024;
/// How long a peer that sends no ticket may take to refuse our certificate; it is believed afterwards.
const PROOF_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes of replies that may come before that.
const PROOF_BYTES: usize = 1_024;

/// How a client connects and how long it waits.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `host:port`.
    pub address: String,
    /// TLS; `None` is plaintext.
    pub tls: Option<ClientTls>,
    /// Frame bytes; in release 2 each side commits what it takes.
    pub framing: Framing,
    /// Bounds of a reply.
    pub limits: Limits,
    /// Longest time to connect, the TLS handshake included.
    pub connect_timeout: Duration,
    /// Longest time to write a frame.
    pub write_timeout: Duration,
    /// Longest time to wait for a reply.
    pub reply_timeout: Duration,
    /// Silence after which a reply without its last CR is taken.
    pub end_timeout: Duration,
}

impl ClientConfig {
    /// The usual limits for `host:port`, in plaintext.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            tls: None,
            framing: Framing::RELEASE_1,
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(30),
            end_timeout: Duration::from_millis(500),
        }
    }
}

/// A connection that sends frames and receives replies, one user at a time.
///
/// After [`Error::Timeout`] of a receive the connection is usable, and a late reply may still come. After other errors,
/// or when a call was dropped before its end while writing, every call gives [`Error::Closed`] until
/// [`Client::reconnect`].
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    connected: Option<Connected>,
}

struct Connected {
    stream: Stream,
    decoder: Decoder,
    wire: BytesMut,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Handshake`] or [`Error::Timeout`].
    pub async fn connect(config: ClientConfig) -> Result<Self, Error> {
        let mut client = Self { config, connected: None };
        client.reconnect().await?;
        Ok(client)
    }

    /// Drops the connection, with what was in it, and connects anew.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn reconnect(&mut self) -> Result<(), Error> {
        self.connected = None;
        let opening = async {
            let mut connected = Connected::new(open(&self.config).await?, &self.config);
            connected.prove().await?;
            Ok::<_, Error>(connected)
        };
        let connected = timeout(self.config.connect_timeout, opening).await.map_err(|_| Error::Timeout)??;
        self.connected = Some(connected);
        Ok(())
    }

    /// True until an error made the connection unusable. The peer may have closed it all the same.
    pub fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// [`Error::NotEncodable`] (the connection stays usable), [`Error::Timeout`], [`Error::Io`], [`Error::Closed`].
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        // Taken for the time of the write: a call dropped half-way leaves no half frame to continue after.
        let mut connected = self.connected.take().ok_or(Error::Closed)?;
        connected.wire.clear();
        if let Err(error) = self.config.framing.encode(payload, &mut connected.wire) {
            self.connected = Some(connected);
            return Err(error);
        }
        connected.flush(self.config.write_timeout).await?;
        self.connected = Some(connected);
        Ok(())
    }

    /// Waits for the next reply. Bytes outside of frames are passed over. May be dropped and called again.
    ///
    /// # Errors
    /// [`Error::Timeout`] (the connection stays usable), [`Error::Closed`], [`Error::Io`], [`Error::Truncated`],
    /// [`Error::Oversized`], in release 2 [`Error::NotCommitted`].
    pub async fn receive(&mut self) -> Result<Bytes, Error> {
        let connected = self.connected.as_mut().ok_or(Error::Closed)?;
        let result = connected.receive(&self.config).await;
        if matches!(&result, Err(error) if !matches!(error, Error::Timeout)) {
            self.connected = None;
        }
        result
    }

    /// Sends one frame and waits for the next reply.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Client::receive`].
    pub async fn exchange(&mut self, payload: &[u8]) -> Result<Bytes, Error> {
        self.send(payload).await?;
        self.receive().await
    }

    /// Sends frames with up to `window` (at most [`WINDOW_MAX`]) of them unanswered, and gives each reply to `on_reply`
    /// with the number of replies before it. Returns how many replies came.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Client::receive`], at the first that fails; what `on_reply` has not seen is unanswered.
    pub async fn exchange_all<P: AsRef<[u8]>>(
        &mut self,
        payloads: impl IntoIterator<Item = P>,
        window: usize,
        mut on_reply: impl FnMut(usize, Bytes),
    ) -> Result<usize, Error> {
        let window = window.clamp(1, WINDOW_MAX);
        let mut payloads = payloads.into_iter().peekable();
        let (mut sent, mut answered) = (0, 0);
        while payloads.peek().is_some() || answered < sent {
            let mut connected = self.connected.take().ok_or(Error::Closed)?;
            connected.wire.clear();
            while sent - answered < window
                && let Some(payload) = payloads.next()
            {
                self.config.framing.encode(payload.as_ref(), &mut connected.wire)?;
                sent += 1;
            }
            connected.flush(self.config.write_timeout).await?;
            self.connected = Some(connected);
            let reply = self.receive().await?;
            on_reply(answered, reply);
            answered += 1;
        }
        Ok(answered)
    }

    /// Closes in order, and waits no longer than the write timeout for that.
    ///
    /// # Errors
    /// [`Error::Timeout`] or [`Error::Io`]; the connection is gone in any case.
    pub async fn close(mut self) -> Result<(), Error> {
        match self.connected.take() {
            Some(mut connected) => {
                let closing = timeout(self.config.write_timeout, connected.stream.shutdown());
                Ok(closing.await.map_err(|_| Error::Timeout)??)
            }
            None => Ok(()),
        }
    }
}

impl Connected {
    fn new(stream: Stream, config: &ClientConfig) -> Self {
        let decoder = Decoder::framed(config.limits, config.framing);
        Self { stream, decoder, wire: BytesMut::new() }
    }

    /// Over TLS 1.3 the handshake ends on this side before the peer has judged our certificate (RFC 8446 section 2).
    /// Waits for its refusal, or for a ticket, which it gives to whom it trusts; so that nothing is sent into a
    /// connection that is about to be refused.
    async fn prove(&mut self) -> Result<(), Error> {
        let Stream::Tls(tls) = &mut self.stream else { return Ok(()) };
        let answered = poll_fn(|cx| {
            let mut bytes = [0; PROOF_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            match Pin::new(tls.as_mut()).poll_read(cx, &mut read) {
                Poll::Ready(done) => Poll::Ready(done.map(|()| Some(read.filled().to_vec()))),
                Poll::Pending if is_trusted(tls) => Poll::Ready(Ok(None)),
                Poll::Pending => Poll::Pending,
            }
        });
        match timeout(PROOF_TIMEOUT, answered).await {
            Err(_) | Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(bytes))) if bytes.is_empty() => Err(Error::Closed),
            Ok(Ok(Some(bytes))) => {
                self.decoder.push(&bytes);
                Ok(())
            }
            Ok(Err(error)) => Err(Error::Handshake(error)),
        }
    }

    async fn flush(&mut self, limit: Duration) -> Result<(), Error> {
        let writing = async {
            self.stream.write_all(&self.wire).await?;
            self.stream.flush().await
        };
        Ok(timeout(limit, writing).await.map_err(|_| Error::Timeout)??)
    }

    /// In release 2 a reply is committed too.
    async fn committed(
        &mut self,
        reply: Result<Bytes, Error>,
        config: &ClientConfig,
    ) -> Result<Bytes, Error> {
        if config.framing.is_committed && reply.is_ok() {
            self.wire.clear();
            config.framing.encode(&[Commit::Accepted.byte()], &mut self.wire)?;
            self.flush(config.write_timeout).await?;
        }
        reply
    }

    async fn receive(&mut self, config: &ClientConfig) -> Result<Bytes, Error> {
        let deadline = Instant::now() + config.reply_timeout;
        loop {
            while let Some(event) = self.decoder.next_event() {
                if let Some(reply) = reply(event, config) {
                    return self.committed(reply, config).await;
                }
            }
            let awaits_end = self.decoder.pending() == Pending::FrameEnd;
            let wake_at =
                if awaits_end { deadline.min(Instant::now() + config.end_timeout) } else { deadline };
            let buffer = self.decoder.buffer();
            buffer.reserve(READ_BYTES);
            match timeout_at(wake_at, self.stream.read_buf(&mut buffer.limit(READ_BYTES))).await {
                Ok(Ok(0)) => {
                    let last = self.decoder.finish().and_then(|event| reply(event, config));
                    return last.unwrap_or(Err(Error::Closed));
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(Error::Io(error)),
                Err(_) if awaits_end => {
                    if let Some(reply) = self.decoder.idle().and_then(|event| reply(event, config)) {
                        return reply;
                    }
                }
                Err(_) => return Err(Error::Timeout),
            }
        }
    }
}

/// What an event means to one who waits for a reply; `None`: nothing.
fn reply(event: Event, config: &ClientConfig) -> Option<Result<Bytes, Error>> {
    match event {
        Event::Frame(frame) => match config.framing.commit(&frame.payload) {
            None => Some(Ok(frame.payload)),
            // The reply itself is still to come.
            Some(Commit::Accepted) => None,
            Some(Commit::Refused) => Some(Err(Error::NotCommitted)),
        },
        Event::Junk { count, .. } => {
            events::reply_junk(&config.address, count);
            None
        }
        Event::Truncated(_) => Some(Err(Error::Truncated)),
        Event::Oversized { .. } => Some(Err(Error::Oversized)),
    }
}

/// Whether the peer is known to have taken our certificate, or to have wanted none.
fn is_trusted(tls: &TlsStream<TcpStream>) -> bool {
    let TlsStream::Client(client) = tls else { return true };
    let connection = client.get_ref().1;
    let is_late = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    !is_late || connection.tls13_tickets_received() > 0
}

async fn open(config: &ClientConfig) -> Result<Stream, Error> {
    let stream = TcpStream::connect(config.address.as_str()).await.map_err(Error::Connect)?;
    tune(&stream, stream.peer_addr().map_err(Error::Connect)?, KEEPALIVE);
    let Some(tls) = &config.tls else { return Ok(Stream::Plain(stream)) };
    let handshake = TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), stream);
    let stream = handshake.await.map_err(|error: io::Error| Error::Handshake(error))?;
    Ok(Stream::Tls(Box::new(stream.into())))
}
