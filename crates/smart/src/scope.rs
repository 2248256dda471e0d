//! Scopes that ask for resources: `patient/Observation.rs?category=…` (SMART App Launch 2.2, scopes and launch context).
//!
//! Read strictly: what is not understood is no scope, for a filter that is dropped would grant more than was asked for.

use std::fmt;

use fhir::{Audience, ResourceType, SearchKind, SearchParameter, indexed};

use crate::permissions::Permissions;

/// Characters of one scope.
pub const SCOPE_CHARS_MAX: usize = 1_024;
/// Filters of one scope.
pub const FILTERS_MAX: usize = 8;
/// Parameters that every type has, by which a scope of all types may be narrowed.
const COMMON: [&str; 2] = ["_security", "_tag"];

/// Whose resources a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Those in the compartment of the patient of the launch.
    Patient,
    /// Those that the person who signed in may see.
    User,
    /// Those that the system may see that asks for itself.
    System,
}

impl Context {
    /// All with their names.
    pub const ALL: [(Self, &str); 3] =
        [(Self::Patient, "patient"), (Self::User, "user"), (Self::System, "system")];
}

/// Types that a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    /// `*`.
    Every,
    /// This one.
    One(ResourceType),
}

impl Types {
    /// Whether a type is among them.
    pub fn has(self, of: ResourceType) -> bool {
        match self {
            Self::Every => true,
            Self::One(one) => one == of,
        }
    }
}

/// One filter: a search parameter of kind token or reference, with its values as a search has them.
#[derive(Clone)]
pub struct Filter {
    /// The parameter.
    pub parameter: &'static SearchParameter,
    /// Its values, decoded; commas separate alternatives.
    pub values: String,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.parameter.code == other.parameter.code && self.values == other.values
    }
}

impl Eq for Filter {}

impl fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Filter({})", self.parameter.code)
    }
}

/// One scope for resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Whose.
    pub context: Context,
    /// Of which types.
    pub types: Types,
    /// What may be done.
    pub permissions: Permissions,
    /// All must hold.
    pub filters: Vec<Filter>,
}

/// Why a text is no scope for resources. It repeats nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Longer than [`SCOPE_CHARS_MAX`], or with a character that no scope has (RFC 6749 §3.3).
    #[error("a scope is at most 1024 printable ASCII characters without space, quote and backslash")]
    Text,
    /// Not `patient/`, `user/` or `system/`.
    #[error("a scope for resources begins with patient/, user/ or system/")]
    Context,
    /// No type of R4.
    #[error("after the slash stands a resource type of R4 or *")]
    Type,
    /// Not the letters `cruds`.
    #[error("after the dot stand letters of cruds in this order, or read, write or *")]
    Permissions,
    /// Not `parameter=value`.
    #[error("after the question mark stand at most 8 pairs parameter=value with & between them")]
    Filter,
    /// Not a parameter that can narrow a scope.
    #[error(
        "a scope is narrowed by token and reference parameters of its type; one of all types by _security and _tag"
    )]
    Parameter,
}

impl Scope {
    /// Whether a text is meant as a scope for resources, whether or not it is a right one.
    pub fn is_meant(text: &str) -> bool {
        Context::ALL.iter().any(|(_, name)| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Reads a scope.
    ///
    /// # Errors
    /// [`ScopeError`] with what is wrong first.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let is_token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if text.len() > SCOPE_CHARS_MAX || !text.bytes().all(is_token) {
            return Err(ScopeError::Text);
        }
        let (context, rest) = text.split_once('/').ok_or(ScopeError::Context)?;
        let context = Context::ALL.iter().find(|(_, name)| *name == context).ok_or(ScopeError::Context)?.0;
        let (asked, query) = match rest.split_once('?') {
            Some((asked, query)) => (asked, Some(query)),
            None => (rest, None),
        };
        let (types, letters) = asked.split_once('.').ok_or(ScopeError::Permissions)?;
        let types = match types {
            "*" => Types::Every,
            name => Types::One(ResourceType::parse(name).ok_or(ScopeError::Type)?),
        };
        let permissions = Permissions::of_letters(letters).ok_or(ScopeError::Permissions)?;
        let filters = query.map_or_else(|| Ok(Vec::new()), |query| filters(types, query))?;
        Ok(Self { context, types, permissions, filters })
    }

