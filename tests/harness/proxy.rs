//! The network between on-prem and cloud: can be cut, and can lose one answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// More than a checkpoint's request or a TLS handshake sends, less than a batch of one admission's deliveries.
const BATCH_BYTES_MIN: usize = 4_096;

struct Shared {
    target: SocketAddr,
    is_cut: watch::Sender<bool>,
    is_armed: AtomicBool,
    swallowed: AtomicUsize,
    opened: AtomicU32,
    upstream: AtomicUsize,
}

/// A TCP proxy on a port of its own.
pub struct Proxy {
    /// Where to dial it.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to `target`, open.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(super::ports::free()).await.expect("a free port can be bound");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            target,
            is_cut: watch::Sender::new(false),
            is_armed: AtomicBool::new(false),
            swallowed: AtomicUsize::new(0),
            opened: AtomicU32::new(0),
            upstream: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, Arc::clone(&accepting)));
            }
        });
        Self { address, shared }
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.shared.is_cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.shared.is_cut.send_replace(false);
    }

    /// Loses the next answer to a batch of deliveries, and its connection.
    pub fn lose_next_answer(&self) {
        self.shared.is_armed.store(true, Ordering::SeqCst);
    }

    /// Bytes of answers that were lost.
    pub fn lost_bytes(&self) -> usize {
        self.shared.swallowed.load(Ordering::SeqCst)
    }

    /// Connections that were carried.
    pub fn connections(&self) -> u32 {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Bytes carried towards the target.
    pub fn upstream_bytes(&self) -> usize {
        self.shared.upstream.load(Ordering::SeqCst)
    }
}

async fn carry(near: TcpStream, shared: Arc<Shared>) {
    let mut cut = shared.is_cut.subscribe();
    if *cut.borrow_and_update() {
        return;
    }
    let Ok(far) = TcpStream::connect(shared.target).await else { return };
    shared.opened.fetch_add(1, Ordering::SeqCst);
    let cut_off = async {
        while !*cut.borrow_and_update() {
            if cut.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = pump(near, far, &shared) => {}
        () = cut_off => {}
    }
}

/// Both directions until one ends, or until an answer is to be lost.
async fn pump(near: TcpStream, far: TcpStream, shared: &Shared) {
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut request_bytes = 0;
    loop {
        tokio::select! {
            read = near_read.read(&mut up) => {
                let Some(bytes) = taken(read, &up) else { return };
                request_bytes += bytes.len();
                shared.upstream.fetch_add(bytes.len(), Ordering::SeqCst);
                if far_write.write_all(bytes).await.is_err() { return }
            }
            read = far_read.read(&mut down) => {
                let Some(bytes) = taken(read, &down) else { return };
                let is_answer = request_bytes > BATCH_BYTES_MIN;
                if is_answer && shared.is_armed.swap(false, Ordering::SeqCst) {
                    shared.swallowed.fetch_add(bytes.len(), Ordering::SeqCst);
                    return;
                }
                request_bytes = 0;
                if near_write.write_all(bytes).await.is_err() { return }
            }
        }
    }
}

fn taken(read: std::io::Result<usize>, buffer: &[u8]) -> Option<&[u8]> {
    read.ok().filter(|count| *count > 0).and_then(|count| buffer.get(..count))
}
