//! Validators and conditional reads (RFC 9110 §13; R4, http §3.1.0.5).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;

use crate::time::{from_http_date, http_date};

/// Answer's number, made by this node; a client's own is never taken over into logs.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What identifies one representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validators {
    /// The text between the quotes of a weak entity tag.
    pub(crate) tag: String,
    /// Absent where there is no honest instant.
    pub(crate) modified: Option<Timestamp>,
    /// Whether `If-Modified-Since` can be answered: not where the instant is coarser than the changes.
    pub(crate) answers_modified_since: bool,
}

impl Validators {
    /// Whether the client has this representation already (304). `If-None-Match` decides alone where it is given.
    pub(crate) fn unchanged(&self, headers: &HeaderMap) -> bool {
        let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
        if tags.peek().is_some() {
            return tags.filter_map(|value| value.to_str().ok()).any(|list| self.matches(list));
        }
        if !self.answers_modified_since {
            return false;
        }
        let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
        match (since.and_then(from_http_date), self.modified) {
            (Some(since), Some(modified)) => modified.as_second() <= since.as_second(),
            _ => false,
        }
    }

    /// Weak comparison with a list of entity tags or `*`.
    fn matches(&self, list: &str) -> bool {
        list.split(',').map(str::trim).any(|candidate| {
            let opaque = candidate.strip_prefix("W/").unwrap_or(candidate);
            let bare = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            candidate == "*" || bare == Some(self.tag.as_str())
        })
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(tag) = HeaderValue::try_from(format!("W/\"{}\"", self.tag)) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(modified) = self.modified.and_then(|at| HeaderValue::try_from(http_date(at)).ok()) {
            headers.insert(header::LAST_MODIFIED, modified);
        }
    }
}

/// Headers that every answer carries: nothing is cached, sniffed or framed.
pub(crate) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
