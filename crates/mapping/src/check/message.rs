//! `messages/*.yaml`.

use super::element::{Completeness, Keyed};
use super::shape::Shape;
use super::source::{Source, Use};
use super::{Checker, Trees};
use crate::Mode;
use crate::diagnostic::Place;
use crate::plan::{Elements, Event, Kept, Make, MessagePlan, Path, Target};
use crate::segment_code;
use crate::syntax;
use crate::yaml::{Kind, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) const MESSAGE_KEYS: &[&str] = &[
    "message",
    "for",
    "structure",
    "extends",
    "require",
    "make",
    "join_text",
    "merge",
    "renumber",
    "move",
    "link",
    "unlink",
    "events",
    "ignore",
    "bundle",
    "doc",
];

type Triggers = BTreeMap<(String, String), usize>;

impl Checker<'_> {
    pub(super) fn messages(&mut self, trees: &Trees) -> (Vec<MessagePlan>, Triggers) {
        let mut plans = Vec::new();
        let mut triggers = Triggers::new();
        let mut reached = BTreeSet::new();
        for name in trees.messages.keys() {
            let Some(node) = self.inherited(name, trees, &mut Vec::new()) else { continue };
            let plan = self.message(name, &node);
            let events = self.triggers(name, &node, plans.len(), &mut triggers);
            self.check_handles(&plan, &node);
            self.check_transient(&plan, &node);
            self.check_owed(&plan, &events, &node);
            reached.extend(plan.make.iter().map(|make| make.map));
            plans.push(plan);
        }
        self.check_unmade(&reached);
        (plans, triggers)
    }

    /// The tree with everything it extends.
    fn inherited(&mut self, name: &str, trees: &Trees, chain: &mut Vec<String>) -> Option<Arc<Node>> {
        let node = trees.messages.get(name)?;
        let Some(base) = node.get("extends") else { return Some(Arc::clone(node)) };
        let base_name = self.text(base)?.to_owned();
        if chain.contains(&base_name) || base_name == name {
            self.findings.add(base.place, "E0406", "this goes round in a circle");
            return None;
        }
        if !trees.messages.contains_key(&base_name) {
            self.findings.add_near(
                base.place,
                "E0406",
                format!("no message file {base_name}"),
                &base_name,
                trees.messages.keys().map(String::as_str),
            );
            return None;
        }
        chain.push(name.to_owned());
        let parent = self.inherited(&base_name, trees, chain)?;
        Some(Arc::new(merged(&parent, node)))
    }

    fn message(&mut self, name: &str, node: &Node) -> MessagePlan {
        self.only_keys(node, MESSAGE_KEYS);
        if let Some(bundle) = node.get("bundle").filter(|bundle| bundle.scalar() != Some("transaction")) {
            self.findings.add(bundle.place, "E0105", "bundle can only be transaction");
        }
        let source = Source::default();
        let require = node
            .get("require")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| self.required(item, &source))
            .collect();
        let mut make = Vec::new();
        for entry in node.get("make").map(Node::entries).unwrap_or_default() {
            for item in entry.value.items() {
                make.extend(self.make(&entry.key, item));
            }
        }
        if make.is_empty() {
            self.findings.add(node.place, "E0103", "the message file makes nothing");
        }
        let events = self.events(node, &make);
        let ignore = self.ignored(node, &source);
        let merges = self.pairs(node, "merge", &make);
        let renumbers = self.pairs(node, "renumber", &make);
        let moves = self.moves(node, &make);
        let link = self.link(node, &make);
        let join_text = match node.get("join_text") {
            None => false,
            Some(given) if given.scalar() == Some("OBX") => true,
            Some(given) => {
                self.findings.add(given.place, "E0105", "join_text can only be OBX");
                false
            }
        };
        let structure = node.get("structure").and_then(Node::scalar).map(str::to_owned);
        if structure.as_deref().is_some_and(|id| hl7v2::dictionary::structure(id).is_none()) {
            self.findings.add(node.place, "E0214", "no HL7 version has this message structure");
        }
        let origins = make.iter().map(|line| (line.handle.number, segment_code::of(&line.segment)));
        let origins: BTreeSet<(usize, u32)> = origins.collect();
        MessagePlan {
            name: name.to_owned(),
            structure,
            require,
            origins: origins.into_iter().collect(),
            make: make.into(),
            events,
            ignore: ignore.into(),
            merges: merges.into(),
            renumbers: renumbers.into(),
            moves: moves.into(),
            link,
            join_text,
        }
    }

    fn required(&mut self, item: &Node, source: &Source) -> Option<Path> {
        let text = self.text(item)?;
        let parsed = self.parsed(item.place, syntax::path(text))?;
        let (mut path, _) = self.path(&parsed, item.place, source, Use::Any)?;
        if let crate::plan::Root::Segment { absolute, .. } = &mut path.root {
            *absolute = true;
        }
        Some(path)
    }

    fn make(&mut self, handle: &str, node: &Node) -> Option<Make> {
        let text_node = match &node.kind {
            Kind::Scalar(_) => node,
            Kind::Map(_) | Kind::List(_) => {
                self.only_keys(node, &["map", "when", "unless", "mode"]);
                node.get("map").or_else(|| {
                    self.findings.add(node.place, "E0103", "`map: SEGMENT -> Type` is missing");
                    None
                })?
            }
        };
        let text = self.text(text_node)?;
        let Some((from, target)) = text.split_once("->") else {
            self.findings.add(text_node.place, "E0201", "`SEGMENT -> Type` is expected here");
            return None;
        };
        let parsed = self.parsed(text_node.place, syntax::path(from.trim_end()))?;
        let syntax::Root::Segment { name, groups, every, filter: None, field: None, .. } = parsed.root else {
            self.findings.add(text_node.place, "E0201", "a segment is expected before the arrow");
            return None;
        };
        let map_name = format!("{name}.{}", target.trim());
        let known = self.map_names.get(&map_name).copied();
        if known
            .and_then(|map| self.headers.get(map))
            .is_some_and(|header| header.target.resource().is_none())
        {
            let message = format!("{} is no resource: it is made where it is a part of one", target.trim());
            self.findings.add_help(text_node.place, "E0105", message, format!("{name} as {map_name}"));
            return None;
        }
        let Some(map) = known else {
            let names: Vec<String> = self.map_names.keys().cloned().collect();
            self.findings.add_near(
                text_node.place,
                "E0401",
                format!("no map {name} -> {}", target.trim()),
                &map_name,
                names.iter().map(String::as_str),
            );
            return None;
        };
        let source = Source { segment: Some(name.clone()), ..Source::default() };
        let when = if node.is_map() { self.guard(node, &source)? } else { None };
        let stated = node.get("mode").and_then(Node::scalar);
        let mode = match stated {
            None | Some("transient") => None,
            Some("merge") => Some(Mode::Merge),
            Some("replace") => Some(Mode::Replace),
            Some(other) => {
                self.findings.add_help(
                    node.place,
                    "E0105",
                    format!("{other} is no mode"),
                    "merge, replace or transient",
                );
                None
            }
        };
        let is_transient = stated == Some("transient");
        let handle = self.handle(handle);
        Some(Make { handle, segment: name, groups: groups.into(), every, map, when, mode, is_transient })
    }

    /// `link: HANDLE` or `unlink: HANDLE`: what the message says of the Patients of that handle.
    fn link(&mut self, node: &Node, make: &[Make]) -> Option<(String, bool)> {
        let (given, is_one) = match (node.get("link"), node.get("unlink")) {
            (Some(given), None) => (given, true),
            (None, Some(given)) => (given, false),
            (None, None) => return None,
            (Some(_), Some(given)) => {
                self.findings.add(given.place, "E0103", "a message links patients or unlinks them");
                return None;
            }
        };
        let name = given.scalar()?.to_owned();
        self.known_handle(&name, given.place, make).then_some((name, is_one))
    }

    pub(super) fn known_handle(&mut self, name: &str, place: Place, make: &[Make]) -> bool {
        let known = make.iter().any(|line| line.handle.name == name);
        if !known {
            self.findings.add_near(
                place,
                "E0403",
                format!("no handle {name}"),
                name,
                make.iter().map(|line| line.handle.name.as_str()),
            );
        }
        known
    }

    fn events(&mut self, node: &Node, make: &[Make]) -> BTreeMap<String, Event> {
        let mut events = BTreeMap::new();
        for entry in node.get("events").map(Node::entries).unwrap_or_default() {
            events.insert(entry.key.clone(), self.event(&entry.value, make));
        }
        events
    }

    fn event(&mut self, node: &Node, make: &[Make]) -> Event {
        let mut event = Event::default();
        for entry in node.entries() {
            match entry.key.as_str() {
                "update" | "replace" | "skip" => {
                    let names: BTreeSet<String> = entry
                        .value
                        .items()
                        .iter()
                        .filter_map(|item| item.scalar().map(|name| (name.to_owned(), item.place)))
                        .filter(|(name, place)| self.known_handle(name, *place, make))
                        .map(|(name, _)| name)
                        .collect();
                    match entry.key.as_str() {
                        "update" => event.update = names,
                        "replace" => event.replace = names,
                        _ => event.skip = names,
                    }
                }
                "clear" => {
                    for item in entry.value.items() {
                        event.clear.extend(self.cleared(item, make));
                    }
                }
                "undo" => {
                    for item in entry.value.items() {
                        event.undo.extend(self.undone(item, make));
                    }
                }
                "keep" => {
                    for item in entry.value.items() {
                        event.keep.extend(self.kept(item, make));
                    }
                }
                path => event.overrides.extend(self.event_override(path, entry.place, &entry.value, make)),
            }
        }
        event
    }

    fn cleared(&mut self, item: &Node, make: &[Make]) -> Option<(String, Vec<String>)> {
        let text = self.text(item)?;
        let (handle, path) = text.split_once('.').unwrap_or((text, ""));
        if !self.known_handle(handle, item.place, make) {
            return None;
        }
        let map = make.iter().find(|line| line.handle.name == handle)?.map;
        let mut shape = self.resource_shape(map)?;
        let mut parts = Vec::new();
        for part in path.split('.') {
            let found = self.find(&shape, part, item.place)?;
            parts.push(found.slot.name.clone());
            shape = found.choices.into_iter().next()?.1;
        }
        Some((handle.to_owned(), parts))
    }

    /// `undo: visit.location`: a list of the visit.
    fn undone(&mut self, item: &Node, make: &[Make]) -> Option<(String, String)> {
        let (handle, parts) = self.cleared(item, make)?;
        match <[String; 1]>::try_from(parts) {
            Ok([element]) if element == "location" => Some((handle, element)),
            _ => {
                self.findings.add_help(
                    item.place,
                    "E0101",
                    "only the places of a visit can be undone",
                    "undo: visit.location",
                );
                None
            }
        }
    }

    /// `keep: visit.status`: a top-level element of a handle; `keep: visit`: all of it.
    fn kept(&mut self, item: &Node, make: &[Make]) -> Option<(String, Kept)> {
        let text = self.text(item)?;
        if !text.contains('.') {
            return self.known_handle(text, item.place, make).then(|| (text.to_owned(), Kept::Everything));
        }
        let (handle, parts) = self.cleared(item, make)?;
        match <[String; 1]>::try_from(parts) {
            Ok([element]) => Some((handle, Kept::Element(element))),
            Err(_) => {
                self.findings.add_help(
                    item.place,
                    "E0101",
                    "keep names a handle or an element of its resource",
                    "keep: visit.status",
                );
                None
            }
        }
    }

    fn resource_shape(&self, map: usize) -> Option<Shape> {
        match &self.headers.get(map)?.target {
            Target::Resource(kind) => Some(Shape::of_type(kind.as_str())),
            Target::Object(_) | Target::Extension(_) | Target::Text => None,
        }
    }

    fn event_override(
        &mut self,
        path: &str,
        place: Place,
        value: &Node,
        make: &[Make],
    ) -> Option<(String, Elements)> {
        let Some((handle, rest)) = path.split_once('.') else {
            self.findings.add_near(
                place,
                "E0101",
                format!("unknown key {path}"),
                path,
                ["update", "replace", "clear", "keep", "skip", "undo"],
            );
            return None;
        };
        if !self.known_handle(handle, place, make) {
            return None;
        }
        let line = make.iter().find(|line| line.handle.name == handle)?;
        let shape = self.resource_shape(line.map)?;
        let source = Source { segment: Some(line.segment.clone()), ..Source::default() };
        let keys = vec![Keyed { parts: rest.split('.').collect(), place, node: value }];
        let fields = self.fields(keys, &shape, &source, Completeness::Partial, place);
        Some((handle.to_owned(), Elements { fields: fields.into(), ..Elements::default() }))
    }

    fn triggers(&mut self, name: &str, node: &Node, plan: usize, triggers: &mut Triggers) -> Vec<String> {
        let default_code = name.split('_').next().unwrap_or(name);
        let Some(given) = node.get("for") else {
            self.findings.add_help(
                node.place,
                "E0103",
                "the message file needs `for`, its trigger events",
                "for: [A01]",
            );
            return Vec::new();
        };
        let mut events = Vec::new();
        for item in given.items() {
            let text = item.scalar().unwrap_or_default();
            let (code, event) = text.split_once('^').unwrap_or((default_code, text));
            if triggers.insert((code.to_owned(), event.to_owned()), plan).is_some() {
                self.findings.add(
                    item.place,
                    "E0405",
                    format!("{code}^{event} belongs to another message file already"),
                );
            }
            events.push(event.to_owned());
        }
        events
    }

    /// Handles that the maps of this message name for their ids must stand above them.
    fn check_handles(&mut self, plan: &MessagePlan, node: &Node) {
        for (position, line) in plan.make.iter().enumerate() {
            let needed: Vec<(String, Place)> = self
                .map_handles
                .get(line.map)
                .into_iter()
                .flatten()
                .filter(|(_, _, for_id)| *for_id)
                .map(|(handle, place, _)| (handle.clone(), *place))
                .collect();
            for (handle, place) in needed {
                let above = plan.make.iter().take(position).any(|other| other.handle.name == handle);
                let below = plan.make.iter().skip(position).any(|other| other.handle.name == handle);
                if below && !above {
                    self.findings.add_help(
                        place,
                        "E0403",
                        format!("{handle} is made after {} in {}", line.handle.name, plan.name),
                        format!("move {handle} up in `make`"),
                    );
                }
            }
        }
        if plan.make.iter().any(|line| line.handle.name == "*" || line.handle.name.is_empty()) {
            self.findings.add(node.place, "E0105", "a handle needs a name");
        }
        let handles: BTreeSet<&str> = plan.make.iter().map(|line| line.handle.name.as_str()).collect();
        let made: BTreeSet<usize> = plan.make.iter().map(|line| line.map).collect();
        for map in self.reached(made) {
            for (handle, ..) in self.map_handles.get(map).into_iter().flatten() {
                if handles.contains(handle.as_str()) {
                    self.known_handles.insert((map, handle.clone()));
                }
            }
        }
    }

    /// What is stored may not refer to what is of the message only; a merge and a link speak of stored patients.
    fn check_transient(&mut self, plan: &MessagePlan, node: &Node) {
        for line in plan.make.iter().filter(|line| !line.is_transient) {
            if plan.is_transient(&line.handle.name) {
                let text = format!("{} is transient in one line and stored in another", line.handle.name);
                self.findings.add(node.place, "E0408", text);
            }
            for map in self.reached(BTreeSet::from([line.map])) {
                let named = self.map_handles.get(map).into_iter().flatten();
                let lost: Vec<_> = named.filter(|(handle, ..)| plan.is_transient(handle)).cloned().collect();
                for (handle, place, _) in lost {
                    let text =
                        format!("{} is stored and {handle} is not, in {}", line.handle.name, plan.name);
                    self.findings.add(place, "E0408", text);
                }
            }
        }
        let pairs = plan.merges.iter().chain(&plan.renumbers);
        let paired = pairs.flat_map(|pair| [&pair.stays, &pair.ends]);
        let moved = plan.moves.iter().flat_map(|moved| [&moved.record, &moved.from, &moved.to]);
        let linked = plan.link.iter().map(|(handle, _)| handle);
        for handle in paired.chain(moved).chain(linked).filter(|handle| plan.is_transient(handle)) {
            let text = format!("{handle} is transient: nothing of it is kept");
            self.findings.add(node.place, "E0408", text);
        }
    }

    /// These maps and all that they call.
    pub(super) fn reached(&self, mut reached: BTreeSet<usize>) -> BTreeSet<usize> {
        let mut open: Vec<usize> = reached.iter().copied().collect();
        while let Some(index) = open.pop() {
            for called in self.map_calls.get(index).into_iter().flatten() {
                if reached.insert(*called) {
                    open.push(*called);
                }
            }
        }
        reached
    }

    /// Required elements that a map leaves out must come from every event.
    fn check_owed(&mut self, plan: &MessagePlan, events: &[String], node: &Node) {
        for line in &plan.make {
            let owed = self.owed.get(line.map).cloned().unwrap_or_default();
            for (element, place) in owed {
                let given = |event: &String| {
                    plan.events.get(event).is_some_and(|event| {
                        event.overrides.iter().any(|(handle, elements)| {
                            *handle == line.handle.name
                                && elements.fields.iter().any(|field| field.slot.name == element)
                        })
                    })
                };
                if let Some(missing) = events.iter().find(|event| !given(event)) {
                    let map =
                        self.headers.get(line.map).map(|header| header.name.clone()).unwrap_or_default();
                    self.findings.add_help(
                        place,
                        "E0305",
                        format!("{element} is required and no rule of {map} fills it"),
                        format!(
                            "add a rule, or set {}.{element} for {missing} in {}",
                            line.handle.name, plan.name
                        ),
                    );
                }
            }
        }
        if events.is_empty() && node.get("for").is_some() {
            self.findings.add(node.place, "E0103", "`for` names no event");
        }
    }

    /// Maps that nothing makes, and handles that no message has.
    fn check_unmade(&mut self, made: &BTreeSet<usize>) {
        let reached = self.reached(made.clone());
        for (index, header) in self.headers.iter().enumerate() {
            if !reached.contains(&index) {
                self.findings.add(header.place, "E0407", format!("the map {} is used nowhere", header.name));
            }
        }
        for (index, handles) in self.map_handles.iter().enumerate() {
            let is_type = self.headers.get(index).is_none_or(|header| header.is_type);
            let is_unknown = |handle: &str| !self.known_handles.contains(&(index, handle.to_owned()));
            for (handle, place, _) in handles.iter().filter(|(handle, ..)| is_unknown(handle) && !is_type) {
                self.findings.add(
                    *place,
                    "E0403",
                    format!("no message that makes this has the handle {handle}"),
                );
            }
        }
    }
}