    /// Whether all that another scope allows is allowed by this one: it may name fewer types and letters and more filters.
    pub fn covers(&self, other: &Self) -> bool {
        let types = match (self.types, other.types) {
            (Types::Every, _) => true,
            (Types::One(own), Types::One(other)) => own == other,
            (Types::One(_), Types::Every) => false,
        };
        self.context == other.context
            && types
            && self.permissions.both(other.permissions) == other.permissions
            && self.filters.iter().all(|filter| other.filters.contains(filter))
    }
}

impl fmt::Display for Scope {
    /// The scope in the form of v2.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = Context::ALL.iter().find(|(context, _)| *context == self.context);
        let types = match self.types {
            Types::Every => "*",
            Types::One(of) => of.as_str(),
        };
        write!(formatter, "{}/{types}.{}", context.map_or("", |(_, name)| name), self.permissions)?;
        for (filter, mark) in self.filters.iter().zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            write!(formatter, "{mark}{}=", filter.parameter.code)?;
            encode(&filter.values, formatter)?;
        }
        Ok(())
    }
}

fn filters(types: Types, query: &str) -> Result<Vec<Filter>, ScopeError> {
    let pairs: Vec<&str> = query.split('&').collect();
    if pairs.len() > FILTERS_MAX {
        return Err(ScopeError::Filter);
    }
    pairs.into_iter().map(|pair| filter(types, pair)).collect()
}

fn filter(types: Types, pair: &str) -> Result<Filter, ScopeError> {
    let (code, values) = pair.split_once('=').ok_or(ScopeError::Filter)?;
    let values = decode(values).filter(|values| !values.is_empty()).ok_or(ScopeError::Filter)?;
    let of = match types {
        Types::One(of) => of.as_str(),
        Types::Every if COMMON.contains(&code) => "Patient",
        Types::Every => return Err(ScopeError::Parameter),
    };
    let narrows = |parameter: &&SearchParameter| {
        parameter.code == code && matches!(parameter.kind, SearchKind::Token | SearchKind::Reference)
    };
    let parameter = indexed(of, Audience::Identified).find(narrows).ok_or(ScopeError::Parameter)?;
    Ok(Filter { parameter, values })
}

