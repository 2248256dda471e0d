//! The sender's end of a row: a plain socket and a reader of frames of its own, so that no code under test judges itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::row::Step;

/// The longest wait for an answer or a close; far beyond what any of them takes on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A connection of a sender.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Where it sends from.
    pub from: SocketAddr,
    /// Its input has ended.
    pub has_ended: bool,
    /// The bytes around an answer: the start, the end.
    pub framed_by: (u8, &'static [u8]),
}

impl Wire {
    /// Connects from a loopback address.
    pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from.into(), 0)).expect("a loopback address of our own");
        let stream = socket.connect(to).await.expect("the listener is up");
        stream.set_nodelay(true).expect("pieces go out one by one");
        let from = stream.local_addr().expect("a connected socket has an address");
        Self { stream, unread: Vec::new(), from, has_ended: false, framed_by: (0x0b, b"\x1c\r") }
    }

    /// Does one step. A node that has closed takes no more, and says so by what it answered.
    pub async fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Bytes(bytes) => self.write(bytes).await,
            Step::Pieces(bytes, size) => {
                for piece in bytes.chunks(*size) {
                    self.write(piece).await?;
                }
                Ok(())
            }
            Step::Pause(duration) => {
                tokio::time::sleep(*duration).await;
                Ok(())
            }
            Step::EndOfInput => self.end().await,
        }
    }

    /// Writes bytes, and lets other tasks run, so that pieces are not joined on their way.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).await.map_err(|error| format!("could not be sent: {error}"))?;
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Ends the input; answers can still be read.
    pub async fn end(&mut self) -> Result<(), String> {
        self.has_ended = true;
        self.stream.shutdown().await.map_err(|error| format!("input could not be ended: {error}"))
    }

    /// Ends the connection by a reset, so that nothing can be delivered on it any more.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("a socket takes its linger time");
    }

    /// The payload of the next frame; `None` when the node has closed.
    pub async fn frame(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(frame) = self.split()? {
                return Ok(Some(frame));
            }
            let mut buffer = [0; 4096];
            let read = timeout(WAIT_MAX, self.stream.read(&mut buffer)).await;
            let count = read.map_err(|_| "neither an answer nor a close came".to_owned())?;
            match count {
                Ok(0) if self.unread.is_empty() => return Ok(None),
                Ok(0) => return Err(format!("closed within a frame, after {:?}", self.unread)),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(format!("the connection was reset: {error}")),
            }
        }
    }

    fn split(&mut self) -> Result<Option<Vec<u8>>, String> {
        let (start, end) = self.framed_by;
        if self.unread.first().is_some_and(|first| *first != start) {
            return Err(format!("bytes outside of a frame: {:?}", String::from_utf8_lossy(&self.unread)));
        }
        let length = self.unread.windows(end.len()).position(|bytes| bytes == end);
        Ok(length.map(|length| {
            let frame: Vec<u8> = self.unread.drain(..length + end.len()).collect();
            frame[1..length].to_vec()
        }))
    }
}
