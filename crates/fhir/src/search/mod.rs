//! Search parameters and what they extract from a resource.

mod custom;
mod entries;
mod evaluate;
mod expression;
mod fold;
mod indexed;
mod modifiers;
mod query;
mod reach;
mod target;
mod units;
mod values;

use std::collections::HashSet;

use serde_json::Value;

use crate::error::Error;
pub use custom::{CustomDefinition, CustomParameters};
pub use entries::{bounded_name, component_name, custom_entries, identifier_name, index_entries};
use evaluate::{Found, Item, elements, evaluate};
pub(crate) use expression::{Expression, parse};
pub use fold::{FOLDED_CHARS_MAX, begins_a_word, fold_string};
pub use indexed::{Audience, indexed, is_plain, searchable};
pub use query::{DateMatch, Limits, NumberMatch, PREFIXES, Prefix, QueryProblem};
pub use reach::{ElementRead, OwnExtension};
pub use target::reference_targets;
pub use units::UCUM;
use values::{index_values, texts, token, typed};

/// A search parameter of one resource type.
#[derive(Debug, Clone, Copy)]
pub struct SearchParameter {
    /// Name in a query (`birthdate`).
    pub code: &'static str,
    /// Type of its values.
    pub kind: SearchKind,
    /// FHIRPath expression of the specification; empty for the few that have none (`_filter`, `_query`).
    pub expression: &'static str,
    /// Resource types a reference parameter can point at.
    pub targets: &'static [&'static str],
    /// Parts of a composite parameter; empty for the others.
    pub components: &'static [SearchComponent],
    /// What a package says of it; `None` of a parameter of R4 itself.
    pub custom: Option<&'static CustomDefinition>,
    pub(crate) program: Option<&'static Expression>,
}

/// One part of a composite search parameter.
#[derive(Debug, Clone, Copy)]
pub struct SearchComponent {
    /// Code of the parameter it stands for.
    pub code: &'static str,
    /// Type of its values.
    pub kind: SearchKind,
    /// Expression relative to the composite's element.
    pub expression: &'static str,
    pub(crate) program: &'static Expression,
}

impl SearchParameter {
    /// A parameter of one's own. It lives as long as the process, as those of R4 do.
    ///
    /// # Errors
    /// [`Error::Expression`] when the expression is outside the subset of FHIRPath that R4's own parameters use.
    pub fn parse(code: &'static str, kind: SearchKind, expression: &'static str) -> Result<Self, Error> {
        let program: Option<&'static Expression> = match expression {
            "" => None,
            text => Some(Box::leak(Box::new(parse(text)?))),
        };
        Ok(Self { code, kind, expression, targets: &[], components: &[], custom: None, program })
    }
}

/// Search parameter types (R4, search §3.1.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchKind {
    /// A number with implicit precision.
    Number,
    /// A date, time or period.
    Date,
    /// Text, matched from its start.
    String,
    /// A code with its system.
    Token,
    /// A reference to a resource.
    Reference,
    /// Several parameters that hold of the same element.
    Composite,
    /// A number with a unit.
    Quantity,
    /// A URI.
    Uri,
    /// Its own rules (`near`).
    Special,
}

impl SearchKind {
    /// The kind of this name in `http://hl7.org/fhir/search-param-type`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "number" => Self::Number,
            "date" => Self::Date,
            "string" => Self::String,
            "token" => Self::Token,
            "reference" => Self::Reference,
            "composite" => Self::Composite,
            "quantity" => Self::Quantity,
            "uri" => Self::Uri,
            "special" => Self::Special,
            _ => return None,
        })
    }

    /// Its name in `http://hl7.org/fhir/search-param-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }
}

/// One value of a resource for the index of a search parameter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum IndexValue {
    /// A code and the system that defines it.
    Token {
        /// Code system or identifier system.
        system: Option<String>,
        /// Code, identifier value, `true`, phone number.
        code: String,
    },
    /// The target of a reference.
    Reference {
        /// Type of the target, where the reference names it.
        resource_type: Option<String>,
        /// Id of a target on this server; the whole URL of another, a canonical or a `urn:`.
        id: String,
    },
    /// Text as received.
    String(String),
    /// Half-open interval of microseconds since 1970 in UTC; an open end is `i64::MIN` or `i64::MAX`.
    Date {
        /// First microsecond.
        low_us: i64,
        /// The microsecond after the last.
        high_us: i64,
    },
    /// A number with its unit; the number in the digits received.
    Quantity {
        /// Digits.
        value: String,
        /// System of the unit.
        system: Option<String>,
        /// Code of the unit, or its text where there is no code.
        code: Option<String>,
        /// What is known where the number is a bound of the value (`<5`).
        comparator: Option<Comparator>,
    },
    /// A URI.
    Uri(String),
    /// A number in the digits received.
    Number(String),
}

