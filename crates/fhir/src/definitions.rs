//! The R4 element table: every type, element, required code and search parameter of the specification.

use std::sync::OnceLock;

use crate::hash::Table;
use crate::pack;
use crate::path::Constraint;
use crate::primitive::Primitive;
use crate::search::{SearchKind, SearchParameter};

const PACK: &[u8] = include_bytes!("../data/r4.pack");

/// The R4 definitions, decoded once from the committed pack; later calls cost one atomic load.
pub fn r4() -> &'static Definitions {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    // The pack is part of the binary, so whether it decodes is decided at build time; the tests of this crate decode it.
    DEFINITIONS.get_or_init(|| pack::decode(PACK).expect("the definitions pack in the binary decodes"))
}

/// Definitions of R4 (4.0.1): elements, code sets, search parameters, the Patient compartment.
#[derive(Default)]
pub struct Definitions {
    pub(crate) nodes: Vec<Node>,
    pub(crate) node_index: Table<usize>,
    pub(crate) types: Table<TypeKind>,
    pub(crate) bases: Table<&'static str>,
    pub(crate) resources: Vec<&'static str>,
    pub(crate) code_sets: Table<CodeSet>,
    pub(crate) search_parameters: Table<Vec<SearchParameter>>,
    /// Code and kind of each definition, by its id.
    pub(crate) search_definitions: Table<(&'static str, SearchKind)>,
    pub(crate) compartment: Table<Vec<&'static str>>,
}

/// What a type name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeKind {
    Resource,
    AbstractResource,
    Complex,
    Primitive,
}

impl TypeKind {
    pub(crate) fn is_resource(self) -> bool {
        matches!(self, Self::Resource | Self::AbstractResource)
    }
}

/// A type or backbone element with its children.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) path: &'static str,
    pub(crate) children: Box<[&'static Element]>,
    pub(crate) properties: Table<Slot>,
    /// A bit for each child that has to be there, by position.
    pub(crate) required: u128,
    /// Invariants of the type or backbone element, those of its base types first.
    pub(crate) constraints: Box<[&'static Constraint]>,
}

/// One JSON property of a [`Node`]. There are some ten thousand, so it holds only what is not found by one step more.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) element: &'static Element,
    pub(crate) type_ref: &'static TypeRef,
    /// Index of the node of its value.
    pub(crate) child: Option<u16>,
    pub(crate) primitive: Option<Primitive>,
    /// Position of the element among its siblings, in specification order.
    pub(crate) position: u8,
    /// Invariants of the element where its type has others.
    pub(crate) constraints: &'static [&'static Constraint],
}

impl Slot {
    /// Where the children of its value are defined.
    pub(crate) fn node(&self) -> Option<&'static Node> {
        r4().nodes.get(usize::from(self.child?))
    }
}

impl Definitions {
    /// Element by its StructureDefinition path (`Patient.contact.name`, `Observation.value[x]`, `HumanName.family`);
    /// data types and resources alike. Paths do not run through types or content references.
    pub fn element(&self, path: &str) -> Option<&'static Element> {
        let (parent, _) = path.rsplit_once('.')?;
        self.children(parent).iter().find(|element| element.path == path).copied()
    }

    /// Direct children of a type or backbone element, in specification order, inherited ones (id, meta, extension …)
    /// included; follows content references. Empty when the path has no children.
    pub fn children(&self, path: &str) -> &[&'static Element] {
        self.node(path).map_or(&[], |node| &node.children)
    }

    /// Resolves one JSON property under a type or backbone path: `valueQuantity` under `Observation` gives the element
    /// `Observation.value[x]` with type `Quantity`. `_birthDate` is the caller's matter.
    pub fn property(&self, parent: &str, json_name: &str) -> Option<Property<'static>> {
        let slot = self.node(parent)?.properties.get(json_name)?;
        let type_code = slot.type_ref.code;
        // What has no node is a type of FHIRPath, which has no children.
        let child_path = slot.node().map_or(type_code, |node| node.path);
        Some(Property { element: slot.element, type_code, child_path })
    }

    /// Whether the name is a resource type that can be instantiated (`Resource` and `DomainResource` cannot).
    pub fn is_resource(&self, name: &str) -> bool {
        self.types.get(name) == Some(&TypeKind::Resource)
    }

    /// Whether the name is a primitive type (`date`, `xhtml`).
    pub fn is_primitive(&self, type_code: &str) -> bool {
        self.types.get(type_code) == Some(&TypeKind::Primitive)
    }

    /// Codes of a required binding's value set (url without version); `None` when the pack cannot expand it
    /// (MIME types, UCUM units, currencies).
    pub fn codes(&self, value_set: &str) -> Option<&CodeSet> {
        self.code_sets.get(value_set)
    }

    /// Search parameters of a resource type with those of its base types, ordered by code.
    pub fn search_parameters(&self, resource: &str) -> &[SearchParameter] {
        self.search_parameters.get(resource).map_or(&[], Vec::as_slice)
    }

    /// One search parameter of a resource type by its code (`birthdate`).
    pub fn search_parameter(&self, resource: &str, code: &str) -> Option<&SearchParameter> {
        let all = self.search_parameters(resource);
        let at = all.binary_search_by(|parameter| parameter.code.cmp(code)).ok()?;
        all.get(at)
    }

    /// Names of the resource types that can be instantiated, in alphabetical order.
    pub fn resource_names(&self) -> impl Iterator<Item = &'static str> {
        self.resources.iter().copied()
    }

    /// Search parameters by which a resource type is in the Patient compartment (CompartmentDefinition/patient);
    /// empty when it is not in the compartment.
    pub fn patient_compartment(&self, resource: &str) -> &[&'static str] {
        self.compartment.get(resource).map_or(&[], Vec::as_slice)
    }

    /// The type that a type derives from; none for `Resource` and `Element`.
    pub(crate) fn base_of(&self, type_code: &str) -> Option<&'static str> {
        self.bases.get(type_code).copied().filter(|base| !base.is_empty())
    }

    /// Keys of all invariants.
    pub(crate) fn constraint_keys(&self) -> impl Iterator<Item = &'static str> {
        let slots = self
            .nodes
            .iter()
            .flat_map(|node| node.properties.values())
            .flat_map(|slot| slot.constraints)
            .copied();
        let of_types = self.nodes.iter().flat_map(|node| node.constraints.iter().copied());
        of_types.chain(slots).map(|constraint| &*constraint.key)
    }

    pub(crate) fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(*self.node_index.get(path)?)
    }
}

