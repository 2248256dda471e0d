//! Conditions and preferences of a change, from its headers (R4, http §3.1.0.5; RFC 7240).

use axum::http::{HeaderMap, HeaderName, header};
use fhir::IssueCode;

use crate::outcome::Failure;

/// What `If-Match` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::interaction) enum IfMatch {
    /// `*`: that it stands.
    Any,
    /// That it stands in this version.
    Version(u32),
}

/// Conditions on what stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::interaction) struct Preconditions {
    pub(in crate::interaction) if_match: Option<IfMatch>,
    /// `If-None-Match: *`: that nothing stands.
    pub(in crate::interaction) if_none_match: bool,
}

impl Preconditions {
    /// # Errors
    /// 400 when one cannot be read, or both are given.
    pub(in crate::interaction) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let if_match = match only(headers, &header::IF_MATCH)? {
            None => None,
            Some("*") => Some(IfMatch::Any),
            Some(tag) => Some(IfMatch::Version(version_of_tag(tag)?)),
        };
        let if_none_match = match only(headers, &header::IF_NONE_MATCH)? {
            None => false,
            Some("*") => true,
            Some(_) => {
                return Err(Failure::bad_request(IssueCode::Value, "If-None-Match of a change is `*`"));
            }
        };
        if if_match.is_some() && if_none_match {
            let text = "If-Match and If-None-Match cannot both hold";
            return Err(Failure::bad_request(IssueCode::Invalid, text));
        }
        Ok(Self { if_match, if_none_match })
    }
}

/// The version that an entity tag names: `W/"3"`, also without its `W/`.
///
/// # Errors
/// 400 when it is no tag of this server.
pub(in crate::interaction) fn version_of_tag(tag: &str) -> Result<u32, Failure> {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let bare = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let digits = bare.filter(|tag| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit()));
    // A number beyond u32 names no version of anything.
    digits
        .map(|digits| digits.parse().unwrap_or(u32::MAX))
        .ok_or_else(|| Failure::bad_request(IssueCode::Value, "If-Match is the ETag of a version: W/\"1\""))
}

/// The value of a header that is given once.
pub(in crate::interaction) fn only<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Failure> {
    let wrong = || Failure::bad_request(IssueCode::Invalid, format!("{name} is given once, in ASCII"));
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => only.to_str().map(|text| Some(text.trim())).map_err(|_| wrong()),
        (Some(_), Some(_)) => Err(wrong()),
    }
}

/// What the answer to a change holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::interaction) enum Prefer {
    /// Nothing.
    Minimal,
    /// The resource as it stands.
    #[default]
    Representation,
    /// An OperationOutcome.
    Outcome,
}

impl Prefer {
    /// The first `return` that is known; preferences are never an error.
    pub(in crate::interaction) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let mut preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
        preferences
            .find_map(|preference| match preference.strip_prefix("return=")?.trim_matches('"') {
                "minimal" => Some(Self::Minimal),
                "representation" => Some(Self::Representation),
                "OperationOutcome" => Some(Self::Outcome),
                _ => None,
            })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn an_entity_tag_names_a_version() {
        for (tag, version) in [("W/\"3\"", 3), ("\"3\"", 3), ("W/\"99999999999\"", u32::MAX)] {
            assert_eq!(version_of_tag(tag).ok(), Some(version));
        }
        for tag in ["3", "W/3", "W/\"\"", "W/\"a\"", "\"1\", \"2\"", "W/\"-1\""] {
            assert!(version_of_tag(tag).is_err(), "{tag}");
        }
    }

    #[test]
    fn conditions_are_read_or_refused() {
        let of = |pairs| Preconditions::of(&headers(pairs)).ok();
        assert_eq!(of(&[]), Some(Preconditions::default()));
        assert_eq!(of(&[("if-match", "*")]).and_then(|read| read.if_match), Some(IfMatch::Any));
        assert_eq!(of(&[("if-none-match", "*")]).map(|read| read.if_none_match), Some(true));
        assert_eq!(of(&[("if-none-match", "W/\"1\"")]), None);
        assert_eq!(of(&[("if-match", "W/\"1\""), ("if-none-match", "*")]), None);
    }

    #[test]
    fn a_preference_is_the_first_that_is_known() {
        let of = |value| Prefer::of(&headers(&[("prefer", value)]));
        assert_eq!(of("return=minimal"), Prefer::Minimal);
        assert_eq!(of("handling=strict; return=OperationOutcome"), Prefer::Outcome);
        assert_eq!(of("return=everything, return=representation"), Prefer::Representation);
        assert_eq!(Prefer::of(&headers(&[])), Prefer::Representation);
    }
}
