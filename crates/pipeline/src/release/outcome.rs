//! What a release came to.

use store::{NewDelivery, NewPseudonym};

/// What may leave after one message.
#[derive(Default)]
pub struct Outcome {
    /// Sealed deliveries: withdrawals, then content in resource order.
    pub deliveries: Vec<NewDelivery>,
    /// Pseudonyms made for them.
    pub pseudonyms: Vec<NewPseudonym>,
    /// One line a destination for the ledger: code and count (`permit`, `deny:<reason>`).
    pub decisions: Vec<(String, String, u64)>,
    /// Set when something was refused; then no delivery carries content, unless it is a sweep's.
    pub refused: Option<String>,
    /// How many resources were refused.
    pub refusals: u64,
}

pub(super) fn count(outcome: &mut Outcome, destination: &str, code: &str) {
    let found = outcome.decisions.iter_mut().find(|(d, c, _)| d == destination && c == code);
    match found {
        Some((_, _, number)) => *number += 1,
        None => outcome.decisions.push((destination.to_owned(), code.to_owned(), 1)),
    }
}
