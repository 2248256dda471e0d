//! Refusals in the form of OAuth (RFC 6749 §5.2, RFC 7009 §2.2.1): JSON with a code and words that repeat nothing.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::outcome::Failure;
use crate::outcome::OwnForm;

/// Why nothing is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: &'static str,
    pub(super) text: &'static str,
}

impl Refusal {
    pub(super) const CLIENT: Self =
        Self { error: "invalid_client", text: "the client is not known or did not prove who it is" };
    pub(super) const GRANT: Self =
        Self { error: "invalid_grant", text: "the code is not valid, was used, has ended, or is another's" };
    pub(super) const SCOPE: Self =
        Self { error: "invalid_scope", text: "no scope that is asked for can be given to this client" };
    pub(super) const FULL: Self =
        Self { error: "temporarily_unavailable", text: "as much as can be kept is in use; try again" };

    pub(super) const fn request(text: &'static str) -> Self {
        Self { error: "invalid_request", text }
    }
}

impl From<Failure> for Refusal {
    /// A form that cannot be read.
    fn from(_: Failure) -> Self {
        Self::request("the form cannot be read, or gives a parameter twice")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        answer(status, &json!({"error": self.error, "error_description": self.text}))
    }
}

/// JSON that is kept nowhere.
pub(super) fn answer(status: StatusCode, json: &Value) -> Response {
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status;
    response.extensions_mut().insert(OwnForm);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
