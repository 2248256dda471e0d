//! `segments/*.yaml` and `types/*.yaml`.

use super::element::Completeness;
use super::registry::Content;
use super::shape::Shape;
use super::source::{Source, Use};
use super::{Checker, Header, Trees, local};
use crate::basis::Basis;
use crate::diagnostic::Place;
use crate::plan::{Elements, Field, Form, Ignore, Map, Slot, Target};
use crate::syntax;
use crate::yaml::Node;
use hl7v2::dictionary;

pub(crate) const MAP_KEYS: &[&str] = &["map", "reads", "id", "ig", "doc", "merge", "ignore"];

impl Checker<'_> {
    pub(super) fn map_headers(&mut self, trees: &Trees) {
        for (name, node) in &trees.maps {
            let Some(header) = self.header(name, node) else { continue };
            self.map_names.insert(name.clone(), self.headers.len());
            self.headers.push(header);
        }
    }

    fn header(&mut self, name: &str, node: &Node) -> Option<Header> {
        let (source, target) = name.split_once('.')?;
        let place = node.get("map").map_or(node.place, |map| map.place);
        let is_type = !(source.len() == 3
            && (dictionary::segment(source).is_some()
                || source.starts_with('Z')
                || self.site.segments.contains_key(source)));
        let target = self.target(target, place)?;
        Some(Header { name: name.to_owned(), source: source.to_owned(), target, is_type, place })
    }

    /// What stands after the arrow: a type, a part of one, `text`, or an extension with parts.
    fn target(&mut self, name: &str, place: Place) -> Option<Target> {
        // `TXA -> DocumentReference-parent` is a second map of a segment to one type.
        let base = name.split_once('-').map_or(name, |(base, _)| base);
        if let Some(kind) = fhir::ResourceType::parse(base) {
            return Some(Target::Resource(kind));
        }
        if base == "text" {
            return Some(Target::Text);
        }
        if !fhir::r4().children(base).is_empty() {
            return Some(Target::Object(base.to_owned()));
        }
        match self.extensions.get(name).map(|extension| &extension.content) {
            Some(Content::Parts(_)) => return Some(Target::Extension(name.to_owned())),
            Some(Content::Value(code)) => self.findings.add_help(
                place,
                "E0301",
                format!("the extension {name} has no parts"),
                format!("make what it holds, `-> {code}`"),
            ),
            None => {
                let mut names: Vec<&str> = fhir::r4().resource_names().collect();
                names.extend(self.extensions.keys().map(String::as_str));
                let message = format!("{base} is no R4 type or part of one, and no extension");
                self.findings.add_near(place, "E0301", message, name, names);
            }
        }
        None
    }

    pub(super) fn maps(&mut self, trees: &Trees) -> Vec<Map> {
        let mut maps = Vec::new();
        for index in 0..self.headers.len() {
            let Some(header) = self.headers.get(index) else { continue };
            let (name, source, target, is_type, place) = (
                header.name.clone(),
                header.source.clone(),
                header.target.clone(),
                header.is_type,
                header.place,
            );
            let Some(node) = trees.maps.get(&name) else { continue };
            self.handles.clear();
            self.calls.clear();
            self.owed.push(Vec::new());
            let source = self.map_source(node, &source, is_type);
            let body = self.body(node, &target, &source);
            let id = self.map_id(node, &target, &source);
            let ignore = self.ignored(node, &source).into();
            let merges = node.get("merge").and_then(Node::scalar) == Some("true");
            self.map_handles.push(std::mem::take(&mut self.handles));
            self.map_calls.push(std::mem::take(&mut self.calls));
            maps.push(Map { name, target, place, body, id, ignore, merges, is_local: false });
        }
        local::mark(&mut maps);
        self.check_circles();
        self.ignored_in_parts(&mut maps);
        maps
    }

    fn map_source(&mut self, node: &Node, source: &str, is_type: bool) -> Source {
        let reads: Vec<String> = node
            .get("reads")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.scalar().map(str::to_owned))
            .collect();
        if let Some(given) = node.get("reads") {
            for item in given.items() {
                let name = item.scalar().unwrap_or_default();
                if dictionary::segment(name).is_none() && !self.site.segments.contains_key(name) {
                    self.findings.add(
                        item.place,
                        "E0214",
                        format!("the segment {name} is in no HL7 version"),
                    );
                }
            }
        }
        if is_type {
            return Source { reads: Some(reads), item: Some(source.to_owned()), ..Source::default() };
        }
        Source { segment: Some(source.to_owned()), reads: Some(reads), ..Source::default() }
    }

    fn body(&mut self, node: &Node, target: &Target, source: &Source) -> Elements {
        match target {
            Target::Resource(kind) => {
                let completeness =
                    if source.segment.is_some() { Completeness::Resource } else { Completeness::Whole };
                self.elements(node, &Shape::of_type(kind.as_str()), source, completeness, MAP_KEYS)
                    .unwrap_or_default()
            }
            Target::Object(path) => self
                .elements(node, &Shape::of_type(path), source, Completeness::Whole, MAP_KEYS)
                .unwrap_or_default(),
            Target::Extension(name) => {
                let Some(shape) = self.extension_shape(name) else { return Elements::default() };
                self.elements(node, &shape, source, Completeness::Whole, MAP_KEYS).unwrap_or_default()
            }
            Target::Text => self.text_body(node, source),
        }
    }

    /// A map to text has the one element `value`.
    fn text_body(&mut self, node: &Node, source: &Source) -> Elements {
        let Some(value) = node.get("value") else {
            self.findings.add(node.place, "E0103", "a map to text needs `value`");
            return Elements::default();
        };
        for entry in node.entries().iter().filter(|entry| {
            entry.key != "value" && entry.key != "$when" && !MAP_KEYS.contains(&entry.key.as_str())
        }) {
            self.findings.add(entry.place, "E0101", format!("unknown key {}", entry.key));
        }
        let slot = Slot {
            name: "value".to_owned(),
            form: Form::Element,
            repeats: false,
            primitive: true,
            removal: Box::default(),
        };
        let shape = Shape::of_type("string");
        let found =
            super::shape::Found { slot, choices: vec![(None, shape)], element: None, targets: Vec::new() };
        let rules = self.rules(value, &found, source);
        let when = node.get("$when").and_then(|when| self.condition_node(when, source));
        Elements {
            when: when.map(Box::new),
            fields: [Field { slot: found.slot, rules: rules.into(), nested: None, basis: Basis::Nothing }]
                .into(),
            ..Elements::default()
        }
    }

    fn map_id(&mut self, node: &Node, target: &Target, source: &Source) -> Option<crate::plan::Expression> {
        let Some(id) = node.get("id") else {
            if matches!(target, Target::Resource(_)) {
                self.findings.add_help(
                    node.get("map").map_or(node.place, |map| map.place),
                    "E0103",
                    "a map to a resource needs `id`",
                    "id: uuid(…)",
                );
            }
            return None;
        };
        if !matches!(target, Target::Resource(_)) {
            self.findings.add(id.place, "E0105", "only a resource has an id");
            return None;
        }
        let text = self.text(id)?;
        let value = self.parsed(id.place, syntax::value(text))?;
        self.expression(&value, id.place, source, Use::First).map(|(value, _)| value)
    }

    /// `ignore:` of a map or message: paths separated by spaces, each with its reason.
    pub(super) fn ignored(&mut self, node: &Node, source: &Source) -> Vec<Ignore> {
        let mut found = Vec::new();
        for entry in node.get("ignore").map(Node::entries).unwrap_or_default() {
            let Some(reason) = self.text(&entry.value).map(str::to_owned) else { continue };
            let mut offset = 0;
            for word in entry.key.split(' ') {
                let at = entry.place.shifted(offset, word.chars().count());
                offset += word.chars().count() + 1;
                if !word.is_empty() {
                    found.extend(self.ignored_path(word, &reason, at, source));
                }
            }
        }
        found
    }

    fn ignored_path(&mut self, word: &str, reason: &str, at: Place, source: &Source) -> Option<Ignore> {
        let parsed = self.parsed(at, syntax::path(word))?;
        let (path, _) = self.path(&parsed, at, source, Use::First)?;
        let (segment, field) = match path.root {
            crate::plan::Root::Segment { name, field, .. } => (name, field),
            crate::plan::Root::Item => (String::new(), None),
        };
        let numbers = field.into_iter().chain(path.steps).collect();
        Some(Ignore { segment, numbers, reason: reason.to_owned() })
    }
}
