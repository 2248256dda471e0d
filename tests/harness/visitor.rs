//! Somebody at a node's console: HTTP forms and a cookie, as a browser without script sends them.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A page as it came.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Header lines, lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub text: String,
}

impl Page {
    /// The value of a header; empty without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Ids of the messages that the page links to, each once, in order.
    pub fn messages(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, start) in self.text.match_indices("/messages/") {
            let id: String = self.text[at + start.len()..].chars().take(36).collect();
            if uuid::Uuid::parse_str(&id).is_ok() && !found.contains(&id) {
                found.push(id);
            }
        }
        found
    }
}

/// A visitor of one console, signed in or not.
#[derive(Debug, Clone)]
pub struct Visitor {
    address: SocketAddr,
    cookie: Option<String>,
}

impl Visitor {
    /// Somebody who is not signed in.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None }
    }

    /// Somebody who signed in by the one-time link.
    ///
    /// # Panics
    /// When the code opens nothing.
    pub async fn signed_in(address: SocketAddr, code: &str) -> Self {
        let mut visitor = Self::new(address);
        let page = visitor.sign_in(code).await;
        assert_eq!(page.status, 303, "{}", page.text);
        visitor
    }

    /// Presses the button of the one-time link; keeps the session when one is given.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn sign_in(&mut self, code: &str) -> Page {
        let page = self.post("/login", &[("code", code)]).await;
        let cookie = page.header("set-cookie").split(';').next().unwrap_or_default();
        if !cookie.is_empty() {
            self.cookie = Some(cookie.to_owned());
        }
        page
    }

    /// `GET path`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Page {
        self.send("GET", path, "").await
    }

    /// Sends a form.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        self.send("POST", path, &form.join("&")).await
    }

    /// Sends a form with the token that the forms of `on` carry.
    ///
    /// # Panics
    /// When that page has no form.
    pub async fn submit(&self, on: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let (_, rest) = on.text.split_once("name=\"token\" value=\"").expect("the page has a form");
        let token = rest.split('"').next().expect("the token ends");
        self.post(path, &[&[("token", token)], fields].concat()).await
    }

    async fn send(&self, method: &str, path: &str, form: &str) -> Page {
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{cookie}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.address,
            form.len()
        );
        let mut stream = TcpStream::connect(self.address).await.expect("the console is up");
        stream.write_all(request.as_bytes()).await.expect("a request can be written");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("an answer comes");
        page(&bytes)
    }
}

/// An answer, read whole.
pub(crate) fn page(bytes: &[u8]) -> Page {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &bytes[end + 4..];
    let body = if is_chunked { unchunked(body) } else { body.to_vec() };
    let text = String::from_utf8_lossy(&body).into_owned();
    Page { status: status.expect("an answer has a status"), headers, text }
}

/// The body of a chunked answer (RFC 9112, 7.1).
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..at]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let size = size.expect("a chunk has a size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[at + 2..at + 2 + size]);
        rest = &rest[at + 4 + size..];
    }
    body
}

fn percent(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
