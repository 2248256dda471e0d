//! The proof that every element has exactly one decision, which also builds what the walk over a resource reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::codes::Vocabulary;
use super::operation::{NAMES, Operation, required_codes};
use super::table::{self, Row};
use super::{Node, Required, Rule};
use crate::diagnostic::{Diagnostic, Place, nearest};

const FILE: &str = "fhir.tsv";
const PATH: usize = 1;
const TYPE: usize = 2;
const OPERATION: usize = 3;

/// Type of a row whose element shares the children of another (ElementDefinition.contentReference).
const CONTENT_REFERENCE: &str = "@ref";

/// Nodes of all types that can be reached, and the node of each resource type.
pub(super) struct Proof {
    pub(super) nodes: Vec<Node>,
    pub(super) roots: HashMap<&'static str, usize>,
}

struct Prover<'a> {
    rows: HashMap<(&'a str, &'a str), (&'a Row<'a>, Option<Operation>)>,
    used: BTreeSet<usize>,
    nodes: Vec<Node>,
    index: HashMap<&'static str, usize>,
    found: &'a mut Vec<Diagnostic>,
    /// Last row of each owner, to point at when one is missing.
    last_line: HashMap<&'a str, usize>,
}

pub(super) fn prove(
    files: &BTreeMap<String, String>,
    resources: &BTreeSet<fhir::ResourceType>,
    vocabularies: &BTreeMap<String, Arc<Vocabulary>>,
    found: &mut Vec<Diagnostic>,
) -> Proof {
    let rows = table::read(files, FILE, '\t', &["resource", "path", "type", "operation"], found);
    let mut by_path = HashMap::with_capacity(rows.len());
    let mut last_line = HashMap::new();
    for row in &rows {
        let operation = parse_operation(row, vocabularies, found);
        if row.cell(PATH).split('.').next() != Some(row.cell(0)) {
            let message = format!("the path is not of `{}`", row.cell(0));
            found.push(Diagnostic::new(FILE, row.place(PATH), "path-owner", message));
        }
        last_line.insert(row.cell(0), row.line);
        let before = by_path.insert((row.cell(PATH), row.cell(TYPE)), (row, operation));
        if let Some((before, _)) = before {
            let message = format!("`{}` has a decision on line {} already", row.cell(PATH), before.line);
            found.push(Diagnostic::new(FILE, row.place(PATH), "duplicate-row", message));
        }
    }
    let mut prover = Prover {
        rows: by_path,
        used: BTreeSet::new(),
        nodes: Vec::new(),
        index: HashMap::new(),
        found,
        last_line,
    };
    let roots = resources.iter().map(|name| (name.as_str(), prover.visit(name.as_str()))).collect();
    let Prover { used, nodes, found, .. } = prover;
    for row in rows.iter().filter(|row| !used.contains(&row.line)) {
        found.push(unused(row, resources));
    }
    Proof { nodes, roots }
}

