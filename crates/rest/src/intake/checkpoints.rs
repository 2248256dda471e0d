//! Checkpoints of the peers' ledgers, kept so that a later truncation or rewrite can be shown.

use audit::Checkpoint;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fhir::IssueCode;
use serde_json::json;

use super::IntakeState;
use super::delivery::{body_bytes, media_type};
use super::receipt::plain;
use crate::outcome::Failure;

/// Bytes of a checkpoint note.
const NOTE_BYTES_MAX: usize = 8 * 1024;

/// `POST /link/v1/checkpoints`.
pub(super) async fn keep(
    State(state): State<IntakeState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    if media_type(&headers) != "text/plain" {
        let text = "a checkpoint is posted as text/plain";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueCode::NotSupported, text));
    }
    let no_note = || Failure::bad_request(IssueCode::Structure, "the body is no checkpoint");
    let note = String::from_utf8(body_bytes(body, NOTE_BYTES_MAX).await?).map_err(|_| no_note())?;
    let origin = note.lines().next().filter(|origin| !origin.is_empty()).ok_or_else(no_note)?;
    let unsigned = || {
        Failure::new(
            StatusCode::FORBIDDEN,
            IssueCode::Security,
            "the checkpoint is not by a ledger witnessed here",
        )
    };
    let key = state.peers.get(origin).ok_or_else(unsigned)?;
    let new = Checkpoint::from_note(&note, key).map_err(|error| match error {
        audit::Error::Signature => unsigned(),
        _ => no_note(),
    })?;
    let contradiction = match state.intake.witness(origin).await? {
        None => None,
        Some(kept) => Checkpoint::from_note(&kept, key).map_or_else(
            |_| Some("the checkpoint kept before was signed by another key"),
            |kept| contradiction(&kept, &new),
        ),
    };
    // A contradicting note is evidence, so it is kept beside the earlier one, which remains the witness.
    state.intake.keep_witness(origin, &note, new.size, (state.now_us)()).await?;
    match contradiction {
        None => Ok(Json(json!({"origin": new.origin, "size": new.size})).into_response()),
        Some(text) => {
            tracing::error!(size = new.size, "a witnessed ledger contradicts itself");
            Err(Failure::new(StatusCode::CONFLICT, IssueCode::Conflict, text))
        }
    }
}

fn contradiction(kept: &Checkpoint, new: &Checkpoint) -> Option<&'static str> {
    if new.size < kept.size {
        Some("the ledger was larger before")
    } else if new.size == kept.size && new.root != kept.root {
        Some("the ledger had another root at this size")
    } else {
        None
    }
}

/// `GET /link/v1/checkpoints/{origin}`.
pub(super) async fn kept(
    State(state): State<IntakeState>,
    Path(origin): Path<String>,
) -> Result<Response, Failure> {
    let unknown = || Failure::not_found("no checkpoint of this ledger is kept");
    if !state.peers.contains_key(&origin) {
        return Err(unknown());
    }
    Ok(plain(state.intake.witness(&origin).await?.ok_or_else(unknown)?))
}
