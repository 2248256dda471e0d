//! Bodies of requests: their media type, encoding and size, then strict JSON.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use fhir::IssueCode;
#[cfg(feature = "clinical")]
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
#[cfg(feature = "clinical")]
use std::io::Read;

use crate::capacity::BODY_BYTES_MAX;
use crate::json;
use crate::outcome::Failure;

/// What a resource is sent as.
const RESOURCE: [&str; 4] =
    ["application/fhir+json", "application/json", "application/json+fhir", "text/json"];
/// How a body may be packed.
const ENCODINGS: &str = if cfg!(feature = "clinical") { "gzip" } else { "identity" };
/// What a patch is sent as (RFC 6902).
#[cfg(feature = "clinical")]
const PATCH: [&str; 1] = ["application/json-patch+json"];

/// A body, unpacked.
///
/// # Errors
/// 413 when it is over its limit, packed or not; 415 for an encoding that is not read; 400 when it is not whole.
pub(crate) async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let sent = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            too_long()
        } else {
            Failure::bad_request(IssueCode::Incomplete, "the body was not received whole")
        }
    })?;
    let sent = sent.to_bytes();
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref()
    {
        None | Some(b"" | b"identity") => Ok(sent),
        #[cfg(feature = "clinical")]
        Some(b"gzip" | b"x-gzip") => unpacked(&sent),
        Some(_) => {
            let text = format!("this Content-Encoding is not read here; valid: {ENCODINGS}");
            Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::NotSupported, text))
        }
    }
}

#[cfg(feature = "clinical")]
fn unpacked(packed: &[u8]) -> Result<Bytes, Failure> {
    let limit = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut unpacked = Vec::new();
    let mut reader = GzDecoder::new(packed).take(limit.saturating_add(1));
    reader
        .read_to_end(&mut unpacked)
        .map_err(|_| Failure::bad_request(IssueCode::Structure, "the body is not what gzip writes"))?;
    if unpacked.len() > BODY_BYTES_MAX { Err(too_long()) } else { Ok(Bytes::from(unpacked)) }
}

fn too_long() -> Failure {
    let text = format!("the body is over its limit of {BODY_BYTES_MAX} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, text)
}

/// The media type of a body, in small letters, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// A resource.
///
/// # Errors
/// 415 for another media type, 400 for what is no JSON, and as [`bytes`].
pub(crate) async fn resource(headers: &HeaderMap, body: Body) -> Result<Value, Failure> {
    expect(headers, &RESOURCE)?;
    parsed(&bytes(headers, body).await?)
}

/// Whether a body is said to be a resource.
#[cfg(feature = "clinical")]
pub(crate) fn is_resource(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|media| RESOURCE.contains(&media.as_str()))
}

/// A JSON Patch.
///
/// # Errors
/// As [`resource`].
#[cfg(feature = "clinical")]
pub(crate) async fn patch(headers: &HeaderMap, body: Body) -> Result<Value, Failure> {
    expect(headers, &PATCH)?;
    parsed(&bytes(headers, body).await?)
}

/// Strict JSON as an answer wants it.
///
/// # Errors
/// 400 with line and column.
pub(crate) fn parsed(bytes: &[u8]) -> Result<Value, Failure> {
    json::parse(bytes).map_err(|malformed| Failure::bad_request(malformed.code, malformed.text))
}

/// No media type is taken for the first of the valid ones.
fn expect(headers: &HeaderMap, valid: &[&str]) -> Result<(), Failure> {
    let is_known = match (headers.get(header::CONTENT_TYPE), media_type(headers)) {
        (None, _) => true,
        (Some(_), Some(media)) => valid.contains(&media.as_str()),
        (Some(_), None) => false,
    };
    if is_known {
        return Ok(());
    }
    let text = format!("this Content-Type is not read here; valid: {}", valid.join(", "));
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::NotSupported, text))
}
