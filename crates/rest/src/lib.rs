//! The HTTP surfaces of a node: FHIR R4 REST on both roles, the cloud's intake, health and metrics.
//!
//! It must never know HL7v2, mappings or how a resource is de-identified, and the portal build has no clinical router.
//!
//! Invariants:
//! - A read or search answers only after its audit record is committed; when that fails there is no data.
//! - What is refused is recorded as well, 401 and 429 by source and minute, so that a flood does not fill the disk.
//! - Every error is an OperationOutcome that repeats nothing of the request or of a resource.
//! - Spans, logs and metrics carry route templates and request ids, never a path, a query or a body.
//! - Links carry no identifier: self and paging links are sealed where a parameter could name a person.
//! - A client sees what its token grants and nothing else: every interaction looks at the store through its sight.
//! - Search is strict: what is not supported is refused, never ignored, whatever `Prefer` says.
//! - The portal tells time to the year and has no parameter that could test a removed element.
//! - Intake stores exactly the bytes that this node's own verifier passed.
//!
//! ```no_run
//! # fn example(fhir: rest::Fhir, health: rest::Health) -> axum::Router {
//! rest::portal(fhir).merge(rest::health(health)).fallback(rest::unknown_route)
//! # }
//! ```

mod audit;
mod auth;
mod authorization;
mod body;
mod capacity;
mod cors;
mod edge;
mod error;
mod gauges;
mod head;
mod headers;
mod health;
mod indexing;
mod interaction;
mod issuers;
mod json;
mod limits;
mod metrics;
mod negotiation;
mod outcome;
mod outgoing;
mod packed;
mod paging;
#[cfg(feature = "clinical")]
mod patch;
mod query;
mod refusals;
mod serve;
mod server;
mod sight;
mod time;

pub mod intake;

pub use crate::auth::{Client, Permission, TokenSet, token_hash};
pub use crate::authorization::{
    AuthorizationServer, IdentityKey, Issued, RegisteredClient, RegisteredUser, RegistrationError,
    SignInLimits, authorization,
};
#[cfg(feature = "clinical")]
pub use crate::capacity::ENTRIES_MAX;
pub use crate::capacity::{
    BODY_BYTES_MAX, CONCURRENT_REQUESTS_MAX, CONNECTIONS_MAX, HEADER_TIMEOUT, REQUEST_TIMEOUT,
    SEARCH_FORM_BYTES_MAX,
};
pub use crate::cors::{ORIGINS_MAX, Origins, is_origin};
pub use crate::edge::unknown_route;
pub use crate::error::Error;
pub use crate::gauges::{FeedSample, Gauges, QueueSample, Sample};
pub use crate::health::{Gate, Health, Readiness, health};
pub use crate::interaction::search::{PAGE_DEFAULT, PAGE_MAX};
pub use crate::interaction::small_cells::SMALL_CELL;
pub use crate::interaction::smart_configuration::Authorization;
pub use crate::issuers::Issuers;
pub use crate::limits::{Allowance, CLIENTS_MAX, Limiter, Limits, PEERS_MAX, Rate};
pub use crate::metrics::Metrics;
pub use crate::outgoing::OutgoingSample;
pub use crate::paging::CursorKey;
pub use crate::refusals::REFUSED_SOURCES_MAX;
pub use crate::serve::{PeerCertificate, serve_plain, serve_tls};
#[cfg(feature = "clinical")]
pub use crate::server::clinical;
pub use crate::server::{Fhir, PatientToken, every_type, portal};
pub use crate::sight::Protected;
