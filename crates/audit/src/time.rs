//! Times as FHIR writes them.

const US_A_SECOND: i64 = 1_000_000;
const S_A_DAY: i64 = 86_400;
/// From 0000-03-01, the start of the era arithmetic, to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
const DAYS_AN_ERA: i64 = 146_097;
/// First and last µs of the years 0001 to 9999, which is what an instant can write.
const FIRST_US: i64 = -62_135_596_800 * US_A_SECOND;
const LAST_US: i64 = 253_402_300_799 * US_A_SECOND + 999_999;

/// A FHIR instant in UTC with microseconds. Times outside the years 0001 to 9999 become the nearest of them.
pub(crate) fn instant(at_us: i64) -> String {
    let at_us = at_us.clamp(FIRST_US, LAST_US);
    let (seconds, us) = (at_us.div_euclid(US_A_SECOND), at_us.rem_euclid(US_A_SECOND));
    let (days, second) = (seconds.div_euclid(S_A_DAY), seconds.rem_euclid(S_A_DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us:06}Z")
}

/// Days since 1970-01-01 to a date of the Gregorian calendar: eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_AN_ERA), days.rem_euclid(DAYS_AN_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_at_known_moments() {
        for (at_us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199_500_000, "2024-02-29T23:59:59.500000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (i64::MIN, "0001-01-01T00:00:00.000000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(instant(at_us), text);
        }
    }
}
