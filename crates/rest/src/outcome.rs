//! Failures of a request, answered as an OperationOutcome (R4, http §3.1.0.1.7).
//!
//! Texts are written here or in the caller's source: no value of a request or a resource is repeated.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fhir::{Issue, IssueCode, Severity};
use serde_json::Value;
use uuid::Uuid;

use crate::capacity::RETRY_AFTER_SECONDS;
use crate::negotiation::Format;

/// Why a request is not answered. It travels in the response's extensions until [`render`] writes its body.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    status: StatusCode,
    issues: Vec<Issue>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: IssueCode, text: impl Into<String>) -> Self {
        let issue = Issue { severity: Severity::Error, code, location: String::new(), text: text.into() };
        Self { status, issues: vec![issue], headers: Vec::new() }
    }

    /// A failure of these issues; `issues` is not empty.
    #[cfg(feature = "clinical")]
    pub(crate) fn of_issues(status: StatusCode, issues: Vec<Issue>) -> Self {
        Self { status, issues, headers: Vec::new() }
    }

    /// The same, of an entry of a bundle: `Patient.name` becomes `Bundle.entry[3].resource.name`, what is placed in a bundle
    /// stays.
    #[cfg(feature = "clinical")]
    pub(crate) fn within(mut self, location: &str) -> Self {
        for issue in &mut self.issues {
            issue.location = match issue.location.split_once('.') {
                Some(("Bundle", _)) => continue,
                Some(("entry", inner)) => format!("{location}.{inner}"),
                Some((_, inner)) => format!("{location}.resource.{inner}"),
                None => location.to_owned(),
            };
        }
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(feature = "clinical")]
    pub(crate) fn issues(&self) -> &[Issue] {
        &self.issues
    }

    #[cfg(feature = "clinical")]
    pub(crate) fn precondition(text: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, IssueCode::Conflict, text)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds one issue for each reason.
    pub(crate) fn because(
        mut self,
        code: IssueCode,
        reasons: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        self.issues.extend(reasons.into_iter().map(|reason| Issue {
            severity: Severity::Error,
            code,
            location: String::new(),
            text: reason.to_owned(),
        }));
        self
    }

    /// What a lenient search leaves out and why: of a request that asks for what is not supported.
    pub(crate) fn not_supported(&self) -> Option<&Issue> {
        let first = self.issues.first()?;
        (self.status == StatusCode::BAD_REQUEST && first.code == IssueCode::NotSupported).then_some(first)
    }

    pub(crate) fn bad_request(code: IssueCode, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, text)
    }

    pub(crate) fn not_found(text: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueCode::NotFound, text)
    }

    pub(crate) fn unknown_type() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, "this resource type is not served here")
    }

    /// 501: part of FHIR that this server does not have, by its name.
    pub(crate) fn not_implemented(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, IssueCode::NotSupported, text)
    }

    pub(crate) fn unknown_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueCode::NotSupported, "there is nothing at this address")
    }

    pub(crate) fn unavailable(text: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Exception, text).retry_after()
    }

    pub(crate) fn throttled() -> Self {
        let text = "too many requests are in work";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Throttled, text).retry_after()
    }

    pub(crate) fn timeout() -> Self {
        let text = "the request took too long";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, IssueCode::Timeout, text).retry_after()
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            IssueCode::Exception,
            "the request failed inside the server",
        )
    }

    fn retry_after(self) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
    }

    /// What to say where the framework answered with a bare status.
    fn of_status(status: StatusCode) -> Self {
        let (code, text) = match status {
            StatusCode::NOT_FOUND => return Self::unknown_route(),
            StatusCode::METHOD_NOT_ALLOWED => {
                (IssueCode::NotSupported, "this interaction is not served here")
            }
            StatusCode::PAYLOAD_TOO_LARGE => (IssueCode::TooLong, "the body is over its limit"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                (IssueCode::NotSupported, "this Content-Type is not read here")
            }
            status if status.is_server_error() => {
                (IssueCode::Exception, "the request failed inside the server")
            }
            _ => (IssueCode::Invalid, "the request cannot be read"),
        };
        Self::new(status, code, text)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        if let store::Error::TooCostly(what) = error {
            return Self::bad_request(IssueCode::TooCostly, format!("{what}; narrow the search"));
        }
        if let store::Error::NotIndexed = error {
            return Self::bad_request(IssueCode::Incomplete, "a search parameter is not indexed yet");
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(error = %error, cause, "the store did not answer");
        match error {
            store::Error::Unavailable(_) | store::Error::Full => {
                Self::unavailable("storage is not available")
            }
            _ => Self::internal(),
        }
    }
}

/// Marks a response whose body is its own, failed or not: those of OAuth have their form from another standard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnForm;

/// Gives a failed response its OperationOutcome; any other passes unchanged.
pub(crate) fn render(response: Response, method: &Method, request_id: Uuid) -> Response {
    if response.extensions().get::<OwnForm>().is_some() {
        return response;
    }
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let failure = response.extensions().get::<Failure>().cloned();
    let Some(failure) = failure.or_else(|| failed.then(|| Failure::of_status(status))) else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.status = failure.status;
    parts.headers.remove(header::CONTENT_LENGTH);
    for (name, value) in &failure.headers {
        parts.headers.append(name.clone(), value.clone());
    }
    parts.headers.insert(header::CONTENT_TYPE, Format::FhirJson.content_type());
    let body = outcome_bytes(&failure.issues, request_id);
    if *method == Method::HEAD {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

fn outcome_bytes(issues: &[Issue], request_id: Uuid) -> Vec<u8> {
    let mut outcome = fhir::operation_outcome(issues);
    if let Some(Value::Object(first)) = outcome.pointer_mut("/issue/0") {
        let diagnostics = match first.get("diagnostics").and_then(Value::as_str) {
            Some(text) => format!("{text} (request {request_id})"),
            None => format!("request {request_id}"),
        };
        first.insert("diagnostics".to_owned(), Value::String(diagnostics));
    }
    fhir::canonical_json(&outcome)
}
