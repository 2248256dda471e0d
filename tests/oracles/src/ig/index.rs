//! Our package as the guide sees it: for each resource type, every element with the v2 paths it comes from.

use super::builtin;
use mapping::{At, Catalog, CatalogMap, CatalogMessage, V2Path, Write};
use std::collections::{BTreeMap, BTreeSet};

/// Type maps within type maps within handles: deeper than this nothing of the guide reaches.
const DEEPEST: usize = 4;

/// References followed one after the other: of the request to its requester, of the requester to the organization.
const STEPS: usize = 2;

/// The extension that the engine writes beside a code, with the original.
pub const ALTERNATE_CODES: &str = "extension(http://hl7.org/fhir/StructureDefinition/alternate-codes)";

/// The package, indexed.
pub struct Index {
    /// What stands in the package.
    pub catalog: Catalog,
    /// By resource type: what its segment maps write, type maps and references followed.
    pub resources: BTreeMap<String, Vec<Write>>,
    /// By v2 data type and FHIR type: what is made of the parts of the one in the other.
    pub types: BTreeMap<(String, String), Vec<Write>>,
    /// Every `ignore`, from maps and messages.
    pub ignored: Vec<Ignored>,
    /// Segments read for a resource type: (message, type) to segments with their groups, `PROCEDURE.PR1` or `PR1`.
    pub messages: BTreeMap<(String, String), BTreeSet<String>>,
}

/// One path that is left out.
pub struct Ignored {
    /// The path.
    pub path: V2Path,
    /// Why.
    pub reason: String,
    /// What the map that says so makes; none: a message file says it.
    pub kind: Option<String>,
    /// The segment that map is of; empty: a message file.
    pub source: String,
    /// Where it stands.
    pub at: At,
}

impl Index {
    /// Indexes a catalog.
    pub fn new(catalog: Catalog) -> Index {
        let mut index = Index {
            resources: BTreeMap::new(),
            types: BTreeMap::new(),
            ignored: Vec::new(),
            messages: BTreeMap::new(),
            catalog,
        };
        index.collect_resources();
        index.collect_types();
        index.collect_ignored();
        index.collect_messages();
        index
    }

    fn map(&self, name: &str) -> Option<&CatalogMap> {
        self.catalog.maps.iter().find(|map| map.name == name)
    }

    fn is_segment(map: &CatalogMap) -> bool {
        map.source.len() == 3 && hl7v2::dictionary::segment(&map.source).is_some()
    }

    fn collect_resources(&mut self) {
        let mut resources: BTreeMap<String, Vec<Write>> = BTreeMap::new();
        for map in self.catalog.maps.iter().filter(|map| Self::is_segment(map)) {
            let mut found = Vec::new();
            for write in &map.writes {
                self.expand(write, map, DEEPEST, STEPS, &mut found);
            }
            let read: BTreeSet<String> = map.writes.iter().flat_map(roots).collect();
            for write in &mut found {
                // What the map always writes, it writes in connection with each segment that it reads.
                let is_always = write.given.is_empty() && !write.literals.is_empty();
                let with = read.iter().filter(|_| is_always).chain([&map.source]);
                write.given.extend(with.map(|root| V2Path { root: root.clone(), numbers: Vec::new() }));
            }
            resources.entry(map.target.clone()).or_default().extend(found);
        }
        for message in &self.catalog.messages {
            for (handle, _, write) in &message.overrides {
                let made = message.makes.iter().find(|made| made.handle == *handle);
                if let Some(map) = made.and_then(|made| self.map(&made.map)) {
                    let mut found = Vec::new();
                    self.expand(write, map, DEEPEST, STEPS, &mut found);
                    for write in &mut found {
                        write.from.push(builtin::path("MSH", &[9, 2]));
                    }
                    resources.entry(map.target.clone()).or_default().extend(found);
                }
            }
        }
        let values = builtin::PROVENANCE.iter().map(|(segment, numbers, element)| {
            built_in(element, vec![builtin::path(segment, numbers)], Vec::new(), None)
        });
        let constants = builtin::PROVENANCE_CONSTANTS.iter().map(|(segment, element, text)| {
            built_in(element, Vec::new(), vec![builtin::path(segment, &[])], Some((*text).to_owned()))
        });
        let built: Vec<Write> = values.chain(constants).collect();
        resources.entry("Provenance".into()).or_default().extend(built);
        resources.values_mut().for_each(distinct);
        self.resources = resources;
    }

