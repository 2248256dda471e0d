//! Searching resources: what is asked, and a page of what was found (R4, search).

use std::collections::HashSet;
use std::sync::Arc;

use fhir::{DateMatch, NumberMatch, ResourceType};

use crate::{Micros, ResourceKey, Stored};

/// Most resources that a page has beside its matches; more are cut, and the page says so.
pub const INCLUDED_MAX: usize = 400;
/// Most candidates that are read at once, and so put into any order and counted for nothing.
pub const SORTED_MAX: usize = 1_000;
/// Most candidates that are looked at one after another to put them into an order that no index has; of an order that
/// begins with an index's, the most that are equal in it.
pub const ORDERED_MAX: usize = 50_000;
/// Most resources that one page looks at along an index. Beyond it the page ends, perhaps empty, and the next goes on.
pub const EXAMINED_MAX: usize = 10_000;
/// Most matches that are counted.
pub const COUNTED_MAX: usize = 100_000;
/// Most resources that one page looks at behind the references of its candidates, for chains and `_has`.
pub const LINKED_MAX: usize = 100_000;

/// A search of one type, or of several: all clauses must hold.
#[derive(Clone)]
pub struct Search {
    /// The type.
    pub resource_type: ResourceType,
    /// AND of clauses.
    pub clauses: Vec<Clause>,
    /// Other types whose resources match as well, each with its own clauses. Such a search has no sort key, and the first
    /// clause of each of its types must be one that the index finds: ids or references.
    pub beside: Vec<(ResourceType, Vec<Clause>)>,
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
    /// What may come along; `None`: anything.
    pub along: Option<Along>,
}

/// What may come along with matches: types, and what must hold of their resources. A type that is not here does not.
/// It is tested before resources are counted against [`INCLUDED_MAX`], so that what may not come along leaves no trace.
#[derive(Clone)]
pub struct Along {
    /// What is referred to.
    pub forward: Vec<(ResourceType, Clause)>,
    /// What refers.
    pub reverse: Vec<(ResourceType, Clause)>,
}

impl Search {
    /// All resources of a type, `count` to a page.
    pub fn of(resource_type: ResourceType, count: usize) -> Self {
        Self {
            resource_type,
            clauses: Vec::new(),
            beside: Vec::new(),
            sort: Vec::new(),
            count,
            after: None,
            total: Total::Cheap,
            includes: Vec::new(),
            along: None,
        }
    }
}

impl std::fmt::Debug for Search {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Search({}, {} clauses)", self.resource_type, self.clauses.len())
    }
}

/// Ids that are asked for all at once, of a set that is too large to look for one by one. PHI: `Debug` tells how many.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Ids(pub Arc<HashSet<String>>);

impl std::fmt::Debug for Ids {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Ids({})", self.0.len())
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
    /// A uri parameter; case-sensitive.
    Uri {
        /// Its code.
        parameter: String,
        /// The values.
        values: Vec<String>,
        /// How they are compared.
        how: UriMatch,
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
    /// `:text` of a token parameter: a word of the texts beside its codes begins so, without case and accents.
    Words {
        /// Its code.
        parameter: String,
        /// The values as asked for.
        values: Vec<String>,
    },
    /// `:of-type` of a token parameter that finds identifiers.
    OfType {
        /// Its code.
        parameter: String,
        /// The values.
        values: Vec<TypedValue>,
    },
    /// A composite parameter: the parts of a value hold of one and the same element.
    Composite {
        /// Its code.
        parameter: String,
        /// The values, each with one part for each component.
        values: Vec<Vec<PartValue>>,
    },
    /// A chain: a reference parameter leads to a live resource of which a clause holds.
    Chain {
        /// Code of the reference parameter.
        parameter: String,
        /// Types of the target, each with what must hold of it.
        targets: Vec<(ResourceType, Clause)>,
    },
    /// `_has`: a live resource of which a clause holds leads here.
    Has {
        /// Its type.
        source: ResourceType,
        /// Code of its reference parameter.
        parameter: String,
        /// What must hold of it.
        clause: Box<Clause>,
    },
    /// Any of these; of none, nothing.
    Any(Vec<Clause>),
    /// All of these; of none, everything.
    All(Vec<Clause>),
    /// None of these.
    None(Vec<Clause>),
    /// As [`Clause::Id`] or [`Clause::Reference`], of many: it is tested, and finds nothing by itself.
    Among {
        /// The reference parameter; `None`: the resource's own id.
        parameter: Option<String>,
        /// The type that the ids are of.
        of: ResourceType,
        /// The ids.
        ids: Ids,
    },
}

/// How a uri is compared (R4, search §3.1.1.4.13). Above and below go by the segments of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriMatch {
    /// Whole.
    Whole,
    /// `:below`: the same, or further along its path.
    Below,
    /// `:above`: the same, or a beginning of its path.
    Above,
}

