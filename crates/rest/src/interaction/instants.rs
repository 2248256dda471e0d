//! Instants that a request names: `_since` and `_at` (R4, http §3.1.0.10.1).

use fhir::{Precision as DatePrecision, date_interval};
use store::Micros;

use super::refusal::{invalid, not_supported};
use crate::outcome::Failure;
use crate::server::Role;
use crate::time::Precision;

/// An `instant`, µs since the epoch, UTC: what was made then or later.
///
/// # Errors
/// 400 when it is none, or where instants are told to the year alone.
pub(super) fn since(text: &str, role: &Role) -> Result<Micros, Failure> {
    told("_since", role)?;
    let instant = date_interval(text).filter(|read| read.precision >= DatePrecision::Second);
    let instant = instant.ok_or_else(|| refused("_since", text, "an instant: 2026-01-01T00:00:00Z"))?;
    Ok(instant.low_us)
}

/// A date or an instant as the time that it stands for: its first µs, and the one after its last.
///
/// # Errors
/// As [`since`].
pub(super) fn at(text: &str, role: &Role) -> Result<(Micros, Micros), Failure> {
    told("_at", role)?;
    let form = "a date or an instant: 2026, 2026-01, 2026-01-01, 2026-01-01T00:00:00Z";
    let time = date_interval(text).ok_or_else(|| refused("_at", text, form))?;
    Ok((time.low_us, time.high_us))
}

fn told(name: &str, role: &Role) -> Result<(), Failure> {
    match role.precision {
        Precision::Exact => Ok(()),
        Precision::Year => {
            Err(not_supported(format!("`{name}` is not supported here: instants are told to the year")))
        }
    }
}

fn refused(name: &str, text: &str, form: &str) -> Failure {
    if text.contains(' ') {
        return invalid(format!("`{name}` has a space in its time; write a plus of a time zone as %2B"));
    }
    invalid(format!("`{name}` takes {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::PORTAL;

    #[test]
    fn the_portal_has_no_instants() {
        assert!(since("2026-01-01T00:00:00Z", &PORTAL).is_err() && at("2026", &PORTAL).is_err());
    }

    #[cfg(feature = "clinical")]
    #[test]
    fn an_instant_is_read_and_a_date_is_a_time() {
        let role = &crate::server::CLINICAL;
        const FIRST_US: Micros = 1_767_225_600_000_000;
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000Z"] {
            assert_eq!(since(text, role).ok(), Some(FIRST_US), "{text}");
        }
        for text in ["2026", "2026-01-01", "2026-01-01T01:00:00 01:00", "ge2026-01-01T00:00:00Z", "", "now"] {
            assert!(since(text, role).is_err(), "{text}");
        }
        assert_eq!(at("2026-01-01", role).ok(), Some((FIRST_US, FIRST_US + 86_400_000_000)));
        assert_eq!(at("2026-01-01T00:00:00Z", role).ok(), Some((FIRST_US, FIRST_US + 1_000_000)));
        assert!(at("ge2026", role).is_err() && at("soon", role).is_err());
    }
}
