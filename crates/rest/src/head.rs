//! Heads of requests that are too long: answered with an outcome, and recorded, while there is a request to be answered.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fhir::IssueCode;

use crate::audit::outcome_of;
use crate::capacity::{ADDRESS_BYTES_MAX, FIELDS_BYTES_MAX, FIELDS_MAX};
use crate::edge::RequestId;
use crate::limits::peer_of;
use crate::outcome::Failure;
use crate::refusals::Source;
use crate::server::Server;

/// Lets a request through whose head is within the limits. Who asks is not looked at before: a head that is too long is
/// refused to all alike, so it is counted by its address.
pub(crate) async fn within(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let Some(failure) = refused(&request) else { return next.run(request).await };
    let Some(id) = request.extensions().get::<RequestId>().copied() else {
        return Failure::internal().into_response();
    };
    let peer = peer_of(&request);
    let response = failure.into_response();
    match server.refusals.record(id, (Source::Peer(peer), peer), outcome_of(response.status())).await {
        Ok(()) => response,
        Err(failure) => failure.into_response(),
    }
}

fn refused(request: &Request) -> Option<Failure> {
    let uri = request.uri();
    let address = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if address > ADDRESS_BYTES_MAX {
        let text = format!(
            "the address is longer than {ADDRESS_BYTES_MAX} bytes; a search can be sent by POST to [type]/_search"
        );
        return Some(Failure::new(StatusCode::URI_TOO_LONG, IssueCode::TooLong, text));
    }
    let fields = request.headers();
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > FIELDS_BYTES_MAX || fields.len() > FIELDS_MAX {
        let text = format!("more than {FIELDS_MAX} header fields, or {FIELDS_BYTES_MAX} bytes of them");
        return Some(Failure::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, IssueCode::TooLong, text));
    }
    None
}
