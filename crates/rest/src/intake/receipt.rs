//! Receipts: what this node signs for each delivery it keeps (form: the link's wire format).

use audit::SigningKey;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use store::Micros;
use uuid::Uuid;

use super::IntakeState;
use crate::outcome::Failure;

/// First line of every receipt.
const HEADER: &str = "tidegate-receipt/v1";

/// The content of a receipt. Every text is a code without spaces or line feeds, which the intake checks before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReceiptText<'a> {
    /// The node that stored it.
    pub(super) node: &'a str,
    /// The region it stores in.
    pub(super) region: &'a str,
    /// The destination it is.
    pub(super) destination: &'a str,
    /// Resource type.
    pub(super) resource_type: &'a str,
    /// Released id.
    pub(super) released_id: &'a str,
    /// The on-prem version.
    pub(super) version: u32,
    /// SHA-256 of the body; of no bytes for a deletion.
    pub(super) content_hash: [u8; 32],
    /// The delivery.
    pub(super) idempotency_key: Uuid,
    /// The residency decision.
    pub(super) decision_id: Uuid,
    /// When it was stored.
    pub(super) at_us: Micros,
}

impl ReceiptText<'_> {
    /// The signed text.
    pub(super) fn sign(&self, key: &SigningKey) -> String {
        let Self { node, region, destination, resource_type, released_id, version, at_us, .. } = self;
        let (hash, delivery, decision) = (hex(&self.content_hash), self.idempotency_key, self.decision_id);
        let text = format!(
            "{HEADER}\nnode {node}\nregion {region}\ndestination {destination}\nresource {resource_type}/{released_id}\n\
             version {version}\nsha256 {hash}\nkey {delivery}\ndecision {decision}\nat {at_us}\n"
        );
        let signature = STANDARD.encode(key.sign(text.as_bytes()));
        format!("{text}\nsig {signature}\n")
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `GET /link/v1/receipts/{key}`: for a sender that lost the answer.
pub(super) async fn stored(
    State(state): State<IntakeState>,
    Path(key): Path<String>,
) -> Result<Response, Failure> {
    let unknown = || Failure::not_found("no such delivery is stored");
    let key = Uuid::try_parse(&key).map_err(|_| unknown())?;
    let receipt = state.intake.receipt(key).await?.ok_or_else(unknown)?;
    Ok(plain(receipt))
}

pub(super) fn plain(text: String) -> Response {
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
