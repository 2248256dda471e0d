//! A small HTTP/1.1 client for loopback: the demo's checks, the witness of `audit verify`, and whether a node is ready.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Status and body.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Bytes,
}

/// `GET path` of `address` (`host:port`), with a bearer token when one is given. The error is words for a person.
pub async fn get(address: &str, path: &str, token: Option<&str>) -> Result<Answer, String> {
    let exchange = tokio::time::timeout(TIMEOUT, exchange(address, path, token)).await;
    exchange.map_err(|_| format!("{path}: no answer in time"))?
}

/// `GET path` over TLS, of a server that `client` knows by its certificate.
pub async fn get_pinned(address: &str, path: &str, client: rustls::ClientConfig) -> Result<Answer, String> {
    let words = |error: &dyn std::fmt::Display| format!("{address}{path}: {error}");
    let asked = async {
        let stream = TcpStream::connect(address).await.map_err(|e| words(&e))?;
        // The pinned certificate decides, and no name.
        let name = ServerName::try_from("localhost").map_err(|e| words(&e))?;
        let stream =
            TlsConnector::from(Arc::new(client)).connect(name, stream).await.map_err(|e| words(&e))?;
        over(stream, address, path, None).await
    };
    tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| format!("{path}: no answer in time"))?
}

async fn exchange(address: &str, path: &str, token: Option<&str>) -> Result<Answer, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}{path}: {error}"))?;
    over(stream, address, path, token).await
}

async fn over<S>(stream: S, address: &str, path: &str, token: Option<&str>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let words = |error: &dyn std::fmt::Display| format!("{address}{path}: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| words(&e))?;
    // Its error reaches us through the exchange that it broke.
    tokio::spawn(async move { drop(connection.await) });
    let mut request = Request::builder().uri(path).header(hyper::header::HOST, address);
    if let Some(token) = token {
        request = request.header(hyper::header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|e| words(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| words(&e))?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|e| words(&e))?;
    Ok(Answer { status, body: body.to_bytes() })
}
