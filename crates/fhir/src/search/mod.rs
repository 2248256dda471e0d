//! Search parameters and what they extract from a resource.

use std::sync::OnceLock;

/// A search parameter of one resource type.
#[derive(Debug)]
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
    program: OnceLock<()>,
}

/// One part of a composite search parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchComponent {
    /// Code of the parameter it stands for.
    pub code: &'static str,
    /// Type of its values.
    pub kind: SearchKind,
    /// Expression relative to the composite's element.
    pub expression: &'static str,
}

impl SearchParameter {
    /// A parameter without targets or components.
    pub fn new(code: &'static str, kind: SearchKind, expression: &'static str) -> Self {
        Self { code, kind, expression, targets: &[], components: &[], program: OnceLock::new() }
    }

    pub(crate) fn with_targets(mut self, targets: &'static [&'static str]) -> Self {
        self.targets = targets;
        self
    }

    pub(crate) fn with_components(mut self, components: &'static [SearchComponent]) -> Self {
        self.components = components;
        self
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
#[derive(Clone, PartialEq)]
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
    },
    /// A URI.
    Uri(String),
    /// A number in the digits received.
    Number(String),
}

/// Values of one search parameter, extracted for the index.
pub fn extract(_resource: &serde_json::Value, _parameter: &SearchParameter) -> Vec<IndexValue> {
    vec![]
}
