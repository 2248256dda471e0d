//! A listener with a handler that records, and a raw peer.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use mllp::{
    Config, Decoder, Delivery, Drained, Event, Frame, Handler, Limits, Listener, Peer, Refusal, Reply,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);
const LARGE_REPLY: usize = 256 * 1024;

/// Answers `ACK payload`; payloads that begin with `gate` wait for [`Recorder::open_gate`].
pub struct Recorder {
    frames: Mutex<Vec<String>>,
    refusals: Mutex<Vec<String>>,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    peers: Mutex<Vec<Peer>>,
    gate: Semaphore,
}

impl Recorder {
    pub fn frames(&self) -> Vec<String> {
        self.frames.lock().expect("lock").clone()
    }

    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lock().expect("lock").clone()
    }

    /// What became of replies, in the order it was learned.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().expect("lock").clone()
    }

    pub fn peers(&self) -> Vec<Peer> {
        self.peers.lock().expect("lock").clone()
    }

    pub fn open_gate(&self, count: usize) {
        self.gate.add_permits(count);
    }

    fn watched(&self, reply: Reply) -> Reply {
        let (sender, receiver) = oneshot::channel();
        let deliveries = self.deliveries.clone();
        tokio::spawn(async move {
            let outcome = receiver.await.unwrap_or(Delivery::Undelivered);
            deliveries.lock().expect("lock").push(outcome);
        });
        reply.on_delivery(sender)
    }
}

impl Handler for Recorder {
    async fn frame(&self, peer: &Peer, frame: Frame) -> Reply {
        let name = String::from_utf8_lossy(&frame.payload).into_owned();
        self.frames.lock().expect("lock").push(name.clone());
        self.peers.lock().expect("lock").push(peer.clone());
        if name.starts_with("gate") {
            self.gate.acquire().await.expect("gate").forget();
        }
        match name.as_str() {
            "panic" => panic!("asked for"),
            "none" => Reply::none(),
            "bye" => Reply::new(&b"ACK bye"[..]).then_close(),
            "three" => self.watched(Reply::several(["1", "2", "3"].map(Bytes::from))),
            "no frame" => self.watched(Reply::several(["1", "a\x1Cb"].map(Bytes::from))),
            "large" => self.watched(Reply::new(vec![b'A'; LARGE_REPLY])),
            // The reply cannot carry the frame byte that the payload may hold.
            _ => self.watched(Reply::new(format!("ACK {name}").replace('\x1C', "\u{fffd}"))),
        }
    }

    async fn refused(&self, _: &Peer, refusal: Refusal) -> Reply {
        self.refusals.lock().expect("lock").push(format!("{refusal:?}"));
        match refusal {
            Refusal::Junk { .. } => Reply::new("NAK junk"),
            Refusal::Truncated(_) => Reply::new("NAK truncated"),
            Refusal::Oversized { .. } => Reply::new("NAK oversized"),
            Refusal::FrameTimeout(_) => Reply::new("NAK slow"),
            Refusal::Connection(_) => Reply::none(),
        }
    }
}

pub struct Served {
    pub recorder: Arc<Recorder>,
    address: String,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

impl Served {
    pub fn address(&self) -> String {
        self.address.clone()
    }

    pub fn stop(self) -> JoinHandle<Drained> {
        self.shutdown.send(()).expect("serving");
        self.task
    }
}

pub async fn serve(config: Config) -> Served {
    let listener = Listener::bind(config).await.expect("bind");
    let address = listener.local_address().expect("address").to_string();
    let recorder = Arc::new(Recorder {
        frames: Mutex::default(),
        refusals: Mutex::default(),
        deliveries: Arc::default(),
        peers: Mutex::default(),
        gate: Semaphore::new(0),
    });
    let (shutdown, asked) = oneshot::channel();
    let handler = recorder.clone();
    let task = tokio::spawn(async move {
        listener
            .serve(handler, async {
                // A dropped sender is the end of the test, which ends the runtime too.
                if asked.await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
            .await
    });
    Served { recorder, address, shutdown, task }
}

pub async fn connect(served: &Served) -> TcpStream {
    let stream = TcpStream::connect(&served.address).await.expect("connect");
    stream.set_nodelay(true).expect("nodelay");
    stream
}

pub fn framed(payload: &[u8]) -> Vec<u8> {
    [b"\x0B", payload, b"\x1C\r"].concat()
}

/// The payloads of framed bytes.
pub fn acknowledged(wire: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.push(wire);
    std::iter::from_fn(|| decoder.next_event())
        .map(|event| match event {
            Event::Frame(frame) => String::from_utf8_lossy(&frame.payload).into_owned(),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The next `count` replies.
pub async fn replies(peer: &mut TcpStream, count: usize) -> Vec<String> {
    let mut decoder = Decoder::new(Limits::default());
    let mut found = Vec::new();
    while found.len() < count {
        let read =
            timeout(PATIENCE, peer.read_buf(decoder.buffer())).await.expect("a reply in time").expect("read");
        assert!(read > 0, "closed after {} of {count} replies", found.len());
        while let Some(event) = decoder.next_event() {
            let Event::Frame(frame) = event else { panic!("{event:?}") };
            found.push(String::from_utf8_lossy(&frame.payload).into_owned());
        }
    }
    found
}

/// Everything until the listener closes.
pub async fn closed(peer: &mut TcpStream) -> Vec<u8> {
    let mut wire = Vec::new();
    // A refused connection may end by reset.
    let ended = timeout(PATIENCE, peer.read_to_end(&mut wire)).await.expect("closed in time");
    assert!(ended.is_ok() || wire.is_empty());
    wire
}

/// Waits until it holds.
pub async fn soon(condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, holds).await.expect("holds in time");
}

/// Ends a connection by reset.
pub fn reset(peer: TcpStream) {
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("linger");
}