impl std::fmt::Debug for Definitions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Definitions")
            .field("nodes", &self.nodes.len())
            .field("resources", &self.resources.len())
            .finish_non_exhaustive()
    }
}

/// One element of a type: ElementDefinition, as far as the engine needs it.
#[derive(Debug, PartialEq, Eq)]
pub struct Element {
    /// StructureDefinition path (`Patient.contact.name`).
    pub path: &'static str,
    /// Last part of the path (`name`, `value[x]`).
    pub name: &'static str,
    /// Least number of occurrences.
    pub min: u32,
    /// Greatest number of occurrences; `None` is `*`.
    pub max: Option<u32>,
    /// Types it can have; those of the target where `content_reference` is set.
    pub types: &'static [TypeRef],
    /// Value set its codes come from.
    pub binding: Option<Binding>,
    /// Whether it can change the meaning of what contains it.
    pub is_modifier: bool,
    /// Whether it is in the summary view.
    pub is_summary: bool,
    /// Path of the element whose children it shares.
    pub content_reference: Option<&'static str>,
}

impl Element {
    /// Whether its JSON form is an array.
    pub fn repeats(&self) -> bool {
        self.max != Some(1)
    }

    /// Whether its JSON name carries its type (`value[x]`).
    pub fn is_choice(&self) -> bool {
        self.name.ends_with("[x]")
    }

    /// JSON name without the choice marker (`value` of `value[x]`).
    pub fn base_name(&self) -> &'static str {
        self.name.strip_suffix("[x]").unwrap_or(self.name)
    }
}

/// A type an element can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRef {
    /// Type name (`Quantity`, `date`, `BackboneElement`).
    pub code: &'static str,
    /// Resource types a `Reference` or `canonical` may point at; empty or `Resource` means any.
    pub targets: &'static [&'static str],
}

/// The value set an element is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// How binding it is.
    pub strength: Strength,
    /// Canonical url without version.
    pub value_set: &'static str,
}

/// Binding strength (R4, terminologies §4.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// A code of the set, nothing else.
    Required,
    /// A code of the set where one fits.
    Extensible,
    /// Encouraged.
    Preferred,
    /// An illustration.
    Example,
}

/// A JSON property resolved to its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property<'a> {
    /// The element (`Observation.value[x]`).
    pub element: &'a Element,
    /// The chosen type (`Quantity`).
    pub type_code: &'a str,
    /// Path to use as `parent` for its children: a backbone path, or the type. For `Resource` (contained, bundle
    /// entries) take the `resourceType` of the value instead.
    pub child_path: &'a str,
}

/// The codes of one value set.
#[derive(Debug, Default)]
pub struct CodeSet {
    pub(crate) order: Vec<&'static str>,
    /// Code → systems and displays; more than one when several systems define the code.
    pub(crate) entries: Table<Vec<CodeEntry>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeEntry {
    pub(crate) system: &'static str,
    pub(crate) display: &'static str,
}

impl CodeSet {
    /// Whether the set has the code, in any system.
    pub fn contains(&self, code: &str) -> bool {
        self.entries.contains_key(code)
    }

    /// Whether the set has the code in this very system.
    pub fn contains_in(&self, system: &str, code: &str) -> bool {
        self.entries.get(code).is_some_and(|entries| entries.iter().any(|entry| entry.system == system))
    }

    /// The code system that defines the code, for a `Coding`; the first where several do.
    pub fn system_of(&self, code: &str) -> Option<&str> {
        self.entries.get(code)?.first().map(|entry| entry.system)
    }

    /// Codes in the order of the value set.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.order.iter().copied()
    }

    /// The code's display text, when the definition gives one.
    pub fn display(&self, code: &str) -> Option<&str> {
        self.entries.get(code)?.iter().map(|entry| entry.display).find(|display| !display.is_empty())
    }
}
