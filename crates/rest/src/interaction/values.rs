//! Values of search parameters, by the kind of the parameter (R4, search §3.1.1.4).

use fhir::{
    DateMatch, IssueCode, NumberMatch, PREFIXES, QueryProblem, SearchComponent, SearchKind, SearchParameter,
    UCUM, fold_string, identifier_name, is_resource_id,
};
use store::{Clause, Micros, PartValue, QuantityValue, TextMatch, TokenValue, TypedValue, UriMatch};

use super::refusal::{self, invalid};
use crate::capacity::OR_VALUES_MAX;
use crate::outcome::Failure;
use crate::server::Role;

/// What values are read against.
pub(crate) struct Reader<'a> {
    /// This server's own address.
    pub(crate) base_url: &'a str,
    pub(crate) now_us: Micros,
    pub(crate) role: &'static Role,
}

impl Reader<'_> {
    /// The clause of a parameter with its modifier.
    ///
    /// # Errors
    /// 400 when the modifier is not supported or a value cannot be read.
    pub(crate) fn clause(
        &self,
        parameter: &SearchParameter,
        modifier: Option<&str>,
        list: &str,
    ) -> Result<Clause, Failure> {
        let (code, named) = (parameter.code, parameter.code.to_owned());
        let target = self.check(parameter, modifier)?;
        if modifier == Some("missing") {
            return Ok(Clause::Missing { parameter: named, missing: missing(code, list)? });
        }
        let values = or_values(code, list)?;
        Ok(match parameter.kind {
            SearchKind::Token => tokens(code, modifier, &values)?,
            SearchKind::Reference if modifier == Some("identifier") => {
                let values = each(&values, |value| token(code, value))?;
                Clause::Token { parameter: identifier_name(code), values, not: false }
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
                let how = match modifier {
                    Some("below") => UriMatch::Below,
                    Some("above") => UriMatch::Above,
                    _ => UriMatch::Whole,
                };
                Clause::Uri { parameter: named, values: each(&values, |value| uri(code, value, how))?, how }
            }
            SearchKind::Number | SearchKind::Quantity => {
                let with_unit = parameter.kind == SearchKind::Quantity;
                let values = each(&values, |value| quantity(code, value, with_unit))?;
                Clause::Number { parameter: named, values: values.into_iter().flatten().collect() }
            }
            SearchKind::Composite => {
                let values = each(&values, |value| self.parts(parameter, value))?;
                Clause::Composite { parameter: named, values }
            }
            SearchKind::Special => return Err(Failure::internal()),
        })
    }

    /// The type that the modifier of a reference names, after a check of the modifier.
    fn check<'m>(
        &self,
        parameter: &SearchParameter,
        modifier: Option<&'m str>,
    ) -> Result<Option<&'m str>, Failure> {
        let Some(modifier) = modifier else { return Ok(None) };
        let known = parameter.modifiers(self.role.audience);
        if known.contains(&modifier) {
            return Ok(None);
        }
        if parameter.kind == SearchKind::Reference && parameter.targets.contains(&modifier) {
            return Ok(Some(modifier));
        }
        let targets: &[&str] = if parameter.kind == SearchKind::Reference { parameter.targets } else { &[] };
        let valid: Vec<&str> = known.iter().chain(targets).copied().collect();
        Err(refusal::modifier(parameter.code, modifier, &valid))
    }

    /// The parts of one value of a composite, `part$part`.
    fn parts(&self, parameter: &SearchParameter, value: &str) -> Result<Vec<PartValue>, Failure> {
        let code = parameter.code;
        let parts = split_unescaped(value, b'$');
        if parts.len() != parameter.components.len() || parts.iter().any(|part| part.is_empty()) {
            let names: Vec<&str> = parameter.components.iter().map(|component| component.code).collect();
            return Err(invalid(format!("`{code}` takes {}", names.join("$"))));
        }
        let part = |(part, component): (&&str, &SearchComponent)| -> Result<PartValue, Failure> {
            Ok(match component.kind {
                SearchKind::Token => PartValue::Token(token(code, part)?),
                SearchKind::Number => PartValue::Number(quantity(code, part, false)?),
                SearchKind::Quantity => PartValue::Number(quantity(code, part, true)?),
                SearchKind::Date => PartValue::Date(self.date(code, part)?),
                SearchKind::String => PartValue::Text(text(code, part, TextMatch::Start)?),
                SearchKind::Uri => PartValue::Uri(uri(code, part, UriMatch::Whole)?),
                SearchKind::Reference => {
                    let (of, id) = self.reference(code, None, part)?;
                    PartValue::Reference(of, id)
                }
                SearchKind::Composite | SearchKind::Special => return Err(Failure::internal()),
            })
        };
        parts.iter().zip(parameter.components).map(part).collect()
    }

    /// The clause of `_lastUpdated`.
    pub(super) fn updated(&self, list: &str) -> Result<Clause, Failure> {
        Ok(Clause::Updated(self.dates("_lastUpdated", &or_values("_lastUpdated", list)?)?))
    }

    fn dates(&self, code: &str, values: &[&str]) -> Result<Vec<DateMatch>, Failure> {
        each(values, |value| self.date(code, value))
    }

    /// `[prefix]date`.
    pub(super) fn date(&self, code: &str, value: &str) -> Result<DateMatch, Failure> {
        let form = "2020, 2020-05, 2020-05-11, 2020-05-11T10:00Z or finer";
        DateMatch::parse(value, self.now_us).map_err(|problem| match problem {
            QueryProblem::Prefix => prefixes(code),
            QueryProblem::Value | QueryProblem::Digits if value.contains(' ') => {
                invalid(format!("`{code}` has a space in its time; write a plus of a time zone as %2B"))
            }
            QueryProblem::Value | QueryProblem::Digits => {
                invalid(format!("`{code}` takes a date: {form}, with or without a prefix"))
            }
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

/// `true` or `false` of `:missing`.
pub(super) fn missing(code: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(format!("`{code}:missing` is true or false"))),
    }
}

fn tokens(code: &str, modifier: Option<&str>, values: &[&str]) -> Result<Clause, Failure> {
    let parameter = code.to_owned();
    Ok(match modifier {
        Some("text") => {
            let words = each(values, |value| text(code, value, TextMatch::Start))?;
            Clause::Words { parameter, values: words }
        }
        Some("of-type") => Clause::OfType { parameter, values: each(values, |value| typed(code, value))? },
        _ => {
            let values = each(values, |value| token(code, value))?;
            Clause::Token { parameter, values, not: modifier == Some("not") }
        }
    })
}

/// `system|code|value` of `:of-type`.
fn typed(code: &str, value: &str) -> Result<TypedValue, Failure> {
    match split_unescaped(value, b'|').as_slice() {
        [system, kind, value] if !kind.is_empty() && !value.is_empty() => Ok(TypedValue {
            system: unescape(code, system)?,
            code: unescape(code, kind)?,
            value: unescape(code, value)?,
        }),
        _ => Err(invalid(format!("`{code}:of-type` takes system|code|value"))),
    }
}

/// A uri; above and below go by the path of an address, which a URN does not have.
fn uri(code: &str, value: &str, how: UriMatch) -> Result<String, Failure> {
    let value = unescape(code, value)?;
    if how == UriMatch::Whole || value.contains("://") {
        return Ok(value);
    }
    Err(invalid(format!("`{code}`: :below and :above take an address with a path, no URN")))
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

/// `[prefix]number`, and for a quantity `[prefix]number|system|code`: of a UCUM unit once for each unit that it can be
/// compared in.
fn quantity(code: &str, value: &str, with_unit: bool) -> Result<Vec<QuantityValue>, Failure> {
    let parts = split_unescaped(value, b'|');
    let form = if with_unit { "number or number|system|code" } else { "a number" };
    let (number, system, unit) = match parts.as_slice() {
        [number] => (*number, String::new(), String::new()),
        [number, system, unit] if with_unit => (*number, unescape(code, system)?, unescape(code, unit)?),
        _ => return Err(invalid(format!("`{code}` takes {form}, with or without a prefix"))),
    };
    let refused = |problem| match problem {
        QueryProblem::Prefix => prefixes(code),
        QueryProblem::Value => invalid(format!("`{code}` takes {form}, with or without a prefix")),
        QueryProblem::Digits => {
            invalid(format!("`{code}` has more digits than can be converted between units"))
        }
    };
    let given = |text: String| (!text.is_empty()).then_some(text);
    if system == UCUM && !unit.is_empty() {
        let each = NumberMatch::in_units(number, &unit).map_err(refused)?.into_iter();
        let value =
            |(unit, number)| QuantityValue { number, system: Some(UCUM.to_owned()), unit: Some(unit) };
        return Ok(each.map(value).collect());
    }
    let number = NumberMatch::parse(number).map_err(refused)?;
    Ok(vec![QuantityValue { number, system: given(system), unit: given(unit) }])
}

fn prefixes(code: &str) -> Failure {
    let names: Vec<&str> = PREFIXES.iter().map(|(name, _)| *name).collect();
    invalid(format!("a prefix of `{code}` is one of {}", names.join(" ")))
}
