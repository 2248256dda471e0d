//! Shapes that no output may have, whatever explains it.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::structure::Role;

/// Shapes that a code never has: social security number, mail, full date, net address, web address.
const ALWAYS: [&str; 6] = [
    r"(?:^|[^0-9])[0-9]{3}-[0-9]{2}-[0-9]{4}(?:$|[^0-9])",
    r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}",
    r"(?:^|[^0-9])(?:1[89]|20)[0-9]{2}[-/.](?:0[1-9]|1[0-2])[-/.](?:0[1-9]|[12][0-9]|3[01])",
    r"(?:^|[^0-9])[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:1[89]|20)[0-9]{2}(?:$|[^0-9])",
    r"(?:^|[^0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:$|[^0-9.])",
    r"(?i-u)(?:https?|ftp|mailto|tel|file):",
];

/// Shapes that a code may have by chance: phone, record number, date without separators, month names.
const IN_TEXT: [&str; 5] = [
    r"(?:\+?1[-. ]?)?\(?[2-9][0-9]{2}\)?[-. ]?[0-9]{3}[-. ][0-9]{4}",
    r"(?:^|[^0-9])[0-9]{7,}(?:$|[^0-9])",
    r"(?i-u)\b[a-z]{1,4}[-:# ]?[0-9]{5,}\b",
    r"(?:^|[^0-9])(?:1[89]|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])",
    r"(?i-u)\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? [0-9]{1,2},? [0-9]{4}",
];

// The expressions are constants of this file; a test compiles them.
static CODE: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(ALWAYS).expect("constant expressions compile"));
static TEXT: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(ALWAYS.iter().chain(&IN_TEXT)).expect("constant expressions compile"));
static LONG_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^-?[0-9]{9,}$").expect("constant expression compiles"));

/// Whether a leaf has a shape that may not leave.
pub(crate) fn found(role: Role, text: &str) -> bool {
    match role {
        Role::Closed | Role::Id => false,
        Role::Code => CODE.is_match(text),
        // No laboratory value and no amount of money is a whole number of nine digits; account numbers are.
        Role::Number => LONG_NUMBER.is_match(text),
        Role::Unexplained => TEXT.is_match(text),
    }
}