    /// A write with everything below it: the parts of its type map, of the resources it refers to, so many steps away.
    fn expand(&self, write: &Write, map: &CatalogMap, depth: usize, steps: usize, into: &mut Vec<Write>) {
        into.push(write.clone());
        if depth == 0 && write.handle.is_none() {
            return;
        }
        if let Some(by) = write.by.as_ref().filter(|_| depth > 0) {
            self.expand_conversion(write, by, depth, steps, into);
        }
        if let Some(handle) = write.handle.as_deref().filter(|handle| *handle != "*" && steps > 0) {
            let makers = self
                .catalog
                .messages
                .iter()
                .filter(|message| message.makes.iter().any(|made| made.map == map.name));
            let maps: BTreeSet<&str> = makers
                .flat_map(|message| &message.makes)
                .filter(|made| made.handle == handle)
                .map(|made| made.map.as_str())
                .collect();
            for other in maps.into_iter().filter_map(|name| self.map(name)) {
                let element = format!("{}({})", write.element, other.target);
                into.push(Write {
                    element: element.clone(),
                    given: both(&write.given, &[]),
                    handle: None,
                    ..write.clone()
                });
                for sub in &other.writes {
                    // The patient and the visit are in reach of everything: nothing is said of them this way.
                    let is_hub = matches!(sub.handle.as_deref(), Some("patient" | "visit"));
                    // A second step leads from a role to its person and its organization; others would name half the package.
                    let goes_on = steps > 1 && other.target == "PractitionerRole" && !is_hub;
                    if sub.handle.is_none() || goes_on {
                        let found = Write {
                            element: format!("{element}.{}", sub.element),
                            given: both(&write.given, &sub.given),
                            ..sub.clone()
                        };
                        self.expand(
                            &found,
                            other,
                            depth.clamp(1, 2) - 1,
                            if goes_on { steps - 1 } else { 0 },
                            into,
                        );
                    }
                }
            }
        }
    }

    fn expand_conversion(&self, write: &Write, by: &str, depth: usize, steps: usize, into: &mut Vec<Write>) {
        let Some(inner) = self.map(by) else {
            for path in &write.from {
                let datatype = datatype(path).unwrap_or_default();
                for (numbers, element) in builtin::conversion(by, &datatype) {
                    let from = vec![below(path, numbers)];
                    into.push(Write {
                        element: joined(&write.element, element),
                        from,
                        by: None,
                        ..write.clone()
                    });
                }
            }
            return;
        };
        let base = if write.is_reference {
            format!("{}({})", write.element, inner.target)
        } else {
            write.element.clone()
        };
        let is_varied = write.from.iter().any(|outer| datatype(outer).is_some_and(|name| name == "varies"));
        for sub in &inner.writes {
            let element =
                if inner.target == "text" { base.clone() } else { format!("{base}.{}", sub.element) };
            let moved = |paths: &[V2Path]| {
                let mut all = Vec::new();
                for path in paths {
                    if path.root == inner.source {
                        all.extend(write.from.iter().map(|outer| below(outer, &path.numbers)));
                        // Of a field that can be of any type (OBX-5) the parts are those of the type it is read as.
                        if is_varied {
                            all.push(path.clone());
                        }
                    } else {
                        all.push(path.clone());
                    }
                }
                all
            };
            let given = both(&both(&write.given, &write.from), &moved(&sub.given));
            let deviates = sub.deviates.clone().or_else(|| write.deviates.clone());
            let found = Write { element, from: moved(&sub.from), given, deviates, ..sub.clone() };
            self.expand(&found, inner, depth - 1, steps, into);
        }
    }

    fn collect_types(&mut self) {
        let mut types: BTreeMap<(String, String), Vec<Write>> = BTreeMap::new();
        let mut add = |kind: &str, write: &Write| {
            for from in write.from.iter().chain(&write.given) {
                for (datatype, numbers) in views(from) {
                    for (made, suffix) in fhir_views(kind, &write.element) {
                        let path = V2Path { root: datatype.clone(), numbers: numbers.clone() };
                        let is_value = write.from.contains(from);
                        let seen = Write {
                            element: suffix,
                            from: if is_value { vec![path.clone()] } else { Vec::new() },
                            given: vec![path],
                            ..write.clone()
                        };
                        types.entry((datatype.clone(), made)).or_default().push(seen);
                    }
                }
            }
        };
        for (kind, writes) in &self.resources {
            writes.iter().for_each(|write| add(kind, write));
        }
        for map in self.catalog.maps.iter().filter(|map| !Self::is_segment(map)) {
            let mut found = Vec::new();
            map.writes.iter().for_each(|write| self.expand(write, map, DEEPEST, STEPS, &mut found));
            let kind = if map.target == "text" { "string" } else { map.target.as_str() };
            for mut write in found {
                if map.target == "text" {
                    write.element = String::new();
                }
                // Whatever the map makes, it makes of this type.
                write.given.push(V2Path { root: map.source.clone(), numbers: Vec::new() });
                add(kind, &write);
            }
        }
        // SN is read by its shape alone, in a field that can be of any type.
        for kind in ["Quantity", "Range", "Ratio"] {
            let name = format!("SN.{kind}");
            let user =
                self.resources.values().flatten().find(|write| write.by.as_deref() == Some(name.as_str()));
            let parts = builtin::conversion(&name, "SN").iter().filter_map(|(numbers, element)| {
                let from = vec![V2Path { root: "SN".into(), numbers: numbers.to_vec() }];
                Some(Write {
                    element: (*element).to_owned(),
                    from,
                    given: Vec::new(),
                    by: None,
                    ..user?.clone()
                })
            });
            types.entry(("SN".into(), kind.to_owned())).or_default().extend(parts);
        }
        types.values_mut().for_each(distinct);
        self.types = types;
    }

