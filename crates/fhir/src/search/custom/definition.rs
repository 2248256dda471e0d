//! One SearchParameter (R4, searchparameter), read and compiled for one type.

use std::collections::HashMap;

use serde_json::Value;

use super::super::expression::{Expression, parse};
use super::super::reach::{DeadEnd, Reach, Reached, type_of};
use super::super::target::led;
use super::super::{SearchComponent, SearchKind, SearchParameter};
use super::fit::{fits, types};
use super::{CustomDefinition, text};
use crate::definitions::r4;
use crate::error::Error;
use crate::profile::PACKAGE_FILE_BYTES_MAX;

/// Most characters of a code.
const CODE_CHARS_MAX: usize = 64;
/// Most bytes of an expression.
const EXPRESSION_BYTES_MAX: usize = 4_096;
/// Most components of a composite.
const COMPONENTS_MAX: usize = 8;
/// Where R4's own definitions are.
const OF_R4: &str = "http://hl7.org/fhir/SearchParameter/";
/// What an expression may be made of.
const UNDERSTOOD: &str = "understood are dotted paths, [index], |, and, = and != with a literal, where(…), as and ofType(Type), \
    is Type, exists(), resolve() and extension('url')";
/// Characters of an expression that are shown of what is not understood.
const SHOWN_CHARS: usize = 40;

/// A SearchParameter as a package has it.
pub(super) struct Definition {
    pub(super) url: &'static str,
    version: String,
    pub(super) code: &'static str,
    pub(super) kind: SearchKind,
    status: String,
    base: Vec<String>,
    expression: &'static str,
    targets: Vec<&'static str>,
    /// Canonical of what each is, and its expression.
    components: Vec<(String, &'static str)>,
}

impl Definition {
    /// The definition of a file; `None` of other files.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, String> {
        if bytes.len() > PACKAGE_FILE_BYTES_MAX {
            return Err(format!("is longer than {PACKAGE_FILE_BYTES_MAX} bytes"));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
        if text(&value, "resourceType") != "SearchParameter" {
            return Ok(None);
        }
        let listed = |name: &str| value.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let given = |name: &str| match text(&value, name) {
            "" => Err(format!("has no `{name}`")),
            found => Ok(found),
        };
        let (url, code) = (leaked(given("url")?), leaked(given("code")?));
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if !code.chars().all(plain) || code.len() > CODE_CHARS_MAX {
            return Err(format!("its code is not 1 to {CODE_CHARS_MAX} of A-Z a-z 0-9 - _"));
        }
        let kind = SearchKind::parse(given("type")?).ok_or("its `type` is none of R4")?;
        let expression = text(&value, "expression");
        let component = |one: &Value| (text(one, "definition").to_owned(), leaked(text(one, "expression")));
        let names = listed("target").iter().filter_map(Value::as_str);
        let known = |name| r4().resource_names().find(|known| *known == name);
        let components: Vec<(String, &'static str)> = listed("component").iter().map(component).collect();
        let all = components.iter().map(|(_, expression)| *expression).chain([expression]);
        if all.into_iter().any(|one| one.len() > EXPRESSION_BYTES_MAX) || components.len() > COMPONENTS_MAX {
            let most = format!("{EXPRESSION_BYTES_MAX} bytes or {COMPONENTS_MAX} components");
            return Err(format!("`{code}`: an expression of more than {most}"));
        }
        Ok(Some(Self {
            url,
            version: text(&value, "version").to_owned(),
            code,
            kind,
            status: text(&value, "status").to_owned(),
            base: listed("base").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            expression: leaked(expression),
            targets: names.filter_map(known).collect(),
            components,
        }))
    }

    /// Whether a canonical, with or without version, names it.
    pub(super) fn is_named(&self, canonical: &str) -> bool {
        let (url, version) = canonical.split_once('|').unwrap_or((canonical, ""));
        url == self.url && (version.is_empty() || version == self.version)
    }

    /// Whether its publisher has withdrawn it.
    pub(super) fn is_retired(&self) -> bool {
        self.status == "retired"
    }

    /// The types that can be instantiated of those it is of; what is unknown is told when it is compiled.
    pub(super) fn types(&self) -> Vec<&'static str> {
        let is = |of: &str| self.base.iter().any(|base| base == of);
        let has = |of: &&'static str| {
            is(of) || is("Resource") || r4().base_of(of).is_some_and(|base| base != "Resource" && is(base))
        };
        let found: Vec<&'static str> = r4().resource_names().filter(has).collect();
        // So that it is refused rather than passed over.
        if found.is_empty() { vec!["Resource"] } else { found }
    }
}

