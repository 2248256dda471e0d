//! Which segment a name means: the own group instance, else the enclosing one, never a sibling.

use crate::few::Few;
use crate::segment_code;
use hl7v2::dictionary::{Group, GroupInstance, Member, Node};
use hl7v2::{Message, Part};
use std::borrow::Cow;

/// A value met while translating.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    Part(Part<'a>, Level),
    Text(Cow<'a, str>),
    Segment(usize),
}

/// How deep a part lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Repetition,
    Component,
    Subcomponent,
}

/// Component n of a repetition, subcomponent n of a component.
pub(crate) fn child(part: Part<'_>, level: Level, n: u16) -> Option<(Part<'_>, Level)> {
    match level {
        Level::Repetition => Some((part.component(usize::from(n)), Level::Component)),
        Level::Component => Some((part.subcomponent(usize::from(n)), Level::Subcomponent)),
        Level::Subcomponent => (n == 1).then_some((part, level)),
    }
}

/// Where a rule runs.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    pub group: usize,
    /// The segment the map is for.
    pub own: Option<usize>,
    /// The segment `$each` is at.
    pub bound: Option<usize>,
    /// In the filter of a segment: what was bound around it, and in which group.
    pub around: Option<(Option<usize>, usize)>,
    pub item: Option<Value<'a>>,
    /// 1-based position in `$each`.
    pub index: usize,
    /// The instance that is made, for the segments that continue its own.
    pub instance: Option<usize>,
    /// Line of `make`, for ordinals and handles.
    pub make: Option<usize>,
}

impl<'a> Scope<'a> {
    /// The whole message.
    pub fn root() -> Self {
        Scope {
            group: 0,
            own: None,
            bound: None,
            around: None,
            item: None,
            index: 0,
            instance: None,
            make: None,
        }
    }

    /// In the filter of a segment: the place that the filter stands at.
    pub fn outside(&self) -> Self {
        match self.around {
            Some((bound, group)) => Scope { bound, group, around: None, ..self.clone() },
            None => self.clone(),
        }
    }

    /// Where a resource is made.
    pub fn at(instance: &super::Instance) -> Self {
        Scope {
            group: instance.group,
            own: Some(instance.segment),
            make: Some(instance.make),
            ..Scope::root()
        }
    }

    /// The same place with another current item.
    pub fn with_item(&self, item: Value<'a>) -> Self {
        let Scope { group, own, bound, around, item: _, index, instance, make } = *self;
        Scope { group, own, bound, around, item: Some(item), index, instance, make }
    }
}

/// The group instances of a message, flat. Node 0 is the message.
pub(crate) struct Groups<'a> {
    nodes: Vec<GroupNode>,
    of_segment: Vec<usize>,
    names: Vec<&'a str>,
    /// The names as numbers, which are compared at once.
    codes: Vec<u32>,
    /// Each of these numbers once: most of what maps read is in no segment of the message.
    present: Vec<u32>,
}

const MSH: u32 = segment_code::of("MSH");

struct GroupNode {
    name: &'static str,
    parent: Option<usize>,
    segments: Few<usize>,
    groups: Few<usize>,
    grammar: Option<&'static Group>,
    repeats: bool,
}

impl<'a> Groups<'a> {
    /// Arranges a message by its grammar; without one every segment lies in the message itself.
    pub fn new(message: &'a Message<'a>, grammar: Option<&'static Group>) -> Self {
        let names: Vec<&'a str> = message.segments().map(|segment| segment.name()).collect();
        let root = GroupNode {
            name: "",
            parent: None,
            segments: Few::None,
            groups: Few::None,
            grammar,
            repeats: false,
        };
        let codes: Vec<u32> = names.iter().map(|name| segment_code::of(name)).collect();
        let mut present: Vec<u32> = codes.iter().copied().filter(|code| *code != 0).collect();
        present.sort_unstable();
        present.dedup();
        let of_segment = vec![0; names.len()];
        // Most groups hold a segment of their own.
        let mut nodes = Vec::with_capacity(names.len() + 1);
        nodes.push(root);
        let mut groups = Groups { nodes, of_segment, names, codes, present };
        match grammar {
            Some(grammar) => groups.take(0, &hl7v2::dictionary::arrange(message, grammar)),
            None => (0..groups.names.len()).for_each(|segment| groups.put(0, segment)),
        }
        groups
    }

    fn put(&mut self, at: usize, segment: usize) {
        if let (Some(node), Some(slot)) = (self.nodes.get_mut(at), self.of_segment.get_mut(segment)) {
            node.segments.push(segment);
            *slot = at;
        }
    }

    fn take(&mut self, at: usize, instance: &GroupInstance) {
        for child in &instance.children {
            match child {
                Node::Segment(segment) => self.put(at, *segment),
                Node::Group(inner) => {
                    let grammar = self
                        .nodes
                        .get(at)
                        .and_then(|node| node.grammar)
                        .and_then(|grammar| member(grammar, inner.name));
                    let index = self.nodes.len();
                    self.nodes.push(GroupNode {
                        name: inner.name,
                        parent: Some(at),
                        segments: Few::None,
                        groups: Few::None,
                        grammar,
                        repeats: grammar.is_none_or(|group| group.repeats),
                    });
                    if let Some(node) = self.nodes.get_mut(at) {
                        node.groups.push(index);
                    }
                    self.take(index, inner);
                }
            }
        }
    }

