//! From YAML trees to the plan: every name resolved, every rule proven against the v2 dictionary and the R4 element table.

mod answers;
mod codes;
mod condition;
mod conversion;
mod element;
mod expression;
mod index;
mod keys;
mod local;
mod map;
mod message;
mod part;
mod record;
mod registry;
mod rule;
mod shape;
mod site;
mod source;

use crate::basis;
use crate::diagnostic::{Findings, Place};
use crate::plan::{Handle, Map, Program, Target};
use crate::syntax::{Parsed, SyntaxError};
use crate::yaml::Node;
use registry::Extension;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) use answers::answers;
pub(crate) use expression::FUNCTIONS;
pub(crate) use keys::{KeyList, only_keys};
pub(crate) use map::MAP_KEYS;
pub(crate) use message::MESSAGE_KEYS;
pub(crate) use rule::RULE_KEYS;
pub(crate) use site::{MATCH_KEYS, SITE_KEYS, overlay};

/// The trees of one package (or package with overlay), by kind and name. A site shares those that it does not change.
#[derive(Default, Clone)]
pub(crate) struct Trees {
    pub messages: BTreeMap<String, Arc<Node>>,
    pub maps: BTreeMap<String, Arc<Node>>,
    pub codes: BTreeMap<String, Arc<Node>>,
    pub systems: Option<Arc<Node>>,
    pub extensions: Option<Arc<Node>>,
    /// Rows of `codes/*.csv`, by file name.
    pub tables: BTreeMap<String, Arc<str>>,
}

/// What the header of a map says, known before any body is compiled.
pub(crate) struct Header {
    pub name: String,
    pub source: String,
    pub target: Target,
    pub is_type: bool,
    pub place: Place,
}

/// Compiles trees; findings are collected, the program is whole only if there are none.
pub(crate) struct Checker<'c> {
    pub findings: &'c mut Findings,
    pub site: crate::site::Site,
    pub headers: Vec<Header>,
    pub map_names: HashMap<String, usize>,
    pub tables: Vec<crate::codes::CodeTable>,
    pub table_names: HashMap<String, usize>,
    pub used_tables: BTreeSet<usize>,
    pub extensions: BTreeMap<String, Extension>,
    pub systems: crate::systems::Systems,
    /// Handles named in the map that is being compiled: name, place, whether its id is needed.
    pub handles: Vec<(String, Place, bool)>,
    /// Handles by name, with their numbers.
    pub handle_numbers: HashMap<String, usize>,
    /// The same for every map.
    pub map_handles: Vec<Vec<(String, Place, bool)>>,
    /// Maps and handles of which at least one message that makes the map has the handle.
    pub known_handles: BTreeSet<(usize, String)>,
    /// Maps reached as `as X.Y` from each map.
    pub map_calls: Vec<BTreeSet<usize>>,
    pub calls: BTreeSet<usize>,
    /// Required elements a map leaves to the message: element, place.
    pub owed: Vec<Vec<(String, Place)>>,
}

/// Compiles one set of trees.
pub(crate) fn compile(trees: &Trees, site: crate::site::Site, findings: &mut Findings) -> Program {
    let mut checker = Checker {
        findings,
        site,
        headers: Vec::new(),
        map_names: HashMap::new(),
        tables: Vec::new(),
        table_names: HashMap::new(),
        used_tables: BTreeSet::new(),
        extensions: BTreeMap::new(),
        systems: crate::systems::Systems::default(),
        handles: Vec::new(),
        handle_numbers: HashMap::new(),
        map_handles: Vec::new(),
        known_handles: BTreeSet::new(),
        map_calls: Vec::new(),
        calls: BTreeSet::new(),
        owed: Vec::new(),
    };
    checker.registries(trees);
    checker.patient_index();
    checker.code_tables(trees);
    checker.map_headers(trees);
    let mut maps: Vec<Map> = checker.maps(trees);
    let (mut messages, triggers) = checker.messages(trees);
    checker.unused_tables();
    let fields = basis::find(&mut maps, &mut messages);
    let tables = std::mem::take(&mut checker.tables);
    Program {
        maps: maps.into_iter().map(Arc::new).collect(),
        tables: tables.into_iter().map(Arc::new).collect(),
        messages: messages.into_iter().map(Arc::new).collect(),
        triggers,
        systems: std::mem::take(&mut checker.systems),
        site: std::mem::take(&mut checker.site),
        fields,
    }
}

impl Checker<'_> {
    /// The handle of a name.
    pub fn handle(&mut self, name: &str) -> Handle {
        let next = self.handle_numbers.len();
        let number = *self.handle_numbers.entry(name.to_owned()).or_insert(next);
        Handle { name: name.to_owned(), number }
    }

    /// Unwraps a parse, or adds a finding at the right column.
    pub fn parsed<T>(&mut self, place: Place, parsed: Parsed<T>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(SyntaxError { offset, length, message }) => {
                self.findings.add(place.shifted(offset, length), "E0201", message);
                None
            }
        }
    }

    /// The text of a node that must be a scalar.
    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = node.scalar();
        if text.is_none() {
            self.findings.add(node.place, "E0104", "a single value is expected here");
        }
        text
    }
}
