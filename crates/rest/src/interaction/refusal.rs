//! How a search is refused: the parameter by name, what was probably meant, and what is valid.
//!
//! A name is repeated only when it is one of R4, or so near to a valid one that it is a slip of the hand: what else
//! stands where a name belongs could be a person's.

use fhir::{IssueCode, ResourceType, SearchParameter};

use super::registry::{RESULT_PARAMETERS, own_parameters};
use crate::capacity::HOPS_MAX;
use crate::outcome::Failure;
use crate::server::Role;

/// Single-letter changes between a slip of the hand and what was meant.
const SLIP_MAX: usize = 2;
/// Shortest name that is taken for a slip of another.
const SLIP_CHARS_MIN: usize = 4;
/// Longest name that is compared.
const NAME_CHARS_MAX: usize = 64;
/// Parameters of R4 that are no search parameter of a type.
const KNOWN: [&str; 9] =
    ["_contained", "_containedType", "_elements", "_has", "_list", "_maxresults", "_since", "_at", "_type"];
/// Modifiers of R4.
const MODIFIERS: [&str; 14] = [
    "above",
    "below",
    "code-text",
    "contains",
    "exact",
    "identifier",
    "in",
    "iterate",
    "missing",
    "not",
    "not-in",
    "of-type",
    "recurse",
    "text",
];

/// A value that cannot be read.
pub(super) fn invalid(text: impl Into<String>) -> Failure {
    Failure::bad_request(IssueCode::Value, text)
}

/// What is not supported.
pub(super) fn not_supported(text: impl Into<String>) -> Failure {
    Failure::bad_request(IssueCode::NotSupported, text)
}

/// A name that is no parameter here. `place`: its place among the parameters, from 1.
pub(super) fn unknown(
    name: &str,
    place: usize,
    of: ResourceType,
    role: &Role,
    registered: &[&'static SearchParameter],
) -> Failure {
    let valid: Vec<&str> = own_parameters(role)
        .iter()
        .map(|(code, _)| *code)
        .chain(registered.iter().map(|parameter| parameter.code))
        .chain(RESULT_PARAMETERS)
        .collect();
    let named = named(name, &valid);
    let what = match named {
        Some(name) => format!("parameter {place} (`{name}`) is not supported for {of} here"),
        None => format!("parameter {place} is not supported for {of} here"),
    };
    let meant = meant(name, &valid).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    not_supported(format!("{what}{meant}; valid: {}", valid.join(", ")))
}

/// A parameter whose index is being made. Lenient search does not leave it out: it is supported, and soon usable.
pub(super) fn not_indexed(of: ResourceType, code: &str, percent: u8) -> Failure {
    let text = format!("`{code}` of {of} is not yet indexed: {percent} % done; ask again later");
    Failure::bad_request(IssueCode::Incomplete, text)
}

/// A chain on what is no reference.
pub(super) fn chain(code: &str) -> Failure {
    not_supported(format!("`{code}` is no reference to a resource, so nothing can be chained to it"))
}

/// A chain whose target has no such type.
pub(super) fn chain_type(code: &str, valid: &[&str]) -> Failure {
    not_supported(format!(
        "`{code}` is chained to a type that it cannot point at; valid: {}",
        valid.join(", ")
    ))
}

/// More references one after another than are followed.
pub(super) fn hops() -> Failure {
    let text = format!("a chain or _has follows at most {HOPS_MAX} references");
    Failure::bad_request(IssueCode::TooCostly, text)
}

/// A modifier that a parameter does not have.
pub(super) fn modifier(code: &str, modifier: &str, valid: &[&str]) -> Failure {
    let what = match named(modifier, valid).or_else(|| MODIFIERS.into_iter().find(|known| *known == modifier))
    {
        Some(modifier) => format!("modifier `:{modifier}` of `{code}` is not supported"),
        None => format!("a modifier of `{code}` is not supported"),
    };
    let valid: Vec<String> = valid.iter().map(|modifier| format!(":{modifier}")).collect();
    let valid = if valid.is_empty() { "none".to_owned() } else { valid.join(", ") };
    not_supported(format!("{what}; valid: {valid}"))
}

/// A value of a list that is fixed: a sort key, an include.
pub(super) fn choice(parameter: &str, asked: &str, valid: &[&str]) -> Failure {
    let which = named(asked, valid).map(|name| format!(" `{name}`")).unwrap_or_default();
    let meant = meant(asked, valid).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    not_supported(format!("`{parameter}` does not take{which} here{meant}; valid: {}", valid.join(", ")))
}

/// A name that may be repeated.
fn named<'a>(name: &'a str, valid: &[&str]) -> Option<&'a str> {
    let of_r4 = || {
        let r4 = fhir::r4();
        KNOWN.contains(&name)
            || r4.is_resource(name)
            || r4.resource_names().any(|of| r4.search_parameter(of, name).is_some())
    };
    (of_r4() || meant(name, valid).is_some()).then_some(name)
}

/// The valid name that this one is a slip of.
pub(super) fn meant<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let length = name.chars().count();
    if !(SLIP_CHARS_MIN..=NAME_CHARS_MAX).contains(&length) {
        return None;
    }
    let near = valid.iter().map(|valid| (distance(name, valid), *valid));
    near.filter(|(distance, valid)| *distance <= SLIP_MAX && distance * 3 <= valid.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, valid)| valid)
}

/// Letters to change, add or take away between two names.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, left) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(other.chars()) {
            let changed = diagonal + usize::from(!left.eq_ignore_ascii_case(&right));
            diagonal = *cell;
            *cell = changed.min(before + 1).min(diagonal + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{distance, meant};

    #[test]
    fn a_slip_is_told_from_a_name() {
        for (one, other, letters) in [
            ("famly", "family", 1),
            ("abc", "abc", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("date", "daet", 2),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
        let valid = ["family", "given", "_lastUpdated"];
        assert_eq!(meant("famly", &valid), Some("family"));
        assert_eq!(meant("_lastupdated", &valid), Some("_lastUpdated"));
        assert_eq!(meant("Everywoman", &valid), None);
        assert_eq!(meant("go", &valid), None);
    }
}
