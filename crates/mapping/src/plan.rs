//! The compiled form of a package: names resolved to indices, facts folded in, every rule with its place.

use crate::basis::{Basis, Fields};
use crate::codes::CodeTable;
use crate::diagnostic::Place;
use crate::site::Site;
use crate::syntax::Operator;
use crate::systems::Systems;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything needed to translate for one sender: the base package, or the base with a site's overlay.
pub(crate) struct Program {
    pub maps: Vec<Arc<Map>>,
    pub tables: Vec<Arc<CodeTable>>,
    pub messages: Vec<Arc<MessagePlan>>,
    /// (code, event) to index of the message plan.
    pub triggers: BTreeMap<(String, String), usize>,
    pub systems: Systems,
    pub site: Site,
    /// What the rules stand on.
    pub fields: Fields,
}

impl Program {
    /// Holds what it has in common with another once: a site says little of its own, and there may be many.
    pub fn share(&mut self, with: &Program) {
        fn share<T: PartialEq>(own: &mut [Arc<T>], other: &[Arc<T>]) {
            for (own, other) in own.iter_mut().zip(other) {
                if **own == **other {
                    *own = Arc::clone(other);
                }
            }
        }
        share(&mut self.maps, &with.maps);
        share(&mut self.tables, &with.tables);
        share(&mut self.messages, &with.messages);
    }
}

/// A handle, `patient`. Maps name the handles of every message file that makes them, so they are counted by program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handle {
    pub name: String,
    /// Equal for equal names within one program.
    pub number: usize,
}

/// What a map makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Resource(fhir::ResourceType),
    /// A data type, or a part of a type, by the path of its elements: `Identifier`, `Patient.contact`.
    Object(String),
    /// An extension with parts, by its registered name.
    Extension(String),
    Text,
}

impl Target {
    /// The resource type, if it is one.
    pub fn resource(&self) -> Option<fhir::ResourceType> {
        match self {
            Target::Resource(kind) => Some(*kind),
            Target::Object(_) | Target::Extension(_) | Target::Text => None,
        }
    }
}

/// One segment or type map.
#[derive(PartialEq)]
pub(crate) struct Map {
    /// `PID.Patient`, `NK1.Patient.contact`.
    pub name: String,
    pub target: Target,
    pub place: Place,
    pub body: Elements,
    pub id: Option<Expression>,
    pub ignore: Box<[Ignore]>,
    pub merges: bool,
    /// What it makes depends on the bytes of its value and the header alone.
    pub is_local: bool,
}

/// A field or part of one that is not mapped on purpose.
#[derive(Clone, PartialEq)]
pub(crate) struct Ignore {
    /// Segment name; empty in a type map.
    pub segment: String,
    /// Field, component, subcomponent; empty for a whole segment.
    pub numbers: Box<[u16]>,
    pub reason: String,
}

