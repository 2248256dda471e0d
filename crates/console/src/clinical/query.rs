//! The search line: typed keys and words, read into one filter. Pure.
//!
//! ```text
//! mrn:MRN-4711 type:ADT since:2h          terms are joined by and
//! "order 7" status:quarantined            a word without a key is looked for under every key
//! ```

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use store::{KeyTerm, MessageFilter, MessageState, Micros};

use crate::clinical::badge::{STATES, badge};

/// Longest line, in bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 1_000;
/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 200;
/// A spelling this far from a known one is still taken for it in a suggestion.
const SUGGESTION_DISTANCE_MAX: usize = 2;
const MINUTE_US: Micros = 60 * 1_000_000;

/// What a term may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// A business key of this [`store::Key::kind`].
    Key(&'static str),
    From,
    Type,
    Status,
    Reason,
    Channel,
    Since,
    Until,
}

/// Every name, as it is written before the colon.
const NAMES: [(&str, Name); 12] = [
    ("mrn", Name::Key("patient-id")),
    ("visit", Name::Key("visit-number")),
    ("acc", Name::Key("filler-order")),
    ("ord", Name::Key("placer-order")),
    ("ctl", Name::Key("control-id")),
    ("from", Name::From),
    ("type", Name::Type),
    ("status", Name::Status),
    ("reason", Name::Reason),
    ("channel", Name::Channel),
    ("since", Name::Since),
    ("until", Name::Until),
];

