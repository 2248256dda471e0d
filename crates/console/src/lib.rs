//! The web console: sign-in by a one-time link, the live list of messages, one message with all that came of it; and
//! the admin API, which is the same for programs.
//!
//! Pages are rendered here and work without scripts; the one script links panels and refreshes the list. The console
//! must never translate into storage, deliver, or know how a resource is de-identified: it reads ports, and its one
//! effect on processing is a request to reprocess.
//!
//! Invariants:
//! - Every page but the sign-in form needs a session; every form needs the session's token. The API under `/admin`
//!   needs a bearer token of its own, which opens nothing else.
//! - Content of a message is answered only after the record of the view is committed; when that fails there is none.
//! - Values are masked until a person states a reason, and the reason is in the record.
//! - No message content stands in a URL, a title, a list row, a log or an error.
//! - Every answer forbids foreign origins and inline code by its policy, and only hashed assets may be cached.
//!
//! Without the feature `clinical`, or when [`Console::clinical`] is not given, there is the status page alone.
//!
//! ```no_run
//! # fn example(console: console::Console, fhir: axum::Router) -> axum::Router {
//! fhir.merge(console::router(console))
//! # }
//! ```

#[cfg(feature = "clinical")]
mod admin;
mod asset;
mod badge;
#[cfg(feature = "clinical")]
mod clinical;
mod error;
mod frame;
mod guide;
mod headers;
mod hex;
mod ledger;
mod login;
mod preferences;
mod record;
mod server;
mod session;
mod status;
mod time;
mod witness;
#[cfg(feature = "clinical")]
mod words;

#[cfg(feature = "clinical")]
pub use crate::admin::{
    AdminTokens, Difference, DryRun, DryRunError, Exchange, Exchanged, Fault, Foreseen, NotExchanged,
    Outcome, Refed, Refeed, Window,
};
#[cfg(feature = "clinical")]
pub use crate::clinical::{Clinical, InForce, PatientToken, Route, Routing, RuleTried, Translate};
pub use crate::error::Error;
pub use crate::guide::{Guide, GuideError};
pub use crate::login::LoginCodes;
pub use crate::server::{Console, Warnings, router};
pub use crate::session::{SESSION_ABSOLUTE_US, SESSION_IDLE_US, SESSIONS_MAX};
pub use crate::witness::{Witness, WitnessError};
