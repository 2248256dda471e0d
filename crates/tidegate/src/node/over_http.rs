//! `POST /hl7v2`: HL7 v2 over HTTP, as HAPI's "HL7 over HTTP" speaks it, on the node's HTTP listener.
//!
//! The acknowledgment is the answer's body, in the media type of the request, with status 200 whatever MSA-1 is: the
//! message was heard. What is no message has a status and words of its own, and 503 asks to send again.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use sources::{MediaType, Posted, Receiver};
use tokio::sync::{Semaphore, oneshot};

/// Name of the channel of what is posted.
pub(super) const CHANNEL: &str = "http";
/// Longest body, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Bodies read and stored at once; more are answered 503.
const REQUESTS_MAX: usize = 64;
/// Longest that a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

struct Endpoint {
    receiver: Receiver,
    tokens: rest::TokenSet,
    in_work: Semaphore,
}

/// The route; `tokens` open it and nothing else.
pub(super) fn router(receiver: Receiver, tokens: rest::TokenSet) -> Router {
    let endpoint = Endpoint { receiver, tokens, in_work: Semaphore::new(REQUESTS_MAX) };
    Router::new().route("/hl7v2", post(take)).with_state(Arc::new(endpoint))
}

async fn take(
    State(endpoint): State<Arc<Endpoint>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    match taken(&endpoint, peer, request).await {
        Ok(response) => response,
        Err((status, words)) => refusal(status, words),
    }
}

type Refusal = (StatusCode, &'static str);

async fn taken(endpoint: &Endpoint, peer: SocketAddr, request: Request) -> Result<Response, Refusal> {
    let is_known = bearer(request.headers()).is_some_and(|token| endpoint.tokens.client(token).is_some());
    if !is_known {
        return Err((StatusCode::UNAUTHORIZED, "a bearer token for /hl7v2 of this node is needed"));
    }
    let Ok(_place) = endpoint.in_work.try_acquire() else {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "busy, send again"));
    };
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = MediaType::read(content_type.unwrap_or_default())
        .map_err(|words| (StatusCode::UNSUPPORTED_MEDIA_TYPE, words))?;
    let body = body_of(request).await?;
    match endpoint.receiver.post(&peer.to_string(), media_type, body).await {
        Posted::Acknowledged { bytes, entries, is_stored } => {
            let status = if is_stored { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let (sent, told) = oneshot::channel();
            let notes = endpoint.receiver.clone();
            tokio::spawn(async move {
                let is_sent = told.await.is_ok();
                for entry in entries {
                    notes.settle(Some(entry), None, is_sent).await;
                }
            });
            let body = Body::new(Told { bytes: Some(bytes), sent: Some(sent) });
            Ok((status, [(header::CONTENT_TYPE, media_type.essence())], body).into_response())
        }
        Posted::NoMessage(words) => Err((StatusCode::BAD_REQUEST, words)),
        Posted::TwoCharsets => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Type and MSH-18 name two character sets; name the one that the bytes are in",
        )),
    }
}

async fn body_of(request: Request) -> Result<Bytes, Refusal> {
    let too_long = (StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 16777216 bytes");
    let announced = hyper::body::Body::size_hint(request.body()).lower();
    if announced > u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(too_long);
    }
    let read = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (only, more) = (values.next()?, values.next());
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    (more.is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim())
}

fn refusal(status: StatusCode, words: &'static str) -> Response {
    let mut response = (status, format!("{words}\n")).into_response();
    let more = match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer realm=\"tidegate\"")),
        StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
        // What comes after a body that is too long, or stuck, is still the body.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => Some((header::CONNECTION, "close")),
        _ => None,
    };
    if let Some((name, value)) = more {
        response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

/// An answer that tells when the connection took it.
struct Told {
    bytes: Option<Bytes>,
    sent: Option<oneshot::Sender<()>>,
}

impl hyper::body::Body for Told {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if let Some(sent) = self.sent.take() {
            // Nobody listens only when the node is at its end.
            let _: Result<(), ()> = sent.send(());
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
