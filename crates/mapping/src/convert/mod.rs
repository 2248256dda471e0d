//! Conversions of single values: v2 text in, FHIR JSON out, each with what it cost.

pub(crate) mod binary;
pub(crate) mod number;
pub(crate) mod quantity;
pub(crate) mod time;

use serde_json::Value;
use std::borrow::Cow;

/// A converted value.
pub(crate) struct Converted {
    pub value: Value,
    /// What was lost on the way.
    pub lossy: Option<&'static str>,
}

impl Converted {
    /// Nothing was lost.
    pub fn exact(value: impl std::convert::Into<Value>) -> Self {
        Converted { value: value.into(), lossy: None }
    }
}

/// Why a value does not convert.
pub(crate) type Refused = &'static str;

/// `Y`/`N` (table 0136) to a boolean.
pub(crate) fn boolean(text: &str) -> Result<Converted, Refused> {
    match text.trim() {
        "Y" | "y" => Ok(Converted::exact(true)),
        "N" | "n" => Ok(Converted::exact(false)),
        _ => Err("neither Y nor N"),
    }
}

/// Text as a FHIR string: never empty, no characters that FHIR strings may not hold (R4 datatypes, string).
pub(crate) fn text(text: Cow<'_, str>) -> Result<Converted, Refused> {
    let allowed = |c: char| c >= ' ' || matches!(c, '\t' | '\n' | '\r');
    if text.chars().all(allowed) {
        return if text.trim().is_empty() { Err("empty text") } else { Ok(Converted::exact(text)) };
    }
    let kept: String = text.chars().filter(|c| allowed(*c)).collect();
    if kept.trim().is_empty() {
        Err("empty text")
    } else {
        Ok(Converted { value: kept.into(), lossy: Some("control characters dropped") })
    }
}

/// Text as a FHIR code: no leading, trailing or doubled space (R4 datatypes, code).
pub(crate) fn code(text: &str) -> Result<Converted, Refused> {
    let tidy = tidy_code(text)?;
    let lossy = (tidy != text).then_some("space in the code collapsed");
    Ok(Converted { value: tidy.into(), lossy })
}

/// The text of [`code`].
pub(crate) fn tidy_code(text: &str) -> Result<Cow<'_, str>, Refused> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => Err("empty code"),
        (Some(word), None) => Ok(word.into()),
        (Some(_), Some(_)) => Ok(text.split_whitespace().collect::<Vec<_>>().join(" ").into()),
    }
}