/// One value of `:of-type`. PHI: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedValue {
    /// System of the identifier's type.
    pub system: String,
    /// Code of the identifier's type.
    pub code: String,
    /// The identifier's value.
    pub value: String,
}

/// One part of a value of a composite parameter, by the type of the component. PHI: no `Debug`.
#[derive(Clone, PartialEq)]
pub enum PartValue {
    /// A token.
    Token(TokenValue),
    /// A number or quantity, in every unit that it can be compared in.
    Number(Vec<QuantityValue>),
    /// A date.
    Date(DateMatch),
    /// A string, from its start.
    Text(String),
    /// A uri, whole.
    Uri(String),
    /// A reference: type and id; without a type, any target of that id.
    Reference(Option<String>, String),
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
    /// Counted where it costs little, else worked out of what the index holds and of [`SORTED_MAX`] candidates.
    Estimate,
    /// Counted; [`crate::Error::TooCostly`] beyond [`COUNTED_MAX`].
    Accurate,
}

/// Resources that come along with the matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Which way.
    pub way: Way,
    /// The type that refers.
    pub source: ResourceType,
    /// Codes of its reference parameters.
    pub parameters: Vec<String>,
    /// Targets of these types alone; none: of any.
    pub targets: Vec<ResourceType>,
    /// `:iterate`: also from what comes along, again and again until nothing is new.
    pub iterate: bool,
}

/// Which way an include goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `_include`: to what is referred to.
    Forward,
    /// `_revinclude`: to what refers.
    Reverse,
}

impl Clause {
    /// The code of what it is a condition on; `several` where that are conditions themselves.
    pub fn code(&self) -> &str {
        match self {
            Self::Id(_) => "_id",
            Self::Updated(_) => "_lastUpdated",
            Self::Token { parameter, .. }
            | Self::Reference { parameter, .. }
            | Self::Date { parameter, .. }
            | Self::Text { parameter, .. }
            | Self::Uri { parameter, .. }
            | Self::Number { parameter, .. }
            | Self::Missing { parameter, .. }
            | Self::Words { parameter, .. }
            | Self::OfType { parameter, .. }
            | Self::Composite { parameter, .. }
            | Self::Chain { parameter, .. } => parameter,
            Self::Has { .. } => "_has",
            Self::Among { parameter, .. } => parameter.as_deref().unwrap_or("_id"),
            Self::Any(_) | Self::All(_) | Self::None(_) => "several",
        }
    }
}

/// How the matches of a page were found. A clause is told by its place in [`Search::clauses`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drive {
    /// Nothing was looked at: what is asked for is nowhere.
    #[default]
    Nothing,
    /// All that a clause selects was looked at and put in order.
    Clause(usize),
    /// What a clause selects, in the order of the index.
    Merged(usize),
    /// The newest of a patient, in their order.
    Newest,
    /// Along an index that has the order of the search.
    Order,
    /// All of the type.
    Type,
    /// What the first clauses of several types select, together.
    Several,
}

/// One page of a search.
#[derive(Debug, Default)]
pub struct Page {
    /// The matches; deleted resources never match. There may be none though `next` says where to go on.
    pub matches: Vec<Stored>,
    /// [`Position::number`] of each match.
    pub numbers: Vec<i64>,
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
    /// How they were found.
    pub drive: Drive,
    /// Resources of which the index was looked at, those behind references among them.
    pub looked_at: usize,
}

/// Versions, newest first (R4, http §3.1.0.10).
#[derive(Debug, Clone)]
pub struct History {
    /// Whose.
    pub of: HistoryOf,
    /// `_since`: made at this instant or later, µs since the epoch, UTC.
    pub since_us: Option<Micros>,
    /// `_at`: current at some time from the first of these instants until before the second.
    pub at: Option<(Micros, Micros)>,
    /// Most versions of a page.
    pub count: usize,
    /// Where the previous page ended.
    pub before: Option<i64>,
}

impl History {
    /// All versions, `count` to a page.
    pub fn of(of: HistoryOf, count: usize) -> Self {
        Self { of, since_us: None, at: None, count, before: None }
    }
}

/// Whose versions are asked for. Those of a type and of all come in the order of the changes, which has no gap: what is
/// committed later stands higher, whatever the clock said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryOf {
    /// One resource.
    Resource(ResourceKey),
    /// All of a type.
    Type(ResourceType),
    /// All.
    System,
}

/// One page of a history.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// Where each of the versions stands; the newest stands highest.
    pub places: Vec<i64>,
    /// The versions; a deletion is one. There may be none though `next` says where to go on: a page by time looks at no
    /// more than [`EXAMINED_MAX`] changes.
    pub versions: Vec<Stored>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<i64>,
    /// All versions, where they were counted.
    pub total: Option<u64>,
}
