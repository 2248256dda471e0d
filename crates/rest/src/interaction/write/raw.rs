//! The content of a Binary, sent as it is (R4, resource Binary, §2.45.3): its media type and bytes become the resource. What is
//! sent as FHIR is one only where it is a Binary itself.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::{IssueCode, Reference, ResourceType};
use serde_json::{Value, json};

use super::headers::only;
use crate::body;
use crate::interaction::binary::is_binary;
use crate::outcome::Failure;

/// Whose access rules those of the content are.
static SECURITY_CONTEXT: HeaderName = HeaderName::from_static("x-security-context");
/// Characters of a media type with its parameters.
const MEDIA_CHARS_MAX: usize = 255;

/// What a create or an update is sent: a resource, or the content of a Binary, which has no id yet.
pub(in crate::interaction) enum Sent {
    Resource(Value),
    Content(Value),
}

impl Sent {
    /// Reads a body. `base_url`: this server's own address.
    ///
    /// # Errors
    /// As of a resource; 400 for a media type or a security context that cannot be read.
    pub(in crate::interaction) async fn read(
        of: ResourceType,
        headers: &HeaderMap,
        content: Body,
        base_url: &str,
    ) -> Result<Self, Failure> {
        let context = only(headers, &SECURITY_CONTEXT)?;
        if !is_binary(of) || !headers.contains_key(header::CONTENT_TYPE) {
            return Ok(Self::Resource(unmarked(context, body::resource(headers, content).await?)?));
        }
        let bytes = body::bytes(headers, content).await?;
        if body::is_resource(headers) {
            let parsed = body::parsed(&bytes)?;
            if parsed.get("resourceType").and_then(Value::as_str) == Some(of.as_str()) {
                return Ok(Self::Resource(unmarked(context, parsed)?));
            }
        }
        let mut binary = json!({
            "resourceType": of.as_str(),
            "contentType": media(headers)?,
        });
        if !bytes.is_empty() {
            binary["data"] = Value::String(STANDARD.encode(&bytes));
        }
        if let Some(context) = context {
            binary["securityContext"] = json!({"reference": reference(context, base_url)?});
        }
        Ok(Self::Content(binary))
    }

    /// The resource; content gets the id of its address.
    pub(in crate::interaction) fn under(self, id: &str) -> Value {
        match self {
            Self::Resource(resource) => resource,
            Self::Content(mut content) => {
                super::set_id(&mut content, id);
                content
            }
        }
    }

    /// The resource.
    pub(in crate::interaction) fn resource(self) -> Value {
        match self {
            Self::Resource(resource) | Self::Content(resource) => resource,
        }
    }
}

/// A resource says its own security context.
fn unmarked(context: Option<&str>, resource: Value) -> Result<Value, Failure> {
    match context {
        None => Ok(resource),
        Some(_) => {
            let text =
                "X-Security-Context goes with the content of a Binary; a resource has securityContext itself";
            Err(Failure::bad_request(IssueCode::NotSupported, text))
        }
    }
}

/// The media type as it was sent.
fn media(headers: &HeaderMap) -> Result<&str, Failure> {
    let wrong = || {
        let text = "the Content-Type of a Binary's content is a media type: application/pdf";
        Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::Value, text)
    };
    let sent = only(headers, &header::CONTENT_TYPE)?.ok_or_else(wrong)?;
    let (main, sub) = sent.split(';').next().unwrap_or_default().trim().split_once('/').ok_or_else(wrong)?;
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let is_plain = sent.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && !sent.contains("  ");
    if is_token(main) && is_token(sub) && is_plain && sent.len() <= MEDIA_CHARS_MAX {
        Ok(sent)
    } else {
        Err(wrong())
    }
}

/// A reference to a resource of this server.
fn reference(context: &str, base_url: &str) -> Result<String, Failure> {
    let own = context.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/')).unwrap_or(context);
    match Reference::parse(own) {
        Reference::Relative { resource_type, id, .. } => Ok(format!("{resource_type}/{id}")),
        _ => {
            let text = "X-Security-Context refers to a resource of this server: Patient/123";
            Err(Failure::bad_request(IssueCode::Value, text))
        }
    }
}
