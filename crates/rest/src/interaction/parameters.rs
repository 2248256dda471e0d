//! Search parameters: which exist, and what a query asks by them (R4, search §3.1.1). Strict: what is not supported is
//! refused, whatever `Prefer: handling` says.

use fhir::{IssueCode, ResourceType, SearchKind, SearchParameter, is_resource_id};
use store::{Clause, TokenValue};

use super::search::{PAGE_DEFAULT, PAGE_MAX};
use crate::capacity::OR_VALUES_MAX;
use crate::outcome::Failure;
use crate::query::Parameters;
use crate::server::Role;

/// Search parameters of a role that this resource type has, by code.
pub(crate) fn registered(of: ResourceType, role: &Role) -> Vec<&'static SearchParameter> {
    let supported = |parameter: &&SearchParameter| {
        role.parameters.contains(&parameter.code)
            && matches!(parameter.kind, SearchKind::Token | SearchKind::Reference)
    };
    fhir::r4().search_parameters(of.as_str()).iter().filter(supported).collect()
}

/// A search as it will run.
pub(super) struct Query {
    pub(super) clauses: Vec<Clause>,
    /// Matches on a page; 0 asks for the total alone.
    pub(super) count: usize,
    /// Names used, for the audit record.
    pub(super) names: Vec<&'static str>,
    /// Whether a value can name a person, so that links must be sealed.
    pub(super) confidential: bool,
}

impl Query {
    /// # Errors
    /// 400 when a parameter, modifier or value is not supported.
    pub(super) fn parse(
        parameters: &Parameters,
        of: ResourceType,
        role: &Role,
        base_url: &str,
    ) -> Result<Self, Failure> {
        let mut controls = parameters.clone();
        let count = controls.take_one("_count")?;
        let summary = controls.take_one("_summary")?;
        let registered = registered(of, role);
        let mut query = Self {
            clauses: Vec::new(),
            count: page_size(count.as_deref(), summary.as_deref())?,
            names: Vec::new(),
            confidential: false,
        };
        for (name, value) in &controls.0 {
            query.add(name, value, &registered, base_url)?;
        }
        Ok(query)
    }

    fn add(
        &mut self,
        name: &str,
        value: &str,
        registered: &[&'static SearchParameter],
        base_url: &str,
    ) -> Result<(), Failure> {
        let values = or_values(value)?;
        if name == "_id" {
            self.names.push("_id");
            self.clauses
                .push(Clause::Id(values.iter().map(|value| resource_id(value)).collect::<Result<_, _>>()?));
            return Ok(());
        }
        let Some(parameter) = registered.iter().find(|parameter| parameter.code == name) else {
            return Err(unsupported(name, registered));
        };
        let code = parameter.code;
        self.names.push(code);
        self.confidential |= code == "identifier";
        let parameter_name = code.to_owned();
        self.clauses.push(if parameter.kind == SearchKind::Reference {
            let values =
                values.iter().map(|value| reference(value, code, base_url)).collect::<Result<_, _>>()?;
            Clause::Reference { parameter: parameter_name, values }
        } else {
            let values = values.iter().map(|value| token(value)).collect::<Result<_, _>>()?;
            Clause::Token { parameter: parameter_name, values }
        });
        Ok(())
    }
}

fn page_size(count: Option<&str>, summary: Option<&str>) -> Result<usize, Failure> {
    let counted = match count {
        None => PAGE_DEFAULT,
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            // A number beyond usize is beyond the page limit as well.
            text.parse().unwrap_or(PAGE_MAX).min(PAGE_MAX)
        }
        Some(_) => return Err(invalid("_count is a whole number from 0")),
    };
    match summary {
        None | Some("false") => Ok(counted),
        Some("count") => Ok(0),
        Some(_) => {
            Err(Failure::bad_request(IssueCode::NotSupported, "_summary is supported as count or false"))
        }
    }
}

/// Splits an OR-list at its unescaped commas; the escapes stay for the next reader.
fn or_values(list: &str) -> Result<Vec<&str>, Failure> {
    let values = split_unescaped(list, b',');
    if values.len() > OR_VALUES_MAX {
        return Err(Failure::bad_request(IssueCode::TooCostly, "a parameter has too many values"));
    }
    if values.iter().any(|value| value.trim().is_empty()) {
        return Err(invalid("a parameter has no value"));
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
fn unescape(text: &str) -> Result<String, Failure> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        plain.push(match character {
            '\\' => match rest.next() {
                Some(escaped @ (',' | '|' | '$' | '\\')) => escaped,
                _ => return Err(invalid("a backslash escapes a comma, a bar, a dollar or a backslash")),
            },
            other => other,
        });
    }
    Ok(plain)
}

fn resource_id(value: &str) -> Result<String, Failure> {
    if is_resource_id(value) { Ok(value.to_owned()) } else { Err(invalid("_id takes resource ids")) }
}

/// `code`, `system|code`, `|code` (no system), `system|` (any code of it).
fn token(value: &str) -> Result<TokenValue, Failure> {
    let parts = split_unescaped(value, b'|');
    let (system, code) = match parts.as_slice() {
        [code] => (None, *code),
        [system, code] => (Some(unescape(system)?), *code),
        _ => return Err(invalid("a token is code, system|code, |code or system|")),
    };
    let code = unescape(code)?;
    match (system.as_deref(), code.is_empty()) {
        (Some(""), true) => Err(invalid("a parameter has no value")),
        (_, true) => Ok(TokenValue { system, code: None }),
        (_, false) => Ok(TokenValue { system, code: Some(code) }),
    }
}

/// `id`, `Type/id`, or either under this server's own address; a version is left out.
fn reference(value: &str, code: &str, base_url: &str) -> Result<(Option<String>, String), Failure> {
    let not_ours = || invalid("a reference is an id, type/id, or an address of this server");
    let local = value.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/')).unwrap_or(value);
    let parts: Vec<&str> = local.split('/').collect();
    let (target, id) = match parts.as_slice() {
        [id] => ((code == "patient").then_some("Patient"), *id),
        [target, id] | [target, id, "_history", _] => (Some(*target), *id),
        _ => return Err(not_ours()),
    };
    let known = target.is_none_or(|target| fhir::r4().is_resource(target));
    if known && is_resource_id(id) { Ok((target.map(str::to_owned), id.to_owned())) } else { Err(not_ours()) }
}

/// Names what is valid. The unknown name is the client's text and is not repeated; a modifier or chain on a name that
/// exists is told apart.
fn unsupported(name: &str, registered: &[&SearchParameter]) -> Failure {
    let stem = name.split([':', '.']).next().unwrap_or_default();
    let known = stem != name && (stem == "_id" || registered.iter().any(|parameter| parameter.code == stem));
    let what = if known { "modifiers and chains are not supported" } else { "a parameter is not supported" };
    let names: Vec<&str> = registered.iter().map(|parameter| parameter.code).collect();
    let text = format!(
        "{what} here; valid: _id, {}_count, _summary, _format, _pretty",
        names.iter().map(|name| format!("{name}, ")).collect::<String>()
    );
    Failure::bad_request(IssueCode::NotSupported, text)
}

fn invalid(text: &'static str) -> Failure {
    Failure::bad_request(IssueCode::Value, text)
}
