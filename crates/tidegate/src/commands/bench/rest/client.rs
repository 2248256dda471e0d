//! An HTTP/1.1 client that costs little, since it shares the machine with what it measures: one connection that is kept,
//! requests that are written as they are, answers of which only status and length are read.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// One connection.
pub(super) struct Client {
    stream: TcpStream,
    /// What was read and is not taken yet.
    read: Vec<u8>,
    head: String,
}

/// An answer: its status, and its body until the next request.
pub(super) struct Answer<'c> {
    pub(super) status: u16,
    pub(super) body: &'c [u8],
}

impl Client {
    /// Connects; each request will carry the token.
    pub(super) async fn connect(address: SocketAddr, token: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(64 << 10),
            head: format!("host: {address}\r\nauthorization: Bearer {token}\r\n"),
        })
    }

    /// `GET path`.
    pub(super) async fn get(&mut self, path: &str) -> Result<Answer<'_>, String> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.head);
        self.exchange(request.into_bytes()).await
    }

    /// A request with a FHIR body.
    pub(super) async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<Answer<'_>, String> {
        let (head, length) = (&self.head, body.len());
        let content = format!("content-type: application/fhir+json\r\ncontent-length: {length}\r\n");
        let minimal = "prefer: return=minimal\r\n";
        let request = format!("{method} {path} HTTP/1.1\r\n{head}{content}{minimal}\r\n{body}");
        self.exchange(request.into_bytes()).await
    }

    async fn exchange(&mut self, request: Vec<u8>) -> Result<Answer<'_>, String> {
        self.read.clear();
        self.stream.write_all(&request).await.map_err(|error| error.to_string())?;
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.read.len() > HEAD_BYTES_MAX {
                return Err("the head of an answer has no end".to_owned());
            }
            self.more().await?;
        };
        let (status, length) = parse(self.read.get(..head).unwrap_or_default())?;
        while self.read.len() < head + length {
            self.more().await?;
        }
        Ok(Answer { status, body: self.read.get(head..head + length).unwrap_or_default() })
    }

    async fn more(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) => Err("the connection was closed".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Status and length of the body.
fn parse(head: &[u8]) -> Result<(u16, usize), String> {
    let wrong = || "an answer that is no HTTP/1.1 with a length".to_owned();
    let head = std::str::from_utf8(head).map_err(|_| wrong())?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok((status, length.ok_or_else(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_head_tells_status_and_length() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\netag: W/\"1\"\r\n\r\n";
        assert_eq!(parse(head), Ok((200, 17)));
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"220 mail.example.org\r\n\r\n").is_err());
    }
}