/// Decodes `%7C`; a plus is itself, for a scope has no spaces. `None` when an escape or its UTF-8 is broken.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Escapes what a scope cannot hold or would read otherwise.
fn encode(text: &str, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"\\%&".contains(&byte) {
            write!(to, "{}", char::from(byte))?;
        } else {
            write!(to, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::permissions::Permission;

    #[test]
    fn scopes_of_both_versions_are_read() {
        for (text, written) in [
            ("patient/Observation.rs", "patient/Observation.rs"),
            ("patient/*.cruds", "patient/*.cruds"),
            ("user/Patient.read", "user/Patient.rs"),
            ("system/*.*", "system/*.cruds"),
            ("system/Encounter.write", "system/Encounter.cud"),
            (
                "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
                "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            ),
            ("patient/Observation.s?code=a%7Cb&status=final", "patient/Observation.s?code=a|b&status=final"),
            ("user/*.r?_security=R", "user/*.r?_security=R"),
        ] {
            assert_eq!(Scope::parse(text).expect(text).to_string(), written);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, wrong) in [
            ("", ScopeError::Context),
            ("launch/patient", ScopeError::Context),
            ("Patient/Observation.rs", ScopeError::Context),
            ("patient/Nonsense.rs", ScopeError::Type),
            ("patient/.rs", ScopeError::Type),
            ("patient/observation.rs", ScopeError::Type),
            ("patient/Observation", ScopeError::Permissions),
            ("patient/Observation.", ScopeError::Permissions),
            ("patient/Observation.sr", ScopeError::Permissions),
            ("patient/Observation.rs.rs", ScopeError::Permissions),
            ("patient/Observation.rs?", ScopeError::Filter),
            ("patient/Observation.rs?category", ScopeError::Filter),
            ("patient/Observation.rs?category=", ScopeError::Filter),
            ("patient/Observation.rs?category=%7", ScopeError::Filter),
            ("patient/Observation.rs?category=%FF", ScopeError::Filter),
            ("patient/Observation.rs?nonsense=1", ScopeError::Parameter),
            ("patient/Observation.rs?category:not=1", ScopeError::Parameter),
            ("patient/Observation.rs?subject.name=a", ScopeError::Parameter),
            ("patient/Observation.rs?date=2020", ScopeError::Parameter),
            ("patient/*.rs?category=a", ScopeError::Parameter),
            ("patient/Observation.rs ", ScopeError::Text),
            ("patient/Observation.rs?code=\"", ScopeError::Text),
            ("patient/Observation.rs?code=é", ScopeError::Text),
        ] {
            assert_eq!(Scope::parse(text), Err(wrong), "{text}");
        }
        let many = format!("patient/Observation.rs?{}", ["code=a"; FILTERS_MAX + 1].join("&"));
        assert_eq!(Scope::parse(&many), Err(ScopeError::Filter));
        let long = format!("patient/Observation.rs?code={}", "a".repeat(SCOPE_CHARS_MAX));
        assert_eq!(Scope::parse(&long), Err(ScopeError::Text));
    }

    #[test]
    fn a_scope_covers_what_is_narrower() {
        let covers = |one: &str, other: &str| {
            let (one, other) = (Scope::parse(one).expect(one), Scope::parse(other).expect(other));
            one.covers(&other)
        };
        for (wide, narrow) in [
            ("patient/*.rs", "patient/Observation.r"),
            ("patient/Observation.rs", "patient/Observation.rs?category=a"),
            ("patient/Observation.rs?category=a", "patient/Observation.rs?code=b&category=a"),
            ("system/*.cruds", "system/*.cruds"),
        ] {
            assert!(covers(wide, narrow), "{wide} {narrow}");
            assert!(wide == narrow || !covers(narrow, wide), "{narrow} {wide}");
        }
        assert!(!covers("patient/*.cruds", "user/Observation.r"));
        assert!(!covers("patient/Observation.rs?category=a", "patient/Observation.rs?category=a,b"));
    }

    #[test]
    fn every_type_has_the_parameters_that_narrow_all_types() {
        let names: Vec<&str> = fhir::r4().resource_names().collect();
        assert!(names.len() > 100);
        for name in names {
            for code in COMMON {
                let found = indexed(name, Audience::Identified).any(|parameter| parameter.code == code);
                assert!(found, "{name} {code}");
            }
        }
    }

    fn a_scope() -> impl Strategy<Value = Scope> {
        let names: Vec<&'static str> = fhir::r4().resource_names().collect();
        let types = prop_oneof![
            Just(Types::Every),
            prop::sample::select(names)
                .prop_filter_map("a type", |name| ResourceType::parse(name).map(Types::One)),
        ];
        let permissions = prop::sample::subsequence(Permission::ALL.map(|(one, _)| one).to_vec(), 1..=5);
        let values = "[ -~é]{1,12}";
        (
            prop::sample::select(Context::ALL.to_vec()),
            types,
            permissions,
            prop::collection::vec((any::<prop::sample::Index>(), values), 0..3),
        )
            .prop_map(|((context, _), types, permissions, asked)| {
                let name = match types {
                    Types::Every => "Patient",
                    Types::One(of) => of.as_str(),
                };
                let narrowing: Vec<&'static SearchParameter> = indexed(name, Audience::Identified)
                    .filter(|parameter| matches!(parameter.kind, SearchKind::Token | SearchKind::Reference))
                    .filter(|parameter| types != Types::Every || COMMON.contains(&parameter.code))
                    .collect();
                let filter = |(index, values): (prop::sample::Index, String)| Filter {
                    parameter: narrowing[index.index(narrowing.len())],
                    values,
                };
                let filters = asked.into_iter().map(filter).collect();
                Scope { context, types, permissions: Permissions::of(&permissions), filters }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_scope_that_is_written_is_read_as_itself(scope in a_scope()) {
            prop_assert_eq!(Scope::parse(&scope.to_string()), Ok(scope));
        }

        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_stands(text in "(patient|user|system)?/?[A-Za-z*]{0,12}[.?=&|%crudsx:/ -~]{0,24}") {
            if let Ok(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&scope.to_string()), Ok(scope));
            }
        }
    }
}