impl std::fmt::Debug for IndexValue {
    /// Names the kind only: index values are content of a resource.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Token { .. } => "Token",
            Self::Reference { .. } => "Reference",
            Self::String(_) => "String",
            Self::Date { .. } => "Date",
            Self::Quantity { .. } => "Quantity",
            Self::Uri(_) => "Uri",
            Self::Number(_) => "Number",
        })
    }
}

/// How a value lies to its number (Quantity.comparator).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Comparator {
    /// Every comparator.
    pub const ALL: [Self; 4] = [Self::Less, Self::LessOrEqual, Self::GreaterOrEqual, Self::Greater];

    /// The comparator that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparator| comparator.as_str() == text)
    }

    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// One type of an identifier with the identifier's value. PHI: no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TypedIdentifier<'a> {
    /// System of the type; empty where it has none.
    pub system: &'a str,
    /// Code of the type (`MR`).
    pub code: &'a str,
    /// Value of the identifier.
    pub value: &'a str,
}

/// Texts that stand with the coded values of a token parameter (`:text`).
pub fn extract_texts<'a>(resource: &'a Value, parameter: &SearchParameter) -> Vec<&'a str> {
    let mut found = Vec::new();
    found_by(resource, parameter).into_iter().for_each(|element| texts(element, &mut found));
    found
}

/// Types and values of the identifiers that a token parameter finds (`:of-type`).
pub fn extract_typed<'a>(resource: &'a Value, parameter: &SearchParameter) -> Vec<TypedIdentifier<'a>> {
    let mut found = Vec::new();
    found_by(resource, parameter).into_iter().for_each(|element| typed(element, &mut found));
    found
}

fn found_by<'a>(resource: &'a Value, parameter: &SearchParameter) -> Vec<Found<'a>> {
    match (Found::resource(resource), parameter.program) {
        (Some(resource), Some(program)) => elements(evaluate(program, resource, resource)),
        _ => Vec::new(),
    }
}

/// Values of one search parameter, extracted for the index; in document order, equal ones once. Nothing for composite
/// parameters (see [`extract_composite`]) and for those without an expression.
pub fn extract(resource: &Value, parameter: &SearchParameter) -> Vec<IndexValue> {
    match (Found::resource(resource), parameter.program) {
        (Some(resource), Some(program)) => values(program, parameter.kind, resource, resource),
        _ => Vec::new(),
    }
}

/// Values of a composite parameter: for each element it applies to, the values of each component in turn. Elements
/// that lack a component are left out.
pub fn extract_composite(resource: &Value, parameter: &SearchParameter) -> Vec<Vec<Vec<IndexValue>>> {
    let (Some(resource), Some(program)) = (Found::resource(resource), parameter.program) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for element in elements(evaluate(program, resource, resource)) {
        let parts: Vec<Vec<IndexValue>> = parameter
            .components
            .iter()
            .map(|component| values(component.program, component.kind, element, resource))
            .collect();
        if !parts.is_empty() && parts.iter().all(|part| !part.is_empty()) {
            rows.push(parts);
        }
    }
    rows
}

fn values<'a>(
    program: &Expression,
    kind: SearchKind,
    context: Found<'a>,
    resource: Found<'a>,
) -> Vec<IndexValue> {
    of_items(kind, &evaluate(program, context, resource))
}

fn of_items(kind: SearchKind, items: &[Item<'_>]) -> Vec<IndexValue> {
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Element(element) => index_values(kind, *element, &mut found),
            Item::Truth(is) if kind == SearchKind::Token => {
                found.push(token(None, if *is { "true" } else { "false" }))
            }
            Item::Truth(_) | Item::Target(_) => {}
        }
    }
    if found.len() <= COMPARED_MAX {
        // Of most parameters a resource has one value or two.
        let mut distinct: Vec<IndexValue> = Vec::with_capacity(found.len());
        for value in found {
            if !distinct.contains(&value) {
                distinct.push(value);
            }
        }
        return distinct;
    }
    let mut seen = HashSet::with_capacity(found.len());
    found.retain(|value| seen.insert(value.clone()));
    found
}

/// So many values are compared with one another; more are hashed.
const COMPARED_MAX: usize = 8;
