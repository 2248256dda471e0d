//! Label, decide, de-identify, release.
//!
//! What may leave a site is settled here: [`label`] marks a resource, [`Policy::decide`] answers for one destination, a
//! [`Profile`] transforms it, and [`release`] turns bytes that the `verifier` passed into [`Released`].
//!
//! It must never know sockets, clocks, files or stores: pseudonyms, random bytes and the year come in as arguments.
//!
//! Invariants:
//! - [`Clinical`] has no `Serialize`, `Display` or `AsRef`; its `Debug` prints `[phi]`.
//! - [`Released`] for a cloud zone has three makers: [`release`] (with a [`verifier::Pass`] over the same bytes),
//!   [`release_deletion`] (type and released id, no content) and [`reopen`] (with the seal of an earlier one).
//! - [`Released`] for an on-prem zone, a message as it was received, has one: [`MessagePermit::release`], and a
//!   [`MessagePermit`] comes from [`Policy::permit_message`] alone. Its seal is none: it cannot become the other kind.
//! - A profile loads only when every element it can reach has exactly one decision; what has none never leaves.
//! - Errors, diagnostics of resources and actions name elements, never values.
//!
//! ```
//! use std::collections::BTreeMap;
//! let policy = residency::Policy::compile(
//!     &BTreeMap::from([
//!         ("zones.yaml".to_owned(), "zones: [{id: cloud, kind: cloud, region: US}]".to_owned()),
//!         ("destinations.yaml".to_owned(), "destinations: [{id: portal, zone: cloud, profile: p}]".to_owned()),
//!         ("policy.yaml".to_owned(), "unlabelled: deny\nrules: []".to_owned()),
//!         ("labels.yaml".to_owned(), "rules: []".to_owned()),
//!     ]),
//!     &["p"],
//! )
//! .expect("the policy is valid");
//! let patient = fhir::ResourceType::parse("Patient").expect("a type of R4");
//! let answer = policy.decide("portal", patient, &residency::Labels(vec!["N".to_owned()]));
//! assert!(matches!(answer, residency::Decision::Deny { reason: "no-rule-permits", .. }));
//! ```

mod clinical;
mod deidentify;
mod deletion;
mod diagnostic;
mod policy;
mod profile;
mod pseudonym;
mod release;

pub use clinical::{Clinical, Cloud, OnPrem, Permit, Purpose};
pub use deidentify::{Deidentified, ElementAction, Refusal};
pub use deletion::{deletion, release_deletion};
pub use diagnostic::Diagnostic;
pub use policy::{
    Consent, DESTINATION_SYSTEM, Decision, Denial, Destination, Form, IDENTIFIED, LABEL_NORMAL, Labels,
    MessageFacts, MessagePermit, Policy, Tried, label,
};
pub use profile::Profile;
pub use pseudonym::{Pseudonym, Pseudonyms, Subject};
pub use release::{Released, Sealed, SealingKey, release, reopen};
