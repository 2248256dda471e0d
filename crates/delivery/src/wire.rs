//! The sender's half of the link's wire format (the cloud's half is the intake of `rest`, which documents it).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `POST` target of deliveries.
pub const DELIVERIES: &str = "/link/v1/deliveries";
/// `POST` target of checkpoints.
pub const CHECKPOINTS: &str = "/link/v1/checkpoints";
/// Deliveries in one request.
pub const BATCH_DELIVERIES_MAX: usize = 256;
/// Bytes of bodies in one request; well under the intake's 16 MiB, escapes included.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// One delivery as it travels; `body` is the exact canonical JSON text of the released resource.
#[derive(Serialize)]
pub struct OutgoingDelivery<'a> {
    pub idempotency_key: Uuid,
    pub decision_id: Uuid,
    pub destination: &'a str,
    pub profile: &'a str,
    pub policy_hash: &'a str,
    pub resource_type: &'a str,
    pub released_id: &'a str,
    pub version: u32,
    pub deleted: bool,
    pub body: &'a str,
}

/// The answer to a batch, in the order sent.
#[derive(Deserialize)]
pub struct Answer {
    pub results: Vec<Outcome>,
}

/// The answer to one delivery: a receipt or a refusal.
#[derive(Deserialize)]
pub struct Outcome {
    pub idempotency_key: Uuid,
    pub receipt: Option<String>,
    pub refused: Option<Refusal>,
}

/// Why the cloud node did not take a delivery.
#[derive(Debug, Clone, Deserialize)]
pub struct Refusal {
    /// `verification`, `identity`, `too-large`, `malformed`, `destination-unknown`, `profile-unknown`.
    pub code: String,
    /// Sending it again later can succeed.
    #[serde(default)]
    pub transient: bool,
}
