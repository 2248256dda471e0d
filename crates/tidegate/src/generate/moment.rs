//! Days and hours of the made-up world: past years, and always within one month, so that no calendar is needed.

use super::random::Random;

/// Last day of every month.
const DAY_MAX: u32 = 28;

/// A minute of a day in a past year, Eastern Standard Time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    year: u32,
    month: u32,
    day: u32,
    minute: u32,
}

impl Moment {
    /// A morning in the first days of a month from 2016 to 2022.
    pub fn drawn(random: &mut Random) -> Self {
        Self {
            year: random.between(2016, 2022),
            month: random.between(1, 12),
            day: random.between(1, 6),
            minute: random.between(6 * 60, 10 * 60),
        }
    }

    /// Some minutes later, within the day.
    pub fn minutes(self, count: u32) -> Self {
        Self { minute: (self.minute + count).min(24 * 60 - 1), ..self }
    }

    /// Some days later, within the month.
    pub fn days(self, count: u32) -> Self {
        Self { day: (self.day + count).min(DAY_MAX), ..self }
    }

    /// `YYYYMMDD`.
    pub fn day(self) -> String {
        let Self { year, month, day, .. } = self;
        format!("{year}{month:02}{day:02}")
    }

    /// `YYYYMMDDHHMMSS-0500`.
    pub fn time(self) -> String {
        format!("{}{:02}{:02}00-0500", self.day(), self.minute / 60, self.minute % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Random};

    #[test]
    fn later_is_later_and_stays_within_the_month() {
        let start = Moment::drawn(&mut Random::new(7));
        assert!(start < start.minutes(5) && start.minutes(5) < start.days(1));
        assert!(start.days(90).day().ends_with("28"));
        assert!(start.minutes(9_999).time().contains("235900-0500"));
    }
}
