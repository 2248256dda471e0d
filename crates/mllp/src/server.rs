//! The listener.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::codec::Limits;
use crate::connection::Connection;
use crate::ending::{Ending, Newest, by_listener};
use crate::framing::Framing;
use crate::handler::{ConnectionRefusal, Handler, Peer, Refusal};
use crate::line::Line;
use crate::stream::Stream;
use crate::tls::{PeerCertificate, ServerTls};
use crate::{Cidr, Error, events};

/// Silence after which the operating system probes a peer. Firewalls forget connections after some minutes.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(60);
/// Pause between probes, and how many stay unanswered until the connection counts as gone.
const KEEPALIVE_PROBES: (Duration, u32) = (Duration::from_secs(15), 4);
/// How long a connection waits for the place of the one that it replaces.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the operating system could not accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Refused connections told to the handler at one time; more are only logged.
const REFUSALS_MAX: usize = 64;

/// What a listener allows.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS; `None` is plaintext.
    pub tls: Option<ServerTls>,
    /// Frame bytes, and whether frames are committed.
    pub framing: Framing,
    /// What becomes of a connection that sends bytes outside of frames.
    pub outside: Outside,
    /// What becomes of a peer's older connection when it connects again.
    pub same_peer: SamePeer,
    /// Silence after which the operating system probes whether the peer is still there.
    pub keepalive: Duration,
    /// Bounds of one connection's input.
    pub limits: Limits,
    /// Longest time from a frame's first byte to its last.
    pub frame_timeout: Duration,
    /// Silence after which a frame without its last CR is delivered and junk is reported.
    pub end_timeout: Duration,
    /// Silence after which a connection is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Longest time in which a peer takes no byte of a reply.
    pub write_timeout: Duration,
    /// Longest TLS handshake.
    pub handshake_timeout: Duration,
    /// Longest time after the call to end in which open connections finish.
    pub drain_timeout: Duration,
    /// Most open connections.
    pub connections_max: usize,
    /// Most frames of one connection that are begun and not yet answered.
    pub in_flight_max: usize,
    /// Who may connect; empty: everyone.
    pub allow: Vec<Cidr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            tls: None,
            framing: Framing::RELEASE_1,
            outside: Outside::Close,
            same_peer: SamePeer::Parallel,
            keepalive: KEEPALIVE,
            limits: Limits::default(),
            frame_timeout: Duration::from_secs(60),
            end_timeout: Duration::from_millis(500),
            idle_timeout: None,
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            connections_max: 1_000,
            in_flight_max: 64,
            allow: Vec::new(),
        }
    }
}

/// What becomes of a connection that sends bytes outside of frames. They are reported in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Closed when no frame has come on it.
    Close,
    /// Kept open, as long as the bytes stay within [`Limits::junk_bytes_max`].
    Keep,
}

/// What becomes of a peer's older connection when its address connects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SamePeer {
    /// They stand beside each other.
    Parallel,
    /// The older one is taken to be dead and ends: what it received whole is answered, what it began is a fragment.
    Replace,
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that did not finish in time and were cut.
    pub cut: usize,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    config: Arc<Config>,
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let socket = TcpListener::bind(config.address).await.map_err(Error::Bind)?;
        Ok(Self { socket, config: Arc::new(config) })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// [`Error::Io`] when the operating system does not say.
    pub fn local_address(&self) -> Result<SocketAddr, Error> {
        Ok(self.socket.local_addr()?)
    }

    /// Serves until `shutdown` resolves, then accepts no more, lets connections answer what they have received, and
    /// cuts those that take too long.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, shutdown: impl Future<Output = ()>) -> Drained {
        let (drain, draining) = watch::channel(false);
        let mut acceptor = Acceptor {
            permits: Arc::new(Semaphore::new(self.config.connections_max)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            config: self.config.clone(),
            handler,
            draining,
            newest: Newest::default(),
            tasks: JoinSet::new(),
            connections: 0,
        };
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = acceptor.tasks.join_next(), if !acceptor.tasks.is_empty() => note_end(ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, address)) => acceptor.accept(stream, address),
                    Err(error) => {
                        events::accept_failed(&error);
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        drain.send_replace(true);
        let mut tasks = acceptor.tasks;
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                note_end(ended);
            }
        };
        // Running out of time is what the count says.
        drop(timeout(self.config.drain_timeout, all).await);
        let cut = tasks.len();
        tasks.shutdown().await;
        Drained { cut }
    }
}

