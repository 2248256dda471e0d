//! Retention of the journal and legal holds: what would go and what keeps the rest, holds placed and released.

use std::sync::Arc;

use audit::{Kind, Record};
use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Dropped, HOLD_REASONS, Hold, HoldOn, JournalMonth};

use crate::Error;
use crate::admin::body::Body;
use crate::admin::refusal::Refusal;
use crate::admin::token::Client;
use crate::clinical::of;
use crate::hex::hex;
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};
use crate::time::instant;

/// Most patients that the record of a hold names: those of one number.
const PATIENTS_NAMED_MAX: usize = 16;

/// `GET /admin/retention`: names of months and counts, nothing of a message.
pub(crate) async fn plan(State(server): State<Arc<Server>>) -> Result<Json<Value>, Refusal> {
    let clinical = of(&server)?;
    let now_us = (server.console.now_us)();
    let months = clinical.retention.months(now_us, clinical.journal_months).await?;
    let months: Vec<Value> = months.iter().map(month_json).collect();
    Ok(Json(json!({"journal_months": clinical.journal_months, "months": months})))
}

fn month_json(month: &JournalMonth) -> Value {
    let JournalMonth { month, first, last, bytes, kept, holds } = month;
    let kept_for: Vec<Value> =
        kept.iter().map(|(why, count)| json!({"why": why.as_str(), "count": count})).collect();
    json!({
        "month": month, "first": first.0, "last": last.0, "bytes": bytes, "goes": kept.is_empty(),
        "kept": kept_for, "holds": holds,
    })
}

/// `POST /admin/retention/apply`: drops what the plan says may go, now.
pub(crate) async fn apply(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<Value>, Refusal> {
    let clinical = of(&server)?;
    let now_us = (server.console.now_us)();
    let record = |dropped: &Dropped| {
        let record = by_client(&server.console, Kind::JournalDropped, &client.0, peer).outcome("ok");
        record
            .object("month", &dropped.month)
            .and_then(|record| record.object("entries", &dropped.entries.to_string()))
            .and_then(|record| record.object("last", &dropped.last.0.to_string()))
            .and_then(|record| record.object("digest", &hex(&dropped.digest)))
            .ok()
    };
    let gone = store::drop_due(&*clinical.retention, clinical.journal_months, now_us, &record).await?;
    let gone: Vec<Value> = gone
        .iter()
        .map(|one| json!({"month": one.month, "entries": one.entries, "last": one.last.0}))
        .collect();
    Ok(Json(json!({"dropped": gone})))
}

/// `GET /admin/holds`: a patient's number is not told again.
pub(crate) async fn holds(State(server): State<Arc<Server>>) -> Result<Json<Value>, Refusal> {
    let clinical = of(&server)?;
    let months = clinical.retention.months((server.console.now_us)(), clinical.journal_months).await?;
    let holds = clinical.retention.holds().await?;
    let holds: Vec<Value> = holds.iter().map(|hold| hold_json(hold, &months)).collect();
    Ok(Json(json!({"holds": holds})))
}

fn hold_json(hold: &Hold, months: &[JournalMonth]) -> Value {
    let keeps: Vec<&str> = months
        .iter()
        .filter(|month| month.holds.contains(&hold.hold))
        .map(|month| month.month.as_str())
        .collect();
    let on = match &hold.on {
        HoldOn::Month(_) => "month",
        HoldOn::Patient(_) => "patient",
    };
    json!({
        "hold": hold.hold, "on": on, "reason": hold.reason, "by": hold.placed_by,
        "at": instant(hold.placed_us).exact, "keeps": keeps,
    })
}

/// What is to be held, and why. The number is one of a patient.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    month: Option<String>,
    patient: Option<String>,
    reason: String,
}

/// `POST /admin/holds`.
pub(crate) async fn place(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Body(Asked { month, patient, reason }): Body<Asked>,
) -> Result<Json<Value>, Refusal> {
    let clinical = of(&server)?;
    let reason = known(&reason)?;
    let record = by_client(&server.console, Kind::HoldPlaced, &client.0, peer).outcome("ok");
    let mut record = record.object("reason", reason).map_err(not_recorded)?;
    let on = match (month, patient) {
        (Some(month), None) => {
            record = record.object("month", is_month(&month)?).map_err(not_recorded)?;
            HoldOn::Month(month)
        }
        (None, Some(value)) => {
            let patients = clinical.retention.patients_of(&value).await?;
            if patients.is_empty() {
                let cause = "no message names a patient of this number; nothing is held";
                let fix = "give the number as messages have it in PID-3; tidegate msg find mrn:NUMBER";
                return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-patient", cause, fix));
            }
            for patient in patients.iter().take(PATIENTS_NAMED_MAX) {
                record = record.patient_token(&(clinical.patient_token)(patient));
            }
            HoldOn::Patient(value)
        }
        _ => return Err(Error::Invalid("either a month or a patient").into()),
    };
    let (placed_by, placed_us) = (client.0.clone(), (server.console.now_us)());
    let hold = Hold { hold: 0, on, reason: reason.to_owned(), placed_by, placed_us };
    let hold = clinical.retention.place_hold(hold, record).await?;
    Ok(Json(json!({"hold": hold})))
}

/// Why a hold ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    reason: String,
}

/// `POST /admin/holds/{hold}/release`.
pub(crate) async fn release(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Extension(peer): Extension<Peer>,
    Path(hold): Path<i64>,
    Body(Release { reason }): Body<Release>,
) -> Result<Json<Value>, Refusal> {
    let clinical = of(&server)?;
    let record: Record = by_client(&server.console, Kind::HoldReleased, &client.0, peer)
        .outcome("ok")
        .object("reason", known(&reason)?)
        .and_then(|record| record.object("hold", &hold.to_string()))
        .map_err(not_recorded)?;
    let now_us = (server.console.now_us)();
    match clinical.retention.release_hold(hold, &client.0, now_us, record).await {
        Ok(()) => Ok(Json(json!({"released": hold}))),
        Err(store::Error::NotFound) => {
            let fix = "tidegate hold list shows those that stand";
            Err(Refusal::new(StatusCode::NOT_FOUND, "no-hold", "no hold of this number stands", fix))
        }
        Err(error) => Err(error.into()),
    }
}

fn known(reason: &str) -> Result<&'static str, Refusal> {
    HOLD_REASONS.into_iter().find(|code| *code == reason).ok_or_else(|| {
        let cause = format!("the reason is not one of {}", HOLD_REASONS.join(", "));
        let fix = "give the reason as one of these codes";
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "reason", cause, fix)
    })
}

/// `YYYY-MM`.
fn is_month(text: &str) -> Result<&str, Refusal> {
    let is_digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text.split_once('-').filter(|(year, month)| is_digits(year, 4) && is_digits(month, 2));
    let is_civil = parts.is_some_and(|(_, month)| ("01"..="12").contains(&month));
    if is_civil { Ok(text) } else { Err(Error::Invalid("a month is written as 2026-01").into()) }
}
