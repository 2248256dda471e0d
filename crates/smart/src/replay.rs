//! Ids of assertions that were used, for as long as they could be used again.

use std::collections::HashMap;

use crate::token::{CLOCK_SKEW_SECONDS_MAX, TokenError};

/// Ids that are kept at once. When as many are in use, no further assertion is taken until one has ended.
pub const KEPT_MAX: usize = 10_000;

/// The ids that were used.
#[derive(Debug, Default)]
pub struct Replays {
    /// Client and id, to when the assertion ends.
    used: HashMap<(String, String), i64>,
}

impl Replays {
    /// Notes the id of a client's assertion that ends at `expires_s`.
    ///
    /// # Errors
    /// [`TokenError::Replayed`] when it was noted before, or there is no place to note it.
    pub fn note(&mut self, client: &str, id: &str, expires_s: i64, now_s: i64) -> Result<(), TokenError> {
        let key = (client.to_owned(), id.to_owned());
        let is_over = |end: i64| end <= now_s.saturating_sub(CLOCK_SKEW_SECONDS_MAX);
        if self.used.len() >= KEPT_MAX {
            self.used.retain(|_, end| !is_over(*end));
        }
        if self.used.len() >= KEPT_MAX || self.used.get(&key).is_some_and(|end| !is_over(*end)) {
            return Err(TokenError::Replayed);
        }
        self.used.insert(key, expires_s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_once_while_it_lives() {
        let mut replays = Replays::default();
        assert_eq!(replays.note("a", "1", 300, 0), Ok(()));
        assert_eq!(replays.note("a", "1", 300, 10), Err(TokenError::Replayed));
        assert_eq!(replays.note("b", "1", 300, 10), Ok(()), "ids are each client's own");
        assert_eq!(
            replays.note("a", "1", 300, 359),
            Err(TokenError::Replayed),
            "within the skew it still lives"
        );
        assert_eq!(replays.note("a", "1", 700, 360), Ok(()), "the first would be refused by its time");
    }

    #[test]
    fn a_full_cache_takes_no_more_until_something_ends() {
        let mut replays = Replays::default();
        for number in 0..KEPT_MAX {
            assert_eq!(replays.note("a", &number.to_string(), 300, 0), Ok(()));
        }
        assert_eq!(replays.note("a", "more", 300, 0), Err(TokenError::Replayed));
        assert_eq!(replays.note("a", "more", 700, 400), Ok(()));
        assert_eq!(replays.used.len(), 1);
    }
}
