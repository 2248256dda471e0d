//! Sorts the segments of a message into the groups of its structure.

use super::{Group, Member};
use crate::Message;

/// One group instance met in a message: its segments and child groups, in message order.
#[derive(Debug)]
pub struct GroupInstance {
    /// Name of the group.
    pub name: &'static str,
    /// What it holds.
    pub children: Vec<Node>,
}

/// What a group instance holds.
#[derive(Debug)]
pub enum Node {
    /// A segment, by its 0-based index in the message.
    Segment(usize),
    /// A group instance below.
    Group(GroupInstance),
}

/// Sorts the segments of a message into group instances, leniently. Every segment of the message is in the result
/// exactly once and in order:
///
/// - NTE, Z segments, unknown segments and stray lines stay with the segment they follow;
/// - a segment goes forward in the innermost open group that takes it, or opens a group that starts with it;
/// - a group also opens at a later segment of its own when its first one was left out;
/// - a segment out of order goes to the innermost open group that knows it;
/// - any other stays in the innermost open group.
#[must_use]
pub fn arrange(message: &Message<'_>, structure: &'static Group) -> GroupInstance {
    let mut open = Open { frames: vec![Frame::new(structure)] };
    for segment in message.segments() {
        let name = segment.name();
        if !(name == "NTE" || name.starts_with('Z') || name.is_empty()) {
            let _is_expected = open.forward(name) || open.forward_incomplete(name) || open.backward(name);
        }
        open.add(Node::Segment(segment.index));
    }
    open.close()
}

struct Frame {
    group: &'static Group,
    /// The member met last.
    at: usize,
    /// Whether member `at` was met at all.
    met: bool,
    instance: GroupInstance,
}

impl Frame {
    fn new(group: &'static Group) -> Self {
        Self { group, at: 0, met: false, instance: GroupInstance { name: group.name, children: Vec::new() } }
    }

    /// Members that may still come, with their positions.
    fn ahead(&self) -> impl Iterator<Item = (usize, &'static Member)> + use<> {
        let (at, met) = (self.at, self.met);
        let members = self.group.members.iter().enumerate().skip(at);
        members.filter(move |(position, member)| *position > at || !met || member.repeats())
    }
}

struct Open {
    /// Outermost first; never empty.
    frames: Vec<Frame>,
}

impl Open {
    /// The next place in order, innermost group first.
    fn forward(&mut self, name: &str) -> bool {
        self.enter(|frame| frame.ahead().find(|(_, member)| member.starts_with(name)), name)
    }

    /// A group whose first segment was left out, opened by another segment of its own.
    fn forward_incomplete(&mut self, name: &str) -> bool {
        let has = |member: &Member| matches!(member, Member::Group(group) if group.has(name));
        self.enter(|frame| frame.ahead().find(|(_, member)| has(member)), name)
    }

    /// A segment out of order, in the innermost group that knows it; the order is not set back.
    fn backward(&mut self, name: &str) -> bool {
        let find = |frame: &Frame| {
            let member = frame.group.members.iter().find(|member| member.starts_with_first(name))?;
            Some((frame.at, member))
        };
        let depth = self.frames.iter().rposition(|frame| frame.group.has(name) || find(frame).is_some());
        let Some(depth) = depth else { return false };
        let found = self.frames.get(depth).and_then(find);
        self.close_below(depth);
        if let Some((_, Member::Group(group))) = found {
            self.open(group, name);
        }
        true
    }

    fn enter(&mut self, find: impl Fn(&Frame) -> Option<(usize, &'static Member)>, name: &str) -> bool {
        let found =
            self.frames.iter().enumerate().rev().find_map(|(depth, frame)| Some((depth, find(frame)?)));
        let Some((depth, (at, member))) = found else { return false };
        self.close_below(depth);
        if let Some(frame) = self.frames.last_mut() {
            frame.at = at;
            frame.met = true;
        }
        if let Member::Group(group) = member {
            self.open(group, name);
        }
        true
    }

    /// Opens a group, and in it the groups that lead to the segment.
    fn open(&mut self, group: &'static Group, name: &str) {
        let mut frame = Frame::new(group);
        let place = group.members.iter().position(|member| member.starts_with(name));
        frame.at = place.unwrap_or(0);
        frame.met = place.is_some();
        self.frames.push(frame);
        if let Some(Member::Group(inner)) = place.and_then(|at| group.members.get(at)) {
            self.open(inner, name);
        }
    }

    fn add(&mut self, node: Node) {
        if let Some(frame) = self.frames.last_mut() {
            frame.instance.children.push(node);
        }
    }

    fn close_below(&mut self, depth: usize) {
        while self.frames.len() > depth + 1 {
            if let Some(frame) = self.frames.pop() {
                self.add(Node::Group(frame.instance));
            }
        }
    }

    fn close(mut self) -> GroupInstance {
        self.close_below(0);
        // The root frame is put in when `Open` is made and `close_below` never takes it.
        self.frames.pop().map_or(GroupInstance { name: "", children: Vec::new() }, |frame| frame.instance)
    }
}

impl Member {
    fn repeats(&self) -> bool {
        match self {
            Self::Segment { repeats, .. } => *repeats,
            Self::Group(group) => group.repeats,
        }
    }

    fn is_optional(&self) -> bool {
        match self {
            Self::Segment { optional, .. } => *optional,
            Self::Group(group) => group.optional,
        }
    }

    /// The segment itself, or a group that may start with it.
    fn starts_with(&self, name: &str) -> bool {
        match self {
            Self::Segment { name: own, .. } => *own == name,
            Self::Group(_) => self.starts_with_first(name),
        }
    }

    /// A group that may start with the segment.
    fn starts_with_first(&self, name: &str) -> bool {
        let Self::Group(group) = self else { return false };
        for member in group.members {
            if member.starts_with(name) {
                return true;
            }
            if !member.is_optional() {
                return false;
            }
        }
        false
    }
}

impl Group {
    /// The group has the segment as a member of its own.
    fn has(&self, segment: &str) -> bool {
        self.members.iter().any(|member| matches!(member, Member::Segment { name, .. } if *name == segment))
    }
}
