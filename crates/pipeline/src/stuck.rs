//! One message that can never be applied must not hold all that come after it.

use store::Seq;

use crate::Error;

/// Times the pipeline starts again at one place before it sets the next message aside.
pub const TRIES_MAX: u32 = 5;

/// Counts starts at one place.
#[derive(Debug, Default)]
pub struct Stuck {
    at: Option<Seq>,
    tries: u32,
}

impl Stuck {
    /// Notes a failure with everything up to `applied` durable; `true` when the message after it is to be set aside.
    pub fn failed(&mut self, applied: Option<Seq>, error: &Error) -> bool {
        if applied.is_none() || error.is_waited_for() {
            return false;
        }
        if self.at != applied {
            *self = Self { at: applied, tries: 0 };
        }
        self.tries += 1;
        self.tries >= TRIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_place_again_and_again_is_stuck() {
        let mut stuck = Stuck::default();
        let broken = || Error::Translation;
        assert!((1..TRIES_MAX).all(|_| !stuck.failed(Some(Seq(7)), &broken())));
        assert!(!stuck.failed(Some(Seq(8)), &broken()));
        assert!((2..TRIES_MAX).all(|_| !stuck.failed(Some(Seq(8)), &broken())));
        assert!(stuck.failed(Some(Seq(8)), &broken()));
    }

    #[test]
    fn a_store_that_is_full_is_waited_for() {
        let mut stuck = Stuck::default();
        assert!((0..100).all(|_| !stuck.failed(Some(Seq(7)), &Error::Store(store::Error::Full))));
    }
}
