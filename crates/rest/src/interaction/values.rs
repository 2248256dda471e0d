//! Values of search parameters, by the kind of the parameter (R4, search §3.1.1.4).

use fhir::{
    DateMatch, IssueCode, NumberMatch, PREFIXES, QueryProblem, SearchKind, SearchParameter, fold_string,
    is_resource_id,
};
use store::{Clause, Micros, QuantityValue, TextMatch, TokenValue};

use super::refusal::{self, invalid};
use super::registry::modifiers;
use crate::capacity::OR_VALUES_MAX;
use crate::outcome::Failure;

/// What values are read against.
pub(super) struct Reader<'a> {
    /// This server's own address.
    pub(super) base_url: &'a str,
    pub(super) now_us: Micros,
}

impl Reader<'_> {
    /// The clause of a parameter with its modifier.
    ///
    /// # Errors
    /// 400 when the modifier is not supported or a value cannot be read.
    pub(super) fn clause(
        &self,
        parameter: &SearchParameter,
        modifier: Option<&str>,
        list: &str,
    ) -> Result<Clause, Failure> {
        let code = parameter.code;
        let named = code.to_owned();
        if modifier == Some("missing") {
            return Ok(Clause::Missing { parameter: named, missing: missing(code, list)? });
        }
        let values = or_values(code, list)?;
        let target = modifier.filter(|_| parameter.kind == SearchKind::Reference);
        let known = match modifier {
            None => true,
            Some(modifier) => modifiers(parameter.kind).contains(&modifier),
        };
        if !known && !target.is_some_and(|target| parameter.targets.contains(&target)) {
            let valid: Vec<&str> = match parameter.kind {
                SearchKind::Reference => {
                    modifiers(parameter.kind).iter().chain(parameter.targets).copied().collect()
                }
                kind => modifiers(kind).to_vec(),
            };
            return Err(refusal::modifier(code, modifier.unwrap_or_default(), &valid));
        }
        Ok(match parameter.kind {
            SearchKind::Token => {
                let values = each(&values, |value| token(code, value))?;
                Clause::Token { parameter: named, values, not: modifier == Some("not") }
            }
            SearchKind::Reference => {
                let values = each(&values, |value| self.reference(code, target, value))?;
                Clause::Reference { parameter: named, values }
            }
            SearchKind::Date => Clause::Date { parameter: named, values: self.dates(code, &values)? },
            SearchKind::String => {
                let how = match modifier {
                    Some("exact") => TextMatch::Exact,
                    Some("contains") => TextMatch::Contains,
                    _ => TextMatch::Start,
                };
                let values = each(&values, |value| text(code, value, how))?;
                Clause::Text { parameter: named, values, how }
            }
            SearchKind::Uri => {
                Clause::Uri { parameter: named, values: each(&values, |value| unescape(code, value))? }
            }
            SearchKind::Number | SearchKind::Quantity => {
                let with_unit = parameter.kind == SearchKind::Quantity;
                let values = each(&values, |value| quantity(code, value, with_unit))?;
                Clause::Number { parameter: named, values }
            }
            SearchKind::Composite | SearchKind::Special => return Err(Failure::internal()),
        })
    }

    /// The clause of `_lastUpdated`.
    pub(super) fn updated(&self, list: &str) -> Result<Clause, Failure> {
        Ok(Clause::Updated(self.dates("_lastUpdated", &or_values("_lastUpdated", list)?)?))
    }

    fn dates(&self, code: &str, values: &[&str]) -> Result<Vec<DateMatch>, Failure> {
        each(values, |value| {
            let form = "2020, 2020-05, 2020-05-11, 2020-05-11T10:00Z or finer";
            DateMatch::parse(value, self.now_us).map_err(|problem| match problem {
                QueryProblem::Prefix => prefixes(code),
                QueryProblem::Value if value.contains(' ') => {
                    invalid(format!("`{code}` has a space in its time; write a plus of a time zone as %2B"))
                }
                QueryProblem::Value => {
                    invalid(format!("`{code}` takes a date: {form}, with or without a prefix"))
                }
            })
        })
    }

    /// `id`, `Type/id`, or either under this server's own address; a version is left out. Another address is compared
    /// whole.
    fn reference(
        &self,
        code: &str,
        target: Option<&str>,
        value: &str,
    ) -> Result<(Option<String>, String), Failure> {
        let value = &unescape(code, value)?;
        let local =
            value.strip_prefix(self.base_url).and_then(|rest| rest.strip_prefix('/')).unwrap_or(value);
        if local.contains("://") || local.starts_with("urn:") {
            return Ok((None, local.to_owned()));
        }
        let wrong = || invalid(format!("`{code}` takes an id, type/id or an address"));
        let parts: Vec<&str> = local.split('/').collect();
        let (named, id) = match parts.as_slice() {
            [id] => (target.or((code == "patient").then_some("Patient")), *id),
            [of, id] | [of, id, "_history", _] if target.is_none_or(|target| target == *of) => {
                (Some(*of), *id)
            }
            _ => return Err(wrong()),
        };
        let known = named.is_none_or(|of| fhir::r4().is_resource(of));
        if known && is_resource_id(id) { Ok((named.map(str::to_owned), id.to_owned())) } else { Err(wrong()) }
    }
}

