//! A merge that a message made is taken back by a person, or said again.

use std::sync::Arc;

use askama::Template;
use audit::Kind;
use axum::extract::{Extension, Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use store::{ReviewAnswer, Stored};

use crate::Error;
use crate::clinical::Clinical;
use crate::clinical::list::of;
use crate::clinical::view::{journal_id, read_resources};
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;

/// Merges of one message that are shown.
const MERGES_SHOWN_MAX: usize = 8;

/// Two patients whom a message made one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) retired: String,
    pub(crate) survivor: String,
    /// Whether a person took it back.
    pub(crate) is_taken_back: bool,
}

#[derive(Template)]
#[template(path = "merge.html")]
struct MergePage {
    frame: Frame,
    form_token: String,
    id: String,
    merge: Merge,
}

/// The form of both steps.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
    #[serde(default)]
    retired: String,
    /// What is to hold: `different` or `same`; empty until it is confirmed.
    #[serde(default)]
    answer: String,
}

/// The merges that a message made, by the resources as it wrote them.
pub(crate) async fn merges(clinical: &Clinical, written: &[Stored]) -> Result<Vec<Merge>, Error> {
    let mut found = Vec::new();
    for (retired, survivor) in written.iter().filter_map(replaced).take(MERGES_SHOWN_MAX) {
        let said = clinical.reviews.answered(&retired, &survivor).await?;
        let is_taken_back = said == Some(ReviewAnswer::Different);
        found.push(Merge { retired, survivor, is_taken_back });
    }
    Ok(found)
}

/// Who was retired for whom (Patient.link, type `replaced-by`).
fn replaced(stored: &Stored) -> Option<(String, String)> {
    if stored.deleted || stored.key.resource_type.as_str() != "Patient" {
        return None;
    }
    let body: Value = serde_json::from_slice(stored.body.expose()).ok()?;
    let link = body.get("link")?.as_array()?.iter().find(|link| link["type"] == "replaced-by")?;
    let survivor = link["other"]["reference"].as_str()?.strip_prefix("Patient/")?;
    Some((stored.key.id.clone(), survivor.to_owned()))
}

/// `POST /messages/{id}/merge`: asks once more, then takes the merge back or says it again. Who did is committed with it.
pub(crate) async fn merge(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Form(asked): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &asked.token)?;
    let (clinical, id) = (of(&server)?, journal_id(&id)?);
    let detail = clinical.messages.detail(id).await?.ok_or(Error::NotFound("message"))?;
    let written = read_resources(&server, Some(&detail)).await?;
    let mut made = merges(clinical, &written).await?.into_iter();
    let merge = made.find(|merge| merge.retired == asked.retired).ok_or(Error::NotFound("merge"))?;
    let answer = match asked.answer.as_str() {
        "" => {
            return html(&MergePage {
                frame: Frame::of(&server, &session, "Merge"),
                form_token: session.form_token.clone(),
                id: id.0.to_string(),
                merge,
            });
        }
        "different" => ReviewAnswer::Different,
        "same" => ReviewAnswer::Same,
        _ => return Err(Error::Invalid("answer")),
    };
    let page = format!("/messages/{}", id.0);
    // The form came twice: it is so already.
    if merge.is_taken_back == (answer == ReviewAnswer::Different) {
        return Ok(Redirect::to(&page).into_response());
    }
    let record = act(&server.console, Kind::ReviewAnswered, &session, peer)?
        .outcome("ok")
        .message(id.0)
        .patient_token(&(clinical.patient_token)(&merge.retired))
        .patient_token(&(clinical.patient_token)(&merge.survivor))
        .object("answer", &asked.answer)
        .map_err(not_recorded)?;
    let now_us = (server.console.now_us)();
    let done =
        clinical.reviews.decide(&merge.retired, &merge.survivor, answer, session.user, now_us, record).await;
    match done {
        Ok(()) => Ok(Redirect::to(&page).into_response()),
        Err(store::Error::NotFound) => html(&Notice {
            frame: Frame::of(&server, &session, "Not taken back"),
            text: "No message that was processed is about either patient. Nothing was changed.".to_owned(),
            link: Some((page, "Back to the message")),
            explains_sign_in: false,
        }),
        Err(error) => Err(error.into()),
    }
}