/// The child's keys over the parent's; `make`, `events` and `ignore` key by key; `drop` takes one away, at either level.
fn merged(parent: &Node, child: &Node) -> Node {
    let mut entries = parent.entries().to_vec();
    entries.retain(|entry| entry.key != "for");
    for entry in child.entries().iter().filter(|entry| entry.key != "extends") {
        let by_key = matches!(entry.key.as_str(), "make" | "events" | "ignore");
        if entry.value.scalar() == Some("drop") {
            entries.retain(|other| other.key != entry.key);
            continue;
        }
        match entries.iter_mut().find(|other| other.key == entry.key) {
            Some(other) if by_key => other.value = merged_keys(&other.value, &entry.value),
            Some(other) => *other = entry.clone(),
            None => entries.push(entry.clone()),
        }
    }
    Node { place: child.place, kind: Kind::Map(entries) }
}

fn merged_keys(parent: &Node, child: &Node) -> Node {
    let mut entries = parent.entries().to_vec();
    for entry in child.entries() {
        if entry.value.scalar() == Some("drop") {
            entries.retain(|other| other.key != entry.key);
        } else if let Some(other) = entries.iter_mut().find(|other| other.key == entry.key) {
            *other = entry.clone();
        } else {
            entries.push(entry.clone());
        }
    }
    Node { place: child.place, kind: Kind::Map(entries) }
}
