//! Lengths of time and counts in words.

use store::Micros;

const MILLISECOND_US: Micros = 1_000;
const SECOND_US: Micros = 1_000 * MILLISECOND_US;
const MINUTE_US: Micros = 60 * SECOND_US;
const HOUR_US: Micros = 60 * MINUTE_US;
const DAY_US: Micros = 24 * HOUR_US;

/// A length of time, to the unit that matters: `0.8 ms`, `12 ms`, `3 s`, `14 min`, `2 h 5 min`, `3 d 2 h`.
pub(crate) fn length(us: Micros) -> String {
    let two = |large: Micros, large_unit, small: Micros, small_unit| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match us.max(0) {
        us if us < 10 * MILLISECOND_US => format!("{}.{} ms", us / MILLISECOND_US, us % MILLISECOND_US / 100),
        us if us < SECOND_US => format!("{} ms", us / MILLISECOND_US),
        us if us < 10 * SECOND_US => format!("{}.{} s", us / SECOND_US, us % SECOND_US / 100_000),
        us if us < MINUTE_US => format!("{} s", us / SECOND_US),
        us if us < HOUR_US => format!("{} min", us / MINUTE_US),
        us if us < DAY_US => two(us / HOUR_US, "h", us % HOUR_US / MINUTE_US, "min"),
        us => two(us / DAY_US, "d", us % DAY_US / HOUR_US, "h"),
    }
}

/// A count with its word: `1 message`, `2 messages`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("{number} {one}") } else { format!("{number} {one}s") }
}

/// Parts of a whole in hundredths, with one digit where it is small: `0.4 %`, `12 %`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let thousandths = part.saturating_mul(1_000).checked_div(whole).unwrap_or(0);
    match thousandths {
        0 if part > 0 => "under 0.1 %".to_owned(),
        1..100 => format!("{}.{} %", thousandths / 10, thousandths % 10),
        _ => format!("{} %", thousandths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_said_to_the_unit_that_matters() {
        for (us, words) in [
            (-5, "0.0 ms"),
            (840, "0.8 ms"),
            (12_300, "12 ms"),
            (3_450_000, "3.4 s"),
            (59_999_999, "59 s"),
            (14 * MINUTE_US, "14 min"),
            (2 * HOUR_US, "2 h"),
            (2 * HOUR_US + 5 * MINUTE_US, "2 h 5 min"),
            (3 * DAY_US + 2 * HOUR_US, "3 d 2 h"),
        ] {
            assert_eq!(length(us), words);
        }
    }

    #[test]
    fn shares_and_counts() {
        assert_eq!((count(1, "group"), count(0, "group")), ("1 group".into(), "0 groups".into()));
        let shares =
            [(0, 0), (0, 9), (1, 5_000), (1, 200), (1, 8), (9, 9)].map(|(part, whole)| share(part, whole));
        assert_eq!(shares, ["0 %", "0 %", "under 0.1 %", "0.5 %", "12 %", "100 %"]);
    }
}
