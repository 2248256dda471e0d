//! What is worked out of R4's definitions once for each audience: one request asks it of a hundred types.

use std::sync::OnceLock;

use fhir::Audience;

use crate::server::Role;

/// One of these for each audience, made when it is first asked for.
pub(super) struct ByAudience<T> {
    identified: OnceLock<T>,
    deidentified: OnceLock<T>,
}

impl<T> ByAudience<T> {
    pub(super) const fn new() -> Self {
        Self { identified: OnceLock::new(), deidentified: OnceLock::new() }
    }

    /// That of a role's audience.
    pub(super) fn of(&self, role: &Role, make: impl FnOnce() -> T) -> &T {
        let known = match role.audience {
            Audience::Identified => &self.identified,
            Audience::Deidentified => &self.deidentified,
        };
        known.get_or_init(make)
    }
}
