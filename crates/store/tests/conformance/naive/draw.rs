//! What is drawn at random: numbers that repeat with the seed, dates, decimals, and the words that values are made of.

/// Systems of codes; the first stands for none.
pub const SYSTEMS: [&str; 3] = ["", "http://loinc.org", "urn:local"];
pub const CODES: [&str; 4] = ["a", "A", "b-1", "c"];
pub const TEXTS: [&str; 5] = ["Glucose in blood", "glucósé", "Blood count", "count, red", "red"];
/// Beginnings of words of [`TEXTS`], and what begins none.
pub const WORDS: [&str; 7] = ["glu", "BLOOD", "count", "lood", "in blood", "red", "réd"];
pub const FAMILIES: [&str; 6] = ["Anna", "ANNA", "Ánna", "Annabel", "Bo Anna", "Zoë"];
pub const PROFILES: [&str; 6] = [
    "http://example.org/a",
    "http://example.org/a/",
    "http://example.org/a/b",
    "http://example.org/ab",
    "http://example.org",
    "urn:x",
];
/// Code and size in milligrams.
pub const UNITS: [(&str, i128); 3] = [("mg", 1), ("g", 1_000), ("kg", 1_000_000)];
pub const PREFIXES: [&str; 10] = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
pub const COMPARATORS: [&str; 4] = ["<", "<=", ">=", ">"];
pub const DAY_US: i128 = 86_400_000_000;
/// 2020-01-01T00:00:00Z
pub const START_US: i128 = 1_577_836_800_000_000;
pub const MONTHS: [i128; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Numbers that repeat with the seed (xorshift).
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("small") % end
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Three times of four.
    pub fn often(&mut self) -> bool {
        self.below(4) > 0
    }

    /// One time of so many.
    pub fn seldom(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// One value, or two that are alternatives.
    pub fn some<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..1 + self.below(2)).map(|_| one(self)).collect()
    }

    /// A day or part of one in 2020: its text and its interval in microseconds.
    pub fn day(&mut self) -> (String, i128, i128) {
        let month = self.below(12);
        let before: i128 = MONTHS[..month].iter().sum();
        let number = i128::try_from(self.below(28)).expect("small");
        let low = START_US + (before + number) * DAY_US;
        match self.below(5) {
            0 => ("2020".to_owned(), START_US, START_US + 366 * DAY_US),
            1 => {
                let first = START_US + before * DAY_US;
                (format!("2020-{:02}", month + 1), first, first + MONTHS[month] * DAY_US)
            }
            2 => {
                let at = low + 10 * 3_600_000_000;
                (format!("2020-{:02}-{:02}T12:00:00+02:00", month + 1, number + 1), at, at + 1_000_000)
            }
            _ => (format!("2020-{:02}-{:02}", month + 1, number + 1), low, low + DAY_US),
        }
    }

    /// A number with zero to two decimals: its text, its thousandths, and the thousandths of half of its last digit.
    pub fn decimal(&mut self) -> (String, i128, i128) {
        let whole = i128::try_from(self.below(12)).expect("small");
        let (text, thousandths, half) = match self.below(3) {
            0 => (format!("{whole}"), whole * 1_000, 500),
            1 => (format!("{whole}.5"), whole * 1_000 + 500, 50),
            _ => (format!("{whole}.25"), whole * 1_000 + 250, 5),
        };
        if thousandths > 0 && self.seldom(6) {
            (format!("-{text}"), -thousandths, half)
        } else {
            (text, thousandths, half)
        }
    }
}

/// As strings are compared: without case and accents.
pub fn fold(text: &str) -> String {
    text.to_lowercase().replace('á', "a").replace(['é', 'ë'], "e").replace('ó', "o")
}

/// As codes are compared.
pub fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
