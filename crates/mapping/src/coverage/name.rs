//! Where a leaf stands, as people write it.

use hl7v2::{Leaf, LeafPath, Message, Part};
use std::fmt;

/// `PID-3~2.4.2`: repetition, component and subcomponent only where there is more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LeafName {
    /// Zeros for a line that is no segment.
    segment: [u8; 3],
    /// From 1; 0 for a place that the message does not have, which has no name.
    field: u16,
    /// From 1, as the others below; 0 where there is one only.
    repetition: u16,
    component: u16,
    subcomponent: u16,
}

impl LeafName {
    /// The name of a leaf of a message.
    pub fn of(message: &Message<'_>, path: LeafPath) -> Self {
        Names::new(message).at(path)
    }

    /// The name of a part of one repetition as a part of another; what lies elsewhere stays.
    pub(crate) fn moved(self, from: Self, to: Self) -> Self {
        let place = |name: Self| (name.segment, name.field, name.repetition);
        if place(self) != place(from) {
            return self;
        }
        Self { segment: to.segment, field: to.field, repetition: to.repetition, ..self }
    }

    /// Reads a name as it is written; `None` when it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (segment, rest) = text.split_once('-')?;
        let (field, rest) = rest.split_at(rest.find(['~', '.']).unwrap_or(rest.len()));
        let (repetition, rest) = match rest.strip_prefix('~') {
            Some(rest) => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            None => ("0", rest),
        };
        let mut parts = rest.split('.').skip(1).map(str::parse);
        Some(Self {
            segment: segment.as_bytes().try_into().ok()?,
            field: field.parse().ok().filter(|field| *field > 0)?,
            repetition: repetition.parse().ok()?,
            component: parts.next().unwrap_or(Ok(0)).ok()?,
            subcomponent: parts.next().unwrap_or(Ok(0)).ok()?,
        })
    }
}

/// Names the leaves of a message. Those of one repetition, asked for together, cost one look at it.
pub(super) struct Names<'a> {
    message: &'a Message<'a>,
    /// The repetition that was looked at last.
    last: Option<Repetition<'a>>,
}

#[derive(Clone, Copy)]
struct Repetition<'a> {
    segment: u32,
    number: u16,
    field: u16,
    /// As far as the repetition alone says it.
    name: LeafName,
    part: Part<'a>,
    has_components: bool,
}

impl<'a> Names<'a> {
    pub fn new(message: &'a Message<'a>) -> Self {
        Names { message, last: None }
    }

    pub fn of(&mut self, leaf: &Leaf) -> LeafName {
        self.at(leaf.path)
    }

    fn at(&mut self, path: LeafPath) -> LeafName {
        let is_last = |last: &Repetition<'_>| {
            (last.segment, last.field, last.number) == (path.segment, path.field, path.repetition)
        };
        let Some(repetition) = self.last.filter(is_last).or_else(|| self.repetition(path)) else {
            return LeafName::default();
        };
        self.last = Some(repetition);
        let Repetition { name, part, has_components, .. } = repetition;
        let has_subcomponents = part.component(usize::from(path.component)).is_divided();
        let shown = |number: u16, is_shown: bool| if is_shown { number } else { 0 };
        LeafName {
            component: shown(path.component, has_components || has_subcomponents),
            subcomponent: shown(path.subcomponent, has_subcomponents),
            ..name
        }
    }

    fn repetition(&self, path: LeafPath) -> Option<Repetition<'a>> {
        let segment = self.message.segment(usize::try_from(path.segment).ok()?)?;
        let field = segment.field(usize::from(path.field));
        let part = field.repetition(usize::from(path.repetition));
        let name = LeafName {
            segment: segment.name().as_bytes().try_into().unwrap_or_default(),
            field: path.field,
            repetition: if field.is_divided() { path.repetition.saturating_add(1) } else { 0 },
            ..LeafName::default()
        };
        Some(Repetition {
            segment: path.segment,
            number: path.repetition,
            field: path.field,
            name,
            part,
            has_components: part.is_divided(),
        })
    }
}

impl fmt::Display for LeafName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field == 0 {
            return Ok(());
        }
        f.write_str(std::str::from_utf8(&self.segment).unwrap_or_default().trim_end_matches('\0'))?;
        for (mark, number) in
            [('-', self.field), ('~', self.repetition), ('.', self.component), ('.', self.subcomponent)]
        {
            if number > 0 {
                write!(f, "{mark}{number}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::LeafName;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for text in ["PID-7", "PID-3~2", "PID-5.1", "ZZ1-3~2.4.2", "OBX-5.1.3"] {
            assert_eq!(LeafName::parse(text).map(|name| name.to_string()).as_deref(), Some(text));
        }
        for text in ["", "PID", "PID-", "PID-0", "PID-x", "PIDX-1", "PID-1~", "PID-1.x"] {
            assert!(LeafName::parse(text).is_none(), "{text}");
        }
    }
}
