//! One HTTP/1.1 connection over mutual TLS that this node opened; opened again when it broke.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Opening a connection, handshake included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One request until its whole answer is here.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Why an exchange did not happen. All are transient but [`LinkError::Refused`].
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The cloud node cannot be reached or broke off.
    #[error("cloud node not reached")]
    Io(#[from] std::io::Error),
    /// The connection broke inside an exchange.
    #[error("exchange broke off")]
    Http(#[from] hyper::Error),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The answer is longer than its limit, or no answer of this protocol.
    #[error("answer cannot be read")]
    Answer,
    /// An HTTP status other than 200.
    #[error("cloud node answered {0}")]
    Refused(u16),
    /// The host name of the destination is none.
    #[error("destination address is not a host name")]
    Name,
}

/// Where and how to dial.
#[derive(Clone)]
pub struct Link {
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Link {
    /// `address`: `host:port`. `tls` must trust only the link's own CA and present the client certificate.
    pub fn new(address: &str, tls: Arc<rustls::ClientConfig>) -> Result<Self, LinkError> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| LinkError::Name)?;
        Ok(Self { address: address.to_owned(), name, tls: TlsConnector::from(tls) })
    }

    /// An open connection; drop it to close.
    pub async fn open(&self) -> Result<Connection, LinkError> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.dial()).await.map_err(|_| LinkError::Timeout)?
    }

    async fn dial(&self) -> Result<Connection, LinkError> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // The driver ends with its connection; its error reaches us through the exchange that it broke.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, host: self.address.clone() })
    }
}

/// An open connection of a [`Link`].
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// `POST path`; the body of a 200 answer.
    pub async fn post(&mut self, path: &str, content_type: &str, body: Vec<u8>) -> Result<Bytes, LinkError> {
        self.exchange(Method::POST, path, content_type, Bytes::from(body)).await
    }

    /// `GET path`; the body of a 200 answer.
    pub async fn read(&mut self, path: &str) -> Result<Bytes, LinkError> {
        self.exchange(Method::GET, path, "text/plain", Bytes::new()).await
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Bytes, LinkError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, &self.host)
            .header(hyper::header::CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .map_err(|_| LinkError::Name)?;
        let exchange = async {
            self.sender.ready().await?;
            let answer = self.sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|_| LinkError::Answer)?.to_bytes();
            if status == StatusCode::OK { Ok(body) } else { Err(LinkError::Refused(status.as_u16())) }
        };
        tokio::time::timeout(REQUEST_TIMEOUT, exchange).await.map_err(|_| LinkError::Timeout)?
    }
}
