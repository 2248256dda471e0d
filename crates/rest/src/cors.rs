//! Cross-origin requests (Fetch standard, CORS protocol): apps in a browser may ask from the origins that a site names, and
//! may read the documents of discovery from any (SMART App Launch 2.2, cross-origin resource sharing).
//!
//! Credentials of the browser are never allowed: a client sends its token in `Authorization`, and no cookie counts here.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

/// Origins that one surface names.
pub const ORIGINS_MAX: usize = 64;
/// Seconds for which a browser may remember what it may ask.
const REMEMBERED_S: &str = "600";
/// Methods that may be asked for.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Headers that a client may send.
const SENT: &str = "authorization, accept, content-type, content-encoding, prefer, if-match, if-none-match, if-none-exist, \
                    if-modified-since";
/// Headers of answers that a client may read.
const READ: &str = "etag, last-modified, location, content-location, retry-after, ratelimit, ratelimit-policy, \
                    www-authenticate, x-request-id";
/// What anybody may read: it tells nothing of any resource.
const DISCOVERY: [&str; 4] =
    ["/metadata", "/.well-known/smart-configuration", "/.well-known/openid-configuration", "/jwks"];

/// The origins from which browsers may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Arc<Vec<HeaderValue>>);

impl Origins {
    /// These; `None` when one is no origin ([`is_origin`]) or there are more than [`ORIGINS_MAX`].
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let read = |origin: &str| is_origin(origin).then(|| HeaderValue::from_str(origin).ok()).flatten();
        let origins = origins.into_iter().map(read).collect::<Option<Vec<HeaderValue>>>()?;
        (origins.len() <= ORIGINS_MAX).then(|| Self(Arc::new(origins)))
    }

    /// Lets browsers ask a router from these origins; without any, it stays as it is.
    pub(crate) fn around(&self, router: Router) -> Router {
        if self.0.is_empty() { router } else { router.layer(from_fn_with_state(self.clone(), share)) }
    }
}

/// `https://host`, with a port where it is not 443, as browsers send it; `http://` of this machine alone.
pub fn is_origin(text: &str) -> bool {
    let (host, secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => (host, true),
        (None, Some(host)) => (host, false),
        (None, None) => return false,
    };
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._[]:".contains(&byte);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            if !(1..=5).contains(&port.len()) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
                return false;
            }
            name
        }
        _ => host,
    };
    let is_here = ["127.0.0.1", "[::1]", "localhost"].contains(&name);
    !name.is_empty() && host.bytes().all(is_plain) && (secure || is_here)
}

async fn share(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(header::ORIGIN).cloned();
    let allowed = match asked {
        Some(_) if is_discovery(request.uri().path()) => Some(HeaderValue::from_static("*")),
        Some(origin) if origins.0.contains(&origin) => Some(origin),
        _ => None,
    };
    let mut response = match &allowed {
        Some(_) if is_preflight(&request) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
    response
}

fn is_discovery(path: &str) -> bool {
    DISCOVERY.iter().any(|document| path.ends_with(document))
}

/// Whether a browser asks what it may ask.
fn is_preflight(request: &Request) -> bool {
    let asks = |headers: &HeaderMap| headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS && asks(request.headers())
}

fn preflight() -> Response {
    let told: [(HeaderName, &'static str); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S),
    ];
    (StatusCode::NO_CONTENT, told).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for right in [
            "https://portal.example",
            "https://portal.example:8443",
            "http://127.0.0.1:3000",
            "http://localhost:4200",
            "http://[::1]:80",
        ] {
            assert!(is_origin(right) && Origins::new([right]).is_some(), "{right}");
        }
        for wrong in [
            "",
            "*",
            "null",
            "portal.example",
            "https://",
            "https://:443",
            "https://portal.example/",
            "https://Portal.example",
            "https://portal.example:",
            "https://portal.example:123456",
            "http://portal.example",
            "http://localhost.example",
            "https://a b",
        ] {
            assert!(!is_origin(wrong) && Origins::new([wrong]).is_none(), "{wrong}");
        }
        assert!(Origins::new(["https://portal.example"; ORIGINS_MAX + 1]).is_none());
    }
}
