//! A system of the hospital that takes messages over MLLP and behaves as its script says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mllp::{Decoder, Event, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::row::framed;

/// What a partner does with a frame, in order.
pub enum Do {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Waits.
    Pause(Duration),
    /// Closes the connection.
    Close,
}

/// What a partner does when it has these frames, the last one new.
pub type Script = Arc<dyn Fn(&[Got]) -> Vec<Do> + Send + Sync>;

/// One frame that a partner got.
#[derive(Clone)]
pub struct Got {
    /// Its payload.
    pub bytes: Vec<u8>,
    /// When it was whole.
    pub at: Instant,
}

impl Got {
    /// MSH-10 as sent.
    pub fn control_id(&self) -> Vec<u8> {
        control_id(&self.bytes)
    }
}

/// What a partner has seen.
#[derive(Default)]
pub struct Seen {
    /// Every frame.
    pub frames: Vec<Got>,
    /// Connections taken.
    pub connections: usize,
    /// Most connections that were open at once.
    pub at_once: usize,
    open: usize,
}

/// A listening partner; it stops when it is dropped.
pub struct Partner {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Partner {
    /// Starts one.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&shared)));
            }
        });
        Self { address, seen, task }
    }

    /// What it has seen so far.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// MSH-10 of every frame so far.
    pub fn control_ids(&self) -> Vec<String> {
        self.look(|seen| {
            seen.frames.iter().map(|got| String::from_utf8_lossy(&got.control_id()).into_owned()).collect()
        })
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, script: Script, seen: Arc<Mutex<Seen>>) {
    change(&seen, |seen| {
        seen.connections += 1;
        seen.open += 1;
        seen.at_once = seen.at_once.max(seen.open);
    });
    talk(&mut stream, &script, &seen).await;
    change(&seen, |seen| seen.open -= 1);
}

async fn talk(stream: &mut TcpStream, script: &Script, seen: &Mutex<Seen>) {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = [0; 4096];
    loop {
        while let Some(event) = decoder.next_event() {
            let Event::Frame(frame) = event else { return };
            let got = Got { bytes: frame.payload.to_vec(), at: Instant::now() };
            let all = change(seen, |seen| {
                seen.frames.push(got);
                seen.frames.clone()
            });
            for one in script(&all) {
                match one {
                    Do::Write(bytes) => {
                        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                    }
                    Do::Pause(length) => tokio::time::sleep(length).await,
                    Do::Close => return,
                }
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => decoder.push(&buffer[..length]),
        }
    }
}

fn change<T>(seen: &Mutex<Seen>, change: impl FnOnce(&mut Seen) -> T) -> T {
    change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// MSH-10 as sent.
pub fn control_id(er7: &[u8]) -> Vec<u8> {
    er7.split(|byte| *byte == b'|').nth(9).unwrap_or_default().to_vec()
}

/// An acknowledgment of a frame with this MSA-1, and ERR-3 when it is not empty.
pub fn ack(code: &str, error: &str, of: &[u8]) -> Vec<u8> {
    let mut er7 = b"MSH|^~\\&|PARTNER|HOSP|TIDEGATE|ONPREM|20190312||ACK|P1|P|2.5.1\rMSA|".to_vec();
    er7.extend_from_slice(code.as_bytes());
    er7.push(b'|');
    er7.extend_from_slice(of);
    er7.push(b'\r');
    if !error.is_empty() {
        er7.extend_from_slice(format!("ERR|||{error}|E\r").as_bytes());
    }
    framed(&er7)
}

/// Writes an acknowledgment of the newest frame.
pub fn answer(frames: &[Got], code: &str, error: &str) -> Vec<Do> {
    vec![Do::Write(ack(code, error, &newest(frames)))]
}

/// MSH-10 of the newest frame.
pub fn newest(frames: &[Got]) -> Vec<u8> {
    frames.last().expect("a script is asked about a frame").control_id()
}

/// How often the newest frame came, this time counted.
pub fn times(frames: &[Got]) -> usize {
    let newest = newest(frames);
    frames.iter().filter(|got| got.control_id() == newest).count()
}