/// The clause of `_id`.
pub(super) fn ids(list: &str) -> Result<Clause, Failure> {
    let id = |value: &str| {
        if is_resource_id(value) { Ok(value.to_owned()) } else { Err(invalid("`_id` takes resource ids")) }
    };
    Ok(Clause::Id(each(&or_values("_id", list)?, id)?))
}

fn each<T>(values: &[&str], read: impl Fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    values.iter().map(|value| read(value)).collect()
}

/// Splits an OR-list at its unescaped commas; the escapes stay for the next reader.
pub(super) fn or_values<'a>(code: &str, list: &'a str) -> Result<Vec<&'a str>, Failure> {
    let values = split_unescaped(list, b',');
    if values.len() > OR_VALUES_MAX {
        let text = format!("`{code}` has more than {OR_VALUES_MAX} values");
        return Err(Failure::bad_request(IssueCode::TooCostly, text));
    }
    if values.iter().any(|value| value.trim().is_empty()) {
        return Err(invalid(format!("`{code}` has no value")));
    }
    Ok(values)
}

fn split_unescaped(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == separator && !escaped {
            // Both ends lie beside ASCII bytes, hence on character boundaries.
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
        }
        escaped = !escaped && byte == b'\\';
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Resolves `\,` `\|` `\$` `\\` (R4, search §3.1.1.4.2).
fn unescape(code: &str, text: &str) -> Result<String, Failure> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        plain.push(match character {
            '\\' => match rest.next() {
                Some(escaped @ (',' | '|' | '$' | '\\')) => escaped,
                _ => {
                    let text = "a backslash escapes a comma, a bar, a dollar or a backslash";
                    return Err(invalid(format!("`{code}`: {text}")));
                }
            },
            other => other,
        });
    }
    Ok(plain)
}

fn missing(code: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(format!("`{code}:missing` is true or false"))),
    }
}

/// `code`, `system|code`, `|code` (no system), `system|` (any code of it).
fn token(name: &str, value: &str) -> Result<TokenValue, Failure> {
    let parts = split_unescaped(value, b'|');
    let (system, code) = match parts.as_slice() {
        [code] => (None, *code),
        [system, code] => (Some(unescape(name, system)?), *code),
        _ => return Err(invalid(format!("`{name}` takes code, system|code, |code or system|"))),
    };
    let code = unescape(name, code)?;
    match (system.as_deref(), code.is_empty()) {
        (Some(""), true) => Err(invalid(format!("`{name}` has no value"))),
        (_, true) => Ok(TokenValue { system, code: None }),
        (_, false) => Ok(TokenValue { system, code: Some(code) }),
    }
}

fn text(code: &str, value: &str, how: TextMatch) -> Result<String, Failure> {
    let value = unescape(code, value)?;
    if how != TextMatch::Exact && fold_string(&value).is_empty() {
        return Err(invalid(format!("`{code}` has no letter or digit to compare")));
    }
    Ok(value)
}

/// `[prefix]number`, and for a quantity `[prefix]number|system|code`.
fn quantity(code: &str, value: &str, with_unit: bool) -> Result<QuantityValue, Failure> {
    let parts = split_unescaped(value, b'|');
    let form = if with_unit { "number or number|system|code" } else { "a number" };
    let wrong = || invalid(format!("`{code}` takes {form}, with or without a prefix"));
    let (number, system, unit) = match parts.as_slice() {
        [number] => (*number, String::new(), String::new()),
        [number, system, unit] if with_unit => (*number, unescape(code, system)?, unescape(code, unit)?),
        _ => return Err(wrong()),
    };
    let number = NumberMatch::parse(number).map_err(|problem| match problem {
        QueryProblem::Prefix => prefixes(code),
        QueryProblem::Value => wrong(),
    })?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(QuantityValue { number, system: given(system), unit: given(unit) })
}

fn prefixes(code: &str) -> Failure {
    let names: Vec<&str> = PREFIXES.iter().map(|(name, _)| *name).collect();
    invalid(format!("a prefix of `{code}` is one of {}", names.join(" ")))
}