    fn collect_ignored(&mut self) {
        let maps = self.catalog.maps.iter().flat_map(|map| {
            map.ignored.iter().map(|(path, reason)| Ignored {
                path: path.clone(),
                reason: reason.clone(),
                kind: Some(map.target.clone()),
                source: map.source.clone(),
                at: map.at.clone(),
            })
        });
        let messages = self.catalog.messages.iter().flat_map(|message| {
            let at = At { file: format!("messages/{}.yaml", message.name), line: 0 };
            message.ignored.iter().map(move |(path, reason)| Ignored {
                path: path.clone(),
                reason: reason.clone(),
                kind: None,
                source: String::new(),
                at: at.clone(),
            })
        });
        self.ignored = maps.chain(messages).collect();
    }

    fn collect_messages(&mut self) {
        // What each map makes and which segments that is made of: asked once a map, for many messages use it.
        let maps: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> =
            self.catalog.maps.iter().map(|map| (map.name.as_str(), self.made_of(map))).collect();
        let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for message in &self.catalog.messages {
            for made in &message.makes {
                let Some(kinds) = maps.get(made.map.as_str()) else { continue };
                let own = self.map(&made.map).map(|map| map.target.as_str());
                for (kind, read) in kinds {
                    let segments = found.entry((message.name.clone(), kind.clone())).or_default();
                    segments.extend(read.iter().cloned());
                    if own == Some(kind) {
                        segments.insert(made.from.clone());
                        segments.extend(self.referred(message, &made.map));
                    }
                }
            }
            // What the event says of a resource comes from MSH-9.
            for (handle, ..) in &message.overrides {
                let made = message.makes.iter().filter(|made| made.handle == *handle);
                for map in made.filter_map(|made| self.map(&made.map)) {
                    found.entry((message.name.clone(), map.target.clone())).or_default().insert("MSH".into());
                }
            }
            let built = builtin::PROVENANCE.iter().map(|(segment, ..)| (*segment).to_owned());
            found.entry((message.name.clone(), "Provenance".into())).or_default().extend(built);
            // Each message is written as one Bundle.
            found.entry((message.name.clone(), "Bundle".into())).or_default().insert("MSH".into());
        }
        self.messages = found;
    }

    /// The segments of the resources that a map refers to by their handles, in this message.
    fn referred(&self, message: &CatalogMessage, map: &str) -> BTreeSet<String> {
        let writes = self.map(map).map(|map| map.writes.as_slice()).unwrap_or_default();
        let handles: BTreeSet<&str> = writes.iter().filter_map(|write| write.handle.as_deref()).collect();
        let makes = message.makes.iter().filter(|made| handles.contains(made.handle.as_str()));
        makes.map(|made| made.from.clone()).collect()
    }

    /// The resource types that a map makes, itself and through its type maps, and of each the segments that its own values come from.
    /// What is only referred to by a handle is made by another map.
    fn made_of(&self, map: &CatalogMap) -> BTreeMap<String, BTreeSet<String>> {
        let mut made = BTreeMap::from([(map.target.clone(), BTreeSet::new())]);
        let mut all = Vec::new();
        for write in map.writes.iter().filter(|write| write.handle.is_none()) {
            self.expand(write, map, DEEPEST, 0, &mut all);
        }
        for write in &all {
            let kind = write.by.as_deref().filter(|_| write.is_reference).and_then(|by| self.map(by));
            for kind in kind.into_iter().map(|other| &other.target).chain([&map.target]) {
                made.entry(kind.clone()).or_default().extend(roots(write));
            }
        }
        made
    }
}

/// The segments that a write's value comes from, or that decide about it.
fn roots(write: &Write) -> BTreeSet<String> {
    let paths = write.from.iter().chain(&write.given);
    let roots = paths.map(|path| path.root.as_str());
    roots.filter(|root| hl7v2::dictionary::segment(root).is_some()).map(str::to_owned).collect()
}

