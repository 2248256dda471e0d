//! A delivery that was given up is sent again.

use std::sync::Arc;

use audit::Kind;
use axum::extract::{Extension, Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::Error;
use crate::clinical::list::of;
use crate::clinical::view::journal_id;
use crate::frame::{Frame, Notice, html};
use crate::record::{act, not_recorded};
use crate::server::{Peer, Server, check_form};
use crate::session::Session;

/// The form of one button.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
}

/// `POST /messages/{id}/revive/{delivery}`. Who asked is committed with the act.
pub(crate) async fn revive(
    State(server): State<Arc<Server>>,
    Extension(session): Extension<Session>,
    Extension(peer): Extension<Peer>,
    Path((id, delivery)): Path<(String, String)>,
    Form(Asked { token }): Form<Asked>,
) -> Result<Response, Error> {
    check_form(&session, &token)?;
    let clinical = of(&server)?;
    let id = journal_id(&id)?;
    let delivery = Uuid::try_parse(&delivery).map_err(|_| Error::NotFound("delivery"))?;
    let detail = clinical.messages.detail(id).await?.ok_or(Error::NotFound("message"))?;
    let is_forward = detail.forwards.iter().any(|row| row.id == delivery);
    if !is_forward && !detail.deliveries.iter().any(|row| row.id == delivery) {
        return Err(Error::NotFound("delivery"));
    }
    let record = act(&server.console, Kind::DeliveryRevived, &session, peer)?
        .outcome("ok")
        .message(id.0)
        .object("delivery", &delivery.to_string())
        .map_err(not_recorded)?;
    let page = format!("/messages/{}#deliveries", id.0);
    let revived = if is_forward {
        clinical.forwards.revive_forward(delivery, record).await
    } else {
        clinical.outbox.revive(delivery, record).await
    };
    let text = match revived {
        Ok(()) => return Ok(Redirect::to(&page).into_response()),
        Err(store::Error::Conflict(_)) => "Something newer was sent in its place since. Nothing was changed.",
        Err(store::Error::NotFound) => "It is not given up any more. Nothing was changed.",
        Err(error) => return Err(error.into()),
    };
    html(&Notice {
        frame: Frame::of(&server, &session, "Not sent again"),
        text: text.to_owned(),
        link: Some((page, "Back to the message")),
        explains_sign_in: false,
    })
}
