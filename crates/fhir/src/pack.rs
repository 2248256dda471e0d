//! Decodes the definitions pack. Its format stands at the head of the tool that writes it, `tests/bin/pack_fhir.rs`.
//!
//! The unpacked text stays in memory for the life of the process and the tables borrow from it.

use std::io::Read as _;

use crate::definitions::{Binding, CodeEntry, Definitions, Element, Node, Slot, Strength, TypeKind, TypeRef};
use crate::error::Error;
use crate::hash::Table;
use crate::path::Constraint;
use crate::primitive::Primitive;
use crate::search::{Expression, SearchComponent, SearchKind, SearchParameter, parse};
use crate::validate::position_bit;

const HEADER: &str = "tidegate-r4\t2\t4.0.1";
/// The largest text a pack may unpack to.
const UNPACKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Unpacks and indexes the definitions.
///
/// # Errors
/// [`Error::Pack`] when the bytes are not a pack of this format.
pub(crate) fn decode(pack: &[u8]) -> Result<Definitions, Error> {
    let mut text = String::new();
    flate2::read::ZlibDecoder::new(pack)
        .take(UNPACKED_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|_| Error::Pack { line: 0, problem: "not zlib data of UTF-8 text" })?;
    let text: &'static str = Box::leak(text.into_boxed_str());
    let mut decoder = Decoder::default();
    for (index, line) in text.lines().enumerate() {
        decoder.line(index, line).map_err(|problem| Error::Pack { line: index + 1, problem })?;
    }
    decoder.finish()
}

/// R4 gives each part of this composite the expression of the other: its code would be read as a reference.
const SWAPPED: &str = "DocumentReference-relationship";
const UNKNOWN_COMPONENT: Error = Error::Pack { line: 0, problem: "component of an unknown search parameter" };

type Step = Result<(), &'static str>;

#[derive(Default)]
struct Decoder {
    definitions: Definitions,
    elements: Vec<Element>,
    /// Lists of types and of names as the pack writes them: most elements share theirs with many others.
    type_lists: Table<&'static [TypeRef]>,
    name_lists: Table<&'static [&'static str]>,
    constraints: Table<Vec<&'static Constraint>>,
    value_set: &'static str,
    system: &'static str,
    parameters: Vec<ParameterRecord>,
}

struct ParameterRecord {
    id: &'static str,
    code: &'static str,
    kind: SearchKind,
    bases: &'static str,
    targets: &'static [&'static str],
    expression: &'static str,
    components: Vec<(&'static str, &'static str)>,
}

impl Decoder {
    fn line(&mut self, index: usize, line: &'static str) -> Step {
        if index == 0 {
            return if line == HEADER { Ok(()) } else { Err("unknown header") };
        }
        let (tag, rest) = line.split_once('\t').ok_or("no columns")?;
        match tag {
            "T" => self.type_record(columns(rest)?),
            "E" => self.element_record(columns(rest)?),
            "I" => self.constraint_record(columns(rest)?),
            "V" => {
                self.value_set = rest;
                self.definitions.code_sets.entry(rest).or_default();
                Ok(())
            }
            "S" => {
                self.system = rest;
                Ok(())
            }
            "C" => self.code_record(columns(rest)?),
            "P" => self.parameter_record(columns(rest)?),
            "K" => {
                let [definition, expression] = columns(rest)?;
                let parameter = self.parameters.last_mut().ok_or("component without parameter")?;
                parameter.components.push((definition, expression));
                Ok(())
            }
            "M" => {
                let [resource, parameters] = columns(rest)?;
                self.definitions.compartment.insert(resource, parameters.split(',').collect());
                Ok(())
            }
            _ => Err("unknown record"),
        }
    }

