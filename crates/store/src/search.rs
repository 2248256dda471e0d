//! Searching resources: what is asked, and a page of what was found (R4, search).

use fhir::{DateMatch, NumberMatch, ResourceType};

use crate::Stored;

/// Most resources that a page has beside its matches; more are cut, and the page says so.
pub const INCLUDED_MAX: usize = 400;
/// Most matches that a search sorts by several keys, by `_id`, or by a parameter without an order of its own.
pub const SORTED_MAX: usize = 1_000;
/// Most resources that one page looks at. Beyond it the page ends, perhaps empty, and the next goes on.
pub const EXAMINED_MAX: usize = 10_000;
/// Most matches that are counted.
pub const COUNTED_MAX: usize = 100_000;

/// A search of one type: all clauses must hold.
#[derive(Clone)]
pub struct Search {
    /// The type.
    pub resource_type: ResourceType,
    /// AND of clauses.
    pub clauses: Vec<Clause>,
    /// Sort keys, the first decides first. None: the order in which resources were first stored.
    pub sort: Vec<Sort>,
    /// Most matches of a page.
    pub count: usize,
    /// Where the previous page ended.
    pub after: Option<Position>,
    /// How much the total may cost.
    pub total: Total,
    /// What comes along with the matches.
    pub includes: Vec<Include>,
}

impl Search {
    /// All resources of a type, `count` to a page.
    pub fn of(resource_type: ResourceType, count: usize) -> Self {
        Self {
            resource_type,
            clauses: Vec::new(),
            sort: Vec::new(),
            count,
            after: None,
            total: Total::Cheap,
            includes: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Search {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Search({}, {} clauses)", self.resource_type, self.clauses.len())
    }
}

/// One condition; values inside one clause are OR. A parameter is named by its code; one without values in the index
/// matches nothing, whether it exists is the caller's matter.
#[derive(Clone)]
pub enum Clause {
    /// `_id`.
    Id(Vec<String>),
    /// `_lastUpdated`.
    Updated(Vec<DateMatch>),
    /// A token parameter.
    Token {
        /// Its code.
        parameter: String,
        /// The values, any of which may match.
        values: Vec<TokenValue>,
        /// `:not`: resources that have none of the values, also those without any.
        not: bool,
    },
    /// A reference parameter.
    Reference {
        /// Its code.
        parameter: String,
        /// (type, id) of the targets; without a type, any target of that id.
        values: Vec<(Option<String>, String)>,
    },
    /// A date parameter.
    Date {
        /// Its code.
        parameter: String,
        /// The values.
        values: Vec<DateMatch>,
    },
    /// A string parameter.
    Text {
        /// Its code.
        parameter: String,
        /// The values as asked for.
        values: Vec<String>,
        /// How they are compared.
        how: TextMatch,
    },
    /// A uri parameter; whole and case-sensitive.
    Uri {
        /// Its code.
        parameter: String,
        /// The values.
        values: Vec<String>,
    },
    /// A number or quantity parameter.
    Number {
        /// Its code.
        parameter: String,
        /// The values.
        values: Vec<QuantityValue>,
    },
    /// `:missing`.
    Missing {
        /// Code of the parameter.
        parameter: String,
        /// Whether resources without a value are asked for, or those with one.
        missing: bool,
    },
}

/// How texts are compared (R4, search §3.1.1.4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextMatch {
    /// From the start, without case and accents.
    Start,
    /// `:exact`: the whole text as it is.
    Exact,
    /// `:contains`: anywhere, without case and accents.
    Contains,
}

/// One value of a token parameter (R4, search §3.1.1.4.10). Codes match whatever their case, as the section advises.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenValue {
    /// `None`: any system; `Some("")`: no system.
    pub system: Option<String>,
    /// `None`: any code of the system.
    pub code: Option<String>,
}

/// One value of a number or quantity parameter (R4, search §3.1.1.4.11).
#[derive(Clone, PartialEq)]
pub struct QuantityValue {
    /// The number.
    pub number: NumberMatch,
    /// System of the unit; `None`: any.
    pub system: Option<String>,
    /// Code or text of the unit; `None`: any.
    pub unit: Option<String>,
}

/// One sort key. Resources without a value come last in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// What is compared.
    pub by: SortBy,
    /// Greatest first; of several values the greatest counts then, else the least.
    pub descending: bool,
}

/// What a sort key compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortBy {
    /// `_id`.
    Id,
    /// `_lastUpdated`.
    Updated,
    /// The values of a parameter, by its code.
    Parameter(String),
}

/// The place of a match in the order of its search. PHI: it holds what the search sorts by.
#[derive(Clone, PartialEq, Eq)]
pub struct Position {
    /// The match's values, one for each sort key.
    pub keys: Vec<SortValue>,
    /// Breaks ties.
    pub number: i64,
}

impl std::fmt::Debug for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Position({} keys)", self.keys.len())
    }
}

/// A value that a resource is sorted by. PHI.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// None; last in both directions.
    Missing,
    /// Instants and intervals: from, until.
    Interval(i64, i64),
    /// A text or code, then what tells equal ones apart.
    Text(String, String),
    /// A number by its order among numbers.
    Number(i64),
}

impl std::fmt::Debug for SortValue {
    /// Names the kind only.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "Missing",
            Self::Interval(..) => "Interval",
            Self::Text(..) => "Text",
            Self::Number(_) => "Number",
        })
    }
}

/// How much counting all matches may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Not counted.
    None,
    /// Counted where it costs little.
    Cheap,
    /// Counted; [`crate::Error::TooCostly`] beyond [`COUNTED_MAX`].
    Accurate,
}

/// Resources that come along with the matches, one step away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Include {
    /// `_include`: what a match refers to.
    Forward {
        /// Codes of the reference parameters.
        parameters: Vec<String>,
        /// Targets of this type alone.
        target: Option<ResourceType>,
    },
    /// `_revinclude`: what refers to a match.
    Reverse {
        /// The type that refers.
        source: ResourceType,
        /// Codes of its reference parameters.
        parameters: Vec<String>,
    },
}

/// One page of a search.
#[derive(Debug, Default)]
pub struct Page {
    /// The matches; deleted resources never match. There may be none though `next` says where to go on.
    pub matches: Vec<Stored>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Position>,
    /// All matches, where they were counted.
    pub total: Option<u64>,
    /// What comes along, each once and none that is a match of this page.
    pub included: Vec<Stored>,
    /// More than [`INCLUDED_MAX`] would have come along.
    pub included_cut: bool,
    /// The page ended because [`EXAMINED_MAX`] resources were looked at.
    pub examined_cut: bool,
}

/// Versions of one resource or of all of a type, newest first (R4, http §3.1.0.10).
#[derive(Debug, Clone)]
pub struct History {
    /// The type.
    pub resource_type: ResourceType,
    /// Of one resource alone.
    pub id: Option<String>,
    /// Most versions of a page.
    pub count: usize,
    /// Where the previous page ended.
    pub before: Option<i64>,
}

/// One page of a history.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// The versions; a deletion is one.
    pub versions: Vec<Stored>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<i64>,
    /// All versions, where they were counted.
    pub total: Option<u64>,
}
