//! Paths to a place in a message, as people write them: `PID-3`, `PID-3~2.1`, `OBX(3)-5`, `PID-3~2.4.2`.
//!
//! `SEG[(n)]-field[~repetition][.component[.subcomponent]]`, every number 1-based. [`LeafPath`] is the form for
//! programs; [`LeafPath::describe`] gives the shortest path that leads to the same leaf.

use std::fmt;
use std::str::FromStr;

use crate::{LeafPath, Message, Part};

/// A path to a field or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    segment: [u8; 3],
    occurrence: u32,
    field: u16,
    repetition: Option<u16>,
    component: Option<u16>,
    subcomponent: Option<u16>,
}

/// Why a text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not begin with three letters or digits (or `???` for a line that is no segment).
    #[error("path must begin with the three characters of a segment name")]
    Segment,
    /// No `-` and field number follow the segment.
    #[error("path needs a field number after the segment, as in PID-3")]
    Field,
    /// A number is zero, missing, or larger than a message can have.
    #[error("numbers in a path are whole and start at 1")]
    Number,
    /// Something follows the path.
    #[error("unexpected characters at the end of the path")]
    Trailing,
}

/// Stands for the name of a line that is no segment.
const STRAY: [u8; 3] = *b"???";

impl Path {
    /// The part at this path; absent when the message has no such place.
    #[must_use]
    pub fn resolve<'a>(&self, message: &'a Message<'_>) -> Part<'a> {
        let nth = usize::try_from(self.occurrence).unwrap_or(usize::MAX);
        let name = if self.segment == STRAY { "" } else { self.segment_name() };
        let Some(segment) = message.segment_named(name, nth) else {
            return Part::absent(
                message,
                LeafPath::of_field(message.segment_count(), usize::from(self.field)),
            );
        };
        let mut part = segment.field(usize::from(self.field));
        if let Some(repetition) = self.repetition {
            part = part.repetition(usize::from(repetition) - 1);
        }
        if let Some(component) = self.component {
            part = part.component(usize::from(component));
        }
        if let Some(subcomponent) = self.subcomponent {
            part = part.subcomponent(usize::from(subcomponent));
        }
        part
    }

    /// Name of the segment; `???` for a line that is no segment.
    #[must_use]
    pub fn segment_name(&self) -> &str {
        // Every constructor takes ASCII only.
        std::str::from_utf8(&self.segment).unwrap_or_default()
    }

    /// 1-based field number.
    #[must_use]
    pub fn field(&self) -> u16 {
        self.field
    }
}

impl LeafPath {
    /// The shortest path, for people, that leads to this place of the message. It counts the segments
    /// before it, so it is for showing single places, not for walking a message.
    #[must_use]
    pub fn describe(&self, message: &Message<'_>) -> Path {
        let at = usize::try_from(self.segment).unwrap_or(usize::MAX);
        let name = message.segment(at).map_or("", |segment| segment.name());
        let before = message.segments().take(at).filter(|segment| segment.name() == name).count();
        let field = message.segment(at).map(|segment| segment.field(usize::from(self.field)));
        let repetition = field.map(|field| field.repetition(usize::from(self.repetition)));
        let component = repetition.map(|part| part.component(usize::from(self.component)));
        let has_subcomponents =
            component.is_some_and(|part| part.subcomponent_count() > 1) || self.subcomponent > 1;
        let has_components = has_subcomponents
            || repetition.is_some_and(|part| part.component_count() > 1)
            || self.component > 1;
        // A component alone is one of the first repetition; a field alone is the whole field.
        let has_repetitions =
            self.repetition > 0 || !has_components && field.is_some_and(|field| field.repetition_count() > 1);
        Path {
            segment: name.as_bytes().try_into().unwrap_or(STRAY),
            occurrence: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
            field: self.field,
            repetition: has_repetitions.then(|| self.repetition.saturating_add(1)),
            component: has_components.then_some(self.component),
            subcomponent: has_subcomponents.then_some(self.subcomponent),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment_name())?;
        if self.occurrence > 1 {
            write!(f, "({})", self.occurrence)?;
        }
        write!(f, "-{}", self.field)?;
        if let Some(repetition) = self.repetition {
            write!(f, "~{repetition}")?;
        }
        if let Some(component) = self.component {
            write!(f, ".{component}")?;
        }
        if let Some(subcomponent) = self.subcomponent {
            write!(f, ".{subcomponent}")?;
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let (name, rest) = text.split_at_checked(3).ok_or(PathError::Segment)?;
        let segment: [u8; 3] = name.as_bytes().try_into().map_err(|_| PathError::Segment)?;
        if segment != STRAY && !segment.iter().all(u8::is_ascii_alphanumeric) {
            return Err(PathError::Segment);
        }
        let (occurrence, rest) = match rest.strip_prefix('(') {
            Some(rest) => {
                let (number, rest) = rest.split_once(')').ok_or(PathError::Number)?;
                (whole(number)?, rest)
            }
            None => (1, rest),
        };
        let (field, rest) = number_after(rest, '-')?;
        let field = field.ok_or(PathError::Field)?;
        let (repetition, rest) = number_after(rest, '~')?;
        let (component, rest) = number_after(rest, '.')?;
        let (subcomponent, rest) = if component.is_some() { number_after(rest, '.')? } else { (None, rest) };
        if !rest.is_empty() {
            return Err(PathError::Trailing);
        }
        Ok(Self { segment, occurrence, field, repetition, component, subcomponent })
    }
}

/// A number behind a mark, and what follows it; nothing when the mark does not stand there.
fn number_after(text: &str, mark: char) -> Result<(Option<u16>, &str), PathError> {
    let Some(rest) = text.strip_prefix(mark) else { return Ok((None, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    Ok((Some(whole(digits)?), rest))
}

fn whole<N: FromStr + Default + PartialEq>(digits: &str) -> Result<N, PathError> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(PathError::Number);
    }
    digits.parse().ok().filter(|number| *number != N::default()).ok_or(PathError::Number)
}