fn leaked(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

/// Compiles definitions; `own`: code and kind of those of the packages, by canonical.
pub(super) struct Reader<'a> {
    pub(super) own: &'a HashMap<&'a str, (&'static str, SearchKind)>,
}

impl Reader<'_> {
    /// The parameter of a type.
    ///
    /// # Errors
    /// Which part of the expression cannot be used, and what could.
    pub(super) fn parameter(&self, one: &Definition, of: &'static str) -> Result<SearchParameter, String> {
        let unknown = one
            .base
            .iter()
            .find(|base| !r4().types.get(base.as_str()).is_some_and(|kind| kind.is_resource()));
        if one.base.is_empty() || unknown.is_some() {
            return Err("its `base` is no list of resource types of R4".to_owned());
        }
        if one.kind == SearchKind::Special {
            return Err(
                "a parameter of type special has rules of its own, which only a program can have".to_owned()
            );
        }
        let program = compile(one.expression)?;
        let types = [of, r4().base_of(of).unwrap_or_default(), "Resource"];
        let program: &'static Expression = Box::leak(Box::new(program.restricted(&types)));
        let mut reach = Reach::from(of);
        let given = reach.of_resource(program);
        checked(one.expression, one.kind, &given, reach.dead_end.take())?;
        let components = self.components(one, &given, &mut reach)?;
        let text = definition_text(one, &components);
        let gives = gives(&given);
        let leads =
            if one.kind == SearchKind::Reference { led(of, Some(program), &one.targets) } else { Vec::new() };
        let targets: &'static [&'static str] = Vec::leak(leads.clone());
        let custom = CustomDefinition { url: one.url, text, reads: reach.reads, leads, gives };
        Ok(SearchParameter {
            code: one.code,
            kind: one.kind,
            expression: one.expression,
            targets,
            components: Vec::leak(components),
            custom: Some(Box::leak(Box::new(custom))),
            program: Some(program),
        })
    }

    fn components(
        &self,
        one: &Definition,
        given: &[Reached],
        reach: &mut Reach,
    ) -> Result<Vec<SearchComponent>, String> {
        if (one.kind == SearchKind::Composite) != (one.components.len() > 1) {
            return Err("a composite has two components or more, and nothing else has any".to_owned());
        }
        let mut components = Vec::with_capacity(one.components.len());
        for (definition, expression) in &one.components {
            let canonical = definition.split('|').next().unwrap_or_default();
            let of_r4 = canonical.strip_prefix(OF_R4).and_then(|id| r4().search_definitions.get(id));
            let found = self.own.get(canonical).or(of_r4).copied();
            let (code, kind) =
                found.ok_or_else(|| format!("its component `{definition}` is in no package"))?;
            if matches!(kind, SearchKind::Composite | SearchKind::Special) {
                return Err(format!("its component `{code}` has no values of its own"));
            }
            let program: &'static Expression = Box::leak(Box::new(compile(expression)?));
            let values = reach.of(program, given);
            checked(expression, kind, &values, reach.dead_end.take())?;
            components.push(SearchComponent { code, kind, expression, program });
        }
        Ok(components)
    }
}

fn compile(expression: &'static str) -> Result<Expression, String> {
    if expression.trim().is_empty() {
        return Err("has no `expression`".to_owned());
    }
    parse(expression).map_err(|error| match error {
        Error::Expression { offset, problem } => {
            let rest: String =
                expression.get(offset..).unwrap_or_default().chars().take(SHOWN_CHARS).collect();
            let at = expression.get(..offset).map_or(0, |before| before.chars().count()) + 1;
            let shown = if rest.is_empty() { "its end".to_owned() } else { format!("`{rest}`") };
            format!("character {at} of `{expression}`, before {shown}: expected {problem}; {UNDERSTOOD}")
        }
        other => other.to_string(),
    })
}

/// That an expression leads somewhere, and to what has values of the kind.
fn checked(
    expression: &str,
    kind: SearchKind,
    given: &[Reached],
    end: Option<DeadEnd>,
) -> Result<(), String> {
    if let Some(DeadEnd { part, problem }) = end {
        return Err(format!("`{part}` in `{expression}` {problem}"));
    }
    if given.is_empty() {
        return Err(format!("`{expression}` gives nothing for this type"));
    }
    if kind == SearchKind::Composite || given.iter().any(|found| fits(kind, type_of(&found.path))) {
        return Ok(());
    }
    let (found, wanted) = (gives(given).join(", "), types(kind).join(", "));
    Err(format!("`{expression}` gives {found}, of which a {} has no value; it takes {wanted}", kind.as_str()))
}

fn gives(given: &[Reached]) -> Vec<String> {
    let mut types: Vec<String> = given.iter().map(|found| type_of(&found.path).to_owned()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// All that decides which values a parameter has.
fn definition_text(one: &Definition, components: &[SearchComponent]) -> String {
    let mut text = format!("{}\n{}", one.kind.as_str(), one.expression);
    for SearchComponent { kind, expression, .. } in components {
        text.push_str(&format!("\n{} {expression}", kind.as_str()));
    }
    text
}