/// The rules of one object.
#[derive(Default, PartialEq)]
pub(crate) struct Elements {
    pub each: Option<Box<Path>>,
    pub when: Option<Box<Test>>,
    /// Elements without which FHIR knows no such object; one that a value did not fill undoes it.
    pub needs: Box<[&'static str]>,
    pub fields: Box<[Field]>,
}

/// The rules of one element.
#[derive(PartialEq)]
pub(crate) struct Field {
    pub slot: Slot,
    pub rules: Box<[Rule]>,
    /// Rules of dotted keys: they fill one object.
    pub nested: Option<Box<Nested>>,
    pub basis: Basis,
}

/// The rules of an object inside.
#[derive(PartialEq)]
pub(crate) struct Nested {
    /// Of the choice property they speak of, `Quantity`.
    pub suffix: Option<String>,
    pub elements: Elements,
}

/// Where a value goes in its parent object.
#[derive(PartialEq)]
pub(crate) struct Slot {
    /// JSON name without the choice suffix; for extensions the registered name.
    pub name: String,
    pub form: Form,
    pub repeats: bool,
    pub primitive: bool,
    /// Property names that a removal of this element names.
    pub removal: Box<[String]>,
}

#[derive(PartialEq)]
pub(crate) enum Form {
    Element,
    /// `value[x]`: the rule's suffix completes the name.
    Choice,
    Extension {
        url: String,
        suffix: Option<String>,
    },
}

/// One rule.
#[derive(PartialEq)]
pub(crate) struct Rule {
    pub place: Place,
    pub when: Option<Box<Test>>,
    pub action: Action,
    /// Suffix of the choice property, `DateTime`.
    pub suffix: Option<String>,
    pub fill: Option<Box<Elements>>,
    pub set: Option<Box<Elements>>,
    pub into: Option<Into>,
    /// The value only fills: what stands wins.
    pub keep: bool,
    /// Why it is not as the HL7 guide says.
    pub deviates: Option<String>,
    pub basis: Basis,
}

/// A rule that adds to an item of the list instead of making one.
#[derive(PartialEq)]
pub(crate) enum Into {
    Nth(usize),
    New,
}

/// Some values, and the rules where there is one of them.
pub(crate) type Branch = (Box<[String]>, Box<[Rule]>);

#[derive(PartialEq)]
pub(crate) enum Action {
    Take(Box<Take>),
    Build(Box<Elements>),
    /// The first that yields.
    First(Box<[Rule]>),
    Refer {
        handle: Handle,
        /// Anywhere in the message, where each value there equals the value here: (there, here).
        pairs: Box<[(Expression, Expression)]>,
    },
    Dispatch {
        by: Box<Expression>,
        branches: Box<[Branch]>,
        otherwise: Box<[Rule]>,
    },
}

/// Value, conversion, code table.
#[derive(PartialEq)]
pub(crate) struct Take {
    pub from: Expression,
    pub convert: Convert,
    pub table: Option<usize>,
    pub join: Option<String>,
    pub unit: Option<Box<Expression>>,
    /// What the translated code becomes.
    pub coded: Coded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coded {
    /// A bare code.
    Code,
    Coding,
    Concept,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Convert {
    Text,
    Code,
    Date,
    DateTime,
    Instant,
    Time,
    Boolean,
    Integer {
        least: i64,
    },
    Decimal,
    /// HD, CX.4, EI: authority to URI.
    Authority,
    /// A coding-system name to URI.
    CodeSystem,
    Map {
        index: usize,
        reference: bool,
    },
    NmQuantity,
    SnQuantity,
    SnRange,
    SnRatio,
    SnText,
}

impl Convert {
    /// As the trace and the catalog name it; a type map goes by the name of its own.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Code => "code",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Instant => "instant",
            Self::Time => "time",
            Self::Boolean => "boolean",
            Self::Integer { .. } => "integer",
            Self::Decimal => "decimal",
            Self::Authority | Self::CodeSystem => "system",
            Self::Map { .. } => "map",
            Self::NmQuantity => "NM.Quantity",
            Self::SnQuantity => "SN.Quantity",
            Self::SnRange => "SN.Range",
            Self::SnRatio => "SN.Ratio",
            Self::SnText => "SN.text",
        }
    }
}

#[derive(PartialEq)]
pub(crate) enum Expression {
    Path(Path),
    Literal(String),
    Absent,
    First(Box<[Expression]>),
    Call {
        function: Function,
        arguments: Box<[Expression]>,
    },
    /// `id(handle)`.
    IdOf(Handle),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Precision,
    Present,
    Concat,
    Join,
    Lower,
    Upper,
    Trim,
    Strip,
    Length,
    Index,
    Base64,
    Uuid,
    Later,
    Ordinal,
    Outer,
    /// The code that a table has for the value.
    Lookup(usize),
}

/// How the value of a path counts in an id, by its v2 type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyed {
    Plain,
    Cx,
    Xcn,
    Xon,
    Ei,
    Coded,
}

#[derive(PartialEq)]
pub(crate) struct Path {
    pub root: Root,
    pub steps: Box<[u16]>,
    pub text: String,
    pub keyed: Keyed,
    /// For an authority component: what stands around it, to find the type code.
    pub authority_of: Option<Keyed>,
}

