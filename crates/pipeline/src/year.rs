//! The calendar year of an instant, without a calendar.

/// The UTC year of an instant (proleptic Gregorian; days-to-civil after Howard Hinnant).
pub fn year_of(now_us: i64) -> i32 {
    const US_PER_DAY: i64 = 86_400_000_000;
    let days = now_us.div_euclid(US_PER_DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March: January and February belong to the next civil year.
    let is_after_december = (5 * day_of_year + 2) / 153 >= 10;
    i32::try_from(year_of_era + era * 400 + i64::from(is_after_december)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::year_of;

    #[test]
    fn the_year_turns_on_the_first_of_january_utc() {
        assert_eq!(year_of(0), 1970);
        assert_eq!(year_of(-1), 1969);
        assert_eq!(year_of(1_704_067_199_999_999), 2023);
        assert_eq!(year_of(1_704_067_200_000_000), 2024);
        assert_eq!(year_of(1_709_251_200_000_000), 2024);
    }
}
