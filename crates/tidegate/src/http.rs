//! A small HTTP/1.1 client: the demo's checks, the witness of `audit verify`, whether a node is ready, and the commands
//! on a running node.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A post may be answered by work, such as a dry run.
const POST_TIMEOUT: Duration = Duration::from_secs(120);
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Status and body.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Bytes,
}

/// One request.
#[derive(Default)]
pub struct Asked<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Bearer token.
    pub token: Option<&'a str>,
    /// A JSON body makes it a `POST`.
    pub json: Option<Vec<u8>>,
    /// Over TLS, of a server that this knows by its certificate.
    pub tls: Option<rustls::ClientConfig>,
}

/// `GET path` of `address` (`host:port`), with a bearer token when one is given. The error is words for a person.
pub async fn get(address: &str, path: &str, token: Option<&str>) -> Result<Answer, String> {
    ask(Asked { address, path, token, ..Asked::default() }).await
}

/// `GET path` over TLS, of a server that `client` knows by its certificate.
pub async fn get_pinned(address: &str, path: &str, client: rustls::ClientConfig) -> Result<Answer, String> {
    ask(Asked { address, path, tls: Some(client), ..Asked::default() }).await
}

/// Asks, and waits for the whole answer. The error is words for a person.
pub async fn ask(asked: Asked<'_>) -> Result<Answer, String> {
    let path = asked.path;
    let timeout = if asked.json.is_some() { POST_TIMEOUT } else { TIMEOUT };
    let answered = tokio::time::timeout(timeout, exchange(asked)).await;
    answered.map_err(|_| format!("{path}: no answer in time"))?
}

async fn exchange(mut asked: Asked<'_>) -> Result<Answer, String> {
    let (address, path) = (asked.address, asked.path);
    let words = |error: &dyn std::fmt::Display| format!("{address}{path}: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| words(&error))?;
    match asked.tls.take() {
        Some(client) => {
            // The pinned certificate decides, and no name.
            let name = ServerName::try_from("localhost").map_err(|error| words(&error))?;
            let connector = TlsConnector::from(Arc::new(client));
            let stream = connector.connect(name, stream).await.map_err(|error| words(&error))?;
            over(stream, asked).await
        }
        None => over(stream, asked).await,
    }
}

async fn over<S>(stream: S, asked: Asked<'_>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Asked { address, path, token, json, .. } = asked;
    let words = |error: &dyn std::fmt::Display| format!("{address}{path}: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| words(&e))?;
    // Its error reaches us through the exchange that it broke.
    tokio::spawn(async move { drop(connection.await) });
    let mut request = Request::builder().uri(path).header(hyper::header::HOST, address);
    if let Some(token) = token {
        request = request.header(hyper::header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if json.is_some() {
        request = request.method("POST").header(hyper::header::CONTENT_TYPE, "application/json");
    }
    let body = Full::new(Bytes::from(json.unwrap_or_default()));
    let request = request.body(body).map_err(|e| words(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| words(&e))?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|e| words(&e))?;
    Ok(Answer { status, body: body.to_bytes() })
}
