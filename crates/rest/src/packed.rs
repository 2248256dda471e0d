//! Answers in gzip for clients that take it (RFC 9110 §12.5.3). JSON says the same names over and over: a page of it is a
//! tenth of its size.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use crate::outcome::Failure;

/// Bytes below which an answer goes as it is: it fits into one packet.
const PACKED_FROM: u64 = 1_400;
/// Bytes above which it is packed on a thread beside.
const INLINE_BYTES_MAX: u64 = 64 << 10;

/// Packs what is answered where that is asked for and worth it. What is written part by part goes as it is.
pub(crate) async fn answers(request: Request, next: Next) -> Response {
    let takes = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let Some(length) = worth_packing(&response) else { return response };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !takes {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let packed = match body.collect().await {
        Ok(whole) => packed(whole.to_bytes(), length).await,
        Err(_) => None,
    };
    let Some(packed) = packed else {
        tracing::error!("an answer cannot be packed");
        return Failure::internal().into_response();
    };
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(packed.len()));
    Response::from_parts(parts, Body::from(packed))
}

/// The length of JSON that is answered whole and is long enough.
fn worth_packing(response: &Response) -> Option<u64> {
    let headers = response.headers();
    let is_json = headers.get(header::CONTENT_TYPE)?.to_str().is_ok_and(|media| {
        let media = media.split(';').next().unwrap_or_default().trim();
        media == "application/json" || media == "application/fhir+json"
    });
    let length = response.body().size_hint().exact()?;
    let is_whole = response.status() == StatusCode::OK && !headers.contains_key(header::CONTENT_ENCODING);
    (is_json && is_whole && length >= PACKED_FROM).then_some(length)
}

async fn packed(whole: Bytes, length: u64) -> Option<Vec<u8>> {
    let pack = move || {
        let mut writer = GzEncoder::new(Vec::with_capacity(whole.len() / 4), Compression::fast());
        writer.write_all(&whole).and_then(|()| writer.finish()).ok()
    };
    if length > INLINE_BYTES_MAX { tokio::task::spawn_blocking(pack).await.ok()? } else { pack() }
}

/// Whether gzip is among what a client takes, by name and not with the weight 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "x-gzip");
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_gzip && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_name_and_weight() {
        let takes = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).expect("a value"));
            takes_gzip(&headers)
        };
        for yes in ["gzip", "deflate, GZIP", "gzip;q=0.1", "br;q=1.0, gzip; q=0.8, *;q=0", "x-gzip"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "identity", "gzip;q=0", "gzip; q=0.000", "gzip;q=x", "*", "gzipped", "br"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