/// Why a line is no search. Holds no part of the line: it may name a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueryError {
    /// Where in the line, in characters from 1.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) problem: Problem,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is nothing to look for.
    Empty,
    /// The line or a value is longer than any key.
    TooLong,
    /// A quotation mark is not closed.
    OpenQuote,
    /// No such name; the nearest one, when there is.
    UnknownName(Option<&'static str>),
    /// The name has no value.
    NoValue(&'static str),
    /// A name, or a second business key, is given again.
    Twice(&'static str),
    /// No such state; the nearest one, when there is.
    UnknownState(Option<&'static str>),
    /// No date, time or age.
    NoInstant(&'static str),
    /// `until` is not after `since`.
    EmptyTime,
}

impl std::error::Error for QueryError {}

impl std::fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let meant = |nearest: Option<&str>| {
            nearest.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default()
        };
        let known = |words: Vec<&str>| words.join(", ");
        let words = match self.problem {
            Problem::Empty => "nothing to look for".to_owned(),
            Problem::TooLong => "longer than any key".to_owned(),
            Problem::OpenQuote => "a quotation mark is not closed".to_owned(),
            Problem::UnknownName(nearest) => format!(
                "no such key{}; there are {}; a value with a colon needs quotation marks",
                meant(nearest),
                known(NAMES.iter().map(|(name, _)| *name).collect())
            ),
            Problem::NoValue(name) => format!("`{name}:` has no value"),
            Problem::Twice(name) => {
                format!("`{name}` is given a second time; one key can be looked for at once")
            }
            Problem::UnknownState(nearest) => format!(
                "no such state{}; there are {}",
                meant(nearest),
                known(STATES.iter().map(|state| badge(*state).word).collect())
            ),
            Problem::NoInstant(name) => format!(
                "`{name}:` takes a date (2026-01-31), a time (2026-01-31T08:00), an age (15m, 2h, 3d), today or yesterday"
            ),
            Problem::EmptyTime => "`until` is not after `since`".to_owned(),
        };
        write!(formatter, "at character {}: {words}", self.at)
    }
}

/// Reads a search line. `now_us`: µs since the epoch, from which ages count. Times are UTC; `until` a date means to the
/// end of that day.
///
/// # Errors
/// [`QueryError`] with the place and what would be right.
pub(crate) fn parse(text: &str, now_us: Micros) -> Result<MessageFilter, QueryError> {
    let error = |at, problem| QueryError { at, problem };
    if text.len() > QUERY_BYTES_MAX {
        return Err(error(1, Problem::TooLong));
    }
    let terms = terms(text)?;
    if terms.is_empty() {
        return Err(error(1, Problem::Empty));
    }
    let mut filter = MessageFilter::default();
    let mut last_at = 1;
    for Term { at, name, value } in terms {
        last_at = at;
        if value.len() > VALUE_BYTES_MAX {
            return Err(error(at, Problem::TooLong));
        }
        put(&mut filter, name, value, now_us).map_err(|problem| error(at, problem))?;
    }
    if let (Some(since), Some(until)) = (filter.since_us, filter.until_us)
        && since >= until
    {
        return Err(error(last_at, Problem::EmptyTime));
    }
    Ok(filter)
}

/// One term: where it begins, what it names, its value.
struct Term {
    at: usize,
    name: Option<(&'static str, Name)>,
    value: String,
}

/// One word of the line, with whether it was written in quotation marks from its first character on.
struct Word {
    at: usize,
    text: String,
    /// Characters before the colon that ends its name; `None`: it has none.
    colon: Option<usize>,
}

fn terms(text: &str) -> Result<Vec<Term>, QueryError> {
    let mut terms = Vec::new();
    let mut words = words(text)?.into_iter().peekable();
    while let Some(Word { at, text, colon }) = words.next() {
        let Some(colon) = colon else {
            terms.push(Term { at, name: None, value: text });
            continue;
        };
        let written: String = text.chars().take(colon).collect();
        let name = name_of(&written).map_err(|problem| QueryError { at, problem })?;
        let mut value: String = text.chars().skip(colon + 1).collect();
        if value.is_empty() {
            // `mrn: 4711` is read as `mrn:4711`.
            value = words.next_if(|next| next.colon.is_none()).map(|next| next.text).unwrap_or_default();
        }
        if value.is_empty() {
            return Err(QueryError { at, problem: Problem::NoValue(name.0) });
        }
        terms.push(Term { at, name: Some(name), value });
    }
    Ok(terms)
}

fn words(text: &str) -> Result<Vec<Word>, QueryError> {
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<usize> = None;
    for (at, character) in (1..).zip(text.chars()) {
        match character {
            '"' => {
                quote = if quote.is_some() { None } else { Some(at) };
                // An empty pair of marks is a word, though it is empty.
                word.get_or_insert(Word { at, text: String::new(), colon: None });
            }
            _ if character.is_whitespace() && quote.is_none() => words.extend(word.take()),
            _ => {
                let word = word.get_or_insert(Word { at, text: String::new(), colon: None });
                let is_name = !word.text.is_empty() && word.text.chars().all(|c| c.is_ascii_alphabetic());
                if character == ':' && quote.is_none() && word.colon.is_none() && is_name {
                    word.colon = Some(word.text.chars().count());
                }
                word.text.push(character);
            }
        }
    }
    if let Some(at) = quote {
        return Err(QueryError { at, problem: Problem::OpenQuote });
    }
    words.extend(word);
    words.retain(|word| !word.text.is_empty());
    Ok(words)
}

fn name_of(written: &str) -> Result<(&'static str, Name), Problem> {
    let lower = written.to_ascii_lowercase();
    let found = NAMES.into_iter().find(|(name, _)| *name == lower);
    found.ok_or_else(|| Problem::UnknownName(nearest(&lower, NAMES.into_iter().map(|(name, _)| name))))
}

fn put(
    filter: &mut MessageFilter,
    name: Option<(&'static str, Name)>,
    value: String,
    now_us: Micros,
) -> Result<(), Problem> {
    let Some((written, name)) = name else {
        return once(&mut filter.key, KeyTerm { kind: None, value }, "key");
    };
    match name {
        Name::Key(kind) => once(&mut filter.key, KeyTerm { kind: Some(kind), value }, "key"),
        Name::From => once(&mut filter.sender, value, written),
        Name::Type => {
            once(&mut filter.message_type, value.to_ascii_uppercase().replacen('_', "^", 1), written)
        }
        Name::Status => once(&mut filter.state, state(&value)?, written),
        Name::Reason => once(&mut filter.reason, value, written),
        Name::Channel => once(&mut filter.channel, value, written),
        Name::Since => once(&mut filter.since_us, instant(&value, now_us, false, written)?, written),
        Name::Until => once(&mut filter.until_us, instant(&value, now_us, true, written)?, written),
    }
}

fn once<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::Twice(name)),
    }
}

fn state(value: &str) -> Result<MessageState, Problem> {
    let lower = value.to_ascii_lowercase();
    let found = STATES.into_iter().find(|state| badge(*state).word == lower);
    found.ok_or_else(|| {
        Problem::UnknownState(nearest(&lower, STATES.into_iter().map(|state| badge(state).word)))
    })
}

/// A date, a date and time, an age, `today` or `yesterday`. `is_end`: of a day, its end.
fn instant(value: &str, now_us: Micros, is_end: bool, name: &'static str) -> Result<Micros, Problem> {
    let wrong = || Problem::NoInstant(name);
    let lower = value.to_ascii_lowercase();
    if let Some(age_us) = age(&lower) {
        return now_us.checked_sub(age_us).ok_or_else(wrong);
    }
    let today = || Timestamp::from_microsecond(now_us).map(|now| TimeZone::UTC.to_datetime(now).date());
    let day = match lower.as_str() {
        "today" => Some(today().map_err(|_| wrong())?),
        "yesterday" => Some(today().and_then(|today| today.yesterday()).map_err(|_| wrong())?),
        _ if !lower.contains('t') => Some(value.parse::<Date>().map_err(|_| wrong())?),
        _ => None,
    };
    let civil = match day {
        Some(day) if is_end => {
            day.checked_add(1.day()).map_err(|_| wrong())?.to_datetime(jiff::civil::Time::midnight())
        }
        Some(day) => day.to_datetime(jiff::civil::Time::midnight()),
        None => value.trim_end_matches(['z', 'Z']).parse::<DateTime>().map_err(|_| wrong())?,
    };
    TimeZone::UTC.to_timestamp(civil).map(|at| at.as_microsecond()).map_err(|_| wrong())
}

/// `15m`, `2h`, `3d`, `1w` in µs.
fn age(value: &str) -> Option<Micros> {
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let unit_us = match unit {
        "m" => MINUTE_US,
        "h" => 60 * MINUTE_US,
        "d" => 24 * 60 * MINUTE_US,
        "w" => 7 * 24 * 60 * MINUTE_US,
        _ => return None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse::<i64>().ok()?.checked_mul(unit_us)).flatten()
}

/// The known word that is nearest in spelling.
fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let near = known.map(|known| (distance(word, known), known)).min()?;
    (near.0 <= SUGGESTION_DISTANCE_MAX).then_some(near.1)
}

/// Insertions, deletions and replacements from one word to the other (Levenshtein). `row` has one number more than
/// `other` has characters, so every place that is named exists.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, character) in (1..).zip(one.chars()) {
        let mut diagonal = std::mem::replace(&mut row[0], i);
        for (j, known) in other.iter().enumerate() {
            let cost = diagonal + usize::from(*known != character);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
