//! The month of an instant, which names a journal file.

use crate::Micros;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A civil month (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Month {
    year: i64,
    month: i64,
}

impl Month {
    /// The month of an instant, by the proleptic Gregorian calendar: days are counted in eras of 400 years that begin
    /// on the first of March.
    pub fn of(instant: Micros) -> Self {
        let days = instant.div_euclid(MICROS_PER_DAY) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self { year: era * 400 + year_of_era + i64::from(month <= 2), month }
    }

    /// Reads `YYYY-MM.db`.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (year, month) = name.strip_suffix(".db")?.rsplit_once('-')?;
        let month = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        (month.file_name() == name && (1..=12).contains(&month.month)).then_some(month)
    }

    /// Reads `YYYY-MM`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::of_file_name(&format!("{name}.db"))
    }

    /// `YYYY-MM`.
    pub fn name(self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }

    /// How many months it lies before another; negative when after.
    pub fn before(self, other: Self) -> i64 {
        (other.year - self.year) * 12 + other.month - self.month
    }

    /// Its first instant, and the first of the next month.
    pub fn span(self) -> (Micros, Micros) {
        let next = match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        };
        (self.first_instant(), next.first_instant())
    }

    /// The reverse of [`Month::of`]: days from the first of March of its era.
    fn first_instant(self) -> Micros {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let shifted = (self.month + 9) % 12;
        let day_of_year = (153 * shifted + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468) * MICROS_PER_DAY
    }

    /// `YYYY-MM.db`.
    pub fn file_name(self) -> String {
        format!("{:04}-{:02}.db", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::{MICROS_PER_DAY, Month};

    #[test]
    fn an_instant_falls_into_its_month() {
        let cases = [
            (0, "1970-01.db"),
            (-1, "1969-12.db"),
            (1_709_164_800_000_000, "2024-02.db"), // 2024-02-29T00:00Z
            (1_709_251_200_000_000, "2024-03.db"), // 2024-03-01T00:00Z
            (1_795_478_399_999_999, "2026-11.db"),
            (4_102_444_799_999_999, "2099-12.db"),
        ];
        for (instant, name) in cases {
            assert_eq!(Month::of(instant).file_name(), name);
            assert_eq!(Month::of_file_name(name), Some(Month::of(instant)));
        }
    }

    #[test]
    fn every_month_of_four_centuries_follows_its_predecessor() {
        let mut last = Month::of(0);
        for day in 1..146_097 {
            let month = Month::of(day * MICROS_PER_DAY);
            let next = month != last;
            if next {
                let follows = (month.year, month.month) == (last.year, last.month + 1)
                    || (month.year, month.month, last.month) == (last.year + 1, 1, 12);
                assert!(follows, "{last:?} {month:?}");
                assert_eq!(last.span().1, day * MICROS_PER_DAY);
                assert_eq!((month.span().0, last.before(month)), (day * MICROS_PER_DAY, 1));
            }
            last = month;
        }
    }

    #[test]
    fn other_names_are_no_journal_files() {
        for name in ["2026-11.db-wal", "2026-13.db", "26-1.db", "node.db", "x-11.db", "2026-00.db"] {
            assert_eq!(Month::of_file_name(name), None, "{name}");
        }
    }
}