/// Leaves one of several writes that say the same.
fn distinct(writes: &mut Vec<Write>) {
    let mut seen = BTreeSet::new();
    writes.retain(|write| {
        let Write { element, from, given, literals, by, table, deviates, .. } = write;
        seen.insert((
            element.clone(),
            from.clone(),
            given.clone(),
            literals.clone(),
            by.clone(),
            table.clone(),
            deviates.clone(),
        ))
    });
}

/// A write that no rule makes.
fn built_in(element: &str, from: Vec<V2Path>, given: Vec<V2Path>, literal: Option<String>) -> Write {
    Write {
        element: element.to_owned(),
        from,
        given,
        literals: literal.into_iter().collect(),
        by: None,
        table: None,
        handle: None,
        is_reference: false,
        deviates: None,
        at: At { file: "(built in)".into(), line: 0 },
    }
}

fn both(left: &[V2Path], right: &[V2Path]) -> Vec<V2Path> {
    let mut all = left.to_vec();
    all.extend(right.iter().filter(|path| !left.contains(path)).cloned());
    all
}

fn below(path: &V2Path, numbers: &[u16]) -> V2Path {
    V2Path { root: path.root.clone(), numbers: path.numbers.iter().chain(numbers).copied().collect() }
}

fn joined(element: &str, part: &str) -> String {
    match (element.is_empty(), part.is_empty()) {
        (_, true) => element.to_owned(),
        (true, false) => part.to_owned(),
        (false, false) => format!("{element}.{part}"),
    }
}

/// The v2 type of what a path names.
pub fn datatype(path: &V2Path) -> Option<String> {
    views(path).into_iter().rev().find(|(_, numbers)| numbers.is_empty()).map(|(name, _)| name)
}

/// A path as parts of the types it runs through: `PID-5.1.2` is `XPN.1.2`, `FN.2` and `ST`.
fn views(path: &V2Path) -> Vec<(String, Vec<u16>)> {
    let mut found = Vec::new();
    let mut numbers = path.numbers.as_slice();
    let mut current = match hl7v2::dictionary::segment(&path.root).filter(|_| path.root.len() == 3) {
        Some(fields) => {
            let Some((first, rest)) = numbers.split_first() else { return found };
            let Some(field) = usize::from(*first).checked_sub(1).and_then(|at| fields.get(at)) else {
                return found;
            };
            numbers = rest;
            field.datatype.to_owned()
        }
        None => path.root.clone(),
    };
    loop {
        found.push((current.clone(), numbers.to_vec()));
        let Some((first, rest)) = numbers.split_first() else { return found };
        let Some(parts) = hl7v2::dictionary::datatype(&current) else { return found };
        let Some(part) = usize::from(*first).checked_sub(1).and_then(|at| parts.get(at)) else {
            return found;
        };
        numbers = rest;
        current = part.datatype.to_owned();
    }
}

/// An element as a part of each type on its way: `name.family` of Patient is `family` of HumanName.
fn fhir_views(kind: &str, element: &str) -> Vec<(String, String)> {
    let r4 = fhir::r4();
    let mut found = vec![(kind.to_owned(), element.to_owned())];
    let mut at = kind.to_owned();
    let mut rest = element;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('(') {
            let Some((name, after)) = inner.split_once(')') else { return found };
            at = name.to_owned();
            rest = after.strip_prefix('.').unwrap_or(after);
            found.push((at.clone(), rest.to_owned()));
            continue;
        }
        if rest.starts_with("extension(") {
            return found;
        }
        let end = rest.find(['.', '(']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(property) = r4.property(&at, name) else { return found };
        at = property.child_path.to_owned();
        rest = after.strip_prefix('.').unwrap_or(after);
        if !rest.starts_with('(') {
            found.push((property.type_code.to_owned(), rest.to_owned()));
            // R4's profiles of Quantity have its elements.
            if matches!(property.type_code, "Age" | "Count" | "Distance" | "Duration") {
                found.push(("Quantity".to_owned(), rest.to_owned()));
            }
        }
        // A logical reference is the identifier of what it refers to.
        if property.type_code == "Reference" && rest.starts_with("identifier") {
            let targets = property.element.types.iter().flat_map(|kind| kind.targets);
            found.extend(targets.map(|target| ((*target).to_owned(), rest.to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_as_part_of_every_type_it_runs_through() {
        let found = views(&builtin::path("PID", &[5, 1, 2]));
        assert_eq!(found[0], ("XPN".to_owned(), vec![1, 2]));
        assert_eq!(found[1], ("FN".to_owned(), vec![2]));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn an_element_is_seen_as_part_of_every_type_on_its_way() {
        let found = fhir_views("PractitionerRole", "practitioner(Practitioner).name.family");
        assert!(found.contains(&("Practitioner".to_owned(), "name.family".to_owned())));
        assert!(found.contains(&("HumanName".to_owned(), "family".to_owned())));
        assert!(found.contains(&("string".to_owned(), String::new())));
    }
}
