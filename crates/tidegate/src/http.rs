//! A small HTTP/1.1 client in clear, for loopback: the demo's checks and the witness of `audit verify`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;

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

async fn exchange(address: &str, path: &str, token: Option<&str>) -> Result<Answer, String> {
    let words = |error: &dyn std::fmt::Display| format!("{address}{path}: {error}");
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|e| words(&e))?;
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
