//! A JSON body of a known shape.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::admin::refusal::Refusal;

/// The body of a request; anything else than the expected object is refused without a word of what it holds.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let read = Json::<T>::from_request(request, state).await;
        read.map(|Json(body)| Self(body)).map_err(|rejection| refusal(&rejection))
    }
}

fn refusal(rejection: &JsonRejection) -> Refusal {
    let fix = "GET /admin shows what each route takes";
    match (rejection, rejection.status()) {
        (JsonRejection::MissingJsonContentType(_), status) => Refusal::new(
            status,
            "content-type",
            "the body is not said to be JSON",
            "send `Content-Type: application/json`",
        ),
        (_, status @ StatusCode::PAYLOAD_TOO_LARGE) => {
            Refusal::new(status, "too-large", "the body is longer than any request", "send at most 64 KiB")
        }
        _ => Refusal::new(
            StatusCode::BAD_REQUEST,
            "body",
            "the body is not the JSON object of this route",
            fix,
        ),
    }
}
