//! Does a receipt belong to what was sent, and did the destination sign it?

use audit::VerifyingKey;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// First line of every receipt.
const HEADER: &str = "tidegate-receipt/v1";

/// What a receipt must say to settle a delivery.
pub struct Expected<'a> {
    /// Destination id.
    pub destination: &'a str,
    /// Region in which the policy lets the destination store.
    pub region: &'a str,
    /// `Patient/<released id>`.
    pub resource: String,
    /// The bytes sent; empty for a deletion.
    pub body: &'a [u8],
    /// Idempotency key.
    pub key: Uuid,
    /// Residency decision.
    pub decision: Uuid,
}

/// Why a receipt settles nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// It is no receipt.
    #[error("receipt cannot be read")]
    Form,
    /// Another key signed it, or nobody.
    #[error("receipt is not signed by the destination")]
    Signature,
    /// It speaks about something else; the name of the line.
    #[error("receipt differs in {0}")]
    Differs(&'static str),
}

impl Expected<'_> {
    /// Checks signature first, then every line that this node knows.
    pub fn check(&self, receipt: &str, key: &VerifyingKey) -> Result<(), ReceiptError> {
        let (body, signature) = receipt.split_once("\n\nsig ").ok_or(ReceiptError::Form)?;
        let signed = receipt.get(..=body.len()).ok_or(ReceiptError::Form)?;
        let signature = STANDARD.decode(signature.trim_end()).map_err(|_| ReceiptError::Form)?;
        key.verify(signed.as_bytes(), &signature).map_err(|_| ReceiptError::Signature)?;
        if !body.starts_with(HEADER) {
            return Err(ReceiptError::Form);
        }
        let sha256: String =
            digest(&SHA256, self.body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let lines: [(&'static str, &str); 6] = [
            ("destination", self.destination),
            ("region", self.region),
            ("resource", &self.resource),
            ("sha256", &sha256),
            ("key", &self.key.to_string()),
            ("decision", &self.decision.to_string()),
        ];
        let says = |name: &str, value: &str| {
            body.lines().any(|line| line.split_once(' ').is_some_and(|(n, v)| n == name && v == value))
        };
        match lines.iter().find(|(name, value)| !says(name, value)) {
            Some((name, _)) => Err(ReceiptError::Differs(name)),
            None => Ok(()),
        }
    }
}

/// SHA-256 of a receipt's text, in hexadecimal: what enters the ledger.
pub fn text_hash(receipt: &str) -> String {
    digest(&SHA256, receipt.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
