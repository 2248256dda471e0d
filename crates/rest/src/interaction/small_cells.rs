//! Totals that a de-identified surface does not tell: how many match, where they are so few that the number itself says
//! something of somebody. Nobody is an answer, and so is a number of many.

use fhir::{Audience, Issue, IssueCode, Severity};

use crate::auth::Client;
use crate::server::Server;

/// Totals from 1 to one less than this are not told (the cell size suppression of CMS).
pub const SMALL_CELL: u64 = 11;

/// A total as it is told, and whether it was too small for that. Who sees one patient's own resources alone is told each.
pub(super) fn told(total: Option<u64>, server: &Server, client: &Client) -> (Option<u64>, bool) {
    let hides = server.role.audience == Audience::Deidentified && !client.granted.is_of_patients();
    let is_small = hides && total.is_some_and(|total| (1..SMALL_CELL).contains(&total));
    (total.filter(|_| !is_small), is_small)
}

/// What stands where a total was asked for.
pub(super) fn untold() -> Issue {
    let text =
        format!("fewer than {SMALL_CELL} match; so small a total is not told of de-identified resources");
    Issue { severity: Severity::Information, code: IssueCode::Suppressed, location: String::new(), text }
}