    fn type_record(&mut self, [name, kind, is_abstract, base]: [&'static str; 4]) -> Step {
        let kind = match (kind, is_abstract) {
            ("resource", "0") => TypeKind::Resource,
            ("resource", _) => TypeKind::AbstractResource,
            ("complex-type", _) => TypeKind::Complex,
            ("primitive-type", _) => TypeKind::Primitive,
            _ => return Err("unknown kind"),
        };
        if kind == TypeKind::Resource {
            self.definitions.resources.push(name);
        }
        self.definitions.types.insert(name, kind);
        self.definitions.bases.insert(name, base);
        Ok(())
    }

    fn element_record(&mut self, record: [&'static str; 7]) -> Step {
        let [path, min, max, flags, types, binding, content] = record;
        let (_, name) = path.rsplit_once('.').ok_or("element path without parent")?;
        let types = self.type_refs(types)?;
        self.elements.push(Element {
            path,
            name,
            min: min.parse().map_err(|_| "min is no number")?,
            max: if max == "*" { None } else { Some(max.parse().map_err(|_| "max is no number")?) },
            types,
            binding: binding_of(binding)?,
            is_modifier: flags.contains('M'),
            is_summary: flags.contains('S'),
            content_reference: Some(content).filter(|path| !path.is_empty()),
        });
        Ok(())
    }

    fn constraint_record(&mut self, [path, key, human, expression]: [&'static str; 4]) -> Step {
        let constraint = Constraint::parse(key, human, expression, false)
            .map_err(|_| "an invariant outside of the subset of FHIRPath")?;
        self.constraints.entry(path).or_default().push(Box::leak(Box::new(constraint)));
        Ok(())
    }

    fn code_record(&mut self, [code, display]: [&'static str; 2]) -> Step {
        let set = self.definitions.code_sets.get_mut(self.value_set).ok_or("code without value set")?;
        let entries = set.entries.entry(code).or_default();
        if entries.is_empty() {
            set.order.push(code);
        }
        // Two systems of one set seldom have one code.
        entries.reserve_exact(1);
        entries.push(CodeEntry { system: self.system, display });
        Ok(())
    }

    fn parameter_record(&mut self, record: [&'static str; 7]) -> Step {
        let [id, code, kind, bases, targets, expression, ..] = record;
        let kind = SearchKind::parse(kind).ok_or("unknown search parameter type")?;
        let targets = self.names(targets);
        self.parameters.push(ParameterRecord {
            id,
            code,
            kind,
            bases,
            targets,
            expression,
            components: Vec::new(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Definitions, Error> {
        self.resolve_content_types();
        let elements = leak(std::mem::take(&mut self.elements));
        self.definitions.resources.sort_unstable();
        self.index_nodes(elements)?;
        self.index_constraints()?;
        self.index_search_parameters()?;
        Ok(self.definitions)
    }

    /// An element that shares another's children has that one's types too.
    fn resolve_content_types(&mut self) {
        let types: Table<&'static [TypeRef]> = self.elements.iter().map(|e| (e.path, e.types)).collect();
        for element in &mut self.elements {
            if let Some(shared) = element.content_reference.and_then(|target| types.get(target)) {
                element.types = shared;
            }
        }
    }

    fn index_nodes(&mut self, elements: &'static [Element]) -> Result<(), Error> {
        let definitions = &mut self.definitions;
        let mut paths: Vec<&'static str> = definitions.types.keys().copied().collect();
        paths.sort_unstable();
        let mut nodes: Vec<(&'static str, Vec<&'static Element>)> = Vec::new();
        for path in paths {
            definitions.node_index.insert(path, nodes.len());
            nodes.push((path, Vec::new()));
        }
        for element in elements {
            let parent = parent_path(element.path);
            let at = *definitions.node_index.entry(parent).or_insert_with(|| {
                nodes.push((parent, Vec::new()));
                nodes.len() - 1
            });
            if let Some((_, children)) = nodes.get_mut(at) {
                children.push(element);
            }
        }
        let whole = |(path, children): (&'static str, Vec<_>)| Node {
            path,
            children: children.into(),
            ..Node::default()
        };
        definitions.nodes = nodes.into_iter().map(whole).collect();
        for element in elements {
            if let Some(at) = element.content_reference.and_then(|target| definitions.node_index.get(target))
            {
                let at = *at;
                definitions.node_index.insert(element.path, at);
            }
        }
        self.index_properties()
    }

    fn index_properties(&mut self) -> Result<(), Error> {
        const TOO_MANY: Error =
            Error::Pack { line: 0, problem: "more nodes, or elements of one, than there may be" };
        let Definitions { nodes, node_index, .. } = &mut self.definitions;
        for node in nodes {
            for (position, element) in node.children.iter().enumerate() {
                if element.min > 0 {
                    node.required |= position_bit(position);
                }
                let has_node = element.content_reference.is_some() || node_index.contains_key(element.path);
                let constraints: &'static [&'static Constraint] = match self.constraints.get(element.path) {
                    Some(own) if !has_node => leak(own.clone()),
                    _ => &[],
                };
                let position = u8::try_from(position).map_err(|_| TOO_MANY)?;
                for type_ref in element.types {
                    let child_path = match element.content_reference {
                        Some(target) => target,
                        None if node_index.contains_key(element.path) => element.path,
                        None => type_ref.code,
                    };
                    let child = node_index.get(child_path).map(|at| u16::try_from(*at)).transpose();
                    let child = child.map_err(|_| TOO_MANY)?;
                    let primitive = Primitive::parse(type_ref.code);
                    let slot = Slot { element, type_ref, child, primitive, position, constraints };
                    node.properties.insert(json_name(element, type_ref.code), slot);
                }
            }
        }
        Ok(())
    }

    /// Each invariant at the node of its type or backbone element, and at those of the types that derive from it.
    fn index_constraints(&mut self) -> Result<(), Error> {
        let known = |path: &str| {
            self.definitions.node_index.contains_key(path) || self.definitions.element(path).is_some()
        };
        if !self.constraints.keys().all(|path| known(path)) {
            return Err(Error::Pack { line: 0, problem: "invariant of an unknown element" });
        }
        let Definitions { nodes, bases, .. } = &mut self.definitions;
        for node in nodes {
            let mut line = vec![node.path];
            while let Some(base) =
                line.last().and_then(|path| bases.get(path)).filter(|base| !base.is_empty())
            {
                line.push(base);
            }
            let own = line.iter().rev().filter_map(|path| self.constraints.get(path));
            node.constraints = own.flatten().copied().collect();
        }
        Ok(())
    }

    fn index_search_parameters(&mut self) -> Result<(), Error> {
        let kinds: Table<(&'static str, SearchKind)> =
            self.parameters.iter().map(|record| (record.id, (record.code, record.kind))).collect();
        let base_of = |resource| self.definitions.bases.get(resource).copied().unwrap_or_default();
        let resources: Vec<(&'static str, &'static str)> =
            self.definitions.resources.iter().map(|resource| (*resource, base_of(resource))).collect();
        for record in &self.parameters {
            let mut components = Vec::new();
            let expressions = record.components.iter().map(|(_, expression)| *expression);
            let expressions: Vec<&'static str> =
                if record.id == SWAPPED { expressions.rev().collect() } else { expressions.collect() };
            for ((definition, _), expression) in record.components.iter().zip(expressions) {
                let (code, kind) = *kinds.get(definition).ok_or(UNKNOWN_COMPONENT)?;
                let program: &'static Expression = Box::leak(Box::new(parse(expression)?));
                components.push(SearchComponent { code, kind, expression, program });
            }
            let mut parameter = SearchParameter::parse(record.code, record.kind, record.expression)?;
            parameter.targets = record.targets;
            parameter.components = leak(components);
            let bases: Vec<&str> = record.bases.split(',').collect();
            for (resource, direct_base) in &resources {
                let types = [*resource, *direct_base, "Resource"];
                if bases.iter().any(|base| types.contains(base)) {
                    let program = parameter.program.map(|program| match program {
                        Expression::Union(_) => &*Box::leak(Box::new(program.restricted(&types))),
                        // Without branches there is nothing to leave out.
                        whole => whole,
                    });
                    let parameter = SearchParameter { program, ..parameter };
                    self.definitions.search_parameters.entry(resource).or_default().push(parameter);
                }
            }
        }
        self.definitions.search_definitions = kinds;
        for parameters in self.definitions.search_parameters.values_mut() {
            parameters.sort_by_key(|parameter| parameter.code);
            parameters.shrink_to_fit();
        }
        Ok(())
    }

    /// Resource types, separated by commas.
    fn names(&mut self, list: &'static str) -> &'static [&'static str] {
        if list.is_empty() {
            return &[];
        }
        self.name_lists.entry(list).or_insert_with(|| leak(list.split(',').collect()))
    }

    fn type_refs(&mut self, list: &'static str) -> Result<&'static [TypeRef], &'static str> {
        if let Some(known) = self.type_lists.get(list) {
            return Ok(known);
        }
        let mut types = Vec::new();
        for item in list.split('|').filter(|item| !item.is_empty()) {
            let (code, targets) = match item.split_once('(') {
                Some((code, targets)) => {
                    (code, self.names(targets.strip_suffix(')').ok_or("target list not closed")?))
                }
                None => (item, &[][..]),
            };
            types.push(TypeRef { code, targets });
        }
        let types = leak(types);
        self.type_lists.insert(list, types);
        Ok(types)
    }
}

/// What lives as long as the process, without room to grow.
fn leak<T>(all: Vec<T>) -> &'static [T] {
    Box::leak(all.into_boxed_slice())
}

/// Exactly `N` columns.
fn columns<const N: usize>(line: &'static str) -> Result<[&'static str; N], &'static str> {
    let mut found = line.split('\t');
    let mut out = [""; N];
    for slot in &mut out {
        *slot = found.next().unwrap_or_default();
    }
    if found.next().is_some() { Err("too many columns") } else { Ok(out) }
}

fn binding_of(text: &'static str) -> Result<Option<Binding>, &'static str> {
    let strength = match text.get(..1) {
        None => return Ok(None),
        Some("r") => Strength::Required,
        Some("x") => Strength::Extensible,
        Some("p") => Strength::Preferred,
        Some("e") => Strength::Example,
        Some(_) => return Err("unknown binding strength"),
    };
    Ok(Some(Binding { strength, value_set: text.get(1..).unwrap_or_default() }))
}

fn parent_path(path: &'static str) -> &'static str {
    path.rsplit_once('.').map_or(path, |(parent, _)| parent)
}

/// `valueQuantity` for `value[x]` of type `Quantity`.
fn json_name(element: &Element, type_code: &str) -> &'static str {
    let Some(base) = element.name.strip_suffix("[x]") else { return element.name };
    let mut name = String::with_capacity(base.len() + type_code.len());
    name.push_str(base);
    let mut letters = type_code.chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    String::leak(name)
}