fn parse_operation(
    row: &Row<'_>,
    vocabularies: &BTreeMap<String, Arc<Vocabulary>>,
    found: &mut Vec<Diagnostic>,
) -> Option<Operation> {
    Operation::parse(row.cell(OPERATION), vocabularies)
        .map_err(|message| {
            let diagnostic = Diagnostic::new(FILE, row.place(OPERATION), "unknown-operation", message);
            found.push(match nearest(row.cell(OPERATION), NAMES.into_iter()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        })
        .ok()
}

impl Prover<'_> {
    /// The node of a type or backbone path, made on the first visit.
    fn visit(&mut self, path: &'static str) -> usize {
        if let Some(at) = self.index.get(path) {
            return *at;
        }
        let at = self.nodes.len();
        self.nodes.push(Node::default());
        self.index.insert(path, at);
        let mut node = Node::default();
        for element in fhir::r4().children(path) {
            self.element(path, element, &mut node);
        }
        if let Some(slot) = self.nodes.get_mut(at) {
            *slot = node;
        }
        at
    }

    fn element(&mut self, parent: &str, element: &'static fhir::Element, node: &mut Node) {
        let mut names = Vec::new();
        for type_code in element.types.iter().map(|type_ref| type_ref.code) {
            let name = json_name(element, type_code);
            let row_type = if element.content_reference.is_some() { CONTENT_REFERENCE } else { type_code };
            if let Some(rule) = self.rule(parent, element, type_code, row_type, &name) {
                if matches!(rule.operation, Operation::Rebuild) {
                    node.rebuilt.push(name.clone());
                }
                node.rules.insert(name.clone(), rule);
            }
            names.push(name);
        }
        if element.min > 0 {
            node.required.push(Required { names, modifier: element.is_modifier });
        }
    }

    fn rule(
        &mut self,
        parent: &str,
        element: &'static fhir::Element,
        type_code: &'static str,
        row_type: &str,
        name: &str,
    ) -> Option<Rule> {
        let Some((row, operation)) = self.rows.get(&(element.path, row_type)).cloned() else {
            self.undecided(element, row_type);
            return None;
        };
        self.used.insert(row.line);
        let operation = operation?;
        if let Some(message) = operation.refuse(element, row_type) {
            let code = if matches!(operation, Operation::Keep) { "keep-text" } else { "operation-type" };
            self.found.push(Diagnostic::new(FILE, row.place(OPERATION), code, message));
            return None;
        }
        let child = operation.enters(type_code).then(|| {
            let child_path =
                fhir::r4().property(parent, name).map_or(type_code, |property| property.child_path);
            self.visit(child_path)
        });
        Some(Rule {
            operation,
            base: element.base_name(),
            type_code,
            primitive: fhir::r4().is_primitive(type_code),
            repeats: element.repeats(),
            required: element.min > 0,
            child,
            codes: required_codes(element),
        })
    }

    fn undecided(&mut self, element: &'static fhir::Element, row_type: &str) {
        let owner = element.path.split('.').next().unwrap_or_default();
        let line = self.last_line.get(owner).copied().unwrap_or(1);
        let message = format!("`{}` of type {row_type} has no decision", element.path);
        let help = format!("add the row `{owner}\t{}\t{row_type}\tdrop`, or another operation", element.path);
        let place = Place { line, column: 1, length: owner.chars().count().max(1) };
        self.found.push(Diagnostic::new(FILE, place, "undecided-element", message).help(help));
    }
}

/// Why a row decides nothing.
fn unused(row: &Row<'_>, resources: &BTreeSet<fhir::ResourceType>) -> Diagnostic {
    let (path, row_type) = (row.cell(PATH), row.cell(TYPE));
    let Some(element) = fhir::r4().element(path) else {
        let diagnostic =
            Diagnostic::new(FILE, row.place(PATH), "unknown-element", format!("R4 has no element `{path}`"));
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let near = nearest(path, fhir::r4().children(parent).iter().map(|element| element.path));
        return match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        };
    };
    let types: Vec<&str> = match element.content_reference {
        Some(_) => vec![CONTENT_REFERENCE],
        None => element.types.iter().map(|type_ref| type_ref.code).collect(),
    };
    if !types.contains(&row_type) {
        let message = format!("`{path}` has no type `{row_type}`");
        let help = format!("it can have {}", types.join(", "));
        return Diagnostic::new(FILE, row.place(TYPE), "unknown-type", message).help(help);
    }
    let owner = row.cell(0);
    let listed = resources.iter().any(|name| name.as_str() == owner);
    if fhir::r4().is_resource(owner) && !listed {
        let message = format!("`{owner}` is not among the profile's resources");
        return Diagnostic::new(FILE, row.place(0), "unlisted-resource", message);
    }
    let message = format!("no resource reaches `{path}`: an element above it is decided as a whole");
    Diagnostic::new(FILE, row.place(PATH), "unreachable-row", message).help("delete the row")
}

/// `valueQuantity` for `value[x]` with type `Quantity`.
fn json_name(element: &fhir::Element, type_code: &str) -> String {
    if !element.is_choice() {
        return element.name.to_owned();
    }
    let mut name = element.base_name().to_owned();
    let mut letters = type_code.chars();
    name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    name
}