#[derive(PartialEq)]
pub(crate) enum Root {
    Item,
    Segment {
        name: String,
        groups: Box<[String]>,
        every: bool,
        absolute: bool,
        filter: Option<Box<Test>>,
        field: Option<u16>,
        selector: Selector,
    },
}

#[derive(PartialEq)]
pub(crate) enum Selector {
    First,
    Every,
    Nth(u16),
    Where(Box<Test>),
}

#[derive(PartialEq)]
pub(crate) enum Test {
    All(Box<[Test]>),
    Any(Box<[Test]>),
    Not(Box<Test>),
    Valued(Expression),
    Null(Expression),
    Compare { left: Expression, operator: Operator, right: Box<[Expression]> },
    Constant(bool),
}

/// One message file.
#[derive(PartialEq)]
pub(crate) struct MessagePlan {
    pub name: String,
    pub structure: Option<String>,
    pub require: Box<[Path]>,
    pub make: Box<[Make]>,
    /// Of which segments each handle is made: number of the handle, code of the segment's name.
    pub origins: Box<[(usize, u32)]>,
    pub events: BTreeMap<String, Event>,
    pub ignore: Box<[Ignore]>,
    /// Records of which one stands for both from here on.
    pub merges: Box<[Pair]>,
    /// Records under the number they have now, and the one they had.
    pub renumbers: Box<[Pair]>,
    /// Records that belong to another patient from here on.
    pub moves: Box<[Moved]>,
    /// Handle of the Patients that the message says are one (`true`), or are two.
    pub link: Option<(String, bool)>,
    pub join_text: bool,
}

impl MessagePlan {
    /// The handle of a name.
    pub fn handle(&self, name: &str) -> Option<&Handle> {
        self.make.iter().map(|make| &make.handle).find(|handle| handle.name == name)
    }

    /// Does what this handle makes belong to the message only?
    pub fn is_transient(&self, handle: &str) -> bool {
        self.make.iter().any(|make| make.handle.name == handle && make.is_transient)
    }

    /// Does this line make something that is stored?
    pub fn is_kept(&self, make: usize) -> bool {
        self.make.get(make).is_none_or(|make| !make.is_transient)
    }

    /// Does this handle name what was before: a retired record, one under its former number, a former patient?
    pub fn is_prior(&self, handle: &str) -> bool {
        self.merges.iter().chain(&self.renumbers).any(|pair| pair.ends == handle)
            || self.moves.iter().any(|moved| moved.from == handle)
    }
}

/// Handles of two records of one type.
#[derive(PartialEq)]
pub(crate) struct Pair {
    pub kind: fhir::ResourceType,
    pub stays: String,
    pub ends: String,
}

/// Handles of a record, and of its patients before and now.
#[derive(PartialEq)]
pub(crate) struct Moved {
    pub record: String,
    pub from: String,
    pub to: String,
}

/// One line of `make`.
#[derive(PartialEq)]
pub(crate) struct Make {
    pub handle: Handle,
    pub segment: String,
    pub groups: Box<[String]>,
    pub every: bool,
    pub map: usize,
    pub when: Option<Test>,
    pub mode: Option<crate::Mode>,
    /// What it makes is of the message only: it is shown and not stored.
    pub is_transient: bool,
}

/// What a trigger event changes.
#[derive(Default, PartialEq)]
pub(crate) struct Event {
    pub overrides: Vec<(String, Elements)>,
    pub update: BTreeSet<String>,
    pub replace: BTreeSet<String>,
    pub clear: Vec<(String, Vec<String>)>,
    /// Handle and what of it only fills.
    pub keep: Vec<(String, Kept)>,
    pub skip: BTreeSet<String>,
    /// Handle and list of which the present items, said no more, never were.
    pub undo: Vec<(String, String)>,
}

/// What of a resource only fills: what stands wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Every element.
    Everything,
    /// A top-level element.
    Element(String),
}
