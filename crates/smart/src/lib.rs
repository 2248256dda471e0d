//! SMART App Launch 2.2 without its sockets: scopes, what they grant, signed tokens and assertions.
//!
//! It knows no store, no HTTP and no clock: time is an argument, and what a grant means for a search is its user's matter.
//!
//! Invariants:
//! - what is not understood grants nothing: no filter is dropped, no permission assumed;
//! - nothing of a token is believed before its signature holds, by an algorithm that belongs to the key;
//! - there is no way to express an unsigned token, a shared secret as key, or a patient's grant without the patient;
//! - no error repeats a token, a key or a claim.
//!
//! ```
//! use fhir::{ResourceId, ResourceType};
//! use smart::{Granted, Launch, Permission};
//!
//! let launch = Launch { patient: Some(ResourceId::parse("p1")?), user: None };
//! let granted = Granted::of("launch/patient patient/Observation.rs?category=laboratory", &launch);
//! let observation = ResourceType::parse("Observation").ok_or("no such type")?;
//! assert!(granted.may(Permission::Search, observation));
//! assert!(!granted.may(Permission::Create, observation));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod assertion;
mod challenge;
mod granted;
mod keys;
mod permissions;
mod replay;
mod scope;
mod token;

pub use access::{AccessToken, CLIENT_CHARS_MAX, Issuer, is_client_id};
pub use assertion::{ASSERTION_TYPE, Assertion, LIFE_SECONDS_MAX};
pub use challenge::Challenge;
pub use granted::{Grant, Granted, Launch, Reach, SCOPES_MAX, User};
pub use keys::{Algorithm, KEYS_MAX, KeyError, KeySet};
pub use permissions::{Permission, Permissions};
pub use replay::{KEPT_MAX, Replays};
pub use scope::{Context, FILTERS_MAX, Filter, SCOPE_CHARS_MAX, Scope, ScopeError, Types};
pub use token::{CLOCK_SKEW_SECONDS_MAX, Claims, TOKEN_BYTES_MAX, TokenError};
