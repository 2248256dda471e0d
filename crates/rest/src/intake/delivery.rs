//! Deliveries as they come over the wire, and which of them have the right form.

use audit::is_code;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use fhir::{IssueCode, ResourceType, is_resource_id};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::outcome::Failure;

/// Deliveries in one request.
pub const DELIVERIES_MAX: usize = 256;
/// Bytes of one request.
pub const DELIVERIES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the body of one delivery.
pub const DELIVERY_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

const HASH_HEX_CHARS: usize = 64;

/// One delivery, as sent. It holds a resource, so it has no Debug.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    idempotency_key: String,
    decision_id: String,
    destination: String,
    profile: String,
    policy_hash: String,
    resource_type: String,
    released_id: String,
    version: u32,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    body: String,
}

/// One delivery of the right form.
pub(super) struct Delivery {
    pub(super) decision_id: Uuid,
    pub(super) destination: String,
    pub(super) profile: String,
    pub(super) policy_hash: String,
    pub(super) resource_type: ResourceType,
    pub(super) released_id: String,
    pub(super) version: u32,
    pub(super) deleted: bool,
    /// The exact bytes; none when deleted.
    pub(super) body: Vec<u8>,
}

/// The answer to one delivery.
#[derive(Serialize)]
pub(super) struct Answer {
    pub(super) idempotency_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refusal>,
}

/// Why a delivery is not kept: codes and places, no content.
#[derive(Serialize)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) transient: bool,
    pub(super) findings: Vec<RefusalFinding>,
}

#[derive(Serialize)]
pub(super) struct RefusalFinding {
    pub(super) check: &'static str,
    pub(super) location: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str) -> Self {
        Self { code, transient: code == "profile-unknown", findings: Vec::new() }
    }

    pub(super) fn verification(findings: Vec<verifier::Finding>) -> Self {
        let findings = findings
            .into_iter()
            .map(|finding| RefusalFinding { check: finding.check, location: finding.location });
        Self { findings: findings.collect(), ..Self::new("verification") }
    }

    fn malformed(member: &'static str) -> Self {
        let finding = RefusalFinding { check: "member", location: member.to_owned() };
        Self { findings: vec![finding], ..Self::new("malformed") }
    }
}

impl Sent {
    /// The key and the delivery, or why it is not one.
    ///
    /// # Errors
    /// 400 when the key is no UUID: then the delivery cannot be answered for.
    pub(super) fn parse(self) -> Result<(Uuid, Result<Delivery, Refusal>), Failure> {
        let key = Uuid::try_parse(&self.idempotency_key)
            .map_err(|_| Failure::bad_request(IssueCode::Value, "an idempotency_key is not a UUID"))?;
        Ok((key, self.checked()))
    }

    fn checked(self) -> Result<Delivery, Refusal> {
        let code = |text: &str| !text.is_empty() && is_code(text);
        let Ok(decision_id) = Uuid::try_parse(&self.decision_id) else {
            return Err(Refusal::malformed("decision_id"));
        };
        let Some(resource_type) = ResourceType::parse(&self.resource_type) else {
            return Err(Refusal::malformed("resource_type"));
        };
        let hash = self.policy_hash.len() == HASH_HEX_CHARS
            && self.policy_hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let wrong = [
            ("destination", !code(&self.destination)),
            ("profile", !code(&self.profile)),
            ("policy_hash", !hash),
            ("released_id", !is_resource_id(&self.released_id)),
            ("version", self.version == 0),
            ("body", self.deleted != self.body.is_empty()),
        ];
        if let Some((member, _)) = wrong.into_iter().find(|(_, wrong)| *wrong) {
            return Err(Refusal::malformed(member));
        }
        if self.body.len() > DELIVERY_BODY_BYTES_MAX {
            return Err(Refusal::new("too-large"));
        }
        Ok(Delivery {
            decision_id,
            destination: self.destination,
            profile: self.profile,
            policy_hash: self.policy_hash,
            resource_type,
            released_id: self.released_id,
            version: self.version,
            deleted: self.deleted,
            body: self.body.into_bytes(),
        })
    }
}

/// Reads the deliveries of a request.
///
/// # Errors
/// 400, 413 or 415 for the whole request; nothing of it is kept then.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<Sent>, Failure> {
    let lines = match media_type(headers).as_str() {
        "application/json" => false,
        "application/x-ndjson" | "application/ndjson" => true,
        _ => {
            let text = "deliveries are application/json or application/x-ndjson";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::NotSupported, text));
        }
    };
    let bytes = body_bytes(body, DELIVERIES_BYTES_MAX).await?;
    // The cause would name what was read, so it is left out.
    let malformed = |_| Failure::bad_request(IssueCode::Structure, "the deliveries cannot be read");
    let deliveries: Vec<Sent> = if lines {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.map(serde_json::from_slice).collect::<Result<_, _>>().map_err(malformed)?
    } else {
        serde_json::from_slice(&bytes).map_err(malformed)?
    };
    if deliveries.len() > DELIVERIES_MAX {
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            IssueCode::TooCostly,
            "there are too many deliveries",
        ));
    }
    Ok(deliveries)
}

pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// # Errors
/// 413 beyond the limit, 400 when the body breaks off.
pub(super) async fn body_bytes(body: Body, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let read = Limited::new(body, bytes_max).collect().await;
    read.map(|body| body.to_bytes().to_vec()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooLong, "the body is over its limit")
        } else {
            Failure::bad_request(IssueCode::Incomplete, "the body was not received whole")
        }
    })
}