struct Acceptor<H> {
    handler: Arc<H>,
    config: Arc<Config>,
    permits: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    draining: watch::Receiver<bool>,
    newest: Newest,
    tasks: JoinSet<()>,
    connections: u64,
}

impl<H: Handler> Acceptor<H> {
    fn accept(&mut self, stream: TcpStream, address: SocketAddr) {
        self.connections += 1;
        let peer = Peer { address, connection: self.connections, certificate: None, line: Line::default() };
        let allow = &self.config.allow;
        if !allow.is_empty() && !allow.iter().any(|block| block.contains(address.ip())) {
            return self.refuse(peer, ConnectionRefusal::NotAllowed);
        }
        let permit = self.permits.clone().try_acquire_owned().ok();
        let (ending, replaces) = match self.config.same_peer {
            SamePeer::Parallel => (by_listener(self.draining.clone()), false),
            SamePeer::Replace => self.newest.enter(address.ip(), peer.connection, self.draining.clone()),
        };
        if permit.is_none() && !replaces {
            return self.refuse(peer, ConnectionRefusal::TooMany);
        }
        let (handler, config, permits) = (self.handler.clone(), self.config.clone(), self.permits.clone());
        self.tasks.spawn(async move {
            // The place of the connection that it replaces comes free when that one has ended.
            let permit = match permit {
                Some(permit) => Some(permit),
                None => timeout(REPLACE_TIMEOUT, permits.acquire_owned()).await.ok().and_then(Result::ok),
            };
            match permit {
                Some(permit) => serve_connection(stream, peer, handler, config, ending, permit).await,
                None => tell_refused(&*handler, &peer, ConnectionRefusal::TooMany).await,
            }
        });
    }

    fn refuse(&mut self, peer: Peer, reason: ConnectionRefusal) {
        if let Ok(permit) = self.refusals.clone().try_acquire_owned() {
            let handler = self.handler.clone();
            self.tasks.spawn(async move {
                tell_refused(&*handler, &peer, reason).await;
                drop(permit);
            });
        } else {
            events::connection_refused(peer.address, reason);
        }
    }
}

async fn tell_refused(handler: &impl Handler, peer: &Peer, reason: ConnectionRefusal) {
    events::connection_refused(peer.address, reason);
    handler.refused(peer, Refusal::Connection(reason)).await;
}

async fn serve_connection<H: Handler>(
    stream: TcpStream,
    mut peer: Peer,
    handler: Arc<H>,
    config: Arc<Config>,
    ending: Ending,
    permit: OwnedSemaphorePermit,
) {
    tune(&stream, peer.address, config.keepalive);
    match secure(stream, &config).await {
        Ok((stream, certificate)) => {
            peer.certificate = certificate;
            Connection::new(stream, peer, handler, config).run(ending).await;
        }
        Err(_) => tell_refused(&*handler, &peer, ConnectionRefusal::Handshake).await,
    }
    drop(permit);
}

/// The handshake, when there is one.
async fn secure(stream: TcpStream, config: &Config) -> io::Result<(Stream, Option<PeerCertificate>)> {
    let Some(tls) = &config.tls else { return Ok((Stream::Plain(stream), None)) };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    let stream =
        timeout(config.handshake_timeout, handshake).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(|chain| chain.first()).map(|leaf| PeerCertificate::from_der(leaf));
    Ok((Stream::Tls(Box::new(stream.into())), certificate))
}

/// Answers are small and awaited, and a silent peer is probed. Failing at either leaves a working connection.
pub(crate) fn tune(stream: &TcpStream, address: SocketAddr, keepalive: Duration) {
    let (interval, retries) = KEEPALIVE_PROBES;
    let keepalive = TcpKeepalive::new().with_time(keepalive).with_interval(interval).with_retries(retries);
    let tuned = stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        events::socket_option_failed(address, &error);
    }
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        events::connection_task_failed();
    }
}