    /// Name of a segment of the message.
    pub fn name(&self, segment: usize) -> &'a str {
        self.names.get(segment).copied().unwrap_or_default()
    }

    /// The group instance a segment lies in.
    pub fn group_of(&self, segment: usize) -> usize {
        self.of_segment.get(segment).copied().unwrap_or(0)
    }

    /// The group and all that enclose it, innermost first.
    pub fn chain(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(group), |at| self.nodes.get(*at).and_then(|node| node.parent))
    }

    /// First segment of a name in the message.
    pub fn first(&self, name: &str) -> Option<usize> {
        self.all(name).next()
    }

    /// Is this segment one of this name?
    pub fn is(&self, segment: usize, code: u32) -> bool {
        code != 0 && self.codes.get(segment) == Some(&code)
    }

    /// The name of a segment as a number; 0 for what has none.
    pub fn code_of(&self, segment: usize) -> u32 {
        self.codes.get(segment).copied().unwrap_or(0)
    }

    /// Has the message a segment of this name?
    pub fn has(&self, name: &str) -> bool {
        self.present.contains(&segment_code::of(name))
    }

    /// Every segment of a name in the message.
    pub fn all(&self, name: &str) -> impl Iterator<Item = usize> + use<'_, 'a> {
        let code = segment_code::of(name);
        let end = if self.present.contains(&code) { self.codes.len() } else { 0 };
        (0..end).filter(move |segment| self.is(*segment, code))
    }

    /// What a name means at a place.
    pub fn find(&self, name: &str, every: bool, scope: &Scope<'_>) -> Few<usize> {
        let wanted = segment_code::of(name);
        if !every {
            let near =
                [scope.bound, scope.own].into_iter().flatten().find(|segment| self.is(*segment, wanted));
            if near.is_some() {
                return near.into();
            }
            if wanted == MSH {
                return self.first(name).into();
            }
        }
        let mut found = Few::default();
        if !self.present.contains(&wanted) {
            return found;
        }
        for at in self.chain(scope.group) {
            self.inside(at, wanted, every, &mut found);
            let is_its_own =
                || self.nodes.get(at).and_then(|node| node.grammar).is_some_and(|it| declares(it, name));
            if !found.is_empty() || is_its_own() {
                break;
            }
        }
        found
    }

    /// Segments of a name in a group, all or the first: its own, else those of groups in it that do not repeat.
    fn inside(&self, at: usize, wanted: u32, every: bool, found: &mut Few<usize>) {
        let Some(node) = self.nodes.get(at) else { return };
        let limit = if every { usize::MAX } else { 1 };
        let before = found.len();
        found.extend(node.segments.iter().copied().filter(|segment| self.is(*segment, wanted)).take(limit));
        if found.len() > before {
            return;
        }
        for group in node.groups.iter() {
            if self.nodes.get(*group).is_some_and(|node| !node.repeats) {
                self.inside(*group, wanted, every, found);
                if !every && !found.is_empty() {
                    return;
                }
            }
        }
    }

    /// Segments by group path below the nearest enclosing group that has such groups. One that may have them and has none
    /// ends the search: the timing of one order is never that of the next.
    pub fn find_in_groups(&self, path: &[String], name: &str, every: bool, from: usize) -> Few<usize> {
        if !self.has(name) {
            return Few::default();
        }
        let wanted = segment_code::of(name);
        let limit = if every { usize::MAX } else { 1 };
        for at in self.chain(from) {
            let mut groups = Few::default();
            self.matching(at, path, &mut groups);
            if groups.is_empty() {
                let grammar = self.nodes.get(at).and_then(|node| node.grammar);
                if grammar.is_some_and(|grammar| may_hold(grammar, path)) {
                    break;
                }
                continue;
            }
            let of_group = |group: usize| {
                let own = self.nodes.get(group).map(|node| &*node.segments).unwrap_or_default();
                own.iter().copied().filter(|segment| self.is(*segment, wanted)).take(limit)
            };
            return groups.into_iter().flat_map(of_group).collect();
        }
        Few::default()
    }

    fn matching(&self, at: usize, path: &[String], found: &mut Few<usize>) {
        let Some(node) = self.nodes.get(at) else { return };
        for group in node.groups.iter() {
            let around = self.chain(*group).filter_map(|index| self.nodes.get(index)).map(|node| node.name);
            if around.take(path.len()).eq(path.iter().rev()) {
                found.push(*group);
            } else {
                self.matching(*group, path, found);
            }
        }
    }
}

fn member(grammar: &'static Group, name: &str) -> Option<&'static Group> {
    grammar.members.iter().find_map(|member| match member {
        Member::Group(group) if group.name == name => Some(*group),
        Member::Group(_) | Member::Segment { .. } => None,
    })
}

/// Can the group hold groups of this path, at any depth?
fn may_hold(grammar: &Group, path: &[String]) -> bool {
    grammar.members.iter().any(|member| match member {
        Member::Segment { .. } => false,
        Member::Group(group) => leads(group, path) || may_hold(group, path),
    })
}

/// Is this group the first of the path, and does the rest lie below it step by step?
fn leads(group: &Group, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    group.name == first.as_str()
        && (rest.is_empty()
            || group
                .members
                .iter()
                .any(|member| matches!(member, Member::Group(inner) if leads(inner, rest))))
}

/// Can the group itself hold this segment (its own, or in a group that does not repeat)?
fn declares(grammar: &Group, name: &str) -> bool {
    grammar.members.iter().any(|member| match member {
        Member::Segment { name: known, .. } => *known == name,
        Member::Group(group) => !group.repeats && declares(group, name),
    })
}
