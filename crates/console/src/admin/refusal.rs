//! The one shape of whatever is refused: a code for programs, the cause, and what would be right.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Error;

/// A refused request. Neither text holds content of a message or of the request.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    cause: String,
    fix: &'static str,
    header: Option<(HeaderName, &'static str)>,
    /// What is wrong, place by place, where there are places.
    faults: Option<Box<Value>>,
}

impl Refusal {
    /// A refusal of these words.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        cause: impl Into<String>,
        fix: &'static str,
    ) -> Self {
        Self { status, code, cause: cause.into(), fix, header: None, faults: None }
    }

    /// The same, naming each place.
    pub(crate) fn with_faults(self, faults: Vec<Value>) -> Self {
        Self { faults: Some(Box::new(faults.into())), ..self }
    }

    pub(crate) fn no_token() -> Self {
        let fix =
            "send the header `Authorization: Bearer <token>` once, with a token of the key file admin-tokens";
        let refusal = Self::new(StatusCode::UNAUTHORIZED, "no-token", "there is no bearer token", fix);
        Self { header: Some((header::WWW_AUTHENTICATE, "Bearer realm=\"tidegate-admin\"")), ..refusal }
    }

    pub(crate) fn unknown_token() -> Self {
        let fix = "use a token of the key file admin-tokens; a FHIR token does not open this API";
        let refusal =
            Self::new(StatusCode::UNAUTHORIZED, "unknown-token", "no client of this API has this token", fix);
        let challenge = "Bearer realm=\"tidegate-admin\", error=\"invalid_token\"";
        Self { header: Some((header::WWW_AUTHENTICATE, challenge)), ..refusal }
    }

    pub(crate) fn unknown_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-route",
            "there is no such route",
            "GET /admin lists the routes",
        )
    }

    pub(crate) fn dropped() -> Self {
        let cause = "the bytes of this message were dropped by retention";
        let fix =
            "POST /admin/messages/search tells what came of it; the ledger tells when its month was dropped";
        Self::new(StatusCode::GONE, "dropped", cause, fix)
    }

    pub(crate) fn method() -> Self {
        let cause = "this route does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", cause, "GET /admin lists the routes")
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (code, fix) = match &error {
            Error::SignedOut | Error::Code | Error::Forged => ("not-allowed", "use a token of this API"),
            Error::NotFound(_) => ("not-found", "search for it: POST /admin/messages/search"),
            Error::Invalid(_) => ("invalid", "GET /admin shows what each route takes"),
            Error::Busy(_) => ("busy", "ask again in a moment"),
            Error::TooLong => {
                ("too-long", "name a patient, visit, order or control id, or a time such as since:1d")
            }
            Error::NotRecorded(_) => ("not-recorded", "nothing was lost or shown; ask again"),
            Error::Store(_) => ("store", "nothing was changed; ask again"),
            Error::Guide(_) | Error::Lent(_) | Error::Render(_) | Error::Task => {
                ("failed", "nothing was changed; ask again")
            }
        };
        Self::new(error.status(), code, error.to_string(), fix)
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Error::Store(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, cause, fix, header, faults } = self;
        let mut body = json!({"code": code, "cause": cause, "fix": fix});
        if let Some(faults) = faults {
            body["faults"] = *faults;
        }
        let mut response = (status, Json(body)).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
